package main

import (
	"html"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
)

var shownResponse = regexp.MustCompile(`(?s)&lt;samlp:Response.*&lt;/samlp:Response&gt;`)

// TestRehearsalIsTheWire holds what `sp test` shows against the Response of a
// real sign-in, before it (the NameID is not there yet) and after it.
func TestRehearsalIsTheWire(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	before, rows := rehearseAlice(t, world)
	if !before.NameID.New {
		t.Errorf("the NameID %q is not marked as new before the first sign-in", before.NameID.Value)
	}
	if again, unchanged := rehearseAlice(t, world); again.NameID.Value == before.NameID.Value || !cmp.Equal(rows, unchanged) {
		t.Errorf("a rehearsal kept something: NameID %q twice, or the store changed:\n%s", again.NameID.Value, cmp.Diff(rows, unchanged))
	}

	sealed := rehearsal{}
	if err := sealed.readEnvelope(signInAlice(t, world)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sealed.Encrypted, before.Encrypted); diff != "" || sealed.Encrypted == nil {
		t.Errorf("encrypted otherwise than shown (-sent +shown):\n%s", diff)
	}
	world.sendInClear(t, "app1")
	octets := signInAlice(t, world)
	wire := rehearsal{SP: "app1", Person: "alice", Consent: "never", Attributes: []rehearsedAttribute{}, Missing: []string{}}
	if err := wire.readEnvelope(octets); err != nil {
		t.Fatal(err)
	}
	if err := wire.readAssertion(octets); err != nil {
		t.Fatalf("%v\n%s", err, octets)
	}
	after, _ := rehearseAlice(t, world)
	ignore := cmp.Options{cmpopts.IgnoreFields(rehearsal{}, "XML", "Encrypted"), cmpopts.IgnoreFields(rehearsedValue{}, "Sources")}
	if diff := cmp.Diff(wire, after, ignore); diff != "" {
		t.Errorf("the rehearsal is not what was sent (-sent +shown):\n%s", diff)
	}
	before.NameID = after.NameID
	if diff := cmp.Diff(wire, before, ignore); diff != "" {
		t.Errorf("the rehearsal before the sign-in is not what was sent (-sent +shown):\n%s", diff)
	}
}

// signInAlice signs in at application 1 and returns the Response that it got.
func signInAlice(t *testing.T, world *demo) []byte {
	t.Helper()
	page := peer.NewBrowser(t).Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "alice", "password": demoPassword})
	return []byte(html.UnescapeString(string(shownResponse.Find(page.Body))))
}

// sendInClear has samlet encrypt to an application no more.
func (d *demo) sendInClear(t *testing.T, id string) {
	t.Helper()
	err := editConfig(d.samlet.path, func(raw []byte) ([]byte, error) {
		list, err := findList(raw, "service_providers")
		if err != nil {
			return nil, err
		}
		next, _, err := list.set(id, "encrypt", `{mode: "off"}`)
		return next, err
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.samlet.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// rehearseAlice rehearses a sign-in at application 1, and returns the name
// identifiers that are stored.
func rehearseAlice(t *testing.T, world *demo) (r rehearsal, stored []identity.NameID) {
	t.Helper()
	snap, err := loadSnapshot(world.samlet.path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openStage(t.Context(), stageConfig{Snapshot: snap})
	if err != nil {
		t.Fatal(err)
	}
	who, err := s.invite(t.Context(), world.samlet.store, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if r, err = s.rehearse(t.Context(), "app1", who, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	err = world.samlet.store.View(t.Context(), func(tx *store.Tx) error {
		stored, err = tx.NameIDs.OfRecord(t.Context(), who.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, stored
}
