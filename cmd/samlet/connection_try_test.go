package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/explain"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
)

// everything is what the store keeps of people.
type everything struct {
	Records []identity.Record
	Links   []identity.Link
	Events  []identity.Event
}

func readEverything(t *testing.T, db store.Store) (all everything) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) (err error) {
		if all.Records, err = tx.Records.List(t.Context(), "", 100); err != nil {
			return err
		}
		for _, r := range all.Records {
			links, err := tx.Links.OfRecord(t.Context(), r.ID)
			if err != nil {
				return err
			}
			all.Links = append(all.Links, links...)
		}
		all.Events, err = tx.Events.List(t.Context(), "", 1000)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestTrialIsTheSignIn holds what `connection test` shows against real sign-ins of
// a partner's person, before, and with a lost and a new value; and that it writes
// nothing.
func TestTrialIsTheSignIn(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	snap, err := loadSnapshot(world.samlet.path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(subject, claims string) trial {
		t.Helper()
		s, err := openStage(t.Context(), stageConfig{Snapshot: snap})
		if err != nil {
			t.Fatal(err)
		}
		said, err := claimsOf([]byte(claims), snap.connection("partner"), subject)
		if err != nil {
			t.Fatal(err)
		}
		before := readEverything(t, world.samlet.store)
		got, err := s.try(t.Context(), world.samlet.store, "partner", said)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, readEverything(t, world.samlet.store)); diff != "" {
			t.Errorf("the store was changed (-before +after):\n%s", diff)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		return got
	}
	const claims = `{"urn:oid:0.9.2342.19200300.100.1.3": "pat@partner.test", "urn:oid:2.5.4.42": "Pat", "urn:oid:2.5.4.4": "Park", "urn:oid:1.3.6.1.4.1.5923.1.5.1.1": ["staff"]}`
	fresh := try("somebody", claims)
	if fresh.Outcome != "new" {
		t.Errorf("before the first sign-in: got %q, want new", fresh.Outcome)
	}

	b := peer.NewBrowser(t)
	b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "pat@partner.test"})
	b.Continue(peer.Fill{"identifier": "pat", "password": demoPassword})
	kept := readEverything(t, world.samlet.store)
	if len(kept.Links) != 1 {
		t.Fatalf("got %d links after the sign-in, want one", len(kept.Links))
	}
	link := kept.Links[0]
	var values []trialValue
	for _, r := range kept.Records {
		if r.ID != link.Record {
			continue
		}
		for _, v := range r.Values {
			values = append(values, trialValue{string(v.Name), v.Value, string(v.Source), "added"})
		}
	}
	if diff := cmp.Diff(values, fresh.Values); diff != "" {
		t.Errorf("the record is not what was shown (-kept +shown):\n%s", diff)
	}

	changed := try(link.Principal.Subject, `{"urn:oid:0.9.2342.19200300.100.1.3": "pat@partner.test", "urn:oid:1.3.6.1.4.1.5923.1.5.1.1": "admins"}`)
	want := []trialValue{
		{"groups", "admins", "partner", "added"}, {"mail", "pat@partner.test", "partner", "kept"},
		{"family_name", "Park", "partner", "removed"}, {"given_name", "Pat", "partner", "removed"}, {"groups", "staff", "partner", "removed"},
	}
	if diff := cmp.Diff(want, changed.Values); diff != "" || changed.Outcome != "known" || changed.Record != string(link.Record) {
		t.Errorf("outcome %q of %q, values (-want +got):\n%s", changed.Outcome, changed.Record, diff)
	}
}

// TestTrialOfCapturedResponse reads the claims of a Response that was on the wire,
// encrypted; and, as it is another issuer's, says so.
func TestTrialOfCapturedResponse(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	snap, err := loadSnapshot(world.samlet.path)
	if err != nil {
		t.Fatal(err)
	}
	said, faults, err := capture(t.Context(), snap, snap.connection("partner"), signInAlice(t, world), explain.Context{Now: time.Now()})
	if err != nil || len(faults) > 0 {
		t.Fatalf("got error %v, faults %q", err, faults)
	}
	want := identity.Attributes{
		"urn:oid:0.9.2342.19200300.100.1.3": {"alice@samlet.test"}, "urn:oid:1.3.6.1.4.1.5923.1.5.1.1": {"staff", "admins"},
		"urn:oid:2.5.4.4": {"Adams"}, "urn:oid:2.5.4.42": {"Alice"},
	}
	if diff := cmp.Diff(want, said.Attributes); diff != "" || said.Principal.Format != identity.FormatPersistent || said.Principal.Subject == "" {
		t.Errorf("principal %+v, attributes (-want +got):\n%s", said.Principal, diff)
	}
	_, faults, err = capture(t.Context(), snap, snap.connection("partner"), signInAlice(t, world), explain.Context{Now: time.Now(), At: time.Now().Add(24 * time.Hour)})
	if err != nil || len(faults) == 0 {
		t.Errorf("a day later: got error %v, and no fault", err)
	}
	s, err := openStage(t.Context(), stageConfig{Snapshot: snap})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.try(t.Context(), world.samlet.store, "partner", said)
	if err != nil || got.Outcome != "refused" || got.Refused.Code != "up.mix_up" {
		t.Errorf("a Response of another issuer: got %+v, %v", got, err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
