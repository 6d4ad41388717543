package sp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/identity"
)

const (
	eppn      = identity.Name("urn:oid:1.3.6.1.4.1.5923.1.1.1.6")
	subjectID = identity.Name(identity.FormatSubjectID)
)

// saying are edits that add an attribute to the assertion.
func saying(name identity.Name, values ...string) []string {
	const first = `<saml:Attribute Name="urn:oid:0.9.2342.19200300.100.1.3">`
	var b strings.Builder
	for _, v := range values {
		b.WriteString("<saml:AttributeValue>" + v + "</saml:AttributeValue>")
	}
	return []string{first, `<saml:Attribute Name="` + string(name) + `">` + b.String() + `</saml:Attribute>` + first}
}

// TestScopes holds scoped attributes against the scopes of the metadata, and a
// value of a foreign scope never arrives (tenant crossing).
func TestScopes(t *testing.T) {
	t.Parallel()
	const here, foreign = "ada@acme.test", "ada@rival.test"
	in := func(scopes ...string) func(*sp.Config) {
		return func(c *sp.Config) { c.IDP.IDP.Scopes = scopes }
	}
	with := func(s sp.Scopes, scopes ...string) func(*sp.Config) {
		return func(c *sp.Config) { c.IDP.IDP.Scopes, c.Scopes = scopes, s }
	}
	acme := in("acme.test")
	tests := []struct {
		name string
		cfg  func(*sp.Config)
		attr identity.Name
		said []string
		want []string
	}{
		{"one of the metadata's", in("other.test", "acme.test"), eppn, []string{here}, []string{here}},
		{"in another case", in("Acme.Test"), eppn, []string{"ada@ACME.test"}, []string{"ada@ACME.test"}},
		{"foreign", acme, eppn, []string{foreign}, nil},
		{"foreign beside its own", acme, "urn:oid:1.3.6.1.4.1.5923.1.1.1.9", []string{"staff@rival.test", "staff@acme.test"}, []string{"staff@acme.test"}},
		{"below it", acme, eppn, []string{"ada@sub.acme.test"}, nil},
		{"that ends like it", acme, eppn, []string{"ada@evilacme.test"}, nil},
		{"two scopes", acme, eppn, []string{"ada@rival.test@acme.test"}, nil},
		{"no scope", acme, eppn, []string{"ada"}, nil},
		{"nobody", acme, eppn, []string{"@acme.test"}, nil},
		{"a look-alike", acme, eppn, []string{"ada@\u0430cme.test"}, nil},
		{"a kelvin sign", in("kelvin.test"), eppn, []string{"ada@\u212aelvin.test"}, nil},
		{"blanks around it", acme, eppn, []string{"ada@acme.test "}, nil},
		{"subject-id", acme, subjectID, []string{foreign}, nil},
		{"an attribute that has none", acme, "mail", []string{foreign}, []string{foreign}},
		{"metadata without scopes", in(), eppn, []string{foreign}, []string{foreign}},
		{"metadata without scopes, always checked", with(sp.Scopes{Check: identity.On}), eppn, []string{here}, nil},
		{"switched off", with(sp.Scopes{Check: identity.Off}, "acme.test"), eppn, []string{foreign}, []string{foreign}},
		{"one of ours", with(sp.Scopes{Also: []string{"rival.test"}}, "acme.test"), eppn, []string{foreign, here}, []string{foreign, here}},
		{"ours alone", with(sp.Scopes{Also: []string{"acme.test"}}), eppn, []string{foreign, here}, []string{here}},
		{"an attribute that is said to have one", with(sp.Scopes{Attributes: []identity.Name{"upn"}}, "acme.test"), "upn", []string{foreign, here}, []string{here}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			form{edits: saying(tt.attr, tt.said...), cfg: tt.cfg, check: func(t *testing.T, got identity.Assertion) {
				if !slices.Equal(got.Attributes[tt.attr], tt.want) {
					t.Errorf("got %q, want %q", got.Attributes[tt.attr], tt.want)
				}
				told := slices.ContainsFunc(got.Remarks, func(r identity.Remark) bool {
					return r.Code == "up.scope" && strings.Contains(r.Detail, string(tt.attr)) && !strings.Contains(r.Detail, "ada")
				})
				if lost := len(tt.want) < len(tt.said); told != lost || len(got.Remarks) > 1 {
					t.Errorf("remarks: got %+v, want one: %t", got.Remarks, lost)
				}
			}}.run(t)
		})
	}
}

// An IdP that names people of another organization signs nobody in.
func TestAttackForeignScopeAsSubject(t *testing.T) {
	t.Parallel()
	by := func(c *sp.Config) { c.IDP.IDP.Scopes, c.SubjectAttribute = []string{"acme.test"}, subjectID }
	runForms(t, []form{
		{name: "foreign", edits: saying(subjectID, "ada@rival.test"), cfg: by, kind: identity.KindInvalid, code: "up.scope"},
		{name: "foreign beside its own", edits: saying(subjectID, "ada@acme.test", "ada@rival.test"), cfg: by, kind: identity.KindInvalid, code: "up.scope"},
		{name: "its own", edits: saying(subjectID, "ada@acme.test"), cfg: by, check: func(t *testing.T, got identity.Assertion) {
			if len(got.Attributes[subjectID]) != 1 || got.Remarks != nil {
				t.Errorf("got %q and %+v", got.Attributes[subjectID], got.Remarks)
			}
		}},
	})
}
