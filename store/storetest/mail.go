package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// testByMail finds records by their mail values, in the folding of
// identity.LoginKey and in no other: a database that takes a look-alike for the
// same address must not make two people one.
func testByMail(t *testing.T, s store.Store) {
	ctx := t.Context()
	mail := func(id identity.RecordID, values ...identity.Value) identity.Record {
		return identity.Record{ID: id, Values: values, Created: start, Updated: start}
	}
	ada := mail("r1", identity.Value{Name: identity.Mail, Value: "Ada@Example.test", Source: identity.SourceOperator},
		identity.Value{Name: identity.Mail, Value: "ada@example.test", Source: "acme"})
	same := mail("r2", identity.Value{Name: identity.Mail, Value: "ADA@example.TEST", Source: identity.SourcePerson})
	update(t, s, func(tx *store.Tx) error {
		for _, r := range []identity.Record{
			same, ada,
			mail("r3", identity.Value{Name: identity.Username, Value: "ada@example.test", Source: "acme"}),
			mail("r4", identity.Value{Name: identity.Mail, Value: "kim@example.test", Source: "acme"}),
			mail("r5", identity.Value{Name: identity.Mail, Value: "\u212aim@example.test", Source: "acme"}), // the kelvin sign
			mail("r6", identity.Value{Name: identity.Mail, Value: "\u00e4nne@example.test", Source: "acme"}),
		} {
			if err := tx.Records.Create(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
	for key, want := range map[string][]identity.RecordID{
		"ada@example.test": {"r1", "r2"}, "kim@example.test": {"r4"}, "\u00c4nne@example.test": nil, "ada": nil, "%": nil,
	} {
		view(t, s, func(tx *store.Tx) error {
			all, err := tx.Records.ByMail(ctx, key)
			var got []identity.RecordID
			for _, r := range all {
				got = append(got, r.ID)
				if r.ID == ada.ID && !cmp.Equal(r, ada) {
					t.Errorf("ByMail (-want +got):\n%s", cmp.Diff(ada, r))
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ByMail(%q) (-want +got):\n%s", key, diff)
			}
			return err
		})
	}
}
