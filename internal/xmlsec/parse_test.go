package xmlsec_test

import (
	"testing"

	"github.com/samlet-id/samlet/internal/xmlsec"
)

const typicalRequest = `<?xml version="1.0" encoding="UTF-8"?>
<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"
    ID="_4fee3b046395c4e751011e97f8900b5273d56685" Version="2.0" IssueInstant="2026-11-23T18:30:00Z"
    Destination="https://idp.example.test/saml/sso" ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
    AssertionConsumerServiceURL="https://app.example.test/saml/acs">
  <saml:Issuer>https://app.example.test/saml/metadata</saml:Issuer>
  <samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" AllowCreate="true"/>
  <samlp:RequestedAuthnContext Comparison="exact">
    <saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef>
  </samlp:RequestedAuthnContext>
</samlp:AuthnRequest>
`

func TestParseReadsNamesAttributesAndText(t *testing.T) {
	t.Parallel()
	doc, err := xmlsec.Parse([]byte(typicalRequest), xmlsec.RequestLimits())
	if err != nil {
		t.Fatal(err)
	}
	root := doc.Root()
	if !root.Is(xmlsec.NSProtocol, "AuthnRequest") || root.Attr("Version") != "2.0" {
		t.Fatalf("root = {%s}%s Version=%q", root.Space, root.Local, root.Attr("Version"))
	}
	got, err := root.Child(xmlsec.NSAssertion, "Issuer").Text()
	if want := "https://app.example.test/saml/metadata"; got != want || err != nil {
		t.Errorf("Issuer = %q, %v, want %q", got, err, want)
	}
	t.Logf("%s", root.Raw())
}

func BenchmarkParseAuthnRequest(b *testing.B) {
	raw := []byte(typicalRequest)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := xmlsec.Parse(raw, xmlsec.RequestLimits()); err != nil {
			b.Fatal(err)
		}
	}
}
