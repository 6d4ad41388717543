package metadata_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// shibboleth has the shape of the file that the Shibboleth IdP's installer
// writes: comments throughout, three KeyDescriptors whose certificates stand in
// lines of their own, a SAML 1.1 binding and an AttributeAuthorityDescriptor.
const shibboleth = `<?xml version="1.0" encoding="UTF-8"?>
<!-- This is example metadata only. -->
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:shibmd="urn:mace:shibboleth:metadata:1.0" xmlns:xml="http://www.w3.org/XML/1998/namespace" xmlns:mdui="urn:oasis:names:tc:SAML:metadata:ui" xmlns:req-attr="urn:oasis:names:tc:SAML:protocol:ext:req-attr" validUntil="2027-01-01T10:00:00.123Z" entityID="https://idp.example.test/idp/shibboleth">
  <IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol urn:oasis:names:tc:SAML:1.1:protocol urn:mace:shibboleth:1.0" req-attr:supportsRequestedAttributes="true">
    <Extensions>
      <shibmd:Scope regexp="false">example.test</shibmd:Scope>
      <shibmd:Scope regexp="true">^.*$</shibmd:Scope>
      <!-- Fill in the details for your IdP here
      <mdui:UIInfo/> -->
    </Extensions>
    <!-- First signing certificate is BackChannel, the Second is FrontChannel -->
    <KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
{{signer}}
    </ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>
    <KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
{{next}}
    </ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>
    <KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
{{encryption}}
    </ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>
    <ArtifactResolutionService Binding="urn:oasis:names:tc:SAML:2.0:bindings:SOAP" Location="https://idp.example.test:8443/idp/profile/SAML2/SOAP/ArtifactResolution" index="2"/>
    <SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.test/idp/profile/SAML2/Redirect/SLO"/>
    <SingleSignOnService Binding="urn:mace:shibboleth:1.0:profiles:AuthnRequest" Location="https://idp.example.test/idp/profile/Shibboleth/SSO"/>
    <SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.test/idp/profile/SAML2/POST/SSO"/>
    <SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.test/idp/profile/SAML2/Redirect/SSO"/>
  </IDPSSODescriptor>
  <AttributeAuthorityDescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol">
    <AttributeService Binding="urn:oasis:names:tc:SAML:1.0:bindings:SOAP-binding" Location="https://idp.example.test:8443/idp/profile/SAML1/SOAP/AttributeQuery"/>
  </AttributeAuthorityDescriptor>
</EntityDescriptor>`

// adfs has the shape of a FederationMetadata.xml: RoleDescriptors of another
// protocol first, the role of an SP beside that of an IdP, offered attributes.
const adfs = `<EntityDescriptor ID="_e1" entityID="http://adfs.example.test/adfs/services/trust" xmlns="urn:oasis:names:tc:SAML:2.0:metadata">
<RoleDescriptor xsi:type="fed:ApplicationServiceType" protocolSupportEnumeration="http://docs.oasis-open.org/ws-sx/ws-trust/200512" ServiceDisplayName="Example" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706"><KeyDescriptor use="encryption"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>{{encryption}}</X509Certificate></X509Data></KeyInfo></KeyDescriptor></RoleDescriptor>
<SPSSODescriptor WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="encryption"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>{{encryption}}</X509Certificate></X509Data></KeyInfo></KeyDescriptor><AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://adfs.example.test/adfs/ls/" index="0" isDefault="true"/><AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact" Location="https://adfs.example.test/adfs/ls/" index="1"/></SPSSODescriptor>
<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="encryption"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>{{encryption}}</X509Certificate></X509Data></KeyInfo></KeyDescriptor><KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>{{signer}}</X509Certificate></X509Data></KeyInfo></KeyDescriptor><KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>{{next}}</X509Certificate></X509Data></KeyInfo></KeyDescriptor><SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://adfs.example.test/adfs/ls/"/><NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</NameIDFormat><SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://adfs.example.test/adfs/ls/"/><Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri" FriendlyName="E-Mail Address" xmlns="urn:oasis:names:tc:SAML:2.0:assertion"/></IDPSSODescriptor>
<ContactPerson contactType="support"/></EntityDescriptor>`

func TestParseShapes(t *testing.T) {
	t.Parallel()
	fill := func(s string) []byte {
		for _, name := range []string{"signer", "next", "encryption"} {
			s = strings.ReplaceAll(s, "{{"+name+"}}", certText(name))
		}
		return []byte(s)
	}
	for _, tc := range []struct {
		name, file, sso string
		id              identity.EntityID
		scopes          []string
		alsoSP          bool
	}{
		{"Shibboleth IdP", shibboleth, "https://idp.example.test/idp/profile/SAML2/Redirect/SSO", "https://idp.example.test/idp/shibboleth", []string{"example.test"}, false},
		{"AD FS", adfs, "https://adfs.example.test/adfs/ls/", "http://adfs.example.test/adfs/services/trust", nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, err := parse(fill(tc.file), metadata.RoleIDP)
			if err != nil {
				t.Fatal(err)
			}
			sso, _ := metadata.Find(e.IDP.SSO, identity.BindingRedirect)
			if e.EntityID != tc.id || sso.Location != tc.sso || e.SP != nil || len(e.Findings) > 0 {
				t.Errorf("got %s with SSO %s, SP %v, findings %q", e.EntityID, sso.Location, e.SP, e.Findings)
			}
			if diff := cmp.Diff(tc.scopes, e.IDP.Scopes); diff != "" {
				t.Errorf("Scopes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(der(t, keys(public("signer"), public("next"))), der(t, e.IDP.Signing)); diff != "" {
				t.Errorf("Signing (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(der(t, keys(public("encryption"))), der(t, e.IDP.Encryption)); diff != "" {
				t.Errorf("Encryption (-want +got):\n%s", diff)
			}
			all, err := parse(fill(tc.file), "")
			if err != nil || (all.SP != nil) != tc.alsoSP || all.IDP == nil {
				t.Errorf("with any role: got %+v, %v", all, err)
			}
		})
	}
}

// The goal for one entity is 0.17 ms.
func BenchmarkParse(b *testing.B) {
	s := shibboleth
	for _, name := range []string{"signer", "next", "encryption"} {
		s = strings.ReplaceAll(s, "{{"+name+"}}", certText(name))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse([]byte(s), metadata.RoleIDP); err != nil {
			b.Fatal(err)
		}
	}
}
