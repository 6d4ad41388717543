package metadata_test

import (
	"crypto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// The files in testdata were made by the software that they are named after:
// mellon_create_metadata, pysaml2's make_metadata, SimpleSAMLphp's SAMLBuilder.
func TestParsePeersFiles(t *testing.T) {
	t.Parallel()
	type summary struct {
		ID                                       identity.EntityID
		Name                                     string
		Signing, Encryption, SSO, ACS, SLO       int
		WantAuthn, AuthnSigned, WantAssertions   bool
		Formats                                  []identity.Format
		Scopes                                   []string
		Requested                                []metadata.RequestedAttribute
		Emails                                   []string
		Default                                  string
		LogoutResponses                          string
		DigestMethods, EncryptionMethods, Others int
	}
	mail := metadata.RequestedAttribute{Name: "urn:oid:0.9.2342.19200300.100.1.3", NameFormat: identity.NameFormatURI, Required: true}
	given := metadata.RequestedAttribute{Name: "urn:oid:2.5.4.42", NameFormat: identity.NameFormatURI}
	named := func(a metadata.RequestedAttribute, friendly string) metadata.RequestedAttribute {
		a.FriendlyName = friendly
		return a
	}
	for file, want := range map[string]summary{
		"mellon-sp.xml": {
			ID: "https://mellon.example.test/metadata", Name: "https://mellon.example.test/metadata", Signing: 1, Encryption: 1, ACS: 1, SLO: 1,
			AuthnSigned: true, Default: "https://mellon.example.test/mellon/postResponse", LogoutResponses: "https://mellon.example.test/mellon/logout",
		},
		"pysaml2-sp.xml": {
			ID: "https://pysaml2.example.test/sp", Name: "A pysaml2 application", Signing: 1, Encryption: 1, ACS: 2, SLO: 1,
			AuthnSigned: true, WantAssertions: true, Formats: []identity.Format{identity.FormatPersistent},
			Requested: []metadata.RequestedAttribute{named(mail, "mail"), named(given, "givenName")}, Emails: []string{"help@example.test"},
			Default: "https://pysaml2.example.test/acs/post", LogoutResponses: "https://pysaml2.example.test/slo", DigestMethods: 7, Others: 1,
		},
		"pysaml2-idp.xml": {
			ID: "https://pysaml2.example.test/idp", Name: "Example Org", Signing: 1, Encryption: 1, SSO: 2, WantAuthn: true,
			Scopes: []string{"example.test"}, Emails: []string{"help@example.test"}, DigestMethods: 7, Others: 1,
		},
		"simplesamlphp-sp.xml": {
			ID: "https://ssp.example.test/sp", Name: "A SimpleSAMLphp application", Signing: 1, Encryption: 1, ACS: 3, SLO: 1,
			Requested: []metadata.RequestedAttribute{mail, given}, Default: "https://ssp.example.test/saml2-acs.php/default-sp",
			LogoutResponses: "https://ssp.example.test/saml2-logout.php/default-sp",
		},
		"simplesamlphp-idp.xml": {
			ID: "https://ssp.example.test/idp", Name: "Example University", Signing: 1, Encryption: 1, SSO: 1, SLO: 1, WantAuthn: true,
			Formats: []identity.Format{identity.FormatTransient}, Scopes: []string{"example.test"}, Emails: []string{"help@example.test"},
			LogoutResponses: "https://ssp.example.test/slo-response.php", Others: 2,
		},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			e, err := metadata.Parse(raw, metadata.ParseOptions{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			got := summary{ID: e.EntityID, Name: e.Name("")}
			var role metadata.Role
			if e.IDP != nil {
				role = e.IDP.Role
				got.SSO, got.WantAuthn, got.Scopes = len(e.IDP.SSO), e.IDP.WantAuthnRequestsSigned, e.IDP.Scopes
			}
			if e.SP != nil {
				role = e.SP.Role
				got.ACS, got.AuthnSigned, got.WantAssertions = len(e.SP.ACS), e.SP.AuthnRequestsSigned, e.SP.WantAssertionsSigned
				acs, err := e.SP.AssertionConsumerService("", nil, "", identity.BindingPOST, identity.BindingArtifact)
				if err != nil {
					t.Error(err)
				}
				got.Default = acs.Location
				if s, ok := e.SP.AttributeConsumingService(nil); ok {
					got.Requested = s.Requested
				}
			}
			got.Signing, got.Encryption, got.SLO, got.Formats = len(role.Signing), len(role.Encryption), len(role.SLO), role.NameIDFormats
			got.DigestMethods, got.EncryptionMethods, got.Others = len(role.DigestMethods), len(role.EncryptionMethods), len(role.Extensions)
			if slo, ok := metadata.Find(role.SLO, identity.BindingPOST, identity.BindingRedirect); ok {
				got.LogoutResponses = slo.ResponseURL()
			}
			for _, c := range e.Contacts {
				got.Emails = append(got.Emails, c.Emails...)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(e.Findings) > 0 {
				t.Errorf("findings: %q", e.Findings)
			}
			if len(e.Raw) != len(raw) {
				t.Errorf("Raw has %d bytes of %d", len(e.Raw), len(raw))
			}
		})
	}
}

// Files that are no metadata, or not the one that is wanted: each has one clear
// sentence.
func TestParseSaysWhatTheFileIs(t *testing.T) {
	t.Parallel()
	idpFile, spFile := idp(descriptor("", x509Data("signer"))), sp(oneACS)
	for _, tc := range []struct {
		name string
		raw  string
		want metadata.RoleName
		code identity.Code
		says string
	}{
		{"empty", " \n", "", "md.empty", "is empty"},
		{"HTML", "\ufeff<!DOCTYPE html><html><title>Sign in</title>", "", "md.html", "web page"},
		{"HTML without a type", "<HTML><body>", "", "md.html", "web page"},
		{"JSON", `{"issuer":"https://op.example.test"}`, "", "md.json", "JSON"},
		{"PEM", string(key("signer").PEM()), "", "md.pem", "certificate"},
		{"text", "see attachment", "", "md.not_xml", "not XML"},
		{"broken XML", "<md:EntityDescriptor", "", "xml.syntax", ""},
		{"a document type", `<!DOCTYPE md [<!ENTITY x "y">]>` + string(idpFile), "", "xml.dtd", ""},
		{"another root", `<Response xmlns="urn:oasis:names:tc:SAML:2.0:protocol"/>`, "", "md.root", "not SAML metadata"},
		{"no namespace", `<EntityDescriptor entityID="x"/>`, "", "md.root", "not SAML metadata"},
		{"an SP's file", string(spFile), metadata.RoleIDP, "md.sp_file", "application's (SP's) metadata"},
		{"an IdP's file", string(idpFile), metadata.RoleSP, "md.idp_file", "identity provider's (IdP's) metadata"},
		{"no role", entityOpen + "/>", metadata.RoleSP, "md.role", "neither"},
		{"SAML 1.1 only", strings.Replace(string(spFile), "SAML:2.0:protocol", "SAML:1.1:protocol", 1), metadata.RoleSP, "md.protocol", "does not support SAML 2.0"},
		{"no entityID", strings.Replace(string(spFile), "entityID", "x", 1), metadata.RoleSP, "md.entity_id", "no entityID"},
		{"an IdP without keys", string(idp("")), metadata.RoleIDP, "md.no_key", "no key"},
		{"an IdP without SSO", string(idp(descriptor("", x509Data("signer")), identity.BindingRedirect, identity.BindingSOAP)), metadata.RoleIDP, "md.no_sso", "SingleSignOnService"},
		{"an SP without ACS", string(sp("")), metadata.RoleSP, "md.no_acs", "AssertionConsumerService"},
		{"an SP with Redirect alone", string(sp(oneACS, identity.BindingPOST, identity.BindingRedirect)), metadata.RoleSP, "md.no_acs", "HTTP-POST"},
		{"an index that is no number", string(sp(oneACS, `index="0"`, `index="x"`)), metadata.RoleSP, "md.value", "index"},
		{"a boolean that is none", string(sp(oneACS, "<md:SPSSODescriptor", `<md:SPSSODescriptor AuthnRequestsSigned="yes"`)), metadata.RoleSP, "md.value", "AuthnRequestsSigned"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := parse([]byte(tc.raw), tc.want)
			e := identity.AsError(err)
			if e == nil || e.Code != tc.code || e.Kind != identity.KindInvalid || !strings.Contains(e.Msg, tc.says) {
				t.Errorf("got %v, want code %s with %q", err, tc.code, tc.says)
			}
		})
	}
}

func TestParseValidity(t *testing.T) {
	t.Parallel()
	until := func(d time.Duration) string { return now().Add(d).Format(time.RFC3339) }
	file := func(attrs string) []byte { return sp(oneACS, entityOpen, entityOpen+attrs) }
	role := func(attrs string) []byte { return sp(oneACS, "<md:SPSSODescriptor", "<md:SPSSODescriptor"+attrs) }
	for _, tc := range []struct {
		name string
		raw  []byte
		max  time.Duration
		code identity.Code
	}{
		{"none", file(""), 0, ""},
		{"in a day", file(` validUntil="` + until(24*time.Hour) + `"`), 48 * time.Hour, ""},
		{"170 s ago: within the skew", file(` validUntil="` + until(-170*time.Second) + `"`), 0, ""},
		{"190 s ago", file(` validUntil="` + until(-190*time.Second) + `"`), 0, "md.expired"},
		{"190 s ago, of the role", role(` validUntil="` + until(-190*time.Second) + `"`), 0, "md.expired"},
		{"none, where a bound is set", file(""), 48 * time.Hour, "md.valid_until"},
		{"beyond the bound", file(` validUntil="` + until(72*time.Hour) + `"`), 48 * time.Hour, "md.valid_until"},
		{"not a time", file(` validUntil="tomorrow"`), 0, "md.value"},
		{"not a duration", file(` cacheDuration="1d"`), 0, "md.value"},
	} {
		_, err := metadata.Parse(tc.raw, metadata.ParseOptions{Now: now, MaxValidity: tc.max})
		if got := identity.CodeOf(err); got != tc.code {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.code)
		}
	}
	// The strictest of file and role holds.
	e, err := parse(sp(oneACS, entityOpen, entityOpen+` validUntil="`+until(time.Hour)+`" cacheDuration="PT2H"`,
		"<md:SPSSODescriptor", `<md:SPSSODescriptor cacheDuration="PT1H" validUntil="`+until(2*time.Hour)+`"`), "")
	if err != nil {
		t.Fatal(err)
	}
	if !e.ValidUntil.Equal(now().Add(time.Hour)) || e.CacheDuration != time.Hour {
		t.Errorf("got validUntil %v and cacheDuration %v, want the earliest and the shortest", e.ValidUntil, e.CacheDuration)
	}
}

func TestParseEntitiesDescriptor(t *testing.T) {
	t.Parallel()
	body := func(raw []byte, id string) string {
		return strings.Replace(strings.Replace(string(raw), "https://peer.example.test/saml", id, 1), ` ID="_e1"`, "", 1)
	}
	group := func(attrs string, inner ...string) []byte {
		return []byte(`<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"` + attrs + `>` + strings.Join(inner, "") + `</md:EntitiesDescriptor>`)
	}
	a, b, i := body(sp(oneACS), "urn:a"), body(sp(oneACS), "urn:b"), body(idp(descriptor("", x509Data("signer"))), "urn:i")
	for _, tc := range []struct {
		name string
		raw  []byte
		o    metadata.ParseOptions
		want identity.EntityID
		code identity.Code
	}{
		{"one of its kind", group("", a, i), metadata.ParseOptions{Want: metadata.RoleIDP}, "urn:i", ""},
		{"the one that is named", group("", a, b, i), metadata.ParseOptions{EntityID: "urn:b"}, "urn:b", ""},
		{"nested", group("", string(group("", a)), i), metadata.ParseOptions{Want: metadata.RoleSP}, "urn:a", ""},
		{"several", group("", a, b), metadata.ParseOptions{Want: metadata.RoleSP}, "", "md.aggregate"},
		{"none of its kind", group("", a), metadata.ParseOptions{Want: metadata.RoleIDP}, "", "md.role"},
		{"not the one that is named", group("", a), metadata.ParseOptions{EntityID: "urn:x"}, "", "md.entity_id"},
		{"alone, and not the one that is named", sp(oneACS), metadata.ParseOptions{EntityID: "urn:x"}, "", "md.entity_id"},
		{"an expired group", group(` validUntil="2026-01-01T00:00:00Z"`, string(group("", a))), metadata.ParseOptions{}, "", "md.expired"},
	} {
		tc.o.Now = now
		e, err := metadata.Parse(tc.raw, tc.o)
		if identity.CodeOf(err) != tc.code || err == nil && e.EntityID != tc.want {
			t.Errorf("%s: got %v, %v; want %q, %q", tc.name, e, err, tc.want, tc.code)
		}
	}
	if _, err := parse(group("", a, b), metadata.RoleSP); err == nil || !strings.Contains(err.Error(), "metadata_sources") {
		t.Errorf("several: got %v, want a hint at metadata_sources", err)
	}
}

// Threat class "metadata poisoning": an unsigned root, another root, and
// addresses that no browser may be sent to.
func TestMetadataPoisoning(t *testing.T) {
	t.Parallel()
	signed := signByXMLSec1(t, sp(oneACS))
	group := signByXMLSec1(t, []byte(`<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" ID="_e1">`+
		strings.Replace(string(sp(oneACS)), ` ID="_e1"`, "", 1)+`</md:EntitiesDescriptor>`))
	evil := strings.NewReplacer("peer.example.test/acs", "evil.example.test/acs")
	wrapped := `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">` + strings.TrimPrefix(string(signed), `<?xml version="1.0"?>`) + `</md:EntitiesDescriptor>`
	for _, tc := range []struct {
		name string
		raw  []byte
		keys []crypto.PublicKey
		code identity.Code
	}{
		{"signed by xmlsec1", signed, []crypto.PublicKey{public("ecdsa"), public("signer")}, ""},
		{"signed, with the prefix xml declared", signByXMLSec1(t, sp(oneACS, entityOpen, entityOpen+` xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="en"`)), []crypto.PublicKey{public("signer")}, ""},
		{"a signed group", group, []crypto.PublicKey{public("signer")}, ""},
		{"unsigned", sp(oneACS), []crypto.PublicKey{public("signer")}, "sig.missing"},
		{"changed", []byte(evil.Replace(string(signed))), []crypto.PublicKey{public("signer")}, "sig.digest"},
		{"signed by another", signed, []crypto.PublicKey{public("next")}, "sig.key"},
		{"required, but no key is configured", signed, nil, "sig.no_keys"},
		{"signed within an unsigned root", []byte(wrapped), []crypto.PublicKey{public("signer")}, "sig.missing"},
	} {
		_, err := metadata.Parse(tc.raw, metadata.ParseOptions{Now: now, Keys: tc.keys, RequireSignature: true})
		if got := identity.CodeOf(err); got != tc.code {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.code)
		}
	}
	if _, err := metadata.Parse(sp(oneACS), metadata.ParseOptions{Now: now, Keys: []crypto.PublicKey{public("signer")}}); identity.CodeOf(err) != "sig.missing" {
		t.Errorf("keys alone: got %v, want sig.missing: keys are configured to be used", err)
	}
}

// Threat class "ACS abuse" (CVE-2023-45683).
func TestEndpointsThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	for location, want := range map[string]identity.Code{
		"https://peer.example.test/acs":              "",
		"https://peer.example.test:8443/a?b=c/d":     "",
		" https://peer.example.test/acs\n":           "",
		"http://peer.example.test/acs":               "md.no_acs", // passed over, and then none is left
		"javascript:alert(1)":                        "md.endpoint",
		"data:text/html,x":                           "md.endpoint",
		"javascript://peer.example.test/%0aalert(1)": "md.endpoint",
		"https://user@peer.example.test/":            "md.endpoint",
		"https://peer.example.test/a&#9;b":           "md.endpoint",
		"https://peer.example.test/&quot;x":          "md.endpoint",
		"https://peer.example.test/#x":               "md.endpoint",
		"https:///acs":                               "md.endpoint",
		"https:acs":                                  "md.endpoint",
		"//peer.example.test/acs":                    "md.endpoint",
		"/acs":                                       "md.endpoint",
		"":                                           "md.endpoint",
	} {
		_, err := parse(sp(oneACS, "https://peer.example.test/acs", location), metadata.RoleSP)
		if got := identity.CodeOf(err); got != want {
			t.Errorf("%q: got %v, want %q", location, err, want)
		}
		// A logout endpoint's response address is an address like any other.
		slo := `<md:SingleLogoutService Binding="x" Location="https://peer.example.test/slo" ResponseLocation="` + location + `"/>`
		_, err = parse(sp(slo+oneACS), metadata.RoleSP)
		if got := identity.CodeOf(err); (got == "md.endpoint") != (want == "md.endpoint" && location != "") {
			t.Errorf("ResponseLocation %q: got %v", location, err)
		}
	}
}

func TestHTTPEndpoints(t *testing.T) {
	t.Parallel()
	const both = `<md:AssertionConsumerService Binding="` + identity.BindingPOST + `" Location="http://peer.example.test/acs" index="1" isDefault="true"/>` + oneACS
	e, err := parse(sp(both), metadata.RoleSP)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.SP.ACS) != 1 || len(e.Findings) != 1 || !strings.Contains(e.Findings[0], "http://peer.example.test/acs") {
		t.Errorf("got %v and findings %q, want the https endpoint and one finding", e.SP.ACS, e.Findings)
	}
	e, err = metadata.Parse(sp(both), metadata.ParseOptions{Now: now, AllowHTTP: true})
	if err != nil || len(e.SP.ACS) != 2 || len(e.Findings) != 0 {
		t.Errorf("AllowHTTP: got %v, %v, want both", e, err)
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add(idp(descriptor("", keyInfo(`<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>`))))
	f.Add([]byte(spWith(registrationInfo + entityAttributes + category(rands, coco) + `</mdattr:EntityAttributes>`)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := metadata.Parse(raw, metadata.ParseOptions{Now: now})
		if err != nil {
			if identity.CodeOf(err) == "internal" || identity.CodeOf(err) == "xml.panic" {
				t.Errorf("got %v, want an error with a code of its own", err)
			}
			return
		}
		if e.IDP == nil && e.SP == nil || e.EntityID == "" {
			t.Errorf("accepted an entity without role or name: %+v", e)
		}
		if e.IDP != nil && len(e.IDP.Signing) == 0 {
			t.Error("accepted an IdP without keys")
		}
		if e.SP != nil {
			acs, err := e.SP.AssertionConsumerService("", nil, "", identity.BindingPOST, identity.BindingArtifact)
			if err != nil || !strings.HasPrefix(strings.ToLower(acs.Location), "https://") {
				t.Errorf("accepted an SP whose answers go to %q (%v)", acs.Location, err)
			}
		}
	})
}
