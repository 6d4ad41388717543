package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
)

// TestContractBreaches holds that every way in which a message can differ from a
// contract is told, and none that does not matter.
func TestContractBreaches(t *testing.T) {
	t.Parallel()
	got := rehearsal{
		Consent: "never",
		NameID:  &rehearsedName{Value: "v", Format: formatPersistent},
		Attributes: []rehearsedAttribute{
			{Name: "mail", NameFormat: attrBasic, Values: []rehearsedValue{{Value: "a@example.test"}}},
			{Name: "groups", NameFormat: attrURI, Values: []rehearsedValue{{Value: "one"}, {Value: "two"}}},
		},
	}
	mail, groups := contractAttribute{Name: "mail", Values: []string{"a@example.test"}}, contractAttribute{Name: "groups", Values: []string{"two", "one"}}
	exactly := func(a ...contractAttribute) *[]contractAttribute { return &a }
	yes := true
	refusedAs := rehearsal{Refused: &rehearsedRefusal{Code: "user.not_allowed", Message: "no"}}
	tests := []struct {
		name   string
		expect contractExpected
		got    rehearsal
		want   []string
	}{
		{"kept, in another order", contractExpected{Attributes: exactly(groups, mail)}, got, nil},
		{"an attribute leaks", contractExpected{Attributes: exactly(mail)}, got, []string{"+ groups: [one, two]"}},
		{"everything leaks", contractExpected{Attributes: exactly()}, got, []string{"+ mail: [a@example.test]", "+ groups: [one, two]"}},
		{"a value leaks", contractExpected{Attributes: exactly(mail, contractAttribute{Name: "groups", Values: []string{"one"}})}, got, []string{"+ groups: [two]"}},
		{"a value is lost", contractExpected{Attributes: exactly(mail, contractAttribute{Name: "groups", Values: []string{"one", "two", "three"}})}, got, []string{"- groups: [three]"}},
		{"an attribute is renamed", contractExpected{Attributes: exactly(contractAttribute{Name: "email", Values: mail.Values}, groups)}, got,
			[]string{"- email: [a@example.test]", "+ mail: [a@example.test]"}},
		{"another name format", contractExpected{Attributes: exactly(contractAttribute{Name: "mail", NameFormat: "uri", Values: mail.Values}, groups)}, got,
			[]string{"- mail: name_format uri", "+ mail: name_format basic"}},
		{"another NameID", contractExpected{NameID: &contractName{Format: "email", Value: "w"}, Attributes: exactly(mail, groups)}, got,
			[]string{"- name_id.format: email", "+ name_id.format: persistent", "- name_id.value: w", "+ name_id.value: v"}},
		{"a NameID where none is meant", contractExpected{NameID: &contractName{Format: "none"}, Attributes: exactly(mail, groups)}, got,
			[]string{"- name_id.format: none", "+ name_id.format: persistent"}},
		{"not asked", contractExpected{Attributes: exactly(mail, groups), Consent: &yes}, got, []string{"- consent: true", "+ consent: false"}},
		{"let in", contractExpected{Denied: "user.not_allowed"}, got, []string{"- denied: user.not_allowed", "+ access is granted"}},
		{"kept out", contractExpected{Attributes: exactly(mail)}, refusedAs, []string{"- access is granted", "+ denied: user.not_allowed (no)"}},
		{"kept out for another reason", contractExpected{Denied: "sp.unknown"}, refusedAs, []string{"- denied: sp.unknown", "+ denied: user.not_allowed (no)"}},
		{"kept out as promised", contractExpected{Denied: "user.not_allowed"}, refusedAs, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, contract{Expect: tt.expect}.breaches(tt.got)); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParseContracts holds that no file makes the reader panic, and that what it
// takes can be judged.
func FuzzParseContracts(f *testing.F) {
	f.Add("- {name: n, user: u, sp: s, expect: {attributes: []}}\n")
	f.Add("- attributes: [{name: mail, value: [a, b], source: person}]\n  sp: s\n  expect: {denied: x.y}\n")
	f.Add("- sp: s\n- &a {}\n- *a\n")
	catalogue, err := identity.NewCatalogue(nil)
	if err != nil {
		f.Fatal(err)
	}
	snap := &snapshot{Catalogue: catalogue}
	f.Fuzz(func(t *testing.T, text string) {
		list, d := parseContracts("fuzz.yaml", []byte(text), snap)
		if len(d.faults) > 0 {
			return
		}
		for _, c := range list {
			if len(c.breaches(rehearsal{})) == 0 && c.Expect.Denied != "" {
				t.Errorf("a contract about a refusal is kept where access is granted: %q", text)
			}
		}
	})
}

// TestSPRefresh holds that `sp refresh` takes over newer metadata, and nothing of
// another application.
func TestSPRefresh(t *testing.T) {
	t.Parallel()
	var entityID, acs atomic.Value
	entityID.Store("https://app.example.test/sp")
	acs.Store("https://app.example.test/acs")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/samlmetadata+xml")
		doc := strings.NewReplacer("ENTITY", entityID.Load().(string), "ACS", acs.Load().(string)).Replace(
			`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="ENTITY"><SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
				`<AssertionConsumerService index="0" Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="ACS"/></SPSSODescriptor></EntityDescriptor>`)
		if _, err := w.Write([]byte(doc)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(srv.Close)
	dir := filepath.Join(t.TempDir(), "samlet")
	config := filepath.Join(dir, "config.yaml")
	mustRun(t, "init", "--dir", dir, "--base-url", "http://127.0.0.1:18083")
	mustRun(t, "sp", "add", "--config", config, "--metadata", srv.URL, "--id", "app")
	if got := mustRun(t, "sp", "refresh", "app", "--config", config); !strings.Contains(got, "is as it was") {
		t.Errorf("without a change: %s", got)
	}
	acs.Store("https://app.example.test/moved")
	mustRun(t, "sp", "refresh", "app", "--config", config)
	if got := mustRun(t, "sp", "show", "app", "--config", config); !strings.Contains(got, "https://app.example.test/moved") {
		t.Errorf("after a change:\n%s", got)
	}
	before, err := os.ReadFile(filepath.Join(dir, "metadata", "app.xml"))
	if err != nil {
		t.Fatal(err)
	}
	entityID.Store("https://other.example.test/sp")
	var errs strings.Builder
	if code := run(t.Context(), []string{"sp", "refresh", "app", "--config", config}, strings.NewReader(""), &errs, &errs); code != exitFailed || !strings.Contains(errs.String(), "another application") {
		t.Errorf("metadata of another application: exit code %d, %s", code, errs.String())
	}
	if after, err := os.ReadFile(filepath.Join(dir, "metadata", "app.xml")); err != nil || string(after) != string(before) {
		t.Errorf("metadata of another application was kept: %v", err)
	}
}

// TestContractOfSomebodyWhoAgreed writes a contract after the example of a person
// who has agreed already: the made-up person in it has not.
func TestContractOfSomebodyWhoAgreed(t *testing.T) {
	t.Parallel()
	for consent, want := range map[string]bool{"never": false, "asked": true, "given": true} {
		var c writtenContract
		c.expect(rehearsal{Consent: consent})
		if c.Expect.Consent == nil || *c.Expect.Consent != want {
			t.Errorf("%s: got %v, want %t", consent, c.Expect.Consent, want)
		}
	}
}
