package broker_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
)

const (
	partner  = identity.EntityID("https://idp.partner.example.test")
	entityID = identity.EntityID("https://login.example.test/saml/metadata")
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// voucher is a Connector to an upstream that needs no proof: its answer is the
// assertion itself, in the form field "says".
type voucher struct{ issuer identity.EntityID }

func (v voucher) Issuer() identity.EntityID { return v.issuer }

func (v voucher) Begin(_ context.Context, req identity.AuthnRequest, relayState string) (binding.Message, []byte, error) {
	asked := fmt.Sprint(req.Context.Comparison, req.Context.Classes)
	return binding.Message{URL: string(v.issuer) + "/?RelayState=" + relayState, Form: url.Values{"asked": {asked}}}, []byte("asked " + v.issuer), nil
}

func (v voucher) Finish(_ context.Context, state []byte, in binding.Received) (identity.Assertion, error) {
	var says identity.Assertion
	if string(state) != "asked "+string(v.issuer) {
		return says, &identity.Error{Kind: identity.KindInvalid, Code: "up.unsolicited"}
	}
	return says, json.Unmarshal([]byte(in.Form.Get("says")), &says)
}

func saying(t testing.TB, a identity.Assertion) binding.Received {
	t.Helper()
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return binding.Received{Method: "POST", Form: map[string][]string{"says": {string(b)}}}
}

func openStore(t testing.TB) store.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: filepath.Join(t.TempDir(), "samlet.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// creating is a connection that makes records for new people.
func creating(id identity.ConnectionID, issuer identity.EntityID) broker.Upstream {
	return broker.Upstream{Connection: identity.Connection{ID: id, Type: "saml", Name: "Partner", Create: true}, Connector: voucher{issuer}}
}

func open(t testing.TB, s store.Store, now time.Time, ups ...broker.Upstream) *broker.Broker {
	t.Helper()
	b, err := broker.New(broker.Config{
		Store: s, EntityID: entityID, Connections: ups, Rand: rand.Reader, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signIn drives a through Begin and Finish.
func signIn(t testing.TB, b *broker.Broker, id identity.ConnectionID, a identity.Assertion) (identity.Assertion, error) {
	t.Helper()
	_, state, err := b.Begin(t.Context(), id, identity.AuthnRequest{}, "ticket")
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	return b.Finish(t.Context(), id, state, saying(t, a))
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	with := func(change func(*broker.Upstream)) []broker.Upstream {
		a, b := creating("a", partner), creating("b", "https://other.example.test")
		a.EmailDomains = []string{"acme.test"}
		change(&b)
		return []broker.Upstream{a, b}
	}
	tests := []struct {
		name string
		ups  []broker.Upstream
		want string
	}{
		{"one ID twice", with(func(u *broker.Upstream) { u.ID = "a" }), `connection "a": another connection has this ID`},
		{"the ID of local sign-in", with(func(u *broker.Upstream) { u.ID = identity.LocalConnection }), "the ID must be a slug"},
		{"an ID with a colon", with(func(u *broker.Upstream) { u.ID = "samlet:operator" }), "the ID must be a slug"},
		{"one mail domain twice", with(func(u *broker.Upstream) { u.EmailDomains = []string{"ACME.test"} }), `mail domain "acme.test" already belongs to connection "a"`},
		{"an address for a domain", with(func(u *broker.Upstream) { u.EmailDomains = []string{"ada@acme.test"} }), "is no mail domain"},
		{"an empty domain", with(func(u *broker.Upstream) { u.EmailDomains = []string{""} }), "is no mail domain"},
		{"no connector", with(func(u *broker.Upstream) { u.Connector = nil }), "it has no connector"},
		{"a rule for an undeclared attribute", with(func(u *broker.Upstream) { u.Mapping = []identity.MapRule{{To: "x", Constant: []string{"y"}}} }), "no such attribute is declared"},
		{"two connections that speak for one issuer (tenant crossing)", with(func(u *broker.Upstream) { u.Connector = voucher{partner} }), `connection "a" already speaks for`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := broker.New(broker.Config{Store: openStore(t), EntityID: entityID, Connections: tt.ups, Rand: rand.Reader})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestNewReportsAllFaults(t *testing.T) {
	t.Parallel()
	a, b := creating("A", partner), creating("b", "https://other.example.test")
	b.EmailDomains = []string{"@"}
	_, err := broker.New(broker.Config{Store: openStore(t), EntityID: entityID, Connections: []broker.Upstream{a, b}, Rand: rand.Reader})
	if err == nil || !strings.Contains(err.Error(), `"A"`) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("got %v, want both faults", err)
	}
}

func TestRoute(t *testing.T) {
	t.Parallel()
	on, off := creating("acme", partner), creating("old", "https://old.example.test")
	on.EmailDomains = []string{"Acme.test", "kelvin.test"}
	off.EmailDomains, off.Disabled = []string{"acme.test", "old.test"}, true
	b := open(t, openStore(t), noon, off, on)
	tests := []struct {
		name, identifier string
		want             identity.ConnectionID
	}{
		{"exact", "ada@acme.test", "acme"},
		{"other case", " Ada@ACME.Test ", "acme"},
		{"the last at sign counts", "a@other.test@acme.test", "acme"},
		{"and only the last", "a@acme.test@other.test", ""},
		{"sub-domain", "ada@mail.acme.test", ""},
		{"parent domain", "ada@test", ""},
		{"longer name", "ada@notacme.test", ""},
		{"suffix", "ada@acme.test.example", ""},
		{"trailing dot", "ada@acme.test.", ""},
		{"look-alike (kelvin sign)", "ada@\u212aelvin.test", ""},
		{"look-alike (cyrillic)", "ada@аcme.test", ""},
		{"zero width", "ada@acme.test\u200b", ""},
		{"disabled connection", "ada@old.test", ""},
		{"domain alone", "acme.test", ""},
		{"no local part", "@acme.test", ""},
		{"no domain", "ada@", ""},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := b.Route(tt.identifier)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("Route(%q) = %q, %v, want %q", tt.identifier, got, ok, tt.want)
			}
		})
	}
}

func TestConnectionsAreTheEnabledOnesInOrder(t *testing.T) {
	t.Parallel()
	z, off, a := creating("z", "https://z.example.test"), creating("off", "https://off.example.test"), creating("a", "https://a.example.test")
	off.Disabled = true
	var got []identity.ConnectionID
	for _, c := range open(t, openStore(t), noon, z, off, a).Connections() {
		got = append(got, c.ID)
	}
	if diff := cmp.Diff([]identity.ConnectionID{"z", "a"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestConnectionsNameTheirIssuers holds what an IDPList is compared with.
func TestConnectionsNameTheirIssuers(t *testing.T) {
	t.Parallel()
	off := creating("b", "https://off.example.test")
	off.Disabled = true
	b := open(t, openStore(t), time.Now(), creating("a", partner), off)
	if got := b.Connections(); len(got) != 1 || got[0].Issuer != partner {
		t.Errorf("got %+v, want one connection of %s", got, partner)
	}
	for issuer, want := range map[identity.EntityID]bool{partner: true, "https://off.example.test": true, "https://x.example.test": false} {
		if got := b.Knows(issuer); got != want {
			t.Errorf("Knows(%s) = %t, want %t", issuer, got, want)
		}
	}
}

func TestConnectionThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	off := creating("off", partner)
	off.Disabled = true
	b := open(t, openStore(t), noon, off)
	tests := []struct {
		name string
		id   identity.ConnectionID
		kind identity.Kind
		code identity.Code
	}{
		{"disabled", "off", identity.KindDenied, "up.disabled"},
		{"unknown", "nowhere", identity.KindNotFound, "up.unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, beginErr := b.Begin(t.Context(), tt.id, identity.AuthnRequest{}, "t")
			_, finishErr := b.Finish(t.Context(), tt.id, []byte(`{"connection":"`+string(tt.id)+`"}`), saying(t, upstreamAssertion("ada")))
			for what, err := range map[string]error{"Begin": beginErr, "Finish": finishErr} {
				if identity.KindOf(err) != tt.kind || identity.CodeOf(err) != tt.code {
					t.Errorf("%s: got %v, want %v %s", what, err, tt.kind, tt.code)
				}
			}
		})
	}
}

// TestMixUp holds that an answer counts only at the connection whose question
// it answers, and only for people of that connection's upstream.
func TestMixUp(t *testing.T) {
	t.Parallel()
	const other = identity.EntityID("https://other.example.test")
	b := open(t, openStore(t), noon, creating("a", partner), creating("b", other))
	_, state, err := b.Begin(t.Context(), "a", identity.AuthnRequest{}, "t")
	if err != nil {
		t.Fatal(err)
	}
	theirs := upstreamAssertion("ada")
	theirs.Principal.Issuer = other
	tests := []struct {
		name string
		id   identity.ConnectionID
		says identity.Assertion
		code identity.Code
	}{
		{"finished at another connection", "b", theirs, "up.mix_up"},
		{"another upstream's person", "a", theirs, "up.mix_up"},
		{"honest", "a", upstreamAssertion("ada"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := b.Finish(t.Context(), tt.id, state, saying(t, tt.says))
			if got := identity.CodeOf(err); got != tt.code {
				t.Errorf("got %v, want code %q", err, tt.code)
			}
		})
	}
	if _, err := b.Finish(t.Context(), "a", nil, saying(t, upstreamAssertion("ada"))); identity.CodeOf(err) != "up.unsolicited" {
		t.Errorf("without state: got %v, want up.unsolicited", err)
	}
}
