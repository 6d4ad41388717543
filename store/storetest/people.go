package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func testLinks(t *testing.T, s store.Store) {
	ctx := t.Context()
	makeRecords(t, s, "r1", "r2")
	link := func(issuer identity.EntityID, subject string, r identity.RecordID, at time.Time) identity.Link {
		return identity.Link{
			Principal: identity.Principal{
				Issuer: issuer, Subject: subject, Format: identity.FormatPersistent,
				NameQualifier: string(issuer), SPNameQualifier: "https://samlet.example.test/saml/metadata",
			},
			Record: r, Connection: "partner", Created: at, LastUsed: at,
		}
	}
	a := link("https://a.example.test/idp", "s-1", "r1", start)
	b := link("https://b.example.test/idp", "s-1", "r2", start.Add(time.Second)) // the same subject of another issuer
	c := link("https://a.example.test/idp", "S-1", "r1", start.Add(time.Minute)) // another spelling is another subject
	update(t, s, func(tx *store.Tx) error {
		for _, l := range []identity.Link{a, b, c} {
			if err := tx.Links.Create(ctx, l); err != nil {
				return err
			}
		}
		again := a
		again.Record = "r2"
		wantKind(t, "Create of a linked principal", tx.Links.Create(ctx, again), identity.KindExists)
		return nil
	})
	a.LastUsed = start.Add(time.Hour)
	update(t, s, func(tx *store.Tx) error {
		wantKind(t, "Touch of no link", tx.Links.Touch(ctx, link("https://c.example.test/idp", "s-1", "r1", start), start), identity.KindNotFound)
		return tx.Links.Touch(ctx, a, a.LastUsed)
	})
	view(t, s, func(tx *store.Tx) error {
		for _, want := range []identity.Link{a, b, c} {
			got, err := tx.Links.Get(ctx, want.Principal.Issuer, want.Principal.Subject)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Get (-want +got):\n%s", diff)
			}
		}
		_, err := tx.Links.Get(ctx, "https://a.example.test/idp/", "s-1")
		wantKind(t, "Get of another issuer", err, identity.KindNotFound)
		got, err := tx.Links.OfRecord(ctx, "r1")
		if diff := cmp.Diff([]identity.Link{a, c}, got); diff != "" {
			t.Errorf("OfRecord (-want +got):\n%s", diff)
		}
		return err
	})
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Links.Delete(ctx, a.Principal.Issuer, "nobody"); err != nil {
			return err
		}
		return tx.Links.Delete(ctx, a.Principal.Issuer, a.Principal.Subject)
	})
	view(t, s, func(tx *store.Tx) error {
		_, err := tx.Links.Get(ctx, a.Principal.Issuer, a.Principal.Subject)
		wantKind(t, "Get of a removed link", err, identity.KindNotFound)
		for id, want := range map[identity.RecordID]identity.Link{"r1": c, "r2": b} {
			got, err := tx.Links.OfRecord(ctx, id)
			if diff := cmp.Diff([]identity.Link{want}, got); err != nil || diff != "" {
				t.Errorf("OfRecord(%s) after Delete: %v (-want +got):\n%s", id, err, diff)
			}
		}
		return nil
	})
}

func testCredentials(t *testing.T, s store.Store) {
	ctx := t.Context()
	makeRecords(t, s, "r1", "r2")
	credential := func(id string, r identity.RecordID, kind identity.CredentialKind, secret string, at time.Time) identity.Credential {
		return identity.Credential{ID: id, Record: r, Kind: kind, Secret: identity.NewSecret(secret), Created: at, Updated: at}
	}
	newer := credential("c1", "r1", identity.CredentialPassword, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", start.Add(time.Second))
	older := credential("c2", "r1", identity.CredentialPassword, "older", start)
	other := credential("c3", "r1", "other", "x", start)
	foreign := credential("c4", "r2", identity.CredentialPassword, "y", start)
	update(t, s, func(tx *store.Tx) error {
		for _, c := range []identity.Credential{newer, older, other, foreign} {
			if err := tx.Credentials.Put(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
	check := func(what string, want ...identity.Credential) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Credentials.OfRecord(ctx, "r1", identity.CredentialPassword)
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b identity.Secret) bool { return a.Equal(b.Reveal()) })); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
			return err
		})
	}
	check("after Put", older, newer)
	newer.Secret, newer.Updated = identity.NewSecret("changed"), start.Add(time.Hour)
	update(t, s, func(tx *store.Tx) error { return tx.Credentials.Put(ctx, newer) })
	check("after a second Put", older, newer)
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Credentials.Delete(ctx, "nothing"); err != nil {
			return err
		}
		return tx.Credentials.Delete(ctx, older.ID)
	})
	check("after Delete", newer)
}

func testNameIDs(t *testing.T, s store.Store) {
	ctx := t.Context()
	makeRecords(t, s, "r1", "r2")
	const us, app = "https://samlet.example.test/saml/metadata", "https://app.example.test/sp"
	nameID := func(r identity.RecordID, issuer identity.EntityID, party string, f identity.Format, subject string) identity.NameID {
		return identity.NameID{Record: r, Created: start, Principal: identity.Principal{
			Issuer: issuer, Subject: subject, Format: f, NameQualifier: string(issuer), SPNameQualifier: party,
		}}
	}
	one := nameID("r1", us, app, identity.FormatPersistent, "x1")
	update(t, s, func(tx *store.Tx) error {
		for _, n := range []identity.NameID{
			one,
			nameID("r2", us, app, identity.FormatPersistent, "x2"),
			nameID("r1", us, "https://other.example.test/sp", identity.FormatPersistent, "x1"),
			nameID("r1", us, app, identity.FormatUnspecified, "x1"),
			nameID("r1", us+"/2", app, identity.FormatPersistent, "x1"),
		} {
			if err := tx.NameIDs.Create(ctx, n); err != nil {
				return err
			}
		}
		wantKind(t, "a second name identifier there", tx.NameIDs.Create(ctx, nameID("r1", us, app, identity.FormatPersistent, "x3")), identity.KindExists)
		wantKind(t, "somebody else's value", tx.NameIDs.Create(ctx, nameID("r2", us, app, identity.FormatUnspecified, "x1")), identity.KindExists)
		return nil
	})
	view(t, s, func(tx *store.Tx) error {
		asked := one.Principal
		asked.Subject, asked.NameQualifier = "", ""
		got, err := tx.NameIDs.Get(ctx, "r1", asked)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(one, got); diff != "" {
			t.Errorf("Get (-want +got):\n%s", diff)
		}
		got, err = tx.NameIDs.BySubject(ctx, one.Principal)
		if diff := cmp.Diff(one, got); diff != "" {
			t.Errorf("BySubject (-want +got):\n%s", diff)
		}
		if err != nil {
			return err
		}
		all, err := tx.NameIDs.OfRecord(ctx, "r2")
		if err != nil {
			return err
		}
		want := []identity.NameID{nameID("r2", us, app, identity.FormatPersistent, "x2")}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("OfRecord (-want +got):\n%s", diff)
		}
		asked.Format = identity.FormatEmail
		_, missing := tx.NameIDs.Get(ctx, "r1", asked)
		wantKind(t, "Get in another format", missing, identity.KindNotFound)
		asked = one.Principal
		asked.Subject = "X1"
		_, missing = tx.NameIDs.BySubject(ctx, asked)
		wantKind(t, "BySubject in another spelling", missing, identity.KindNotFound)
		return err
	})
}

// testReferences checks that nothing can belong to a record or session that is
// not there.
func testReferences(t *testing.T, s store.Store) {
	ctx := t.Context()
	for name, fn := range map[string]func(*store.Tx) error{
		"link":        func(tx *store.Tx) error { return tx.Links.Create(ctx, identity.Link{Record: "nobody"}) },
		"credential":  func(tx *store.Tx) error { return tx.Credentials.Put(ctx, identity.Credential{Record: "nobody"}) },
		"name ID":     func(tx *store.Tx) error { return tx.NameIDs.Create(ctx, identity.NameID{Record: "nobody"}) },
		"consent":     func(tx *store.Tx) error { return tx.Consents.Put(ctx, identity.Consent{Record: "nobody"}) },
		"session":     func(tx *store.Tx) error { return tx.Sessions.Create(ctx, "t", identity.Session{Record: "nobody"}) },
		"participant": func(tx *store.Tx) error { return tx.Sessions.Join(ctx, identity.Participant{Session: "none"}) },
	} {
		wantKind(t, name, s.Update(ctx, fn), identity.KindNotFound)
	}
}
