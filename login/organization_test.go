package login_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// belongs makes a record one of an organization's.
func (w *world) belongs(id identity.RecordID, org identity.OrganizationID) {
	w.update(func(ctx context.Context, tx *store.Tx) error {
		r, err := tx.Records.Get(ctx, id)
		if err != nil {
			return err
		}
		r.Organization = org
		return tx.Records.Replace(ctx, r)
	})
}

// TestDisabledOrganization holds that its people are refused on every way in, and
// that a session which they have counts no more.
func TestDisabledOrganization(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		org     identity.OrganizationID
		refused bool
	}{{"theirs", "acme", true}, {"another", "beta", false}, {"none", "", false}, {"one that is gone", "gone", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var off atomic.Bool
			w := newWorld(t, setup{connections: partner(), tenants: func(id identity.OrganizationID) (identity.Tenant, bool) {
				return identity.Tenant{ID: id, Disabled: off.Load() && id == "acme"}, !off.Load() || id != "gone"
			}})
			ada := w.addPerson("ada")
			w.up.record["ada"] = ada.ID
			w.belongs(ada.ID, c.org)
			b := w.newBrowser()
			if got := b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t); got.Assertion == nil {
				t.Fatalf("before: %+v", got)
			}
			off.Store(true)
			want := identity.Code("")
			if c.refused {
				want = "org.disabled"
			}
			fresh, up := w.newBrowser(), w.newBrowser()
			relay := up.leave(t, identity.AuthnRequest{Hint: "partner"})
			_, direct := w.direct(t, "192.0.2.1", identity.AuthnRequest{}, "ada", goodPass)
			_, _, preview := w.auth.Preview(t.Context(), ada.ID, identity.AuthnRequest{RelyingParty: "wiki"})
			got := map[string]identity.Code{
				"password": fresh.signIn(fresh.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t).Code,
				"upstream": up.arrive("partner", relay, "ada").answer(t).Code,
				"direct":   identity.CodeOf(direct),
				"preview":  identity.CodeOf(preview),
			}
			if diff := cmp.Diff(map[string]identity.Code{"password": want, "upstream": want, "direct": want, "preview": want}, got); diff != "" {
				t.Errorf("refusals (-want +got):\n%s", diff)
			}
			session := b.ask(identity.AuthnRequest{IsPassive: true}).answer(t)
			if (session.Code == "sp.passive") != c.refused {
				t.Errorf("with a session: %+v", session)
			}
		})
	}
}

// TestServedOrganizations holds that an application of some organizations offers
// their connections alone, and gets their people alone.
func TestServedOrganizations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{
		connections: []identity.Connection{
			{ID: "acme", Name: "Acme", Organization: "acme", EmailDomains: []string{"acme.test"}},
			{ID: "labs", Name: "Labs", Organization: "acme"},
			{ID: "beta", Name: "Beta", Organization: "beta", EmailDomains: []string{"beta.test"}},
			{ID: "free", Name: "Free"},
		},
		tenants: func(id identity.OrganizationID) (identity.Tenant, bool) { return identity.Tenant{ID: id}, true },
	})
	w.addParty(identity.RelyingParty{ID: "crm", EntityID: "https://crm.example.test/sp", Organizations: []identity.OrganizationID{"acme"}})
	b := w.newBrowser()
	p := b.ask(identity.AuthnRequest{RelyingParty: "crm"})
	for name, want := range map[string]bool{"Acme": true, "Labs": true, "Beta": false, "Free": false, "Password": false} {
		if strings.Contains(p.body, name) != want {
			t.Errorf("the page offers %s: want %t: %s", name, want, p.body)
		}
	}
	for identifier, want := range map[string]identity.ConnectionID{"x@acme.test": "acme", "x@beta.test": "", "alice": ""} {
		way, err := w.auth.Explain(identity.AuthnRequest{RelyingParty: "crm"}, identifier, "")
		if err != nil || way.Connection != want {
			t.Errorf("%s is led to %+v, %v; want %q", identifier, way, err, want)
		}
	}
	if way, err := w.auth.Explain(identity.AuthnRequest{RelyingParty: "crm", Hint: "beta"}, "", ""); err != nil || way.Connection != "" {
		t.Errorf("a proposal of another organization leads to %+v, %v", way, err)
	}
	for org, want := range map[identity.OrganizationID]identity.Code{"acme": "", "beta": "org.not_served", "": "org.not_served"} {
		name := "one-of-" + string(org)
		w.belongs(w.addPerson(name).ID, org)
		b := w.newBrowser()
		b.signIn(b.ask(identity.AuthnRequest{}), name, goodPass).answer(t)
		if got := b.ask(identity.AuthnRequest{RelyingParty: "crm"}).answer(t); got.Code != want {
			t.Errorf("somebody of %q gets %+v, want code %q", org, got, want)
		}
	}
}
