package expression_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/expression"
)

func compiler(tb testing.TB) *expression.Compiler {
	tb.Helper()
	c, err := identity.NewCatalogue([]identity.Attribute{{Name: "staff_no", Type: "string"}, {Name: "cost-centre", Type: "string"}, {Name: "roles", Type: "string_list"}})
	if err != nil {
		tb.Fatal(err)
	}
	return expression.New(c)
}

var ada = identity.Person{
	Organization: "acme",
	Attributes: identity.Attributes{
		identity.Mail: {"ada@example.test", "countess@example.test"}, identity.GivenName: {"Ada"}, identity.FamilyName: {"Lovelace"},
		identity.Groups: {"acme-staff", "acme-admins", "canteen"}, identity.Organization: {"acme"}, "cost-centre": {"12"},
	},
	Context: identity.AuthnContext{Class: identity.ClassREFEDSMFA}, Connection: "partner", RelyingParty: "wiki",
}

func TestCondition(t *testing.T) {
	t.Parallel()
	k := compiler(t)
	for _, c := range []struct {
		source string
		want   bool
	}{
		{`true`, true},
		{`user.organization == "acme" && "acme-staff" in user.groups`, true},
		{`user.organization == "acme" and not ("acme-staff" in user.groups)`, false},
		{`"acme" in user.groups`, false},
		{`"nobody" in user.roles`, false},
		{`user.staff_no == ""`, true},
		{`user["cost-centre"] == "12"`, true},
		{`user.connection == "partner" and sp == "wiki"`, true},
		{`user.org == "acme"`, true},
		{`authn.class == "https://refeds.org/profile/mfa"`, true},
		{`user.mail endsWith "@example.test"`, true},
		{`user.mail == "countess@example.test"`, false},
		{`user.mail matches "^[a-z]+@"`, true},
		{`any(user.groups, # startsWith "acme-")`, true},
		{`all(user.groups, # startsWith "acme-")`, false},
		{`none(user.roles, true)`, true},
		{`count(user.groups, # contains "acme") == 2`, true},
		{`len(user.groups) >= 3 ? user.given_name == "Ada" : false`, true},
		{`lower(user.given_name) == "ada"`, true},
		{`user.mail in ["ada@example.test", "bob@example.test"]`, true},
		{`user.groups[0] == "acme-staff"`, true},
	} {
		t.Run(c.source, func(t *testing.T) {
			t.Parallel()
			condition, err := k.Condition(c.source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := condition(ada)
			if err != nil || got != c.want {
				t.Errorf("got %t (%v), want %t", got, err, c.want)
			}
		})
	}
}

func TestExpression(t *testing.T) {
	t.Parallel()
	k := compiler(t)
	for _, c := range []struct {
		source string
		want   []string
	}{
		{`user.given_name + " " + user.family_name`, []string{"Ada Lovelace"}},
		{`user.mail`, []string{"ada@example.test"}},
		{`user.groups`, []string{"acme-staff", "acme-admins", "canteen"}},
		{`filter(user.groups, # startsWith "acme-")`, []string{"acme-staff", "acme-admins"}},
		{`map(user.groups, "role:" + upper(#))`, []string{"role:ACME-STAFF", "role:ACME-ADMINS", "role:CANTEEN"}},
		{`split(user.mail, "@")[1]`, []string{"example.test"}},
		{`"acme-admins" in user.groups ? ["admin", "user"] : ["user"]`, []string{"admin", "user"}},
		{`concat(filter(user.groups, # == "canteen"), ["everybody"])`, []string{"canteen", "everybody"}},
		{`first(user.groups)`, []string{"acme-staff"}},
		{`first(user.roles)`, nil},
		{`user.roles`, []string{}},
		{`user.staff_no`, []string{""}},
	} {
		t.Run(c.source, func(t *testing.T) {
			t.Parallel()
			e, err := k.Expression(c.source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := e(ada)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("got error %v, values (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestRefused are expressions that are no use, and where their fault is.
func TestRefused(t *testing.T) {
	t.Parallel()
	k := compiler(t)
	for _, c := range []struct{ name, source, at, says string }{
		{"empty", ``, "1:1", "EOF"},
		{"syntax", `user.mail == `, "1:13", "EOF"},
		{"second line", "user.organization == \"acme\" &&\n  user.nothing == \"x\"", "2:8", "no attribute nothing"},
		{"unknown attribute", `user.nickname == "x"`, "1:6", "no attribute nickname"},
		{"unknown name", `request.ip == "x"`, "1:9", "no ip"},
		{"environment", `$env.user.mail == "x"`, "1:11", "no mail"},
		{"all of the user", `len(user) > 0`, "1:5", "unknown name user"},
		{"attribute by a computed name", `user[sp] == "x"`, "1:5", "want user and a name"},
		{"text where a list is", `user.groups == "x"`, "1:13", "mismatched types"},
		{"no condition", `user.mail`, "1:1", "expected bool"},
		{"clock", `now().Year() > 2020`, "1:7", "only functions can be called"},
		{"function that is not to be had", `repeat("x", 1000000) == ""`, "1:1", "no function repeat"},
		{"range", `1..1000000000 == []`, "1:2", "operator .. is not to be had"},
		{"power", `2 ** 64 > 1`, "1:3", "operator ** is not to be had"},
		{"variable", `let a = user.mail; a == a`, "1:5", "not to be had"},
		{"predicate within a predicate", `any(user.groups, any(["x"], true))`, "1:29", "predicate within another"},
		{"list within a predicate", `any(user.groups, # in user.groups)`, "1:28", "list within a predicate"},
		{"doubling", `len(map(user.groups, # + #)) > 0`, "1:22", "use # once"},
		{"computed pattern", `user.mail matches user.given_name`, "1:24", "pattern in quotes"},
		{"bad pattern", `user.mail matches "("`, "1:11", "missing closing"},
		{"method", `user.mail.String() == ""`, "1:11", "only functions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			condition, err := k.Condition(c.source)
			var f *expression.Fault
			if !errors.As(err, &f) || condition != nil {
				t.Fatalf("got %v, want a Fault", err)
			}
			if at := fmt.Sprintf("%d:%d", f.Line, f.Column); at != c.at || !strings.Contains(f.Msg, c.says) {
				t.Errorf("got %q at %s, want %q at %s", f.Msg, at, c.says, c.at)
			}
		})
	}
}

// TestErrorIsNotTrue runs conditions that cannot be answered.
func TestErrorIsNotTrue(t *testing.T) {
	t.Parallel()
	k := compiler(t)
	for _, source := range []string{`user.roles[0] == ""`, `not (user.roles[7] == "x")`, `split(user.mail, "@")[5] != "x"`} {
		condition, err := k.Condition(source)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if got, err := condition(ada); got || err == nil {
			t.Errorf("%s: got %t and error %v, want false and an error", source, got, err)
		}
	}
}

// TestExpressionBombs holds the bounds against what is meant to break them
// (threats.md: resource exhaustion): refused when it is compiled, or done soon.
func TestExpressionBombs(t *testing.T) {
	t.Parallel()
	k := compiler(t)
	const soon = 5 * time.Second // under the race detector and beside other tests
	crowd := identity.Person{Attributes: identity.Attributes{identity.Mail: {strings.Repeat("a", 4000)}}}
	for i := range 9_000 {
		crowd.Attributes[identity.Groups] = append(crowd.Attributes[identity.Groups], fmt.Sprintf("group-%d-aaaa", i))
	}
	refused := map[string]string{
		"long":             `user.mail == "` + strings.Repeat("a", 1000) + `"`,
		"many nodes":       strings.Repeat("!", 400) + "true",
		"doubling by maps": `len(map(map(map(user.groups, # + #), # + #), # + #)) > 0`,
		"range":            `any(0..1000000000, # == -1)`,
		"range in a slice": `len([0..1000000]) > 0`,
		"reduce":           `reduce(user.groups, #acc + #acc + #) == ""`,
		"nested":           `any(user.groups, any(user.groups, any(user.groups, # == "x")))`,
		"squares":          `all(user.groups, # in user.groups)`,
	}
	for name, source := range refused {
		t.Run("refused/"+name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			if _, err := k.Condition(source); err == nil {
				t.Error("got no error")
			}
			if took := time.Since(began); took > soon {
				t.Errorf("took %v", took)
			}
		})
	}
	ends := map[string]string{
		"deep":     strings.Repeat("(", 490) + "true" + strings.Repeat(")", 490),
		"patterns": strings.Repeat(`any(user.groups, # matches "(a|aa)+$b") or `, 10) + "true",
		"sums":     strings.TrimSuffix(strings.Repeat(`user.mail + `, 28), " + ") + ` == ""`,
		"maps":     `len(` + strings.Repeat("map(", 12) + "user.groups" + strings.Repeat(`, # + "aaaaaaaa")`, 12) + `) > 0`,
		"texts":    strings.Repeat(`any(user.groups, user.mail contains #) or `, 9) + "false",
	}
	for name, source := range ends {
		t.Run("ends/"+name, func(t *testing.T) {
			t.Parallel()
			condition, err := k.Condition(source)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, err = condition(crowd)
			if took := time.Since(began); took > soon {
				t.Errorf("took %v (%v)", took, err)
			}
		})
	}
	t.Run("too many values", func(t *testing.T) {
		t.Parallel()
		condition, err := k.Condition(`not ("x" in user.groups)`)
		if err != nil {
			t.Fatal(err)
		}
		who := identity.Person{Attributes: identity.Attributes{identity.Groups: make([]string, 10_001)}}
		if got, err := condition(who); got || err == nil {
			t.Errorf("got %t and error %v, want false and an error", got, err)
		}
	})
}

// TestPeopleStayApart computes for many people at once with what one run leaves to
// the next.
func TestPeopleStayApart(t *testing.T) {
	t.Parallel()
	e, err := compiler(t).Expression(`concat(map(user.groups, "g:" + #), [user.mail, user.connection, authn.class, sp])`)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 200 {
				id := fmt.Sprint(i, "-", j)
				who := identity.Person{Connection: identity.ConnectionID(id), RelyingParty: identity.RelyingPartyID(id), Context: identity.AuthnContext{Class: identity.ClassRef(id)}}
				want := []string{"", id, id, id}
				if j%2 == 0 {
					who.Attributes = identity.Attributes{identity.Mail: {id}, identity.Groups: {id}}
					want = []string{"g:" + id, id, id, id, id}
				}
				got, err := e(who)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("got error %v, values (-want +got):\n%s", err, diff)
					return
				}
			}
		})
	}
	wg.Wait()
}

// FuzzCompile holds that no text breaks the compiler or what it made.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{`user.mail + "x"`, `any(user.groups, # == "a")`, `map(user.groups, # + "x")[1:2]`, `user?.mail ?? sp`, `{"a": 1}`, `"\u0000" matches "a"`, `1..2`, `let a = 1; a`} {
		f.Add(s)
	}
	k := compiler(f)
	f.Fuzz(func(t *testing.T, source string) {
		if condition, err := k.Condition(source); err == nil {
			if got, err := condition(ada); got && err != nil {
				t.Errorf("true with error %v", err)
			}
		} else if !errors.As(err, new(*expression.Fault)) {
			t.Errorf("got %T, want a Fault", err)
		}
		if e, err := k.Expression(source); err == nil {
			_, _ = e(ada) // an error is fine, a panic is not
		}
	})
}

func ExampleCompiler_Condition() {
	catalogue, err := identity.NewCatalogue(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	staff, err := expression.New(catalogue).Condition(`user.organization == "acme" && "staff" in user.groups`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(staff(identity.Person{Attributes: identity.Attributes{identity.Organization: {"acme"}, identity.Groups: {"staff"}}}))
	// Output: true <nil>
}
