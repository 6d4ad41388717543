package identity

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// TestReconcileOwnsItsSourceAlone holds that a login replaces exactly what its
// source gave.
func TestReconcileOwnsItsSourceAlone(t *testing.T) {
	t.Parallel()
	r := Record{Values: []Value{
		{Groups, "old", "partner"}, {Groups, "kept", SourceOperator}, {Mail, "typed@example.test", SourcePerson}, {Mail, "p@partner.test", "partner"},
	}}
	given := Attributes{Groups: {"b", "a", "b"}, GivenName: {"Pat"}, Phone: {}}
	if !r.Reconcile("partner", given) {
		t.Error("Reconcile() = false for a changed record")
	}
	want := []Value{
		{GivenName, "Pat", "partner"}, {Groups, "b", "partner"}, {Groups, "a", "partner"}, {Groups, "kept", SourceOperator},
		{Mail, "typed@example.test", SourcePerson},
	}
	if diff := cmp.Diff(want, r.Values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if r.Reconcile("partner", given) {
		t.Error("Reconcile() = true although nothing changed")
	}
	if diff := cmp.Diff(Attributes{GivenName: {"Pat"}, Groups: {"b", "a", "kept"}, Mail: {"typed@example.test"}}, r.Attributes()); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

// TestLoginKeyRefusesLookAlikes is the attack class "identifier look-alikes":
// names that a reader cannot tell apart, or that hide something.
func TestLoginKeyRefusesLookAlikes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"alice": "alice", " Alice ": "alice", "ALICE@Example.TEST": "alice@example.test", "Jörg": "jörg", "日本": "日本", "алиса": "алиса",
	} {
		if got, ok := LoginKey(name); !ok || got != want {
			t.Errorf("LoginKey(%q) = %q, %t; want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{
		"", "  ", "al ice", "al\u200bice", "al\u202eice", "al\x00ice", "al\nice", "al\u00a0ice", "al\ufeffice", "\ufffd", strings.Repeat("a", 257), "a\u2044b", "al\x7fice", "\u0430lice", "alic\u0435", "\u03b1lice",
	} {
		if got, ok := LoginKey(name); ok {
			t.Errorf("LoginKey(%q) = %q, want it refused", name, got)
		}
	}
}

func TestDomain(t *testing.T) {
	t.Parallel()
	for mail, want := range map[string]string{
		"a@Example.TEST": "example.test", "a@b@example.test": "example.test", "example.test": "", "@example.test": "", "a@": "",
	} {
		if got := Domain(mail); got != want {
			t.Errorf("Domain(%q) = %q, want %q", mail, got, want)
		}
	}
}

// TestSecretNeverShows prints a secret in every way there is.
func TestSecretNeverShows(t *testing.T) {
	t.Parallel()
	s := NewSecret("hunter2")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "inside", struct{ S Secret }{s})
	asJSON, err := json.Marshal(map[string]any{"a": s, "b": &s})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s), fmt.Sprintf("%+v", struct{ S *Secret }{&s}), string(asJSON), log.String()} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e746572") {
			t.Errorf("the secret shows in %s", shown)
		}
	}
	if !s.Equal("hunter2") || s.Equal("hunter3") || s.Reveal() != "hunter2" || s.Empty() || !(Secret{}).Empty() {
		t.Error("Equal, Reveal or Empty is wrong about hunter2")
	}
}

func TestErrorMatching(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	e := &Error{Kind: KindDenied, Code: "up.audience", Msg: "No.", Seen: "a", Expected: "b", Err: cause}
	wrapped := fmt.Errorf("doing x: %w", e)
	switch {
	case !errors.Is(wrapped, cause), !errors.Is(wrapped, &Error{Code: "up.audience"}), !errors.Is(wrapped, &Error{Kind: KindDenied}):
		t.Error("a wrapped Error is not found by cause, code or kind")
	case errors.Is(wrapped, &Error{Code: "up.replay"}), errors.Is(wrapped, &Error{Kind: KindExpired}):
		t.Error("a wrapped Error matches another code or kind")
	case KindOf(wrapped) != KindDenied, CodeOf(wrapped) != "up.audience", KindOf(cause) != KindInternal, CodeOf(cause) != "internal", CodeOf(nil) != "":
		t.Error("KindOf or CodeOf is wrong")
	}
	if got, want := e.Error(), `up.audience: No. (seen "a", expected "b"): cause`; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if got := AsError(cause).Msg; strings.Contains(got, "cause") {
		t.Errorf("AsError tells people %q", got)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		make func() (string, error)
		want string
	}{
		"token":   {func() (string, error) { return NewToken(rand.Reader) }, `^[a-z2-7]{52}$`},
		"subject": {func() (string, error) { return NewSubject(rand.Reader) }, `^[a-z2-7]{32}$`},
		"message": {func() (string, error) { return NewMessageID(rand.Reader) }, `^_[0-9a-f]{40}$`}, // NCName, SAML Core 1.3.4
	} {
		a, err := tt.make()
		b, berr := tt.make()
		if err != nil || berr != nil || a == b || !regexp.MustCompile(tt.want).MatchString(a) {
			t.Errorf("%s: got %q and %q, %v, %v; want two that match %s", name, a, b, err, berr, tt.want)
		}
	}
	broken := iotest.ErrReader(errors.New("no entropy"))
	if id, err := NewToken(broken); err == nil {
		t.Errorf("NewToken without randomness = %q", id)
	}
}

func TestValidSlug(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"a": true, "acme-app_2": true, "0": true, strings.Repeat("a", 64): true,
		"": false, "-a": false, "_a": false, "A": false, "a b": false, "a/b": false, "ä": false, strings.Repeat("a", 65): false,
	} {
		if got := ValidSlug(s); got != want {
			t.Errorf("ValidSlug(%q) = %t, want %t", s, got, want)
		}
	}
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	c, err := NewCatalogue([]Attribute{{Name: Mail, SAMLName: "urn:example:mail"}, {Name: "department", SAMLName: "urn:example:department", NameFormat: NameFormatBasic}})
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := c.BySAMLName("urn:example:mail"); !ok || a.Name != Mail || a.NameFormat != NameFormatURI {
		t.Errorf("BySAMLName(urn:example:mail) = %+v, %t", a, ok)
	}
	if a, ok := c.BySAMLName("urn:oid:0.9.2342.19200300.100.1.3"); ok {
		t.Errorf("the replaced SAML name still finds %+v", a)
	}
	if a, ok := c.Lookup("department"); !ok || a.NameFormat != NameFormatBasic {
		t.Errorf("Lookup(department) = %+v, %t", a, ok)
	}
	if a, ok := c.BySAMLName("mail"); ok {
		t.Errorf("a FriendlyName found %+v (IIP-SP11)", a)
	}
	if got, want := len(c.All()), len(DefaultAttributes())+1; got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
	if _, err := NewCatalogue([]Attribute{{Name: "other", SAMLName: "urn:oid:2.5.4.4"}}); err == nil {
		t.Error("two attributes share a SAML name without an error")
	}
}

func FuzzLoginKey(f *testing.F) {
	f.Add("Alice@example.test")
	f.Add("al\u200bice")
	f.Fuzz(func(t *testing.T, name string) {
		key, ok := LoginKey(name)
		if !ok {
			return
		}
		if again, ok := LoginKey(key); !ok || again != key {
			t.Errorf("LoginKey(%q) = %q, of which it makes %q, %t", name, key, again, ok)
		}
	})
}

// TestRecordAttributes holds that values of one name come together in their order,
// each once, and that nobody who appends to one list writes into another.
func TestRecordAttributes(t *testing.T) {
	t.Parallel()
	var r Record
	for _, v := range []string{"mail=a", "mail=b", "groups=x", "mail=a", "mail=c", "groups=y", "groups=z", "locale=de"} {
		name, value, _ := strings.Cut(v, "=")
		r.Values = append(r.Values, Value{Name: Name(name), Value: value, Source: SourceOperator})
	}
	got := r.Attributes()
	for n := range got {
		got[n] = append(got[n], "more")
	}
	want := Attributes{"mail": {"a", "b", "c", "more"}, "groups": {"x", "y", "z", "more"}, "locale": {"de", "more"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNameFormatOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]NameFormat{
		"urn:oid:2.5.4.42": NameFormatURI, "https://app.example.test/claims/Role": NameFormatURI,
		"User.Email": NameFormatBasic, "role": NameFormatBasic, "%zz": NameFormatBasic,
	} {
		if got := NameFormatOf(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// TestCatalogueGivesWay: the rows that were added to the built-in catalogue do
// not stand against a configuration that calls the same things otherwise.
func TestCatalogueGivesWay(t *testing.T) {
	t.Parallel()
	c, err := NewCatalogue([]Attribute{{Name: "company", SAMLName: "urn:oid:2.5.4.10"}})
	if err != nil {
		t.Fatal(err)
	}
	if row, _ := c.BySAMLName("urn:oid:2.5.4.10"); row.Name != "company" {
		t.Errorf("got %q, want company", row.Name)
	}
	if _, there := c.Lookup(Organization); there {
		t.Error("organization is still there")
	}
	if _, there := c.Lookup(Assurance); !there {
		t.Error("eduperson_assurance is gone, too")
	}
	if _, err := NewCatalogue([]Attribute{{Name: "email", SAMLName: "urn:oid:0.9.2342.19200300.100.1.3"}}); err == nil {
		t.Error("mail gave way, on which much relies")
	}
}
