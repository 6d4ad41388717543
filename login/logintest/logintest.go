// Package logintest is the conformance suite of login methods. It owns what
// every login.Method promises whatever its authenticator is; it does not know
// any one of them. An implementation calls [RunMethod] from a test of its own.
package logintest

import (
	"context"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/store"
)

// Holder says who holds an authenticator that the Method under test verifies,
// in a store of its own.
type Holder struct {
	Method login.Method
	Store  store.Store

	Identifier string            // of the person who holds it
	Record     identity.RecordID // theirs
	Other      string            // identifier of a second person, with another authenticator
	OtherID    identity.RecordID
	Unknown    string // identifier that nobody has

	Right url.Values   // what Identifier answers
	Wrong []url.Values // what proves nothing, Other's right answer among it

	Methods []identity.Method // amr of a verified Factor
	AAL     identity.AAL
}

// RunMethod holds a Method to its contract: wrong never passes, nobody's answer
// serves somebody else, unknown and disabled people cannot be told from wrong
// answers, and a Factor says what happened and no more. open returns a fresh
// Holder each time.
func RunMethod(t *testing.T, open func(t *testing.T) Holder) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, Holder){
		"right passes":                        rightPasses,
		"wrong never passes":                  wrongNeverPasses,
		"another person's answer is refused":  othersAnswer,
		"unknown is told like wrong":          unknownLikeWrong,
		"disabled is told like wrong":         disabledLikeWrong,
		"the page is the same for everybody":  samePage,
		"a refusal is recorded, once":         refusalRecorded,
		"a context that ended passes nobody":  endedContext,
		"an empty answer is no answer at all": emptyAnswer,
		"nobody holds what they cannot pass":  heldByHolders,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, open(t))
		})
	}
}

func step(identifier string) login.Step {
	return login.Step{
		Ticket: "ticket", Action: "/login", Again: "/login?t=ticket&again=1", RelyingParty: "App", Party: "app",
		Identifier: identifier, Cancellable: true, Address: "192.0.2.7", RequestID: "request",
	}
}

func rightPasses(t *testing.T, h Holder) {
	t.Helper()
	before := time.Now()
	got, err := h.Method.Verify(t.Context(), step(h.Identifier), h.Right)
	if err != nil {
		t.Fatalf("the right answer: %v", err)
	}
	want := login.Factor{Record: h.Record, Context: identity.AuthnContext{Class: h.Method.Class(), Methods: h.Methods, AAL: h.AAL}}
	opts := cmp.Options{cmpopts.IgnoreFields(login.Factor{}, "Settle"), cmpopts.IgnoreFields(identity.AuthnContext{}, "Instant", "Also")}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Errorf("factor (-want +got):\n%s", diff)
	}
	for _, class := range got.Context.Also {
		if !slices.Contains(h.Method.Also(), class) {
			t.Errorf("the factor proves %q, which the method does not announce", class)
		}
	}
	if !slices.Contains(h.Methods, h.Method.ID()) {
		t.Errorf("amr %v lacks the method's own %q", h.Methods, h.Method.ID())
	}
	if d := got.Context.Instant.Sub(before); d < -time.Minute || d > time.Minute || got.Context.Instant.Location() != time.UTC {
		t.Errorf("AuthnInstant is %v, now is %v", got.Context.Instant, before.UTC())
	}
	if got.Settle == nil {
		return
	}
	err = h.Store.Update(t.Context(), func(tx *store.Tx) error { return got.Settle(t.Context(), tx) })
	if err != nil {
		t.Errorf("settling: %v", err)
	}
	if _, err := h.Method.Verify(t.Context(), step(h.Identifier), h.Right); err != nil {
		t.Errorf("the right answer after settling: %v", err)
	}
}

func wrongNeverPasses(t *testing.T, h Holder) {
	t.Helper()
	for _, answer := range h.Wrong {
		got, err := h.Method.Verify(t.Context(), step(h.Identifier), answer)
		if identity.KindOf(err) != identity.KindDenied || !cmp.Equal(got, login.Factor{}, cmpopts.EquateComparable()) {
			t.Errorf("answer %v: got %+v, %v; want nothing, denied", answer, got, err)
		}
	}
}

func othersAnswer(t *testing.T, h Holder) {
	t.Helper()
	got, err := h.Method.Verify(t.Context(), step(h.Other), h.Right)
	if err == nil || got.Record != "" {
		t.Errorf("%s's answer let %s in: %+v", h.Identifier, h.Other, got)
	}
}

// told is everything that a person sees of an error.
func told(err error) identity.Error {
	e := *identity.AsError(err)
	e.Err = nil
	return e
}

func unknownLikeWrong(t *testing.T, h Holder) {
	t.Helper()
	_, wrong := h.Method.Verify(t.Context(), step(h.Identifier), h.Wrong[0])
	_, unknown := h.Method.Verify(t.Context(), step(h.Unknown), h.Wrong[0])
	if diff := cmp.Diff(told(wrong), told(unknown)); diff != "" {
		t.Errorf("unknown can be told from wrong (-wrong +unknown):\n%s", diff)
	}
}

func disabledLikeWrong(t *testing.T, h Holder) {
	t.Helper()
	_, wrong := h.Method.Verify(t.Context(), step(h.Other), h.Wrong[0])
	err := h.Store.Update(t.Context(), func(tx *store.Tx) error {
		rec, err := tx.Records.Get(t.Context(), h.Record)
		if err != nil {
			return err
		}
		rec.Disabled = true
		return tx.Records.Replace(t.Context(), rec)
	})
	if err != nil {
		t.Fatal(err)
	}
	got, disabled := h.Method.Verify(t.Context(), step(h.Identifier), h.Right)
	if disabled == nil {
		t.Fatalf("a disabled person passed: %+v", got)
	}
	if diff := cmp.Diff(told(wrong), told(disabled)); diff != "" {
		t.Errorf("disabled can be told from wrong (-wrong +disabled):\n%s", diff)
	}
}

func samePage(t *testing.T, h Holder) {
	t.Helper()
	known, err := h.Method.Challenge(t.Context(), step(h.Identifier))
	if err != nil {
		t.Fatal(err)
	}
	s := step(h.Unknown)
	unknown, err := h.Method.Challenge(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.Method.Challenge(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	sameType := cmp.Equal(unknown, again)
	diff := cmp.Diff(known, unknown, cmp.Transformer("identifier", func(s string) string {
		if s == h.Identifier || s == h.Unknown {
			return "(identifier)"
		}
		return s
	}))
	if diff != "" || !sameType {
		t.Errorf("the page tells known from unknown (-known +unknown):\n%s", diff)
	}
}

func refusalRecorded(t *testing.T, h Holder) {
	t.Helper()
	for _, identifier := range []string{h.Identifier, h.Unknown} {
		before := failures(t, h)
		if _, err := h.Method.Verify(t.Context(), step(identifier), h.Wrong[0]); err == nil {
			t.Fatal("a wrong answer passed")
		}
		if got := failures(t, h) - before; got != 1 {
			t.Errorf("%q: %d events of failure, want 1", identifier, got)
		}
	}
}

func failures(t *testing.T, h Holder) int {
	t.Helper()
	n := 0
	err := h.Store.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.Events.List(t.Context(), "", 1000)
		n = 0
		for _, e := range all {
			if e.Type == identity.EventLoginFailed {
				n++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func endedContext(t *testing.T, h Holder) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := h.Method.Verify(ctx, step(h.Identifier), h.Right); err == nil {
		t.Errorf("passed: %+v", got)
	}
}

func emptyAnswer(t *testing.T, h Holder) {
	t.Helper()
	for _, identifier := range []string{h.Identifier, h.Unknown, ""} {
		if got, err := h.Method.Verify(t.Context(), step(identifier), url.Values{}); err == nil {
			t.Errorf("%q passed without an answer: %+v", identifier, got)
		}
	}
}

// heldByHolders holds that whoever is said to hold the method passes it by the name
// that is said.
func heldByHolders(t *testing.T, h Holder) {
	t.Helper()
	err := h.Store.Update(t.Context(), func(tx *store.Tx) error {
		rec, err := tx.Records.Get(t.Context(), h.Record)
		if err != nil {
			return err
		}
		name, err := h.Method.Held(t.Context(), tx, rec)
		if err != nil || name != "" && name != h.Identifier {
			t.Errorf("held by %q, %v; want %q or nobody", name, err, h.Identifier)
		}
		without := identity.Record{ID: "without", Logins: []string{"without"}}
		if err := tx.Records.Create(t.Context(), without); err != nil {
			return err
		}
		if name, err := h.Method.Held(t.Context(), tx, without); name != "" || err != nil {
			t.Errorf("held by somebody without it: %q, %v", name, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
