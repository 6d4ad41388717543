package sp_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
)

// longest is a string of 256 characters, every one of which is hostile, or far
// from ASCII: as much as every peer has to take (IIP-G02).
var longest = string([]rune(strings.Repeat("<>&\"'\r\n\t]]>🔑\u2028ä\U0010FFFD <!---->", 16))[:256])

// TestEveryStringOfARequestIsCarried: whatever is a string in our AuthnRequest comes
// out of another parser as it was.
func TestEveryStringOfARequestIsCarried(t *testing.T) {
	t.Parallel()
	if n := utf8.RuneCountInString(longest); n != 256 {
		t.Fatalf("%d characters", n)
	}
	cfg := config(t, idpID, testKeys(t).idp.signer.Public())
	cfg.EntityID, cfg.NameIDFormat = identity.EntityID(longest), identity.Format(longest)
	doc := etree.NewDocument()
	err := doc.ReadFromString(readQuestion(t, begin(t, cfg, identity.AuthnRequest{
		Audience: identity.EntityID(longest), Context: identity.RequestedContext{Classes: []identity.ClassRef{identity.ClassRef(longest)}},
		Scoping: identity.Scoping{IDPList: []identity.EntityID{identity.EntityID(longest)}, Requesters: []identity.EntityID{identity.EntityID(longest)}},
	})).xml)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{
		"Format":     doc.FindElement("//NameIDPolicy").SelectAttrValue("Format", ""),
		"ProviderID": doc.FindElement("//IDPEntry").SelectAttrValue("ProviderID", ""),
	}
	for _, name := range []string{"Issuer", "AuthnContextClassRef", "RequesterID"} {
		for i, e := range doc.FindElements("//" + name) {
			got[name+strings.Repeat("'", i)] = e.Text()
		}
	}
	if len(got) != 6 {
		t.Errorf("%d strings: %v", len(got), got)
	}
	for what, s := range got {
		if diff := cmp.Diff(longest, s); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

// TestEveryStringOfAResponseIsTaken: whatever is an xs:string in an upstream's
// Response arrives as it was sent.
func TestEveryStringOfAResponseIsTaken(t *testing.T) {
	t.Parallel()
	var escaped strings.Builder
	for _, r := range longest {
		switch r {
		case '<', '>', '&', '"', '\'', '\r', '\n', '\t':
			escaped.WriteString(map[rune]string{'<': "&lt;", '>': "&gt;", '&': "&amp;", '"': "&quot;", '\'': "&apos;", '\r': "&#13;", '\n': "&#10;", '\t': "&#9;"}[r])
		default:
			escaped.WriteRune(r)
		}
	}
	text := escaped.String()
	k := testKeys(t)
	got, err := try(t, config(t, idpID, k.idp.signer.Public()), identity.AuthnRequest{}, func(q question) string {
		return answer{asked: q, issuer: idpID, signer: k.idp, sign: "assertion", edits: []string{
			`NameQualifier="{IDP}" SPNameQualifier="{SP}">ada.example`, `NameQualifier="` + text + `" SPNameQualifier="` + text + `">` + text,
			`SessionIndex="_session"`, `SessionIndex="` + text + `"`,
			`<saml:Attribute Name="urn:oid:0.9.2342.19200300.100.1.3">`, `<saml:Attribute Name="` + text + `" FriendlyName="` + text + `">`,
			"ada@example.test", text + "</saml:AttributeValue><saml:AttributeValue>" + text,
		}}.build(t)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Assertion{
		Principal:  identity.Principal{Issuer: idpID, Subject: longest, Format: identity.FormatPersistent, NameQualifier: longest, SPNameQualifier: longest},
		Session:    identity.SessionID(longest),
		Attributes: identity.Attributes{identity.Name(longest): {longest, longest}},
	}
	got.Context, got.NotAfter = want.Context, want.NotAfter
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = try(t, config(t, idpID, k.idp.signer.Public()), identity.AuthnRequest{}, func(q question) string {
		const success = `<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>`
		message := `<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"/><samlp:StatusMessage>` + text + `</samlp:StatusMessage></samlp:Status>`
		return answer{asked: q, issuer: idpID, sign: "nothing", edits: []string{success, message}}.build(t)
	})
	if e := identity.AsError(err); e == nil || e.Code != "up.status" || !strings.HasPrefix(e.Seen, "Responder: <>&") {
		t.Errorf("a StatusMessage: got %v", err)
	}
}
