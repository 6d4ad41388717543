package sp_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/metadata"
)

func begin(t testing.TB, cfg sp.Config, req identity.AuthnRequest) binding.Message {
	t.Helper()
	msg, _, err := connect(t, cfg).Begin(t.Context(), req, "a-ticket")
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	return msg
}

// variable is what differs from one AuthnRequest to the next.
var variable = regexp.MustCompile(`ID="_[0-9a-f]{40}"`)

func TestAuthnRequest(t *testing.T) {
	t.Parallel()
	const (
		open     = `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" AssertionConsumerServiceURL="` + ourACS + `" Destination="https://idp.partner.example.test/sso" `
		asked    = `ID="" IssueInstant="2026-11-23T12:00:00Z" `
		protocol = `ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Version="2.0">`
		issuer   = `<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">` + ourID + `</saml:Issuer>`
		end      = `</samlp:AuthnRequest>`
	)
	two := 2
	tests := []struct {
		name string
		cfg  func(*sp.Config)
		req  identity.AuthnRequest
		want string
	}{
		{"ordinary: no NameIDPolicy, no RequestedAuthnContext", nil, identity.AuthnRequest{}, open + asked + protocol + issuer + end},
		{"ForceAuthn", nil, identity.AuthnRequest{ForceAuthn: true}, open + `ForceAuthn="true" ` + asked + protocol + issuer + end},
		{"IsPassive", nil, identity.AuthnRequest{IsPassive: true}, open + `ID="" IsPassive="true" IssueInstant="2026-11-23T12:00:00Z" ` + protocol + issuer + end},
		{
			"what the relying party wants is not passed on", nil,
			identity.AuthnRequest{Subject: identity.FormatEmail, MaxAge: time.Hour},
			open + asked + protocol + issuer + end,
		},
		{
			"Scoping: one proxy less, and for whom", nil,
			identity.AuthnRequest{Audience: "https://app.example.test/sp", Scoping: identity.Scoping{
				ProxyCount: &two, IDPList: []identity.EntityID{"https://idp.partner.example.test", "urn:<&>"}, Requesters: []identity.EntityID{"urn:first"},
			}},
			open + asked + protocol + issuer + `<samlp:Scoping ProxyCount="1"><samlp:IDPList><samlp:IDPEntry ProviderID="https://idp.partner.example.test"></samlp:IDPEntry>` +
				`<samlp:IDPEntry ProviderID="urn:&lt;&amp;>"></samlp:IDPEntry></samlp:IDPList><samlp:RequesterID>urn:first</samlp:RequesterID>` +
				`<samlp:RequesterID>https://app.example.test/sp</samlp:RequesterID></samlp:Scoping>` + end,
		},
		{
			"Scoping: the requesters alone", nil,
			identity.AuthnRequest{Audience: "urn:app", Scoping: identity.Scoping{Requesters: []identity.EntityID{"urn:first"}}},
			open + asked + protocol + issuer + `<samlp:Scoping><samlp:RequesterID>urn:first</samlp:RequesterID><samlp:RequesterID>urn:app</samlp:RequesterID></samlp:Scoping>` + end,
		},
		{
			"NameIDPolicy", func(c *sp.Config) { c.NameIDFormat = identity.FormatPersistent }, identity.AuthnRequest{},
			open + asked + protocol + issuer + `<samlp:NameIDPolicy AllowCreate="true" Format="` + string(identity.FormatPersistent) + `"></samlp:NameIDPolicy>` + end,
		},
		{
			"NameIDPolicy without a Format", func(c *sp.Config) { c.NameIDPolicy = true }, identity.AuthnRequest{},
			open + asked + protocol + issuer + `<samlp:NameIDPolicy AllowCreate="true"></samlp:NameIDPolicy>` + end,
		},
		{
			"RequestedAuthnContext", nil, identity.AuthnRequest{Context: identity.RequestedContext{Classes: []identity.ClassRef{identity.ClassREFEDSMFA}}},
			open + asked + protocol + issuer + `<samlp:RequestedAuthnContext Comparison="exact"><saml:AuthnContextClassRef xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">https://refeds.org/profile/mfa</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>` + end,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, idpID, testKeys(t).idp.signer.Public())
			if tt.cfg != nil {
				tt.cfg(&cfg)
			}
			got := readQuestion(t, begin(t, cfg, tt.req)).xml
			if !variable.MatchString(got) {
				t.Errorf("no ID of 160 random bits in %s", got)
			}
			if diff := cmp.Diff(tt.want, variable.ReplaceAllString(got, `ID=""`)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			peer.ValidateXSD(t, []byte(got))
		})
	}
}

// TestProxyCountIsUsedUp asks no upstream where nobody may stand behind us.
func TestProxyCountIsUsedUp(t *testing.T) {
	t.Parallel()
	none := 0
	_, _, err := connect(t, config(t, idpID, testKeys(t).idp.signer.Public())).Begin(t.Context(), identity.AuthnRequest{Scoping: identity.Scoping{ProxyCount: &none}}, "a-ticket")
	if identity.CodeOf(err) != "sp.proxy_count" {
		t.Errorf("got %v, want sp.proxy_count", err)
	}
}

func TestRequestsAreNeverRepeated(t *testing.T) {
	t.Parallel()
	cfg := config(t, idpID, testKeys(t).idp.signer.Public())
	one, two := readQuestion(t, begin(t, cfg, identity.AuthnRequest{})), readQuestion(t, begin(t, cfg, identity.AuthnRequest{}))
	if one.id == two.id {
		t.Errorf("two requests have the ID %s", one.id)
	}
}

// TestSignedRequests holds when AuthnRequests are signed, that xmlsec1 verifies
// those by POST, and that those by Redirect carry the detached form.
func TestSignedRequests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		wanted bool
		sign   identity.Switch
		want   bool
	}{
		{"not wanted", false, identity.Auto, false},
		{"wanted by metadata", true, identity.Auto, true},
		{"by configuration", false, identity.On, true},
		{"against the metadata", true, identity.Off, false},
	}
	for _, tt := range tests {
		for _, how := range []string{identity.BindingRedirect, identity.BindingPOST} {
			t.Run(tt.name+" "+how[strings.LastIndexByte(how, ':')+1:], func(t *testing.T) {
				t.Parallel()
				k := testKeys(t)
				cfg := config(t, idpID, k.idp.signer.Public())
				cfg.SignRequests, cfg.IDP.IDP.WantAuthnRequestsSigned = tt.sign, tt.wanted
				cfg.IDP.IDP.SSO = []metadata.Endpoint{{Binding: how, Location: "https://idp.partner.example.test/sso"}}
				msg := begin(t, cfg, identity.AuthnRequest{})
				xml := readQuestion(t, msg).xml
				enveloped := strings.Contains(xml, "Signature>")
				if how == identity.BindingPOST {
					if enveloped != tt.want {
						t.Errorf("signed: %v, want %v", enveloped, tt.want)
					}
					if tt.want {
						peer.ValidateXSD(t, []byte(xml))
						peer.VerifyXMLSec1(t, []byte(xml), k.spSigning.certPEM)
					}
					return
				}
				u, err := url.Parse(msg.URL)
				if err != nil {
					t.Fatal(err)
				}
				if got := u.Query().Has("Signature"); got != tt.want || enveloped {
					t.Errorf("signed: %v (enveloped %v), want %v and detached", got, enveloped, tt.want)
				}
				if got := u.Query().Get("RelayState"); got != "a-ticket" {
					t.Errorf("RelayState is %q", got)
				}
			})
		}
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	cfg := config(t, idpID, k.idp.signer.Public())
	cfg.SignRequests, cfg.RequireSignedAssertion, cfg.ContactEmail = identity.On, true, "sso@example.test"
	cfg.PrivacyStatementURL, cfg.SubjectAttribute = "https://login.example.test/privacy", "urn:oasis:names:tc:SAML:attribute:pairwise-id"
	doc, err := connect(t, cfg).Metadata()
	if err != nil {
		t.Fatal(err)
	}
	peer.ValidateXSD(t, doc)
	peer.VerifyXMLSec1(t, doc, k.spSigning.certPEM)
	for _, want := range []string{
		`entityID="` + ourID + `"`, `Location="` + ourACS + `"`, `AuthnRequestsSigned="true"`, `WantAssertionsSigned="true"`, "mailto:sso@example.test",
		`<mdui:PrivacyStatementURL xml:lang="en">https://login.example.test/privacy</mdui:PrivacyStatementURL>`, `Name="urn:oasis:names:tc:SAML:profiles:subject-id:req"`, `>pairwise-id</saml:AttributeValue>`, string(identity.FormatPersistent),
	} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("no %s in %s", want, doc)
		}
	}
	for _, by := range []identity.Name{"", "mail", "urn:oasis:names:tc:SAML:attribute:other"} {
		cfg.SubjectAttribute = by
		if doc, err = connect(t, cfg).Metadata(); err != nil || strings.Contains(string(doc), "subject-id:req") {
			t.Errorf("people are known by %q: %v, %s", by, err, doc)
		}
	}
	if strings.Contains(string(doc), string(identity.FormatTransient)) {
		t.Error("it offers transient, by which nobody is recognised")
	}
}
