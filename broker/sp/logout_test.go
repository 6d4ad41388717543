package sp_test

import (
	"crypto"
	"net/http"
	"strings"
	"testing"

	"github.com/crewjam/saml"
	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/metadata"
)

const (
	ourSLO = "https://login.example.test/saml/slo/acme"
	idpSLO = "https://idp.partner.example.test/slo"
)

// leaving is a connector whose upstream has single logout.
func leaving(t testing.TB) *sp.Connector {
	t.Helper()
	cfg := config(t, idpID, testKeys(t).idp.signer.Public())
	cfg.SLO = ourSLO
	cfg.IDP.IDP.SLO = []metadata.Endpoint{{Binding: identity.BindingRedirect, Location: idpSLO, ResponseLocation: idpSLO + "/answer"}}
	return connect(t, cfg)
}

// inRedirect reads a message of ours.
func inRedirect(t testing.TB, m binding.Message, location, param string) binding.SAML {
	t.Helper()
	at, query, _ := strings.Cut(m.URL, "?")
	msg, err := binding.Decode(binding.Received{Method: http.MethodGet, RawQuery: query}, param)
	if err != nil || at != location {
		t.Fatalf("got %s, %v", m.URL, err)
	}
	if err := msg.VerifyQuery([]crypto.PublicKey{testKeys(t).spSigning.signer.Public()}); err != nil {
		t.Error(err)
	}
	peer.ValidateXSD(t, msg.XML)
	return msg
}

func TestLogoutMessages(t *testing.T) {
	t.Parallel()
	c := leaving(t)
	a := upstream{}.Says()
	m, err := c.Logout(a, "r")
	if err != nil || !c.CanLogout() {
		t.Fatal(err)
	}
	msg := inRedirect(t, m, idpSLO, binding.ParamRequest)
	for _, part := range []string{
		`Destination="` + idpSLO + `"`, `NotOnOrAfter="2026-11-23T12:05:00Z"`, `<samlp:SessionIndex>_session</samlp:SessionIndex>`,
		`Format="` + string(identity.FormatPersistent) + `" NameQualifier="` + idpID + `" SPNameQualifier="` + ourID + `">ada.example</saml:NameID>`,
	} {
		if !strings.Contains(string(msg.XML), part) {
			t.Errorf("no %s in %s", part, msg.XML)
		}
	}
	state := []byte(`{"in_response_to":"_asked","binding":"` + identity.BindingRedirect + `","relay_state":"theirs"}`)
	if m, err = c.AnswerLogout(t.Context(), state, true); err != nil {
		t.Fatal(err)
	}
	msg = inRedirect(t, m, idpSLO+"/answer", binding.ParamResponse)
	if !strings.Contains(string(msg.XML), `InResponseTo="_asked"`) || msg.RelayState != "theirs" {
		t.Errorf("got %s with %q", msg.XML, msg.RelayState)
	}
	doc, err := c.Metadata()
	if err != nil || !strings.Contains(string(doc), `Location="`+ourSLO+`"`) {
		t.Errorf("the endpoint is not published: %v\n%s", err, doc)
	}
	without := connect(t, config(t, idpID, testKeys(t).idp.signer.Public()))
	if _, err := without.Logout(a, ""); identity.CodeOf(err) != "up.no_slo" || without.CanLogout() {
		t.Errorf("an upstream without single logout: %v", err)
	}
}

// TestAttackUpstreamLogoutForgery reads messages of single logout: only those
// that this upstream signed over the query, to us and of today, end anything.
func TestAttackUpstreamLogoutForgery(t *testing.T) {
	t.Parallel()
	const request = `<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_lr" Version="2.0" IssueInstant="2026-11-23T12:00:00Z" Destination="` + ourSLO + `">` +
		`<saml:Issuer>` + idpID + `</saml:Issuer><saml:NameID Format="` + string(identity.FormatPersistent) + `">ada.example</saml:NameID><samlp:SessionIndex>_session</samlp:SessionIndex></samlp:LogoutRequest>`
	const response = `<samlp:LogoutResponse xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_ls" Version="2.0" IssueInstant="2026-11-23T12:00:00Z" Destination="` + ourSLO + `" InResponseTo="_q">` +
		`<saml:Issuer>` + idpID + `</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status></samlp:LogoutResponse>`
	k := testKeys(t)
	theirs := certs.Key{ID: "theirs", Use: certs.Signing, State: certs.Active, Signer: k.idp.signer}
	others := certs.Key{ID: "others", Use: certs.Signing, State: certs.Active, Signer: k.other.signer}
	edit := func(from, to string) string { return strings.Replace(request, from, to, 1) }
	asked := sp.LogoutMessage{
		Request: true, ID: "_lr", RelayState: "r", Indexes: []identity.SessionID{"_session"}, Issued: noon,
		State:     []byte(`{"in_response_to":"_lr","binding":"` + identity.BindingRedirect + `","relay_state":"r"}`),
		Principal: identity.Principal{Issuer: idpID, Subject: "ada.example", Format: identity.FormatPersistent},
	}
	for _, tc := range []struct {
		name, param, xml string
		key              *certs.Key
		want             sp.LogoutMessage
		code             identity.Code
	}{
		{"request", binding.ParamRequest, request, &theirs, asked, ""},
		{"answer", binding.ParamResponse, response, &theirs, sp.LogoutMessage{ID: "_ls", RelayState: "r", Issued: noon, InResponseTo: "_q", Status: saml.StatusSuccess, Complete: true}, ""},
		{"partial", binding.ParamResponse, strings.Replace(response, `status:Success"/>`, `status:Success"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:PartialLogout"/></samlp:StatusCode>`, 1), &theirs, sp.LogoutMessage{ID: "_ls", RelayState: "r", Issued: noon, InResponseTo: "_q", Status: saml.StatusSuccess + " " + saml.StatusPartialLogout}, ""},
		{"unsigned", binding.ParamRequest, request, nil, sp.LogoutMessage{}, "up.unsigned"},
		{"another's key", binding.ParamRequest, request, &others, sp.LogoutMessage{}, "up.signature"},
		{"another upstream", binding.ParamRequest, edit(">"+idpID+"<", ">"+otherID+"<"), &others, sp.LogoutMessage{}, "up.issuer"},
		{"to another address", binding.ParamRequest, edit(ourSLO, "https://x.example.test"), &theirs, sp.LogoutMessage{}, "up.destination"},
		{"of the future", binding.ParamRequest, edit("12:00:00Z", "12:03:01Z"), &theirs, sp.LogoutMessage{}, "up.clock"},
		{"too old", binding.ParamRequest, edit("12:00:00Z", "11:51:59Z"), &theirs, sp.LogoutMessage{}, "up.clock"},
		{"expired", binding.ParamRequest, edit(` ID=`, ` NotOnOrAfter="2026-11-23T11:57:00Z" ID=`), &theirs, sp.LogoutMessage{}, "up.clock"},
		{"about nobody", binding.ParamRequest, edit(`<saml:NameID Format="`+string(identity.FormatPersistent)+`">ada.example</saml:NameID>`, ""), &theirs, sp.LogoutMessage{}, "up.format"},
		{"of another version", binding.ParamRequest, edit(`Version="2.0"`, `Version="1.1"`), &theirs, sp.LogoutMessage{}, "up.format"},
		{"a request as an answer", binding.ParamResponse, request, &theirs, sp.LogoutMessage{}, "up.format"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m, err := binding.Redirect(ourSLO, tc.param, []byte(tc.xml), "r", tc.key)
			if err != nil {
				t.Fatal(err)
			}
			_, query, _ := strings.Cut(m.URL, "?")
			got, err := leaving(t).ReadLogout(binding.Received{Method: http.MethodGet, RawQuery: query})
			if identity.CodeOf(err) != tc.code {
				t.Fatalf("got %v, want %q", err, tc.code)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
