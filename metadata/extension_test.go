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
