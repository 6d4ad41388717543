package metadata_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

const (
	entityAttributes = `<mdattr:EntityAttributes xmlns:mdattr="urn:oasis:names:tc:SAML:metadata:attribute" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">`
	registrationInfo = `<mdrpi:RegistrationInfo xmlns:mdrpi="urn:oasis:names:tc:SAML:metadata:rpi" registrationAuthority="https://federation.example.test" registrationInstant="2020-01-02T03:04:05Z">` +
		`<mdrpi:RegistrationPolicy xml:lang="en">https://federation.example.test/policy</mdrpi:RegistrationPolicy></mdrpi:RegistrationInfo>`
	coco   = "https://refeds.org/category/code-of-conduct/v2"
	rands  = "https://refeds.org/category/research-and-scholarship"
	sirtfi = "https://refeds.org/sirtfi"
)

func category(values ...string) string {
	return `<saml:Attribute Name="` + metadata.AttributeEntityCategory + `" NameFormat="` + string(identity.NameFormatURI) + `">` +
		`<saml:AttributeValue>` + strings.Join(values, `</saml:AttributeValue><saml:AttributeValue>`) + `</saml:AttributeValue></saml:Attribute>`
}

// spWith is an SP's file with these Extensions of the entity.
func spWith(extensions string) string {
	file := string(sp(oneACS))
	at := strings.Index(file, "<md:SPSSODescriptor")
	return file[:at] + "<md:Extensions>" + extensions + "</md:Extensions>" + file[at:]
}

func TestEntityAttributes(t *testing.T) {
	t.Parallel()
	categories := func(values ...string) []metadata.EntityAttribute {
		return []metadata.EntityAttribute{{Name: metadata.AttributeEntityCategory, NameFormat: identity.NameFormatURI, Values: values}}
	}
	const end = `</mdattr:EntityAttributes>`
	group := func(extensions, inner string) string {
		return `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"><md:Extensions>` + extensions + `</md:Extensions>` + inner + `</md:EntitiesDescriptor>`
	}
	for name, tc := range map[string]struct {
		file string
		want []metadata.EntityAttribute
	}{
		"none":                     {spWith(registrationInfo), nil},
		"several values":           {spWith(entityAttributes + category(rands, coco) + end), categories(rands, coco)},
		"indented":                 {spWith(entityAttributes + category("\n  "+rands+"\n") + end), categories(rands)},
		"twice":                    {spWith(entityAttributes + category(rands) + category(rands, coco) + end), categories(rands, coco)},
		"of the group around it":   {group(entityAttributes+category(coco)+end, spWith(entityAttributes+category(rands)+end)), categories(coco, rands)},
		"one value no text":        {spWith(entityAttributes + category("<a/>", coco) + end), categories(coco)},
		"inside of an assertion":   {spWith(entityAttributes + `<saml:Assertion><saml:AttributeStatement>` + category(rands) + `</saml:AttributeStatement></saml:Assertion>` + end), nil},
		"outside of its container": {spWith(`<saml:Attribute xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Name="x"/>`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := parse([]byte(tc.file), metadata.RoleSP)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, e.Attributes); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, a := range tc.want {
				if !e.HasAttribute(a.Name, a.Values[0]) || e.HasAttribute(a.Name, sirtfi) || e.HasAttribute("x", a.Values[0]) {
					t.Errorf("HasAttribute does not tell what is there: %v", e.Attributes)
				}
			}
		})
	}
}

func TestRegistrationInfo(t *testing.T) {
	t.Parallel()
	e, err := parse([]byte(spWith(registrationInfo)), metadata.RoleSP)
	if err != nil {
		t.Fatal(err)
	}
	want := metadata.Registration{
		Authority: "https://federation.example.test", Instant: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC),
		Policies: []metadata.Localized{{Lang: "en", Text: "https://federation.example.test/policy"}},
	}
	if diff := cmp.Diff(want, e.Registration); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := parse([]byte(spWith(strings.ReplaceAll(registrationInfo, "2020-01-02T", "yesterday"))), metadata.RoleSP); identity.CodeOf(err) != "md.value" {
		t.Errorf("an instant that is none: got %v, want md.value", err)
	}
}

// TestURIsOfPeers: a blank entityID names nobody; one that is no absolute URI is
// told of, since applications that everybody uses have such, and a format of that
// sort means nothing (SAML Core 1.3.2).
func TestURIsOfPeers(t *testing.T) {
	t.Parallel()
	const own, format = `entityID="https://peer.example.test/saml"`, `<md:NameIDFormat>`
	formats := format + string(identity.FormatEmail) + `</md:NameIDFormat>` + format + `persistent</md:NameIDFormat>` + format + ` </md:NameIDFormat>`
	for name, tc := range map[string]struct {
		file     []byte
		code     identity.Code
		findings int
	}{
		"a URL":                 {sp(oneACS), "", 0},
		"a URN":                 {sp(oneACS, own, `entityID="urn:amazon:webservices"`), "", 0},
		"a host name":           {sp(oneACS, own, `entityID="google.com"`), "", 1},
		"a blank within":        {sp(oneACS, own, `entityID="https://peer.example.test/a b"`), "", 1},
		"blank":                 {sp(oneACS, own, `entityID="  "`), "md.entity_id", 0},
		"empty":                 {sp(oneACS, own, `entityID=""`), "md.entity_id", 0},
		"formats, one a word":   {sp(formats + oneACS), "", 1},
		"formats and host name": {sp(formats+oneACS, own, `entityID="google.com"`), "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := parse(tc.file, metadata.RoleSP)
			if identity.CodeOf(err) != tc.code {
				t.Fatalf("got %v, want %q", err, tc.code)
			}
			if err != nil {
				return
			}
			if len(e.Findings) != tc.findings {
				t.Errorf("got findings %q, want %d", e.Findings, tc.findings)
			}
			for _, f := range e.SP.NameIDFormats {
				if f != identity.FormatEmail {
					t.Errorf("got the format %q", f)
				}
			}
		})
	}
}
