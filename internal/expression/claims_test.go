package expression_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/expression"
)

// said is what a partner says of Ada.
var said = identity.Assertion{
	Principal: identity.Principal{Issuer: "https://idp.partner.test", Subject: "ada-1"},
	Attributes: identity.Attributes{
		"given_name": {"Ada"}, "http://schemas.xmlsoap.org/claims/surname": {"Lovelace"}, "empty": {""}, "none": nil,
		"email": {"Ada@ACME.test", "countess@example.test"}, "groups": {"acme-staff", "acme-admins", "canteen"},
	},
}

func TestDerivation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		source string
		want   []string
	}{
		{`first(claims, "givenname", "given_name")`, []string{"Ada"}},
		{`first(claims, "empty", "given_name")`, []string{"Ada"}},
		{`first(claims, "absent")`, []string{""}},
		{`first(claims["groups"])`, []string{"acme-staff"}},
		{`first(filter(claims["groups"], # startsWith "can"))`, []string{"canteen"}},
		{`claims.email`, []string{"Ada@ACME.test", "countess@example.test"}},
		{`claims["absent"]`, []string{}},
		{`claims["http://schemas.xmlsoap.org/claims/surname"][0] + ", " + first(claims, "given_name")`, []string{"Lovelace, Ada"}},
		{`has(claims, "absent", "empty", "none") ? "some" : "none"`, []string{"none"}},
		{`has(claims, "absent", "email") ? "some" : "none"`, []string{"some"}},
		{`domain(first(claims, "email"))`, []string{"acme.test"}},
		{`domain("nobody")`, []string{""}},
		{`lower(first(claims, "email"))`, []string{"ada@acme.test"}},
		{`split(first(claims, "email"), "@")[0]`, []string{"Ada"}},
		{`join(claims["groups"], ";")`, []string{"acme-staff;acme-admins;canteen"}},
		{`concat(claims["groups"], [issuer, subject, connection])`, []string{"acme-staff", "acme-admins", "canteen", "https://idp.partner.test", "ada-1", "partner"}},
		{`map(filter(claims["groups"], # startsWith "acme-"), trimPrefix(#, "acme-"))`, []string{"staff", "admins"}},
		{`"acme-admins" in claims["groups"] ? ["admin"] : []`, []string{"admin"}},
		{`nil`, nil},
	} {
		t.Run(c.source, func(t *testing.T) {
			t.Parallel()
			d, err := expression.Derivation(c.source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.Compute("partner", said)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("got error %v, values (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestDerivationKnowsWhatItReads(t *testing.T) {
	t.Parallel()
	d, err := expression.Derivation(`has(claims, "a") ? claims["b"] : concat([first(claims, "c", "a")], [subject])`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]identity.Name{"a", "b", "c"}, d.Names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestDerivationRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, source, at, says string }{
		{"a bare word", `en`, "1:1", "a text stands in quotes"},
		{"a person", `user.mail`, "1:6", "there is no mail"},
		{"the application", `sp`, "1:1", "unknown name sp"},
		{"a computed name", `claims[subject]`, "1:7", "name of a claim in quotes"},
		{"a computed name in first", `first(claims, subject)`, "1:15", "name of a claim in quotes"},
		{"first of no claim", `first(claims)`, "1:1", "with one name or more"},
		{"has of a list", `has(claims["a"], "b")`, "1:1", "with one name or more"},
		{"all claims", `len(claims)`, "1:5", "unknown name claims"},
		{"a list as text", `claims["a"] + "x"`, "1:13", "mismatched types"},
		{"a list within a predicate", `filter(claims["a"], # in claims["b"])`, "1:33", "list within a predicate"},
		{"a separator from outside", `join(claims["a"], subject)`, "1:19", "separator in quotes"},
		{"the second line", "\"x\" +\n  now()", "2:3", "no function now"},
		{"too long", `"` + strings.Repeat("a", 1000) + `"`, "1:1", "at most 1000"},
		{"too many parts", strings.Repeat(`"a"+`, 200) + `"a"`, "1:244", "maximum allowed nodes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := expression.Derivation(c.source)
			var f *expression.Fault
			if !errors.As(err, &f) {
				t.Fatalf("got %v, want a Fault", err)
			}
			if at := fmt.Sprintf("%d:%d", f.Line, f.Column); !strings.Contains(f.Msg, c.says) || at != c.at {
				t.Errorf("got %q at %s, want %q at %s", f.Msg, at, c.says, c.at)
			}
		})
	}
}

// TestAttackDerivationExhaustion gives an expression the most that an upstream can
// send (threats.md: resource exhaustion): it ends soon or in an error.
func TestAttackDerivationExhaustion(t *testing.T) {
	t.Parallel()
	const soon = 5 * time.Second // under the race detector and beside other tests
	crowd := identity.Assertion{Attributes: identity.Attributes{"email": {strings.Repeat("a", 4000)}}}
	for i := range 9_000 {
		crowd.Attributes["groups"] = append(crowd.Attributes["groups"], fmt.Sprintf("group-%d-aaaa", i))
	}
	for name, source := range map[string]string{
		"patterns":                  `filter(claims["groups"], # matches "(a|aa)+$b")`,
		"sums":                      strings.TrimSuffix(strings.Repeat(`first(claims, "email") + `, 20), " + "),
		"maps":                      strings.Repeat("map(", 12) + `claims["groups"]` + strings.Repeat(`, # + "aaaaaaaa")`, 12),
		"claims within a predicate": `map(claims["groups"], trimPrefix(first(claims, "email"), "x"))`,
		"joins":                     `join(map(claims["groups"], join([#], "` + strings.Repeat("x", 500) + `")), "` + strings.Repeat("x", 300) + `")`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := expression.Derivation(source)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, err = d.Compute("partner", crowd)
			if took := time.Since(began); took > soon {
				t.Errorf("took %v (%v)", took, err)
			}
		})
	}
	for name, c := range map[string]identity.Assertion{
		"too many values": {Attributes: identity.Attributes{"groups": make([]string, 10_001)}},
		"a long value":    {Attributes: identity.Attributes{"groups": {strings.Repeat("a", 5000)}}},
		"a long subject":  {Principal: identity.Principal{Subject: strings.Repeat("a", 5000)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := expression.Derivation(`concat(claims["groups"], [subject])`)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := d.Compute("partner", c); got != nil || err == nil {
				t.Errorf("got %d values and error %v, want an error", len(got), err)
			}
		})
	}
}

// FuzzDerivation holds that no text breaks the compiler or what it made.
func FuzzDerivation(f *testing.F) {
	for _, s := range []string{`first(claims, "a") + "x"`, `claims["groups"]`, `has(claims, "a") ? issuer : subject`, `join(claims.a, ",")`, `domain(subject)`, `first()`, `has()`, `claims?.a`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		d, err := expression.Derivation(source)
		if err != nil {
			if !errors.As(err, new(*expression.Fault)) {
				t.Errorf("got %T, want a Fault", err)
			}
			return
		}
		_, _ = d.Compute("partner", said) // an error is fine, a panic is not
	})
}
