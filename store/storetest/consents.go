package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func testConsents(t *testing.T, s store.Store) {
	ctx := t.Context()
	makeRecords(t, s, "r1", "r2")
	wiki := identity.Consent{Record: "r1", RelyingParty: "wiki", Attributes: []string{"E-mail", "Größe"}, Digest: "d1", At: start.Add(time.Second)}
	mail := identity.Consent{Record: "r1", RelyingParty: "mail", Attributes: []string{"E-mail"}, Digest: "d2", At: start}
	other := identity.Consent{Record: "r2", RelyingParty: "wiki", Attributes: []string{"Groups"}, Digest: "d3", At: start}
	update(t, s, func(tx *store.Tx) error {
		for _, c := range []identity.Consent{wiki, mail, other} {
			if err := tx.Consents.Put(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
	check := func(what string, want ...identity.Consent) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Consents.OfRecord(ctx, "r1")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: OfRecord (-want +got):\n%s", what, diff)
			}
			return err
		})
	}
	check("after Put", mail, wiki)
	wiki.Attributes, wiki.Digest, wiki.At = []string{"Groups"}, "d4", start.Add(time.Hour)
	update(t, s, func(tx *store.Tx) error { return tx.Consents.Put(ctx, wiki) })
	check("after a second Put", mail, wiki)
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Consents.Delete(ctx, "r1", "nothing"); err != nil {
			return err
		}
		return tx.Consents.Delete(ctx, "r1", "mail")
	})
	check("after Delete", wiki)
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.Consents.Get(ctx, "r2", "wiki")
		if diff := cmp.Diff(other, got); diff != "" {
			t.Errorf("Get (-want +got):\n%s", diff)
		}
		_, missing := tx.Consents.Get(ctx, "r1", "mail")
		wantKind(t, "Get of what was withdrawn", missing, identity.KindNotFound)
		return err
	})
}
