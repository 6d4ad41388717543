package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// TestEntityAttributes holds what the metadata of a service provider makes of its
// policy: the categories of REFEDS and GÉANT, and subject-id:req.
func TestEntityAttributes(t *testing.T) {
	t.Parallel()
	const (
		rs           = "http://refeds.org/category/research-and-scholarship"
		anonymous    = "https://refeds.org/category/anonymous"
		pseudonymous = "https://refeds.org/category/pseudonymous"
		personalized = "https://refeds.org/category/personalized"
		coco         = "https://refeds.org/category/code-of-conduct/v2"
	)
	release := func(names ...string) []ReleaseConfig {
		var rules []ReleaseConfig
		for _, n := range names {
			rules = append(rules, ReleaseConfig{Attribute: n})
		}
		return rules
	}
	cfg := &Config{IDP: IDPConfig{Scope: "example.test"}, EntityCategories: []CategoryConfig{
		{Value: rs, Release: release("mail", "display_name", "eduperson_principal_name", "eduperson_scoped_affiliation")},
		{Value: anonymous, Release: release("schac_home_organization", "eduperson_scoped_affiliation")},
		{Value: pseudonymous, Release: release("eduperson_assurance")},
		{Value: personalized, Release: release("mail", "given_name", "family_name")},
		{Value: coco, Release: []ReleaseConfig{{Attribute: "groups", Only: []string{"app-*"}}}},
		{Name: "urn:x:tier", Value: "gold", Release: release("phone_number")},
	}}
	category := func(values ...string) metadata.EntityAttribute {
		return metadata.EntityAttribute{Name: metadata.AttributeEntityCategory, Values: values}
	}
	asks := func(values ...string) metadata.EntityAttribute {
		return metadata.EntityAttribute{Name: metadata.AttributeSubjectIDRequirement, Values: values}
	}
	for _, c := range []struct {
		name     string
		sp       ServiceProviderConfig
		says     []metadata.EntityAttribute
		want     string // attributes
		identity identity.SubjectIDRule
	}{
		{name: "nothing", want: "", identity: identity.SubjectIDNone},
		{name: "not believed", says: []metadata.EntityAttribute{category(rs, personalized)}, identity: identity.SubjectIDNone},
		{name: "R&S", sp: ServiceProviderConfig{ReleaseCategories: true}, says: []metadata.EntityAttribute{category(rs)},
			want: "mail display_name eduperson_principal_name eduperson_scoped_affiliation", identity: identity.SubjectIDNone},
		{name: "anonymous", sp: ServiceProviderConfig{ReleaseCategories: true}, says: []metadata.EntityAttribute{category(anonymous)},
			want: "schac_home_organization eduperson_scoped_affiliation", identity: identity.SubjectIDNone},
		{name: "pseudonymous", sp: ServiceProviderConfig{ReleaseCategories: true}, says: []metadata.EntityAttribute{category(pseudonymous), asks("pairwise-id")},
			want: "eduperson_assurance", identity: identity.SubjectIDPairwise},
		{name: "personalized", sp: ServiceProviderConfig{ReleaseCategories: true}, says: []metadata.EntityAttribute{category(personalized), asks("subject-id")},
			want: "mail given_name family_name", identity: identity.SubjectIDGeneral},
		{name: "CoCo v2, narrowed by the own rule", sp: ServiceProviderConfig{ReleaseCategories: true, Release: release("groups")}, says: []metadata.EntityAttribute{category(coco)},
			want: "groups groups[app-*]", identity: identity.SubjectIDNone},
		{name: "another entity attribute", sp: ServiceProviderConfig{ReleaseCategories: true}, says: []metadata.EntityAttribute{{Name: "urn:x:tier", Values: []string{"gold"}}},
			want: "phone_number", identity: identity.SubjectIDNone},
		{name: "the own rule for a name wins", sp: ServiceProviderConfig{ReleaseCategories: true, Release: []ReleaseConfig{{Constant: stringList{"x@example.test"}, As: "urn:oid:0.9.2342.19200300.100.1.3"}}},
			says: []metadata.EntityAttribute{category(personalized)}, want: "constant given_name family_name", identity: identity.SubjectIDNone},
		{name: "any", says: []metadata.EntityAttribute{asks("any")}, identity: identity.SubjectIDPairwise},
		{name: "none", says: []metadata.EntityAttribute{asks("none")}, identity: identity.SubjectIDNone},
		{name: "both", says: []metadata.EntityAttribute{asks("subject-id", "pairwise-id")}, identity: identity.SubjectIDPairwise},
		{name: "configuration before metadata", sp: ServiceProviderConfig{SubjectID: "subject-id"}, says: []metadata.EntityAttribute{asks("none")}, identity: identity.SubjectIDGeneral},
		{name: "switched off", sp: ServiceProviderConfig{SubjectID: "none"}, says: []metadata.EntityAttribute{asks("any")}, identity: identity.SubjectIDNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			catalogue, err := identity.NewCatalogue(nil)
			if err != nil {
				t.Fatal(err)
			}
			cfg := *cfg
			cfg.ServiceProviders = []ServiceProviderConfig{c.sp}
			d := newDecoder("config.yaml")
			rules := readPolicy(&cfg, catalogue, d)
			if len(d.faults) > 0 {
				t.Fatal(d.faults)
			}
			rp := relyingParty(c.sp, "https://app.example.test/sp")
			rules.apply(0, c.sp, &rp, &metadata.Entity{Attributes: c.says}, func(format string, args ...any) { t.Errorf(format, args...) })
			var got []string
			for _, r := range rp.Release {
				word := string(r.Attribute)
				if word == "" {
					word = "constant"
				}
				if len(r.Only) > 0 {
					word += fmt.Sprint(r.Only)
				}
				got = append(got, word)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" || rp.SubjectID != c.identity {
				t.Errorf("got the subject identifier rule %d, want %d; rules (-want +got):\n%s", rp.SubjectID, c.identity, diff)
			}
		})
	}
}
