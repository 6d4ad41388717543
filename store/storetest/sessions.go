package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func session(id identity.SessionID, r identity.RecordID, created, notAfter time.Time) identity.Session {
	one := 1
	return identity.Session{
		ID: id, Record: r,
		Context: identity.AuthnContext{
			Class:       identity.ClassREFEDSMFA,
			Also:        []identity.ClassRef{identity.ClassREFEDSSFA, identity.ClassPassword},
			Methods:     []identity.Method{identity.MethodPassword, "otp"},
			AAL:         identity.AAL2,
			Instant:     created,
			Authorities: []identity.EntityID{"https://proxy.example.test", "https://idp.example.test"},
		},
		Connection: "partner",
		Upstream: identity.Principal{
			Issuer: "https://idp.example.test", Subject: "x", Format: identity.FormatTransient,
			NameQualifier: "nq", SPNameQualifier: "spnq",
		},
		UpstreamIx: "_up",
		Proxy:      identity.ProxyRestriction{Count: &one, Audiences: []identity.EntityID{"https://app.example.test", "https://wiki.example.test"}},
		Created:    created,
		NotAfter:   notAfter,
	}
}

func testSessions(t *testing.T, s store.Store) {
	ctx := t.Context()
	makeRecords(t, s, "r1", "r2")
	first := session("s1", "r1", start, start.Add(time.Hour))
	second := identity.Session{ID: "s2", Record: "r1", Created: start.Add(time.Minute), NotAfter: start.Add(2 * time.Hour)} // nothing optional
	other := session("s3", "r2", start, start.Add(time.Hour))
	update(t, s, func(tx *store.Tx) error {
		for token, v := range map[string]identity.Session{"token 1": first, "token 2": second, "token 3": other} {
			if err := tx.Sessions.Create(ctx, token, v); err != nil {
				return err
			}
		}
		wantKind(t, "Create with a taken token", tx.Sessions.Create(ctx, "token 1", session("s4", "r1", start, start)), identity.KindExists)
		wantKind(t, "Create with a taken ID", tx.Sessions.Create(ctx, "token 4", session("s1", "r1", start, start)), identity.KindExists)
		return nil
	})
	for _, c := range []struct {
		name, token string
		now         time.Time
		want        identity.Session
		found       bool
	}{
		{"live", "token 1", start, first, true},
		{"nothing optional", "token 2", start, second, true},
		{"last moment", "token 1", start.Add(time.Hour - time.Microsecond), first, true},
		{"over", "token 1", start.Add(time.Hour), identity.Session{}, false},
		{"the ID is not the token", "s1", start, identity.Session{}, false},
		{"unknown", "token 9", start, identity.Session{}, false},
		{"hostile", "\x00\xff' OR 1=1 --", start, identity.Session{}, false},
	} {
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Sessions.Get(ctx, c.token, c.now)
			if !c.found {
				wantKind(t, c.name, err, identity.KindNotFound)
				return nil
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
			return err
		})
	}
	ofRecord := func(what string, want ...identity.Session) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Sessions.OfRecord(ctx, "r1")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
			return err
		})
	}
	ofRecord("OfRecord", second, first)
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.Sessions.ByID(ctx, "s1")
		if diff := cmp.Diff(first, got); diff != "" || err != nil {
			t.Errorf("ByID: %v (-want +got):\n%s", err, diff)
		}
		_, err = tx.Sessions.ByID(ctx, "token 1")
		wantKind(t, "ByID with a token", err, identity.KindNotFound)
		var pages [][]identity.Session
		for _, after := range []identity.SessionID{"", "s2", "s3"} {
			page, err := tx.Sessions.List(ctx, after, 2)
			if err != nil {
				return err
			}
			pages = append(pages, page)
		}
		if diff := cmp.Diff([][]identity.Session{{first, second}, {other}, nil}, pages); diff != "" {
			t.Errorf("pages of List (-want +got):\n%s", diff)
		}
		return nil
	})
	view(t, s, func(tx *store.Tx) error {
		for _, c := range []struct {
			name, subject string
			issuer        identity.EntityID
			want          []identity.Session
		}{
			{"the principal's", first.Upstream.Subject, first.Upstream.Issuer, []identity.Session{first, other}},
			{"another subject's", "nobody", first.Upstream.Issuer, nil},
			{"the same subject's at another upstream", first.Upstream.Subject, "https://other.example.test/idp", nil},
		} {
			got, err := tx.Sessions.FromUpstream(ctx, c.issuer, c.subject)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("FromUpstream %s (-want +got):\n%s", c.name, diff)
			}
		}
		for _, c := range []struct {
			name   string
			index  identity.SessionID
			issuer identity.EntityID
			want   []identity.Session
		}{
			{"the session's", first.UpstreamIx, first.Upstream.Issuer, []identity.Session{first, other}},
			{"another session's", "nothing", first.Upstream.Issuer, nil},
			{"none", "", first.Upstream.Issuer, nil},
			{"the same at another upstream", first.UpstreamIx, "https://other.example.test/idp", nil},
		} {
			got, err := tx.Sessions.UpstreamIndex(ctx, c.issuer, c.index)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("UpstreamIndex %s (-want +got):\n%s", c.name, diff)
			}
		}
		return nil
	})
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Sessions.Delete(ctx, "none"); err != nil {
			return err
		}
		return tx.Sessions.Delete(ctx, "s1")
	})
	ofRecord("OfRecord after Delete", second)
}

func testParticipants(t *testing.T, s store.Store) {
	ctx := t.Context()
	makeRecords(t, s, "r1")
	participant := func(rp identity.RelyingPartyID, at time.Time) identity.Participant {
		return identity.Participant{
			Session: "s1", RelyingParty: rp, Audience: "https://app.example.test/sp",
			Principal: identity.Principal{
				Issuer: "https://samlet.example.test", Subject: "pairwise", Format: identity.FormatPersistent,
				NameQualifier: "https://samlet.example.test", SPNameQualifier: "https://app.example.test/sp",
			},
			Index: "_1", At: at,
		}
	}
	a, b := participant("a", start.Add(time.Minute)), participant("b", start)
	update(t, s, func(tx *store.Tx) error {
		for _, id := range []identity.SessionID{"s1", "s2"} {
			if err := tx.Sessions.Create(ctx, "token "+string(id), session(id, "r1", start, start.Add(time.Hour))); err != nil {
				return err
			}
		}
		for _, p := range []identity.Participant{a, b} {
			if err := tx.Sessions.Join(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	check := func(what string, want ...identity.Participant) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Sessions.Participants(ctx, "s1")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
			none, err2 := tx.Sessions.Participants(ctx, "s2")
			if len(none) > 0 {
				t.Errorf("%s: got %d participants of another session, want none", what, len(none))
			}
			if err2 != nil {
				return err2
			}
			return err
		})
	}
	check("after Join", b, a)
	elsewhere := participant("a", start)
	elsewhere.Session, elsewhere.Principal.Format = "s2", identity.FormatTransient
	update(t, s, func(tx *store.Tx) error { return tx.Sessions.Join(ctx, elsewhere) })
	view(t, s, func(tx *store.Tx) error {
		for _, c := range []struct {
			name, subject string
			rp            identity.RelyingPartyID
			want          []identity.Participant
		}{
			{"in two sessions", "pairwise", "a", []identity.Participant{elsewhere, a}},
			{"the same subject at another relying party", "pairwise", "b", []identity.Participant{b}},
			{"another subject", "Pairwise", "a", nil},
			{"another relying party", "pairwise", "c", nil},
		} {
			got, err := tx.Sessions.Known(ctx, c.rp, c.subject)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Known %s (-want +got):\n%s", c.name, diff)
			}
		}
		return nil
	})
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Sessions.Delete(ctx, "s2"); err != nil {
			return err
		}
		return tx.Sessions.Create(ctx, "token s2", session("s2", "r1", start, start.Add(time.Hour)))
	})
	b.At, b.Index, b.Principal.Subject = start.Add(time.Hour), "_2", "other"
	update(t, s, func(tx *store.Tx) error { return tx.Sessions.Join(ctx, b) })
	check("after a second Join", a, b)
	update(t, s, func(tx *store.Tx) error { return tx.Sessions.Delete(ctx, "s1") })
	check("after Delete")
}

func testSweep(t *testing.T, s store.Store) {
	ctx := t.Context()
	makeRecords(t, s, "r1")
	const n = 1500 // more than anybody would delete at once
	update(t, s, func(tx *store.Tx) error {
		for i := range n {
			if err := tx.Tickets.Put(ctx, store.Ticket{Purpose: store.PurposeReplay, ID: string(rune('a' + i)), Expires: start}, start.Add(-time.Hour)); err != nil {
				return err
			}
		}
		for _, err := range []error{
			tx.Tickets.Put(ctx, store.Ticket{Purpose: store.PurposeLogin, ID: "live", Expires: start.Add(time.Second)}, start),
			tx.Sessions.Create(ctx, "over", session("s1", "r1", start, start)),
			tx.Sessions.Create(ctx, "live", session("s2", "r1", start, start.Add(time.Second))),
			tx.Sessions.Join(ctx, identity.Participant{Session: "s1", RelyingParty: "a", At: start}),
		} {
			if err != nil {
				return err
			}
		}
		if _, _, err := tx.Counters.Hit(ctx, "over", time.Second, start.Add(-time.Second)); err != nil {
			return err
		}
		_, _, err := tx.Counters.Hit(ctx, "live", time.Minute, start)
		return err
	})
	for i, want := range []int{n + 2, 0} {
		got, err := s.Sweep(ctx, start)
		if err != nil || got != want {
			t.Errorf("Sweep %d: got %d, %v; want %d", i+1, got, err, want)
		}
	}
	update(t, s, func(tx *store.Tx) error {
		if _, err := tx.Tickets.Get(ctx, store.PurposeLogin, "live", start); err != nil {
			t.Errorf("the live ticket: %v", err)
		}
		if _, err := tx.Sessions.Get(ctx, "live", start); err != nil {
			t.Errorf("the live session: %v", err)
		}
		if n, _, err := tx.Counters.Hit(ctx, "live", time.Minute, start); n != 2 || err != nil {
			t.Errorf("the live counter: got %d, %v; want 2", n, err)
		}
		return nil
	})
}
