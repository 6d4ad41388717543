package broker_test

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// What a connector remarks on is in log and audit trail at each sign-in, and goes
// no further.
func TestRemarks(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := openStore(t)
	b, err := broker.New(broker.Config{
		Store: s, EntityID: entityID, Connections: []broker.Upstream{creating("acme", partner)}, Rand: rand.Reader,
		Now: func() time.Time { return noon }, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	said := upstreamAssertion("ada")
	said.Remarks = []identity.Remark{{Code: "up.weak_algorithm", Detail: "signed with sha1"}, {Code: "up.scope", Detail: "2 values dropped"}}
	for range 2 {
		if _, err := signIn(t, b, "acme", said); err != nil {
			t.Fatal(err)
		}
	}
	type told struct {
		Code   identity.Code
		Detail string
		Known  bool // whose sign-in it was
	}
	var got []told
	err = s.View(t.Context(), func(tx *store.Tx) error {
		got = nil
		events, err := tx.Events.List(t.Context(), "", 100)
		for _, e := range events {
			if e.Type == identity.EventRemark {
				got = append(got, told{e.Code, e.Detail, e.Record != "" && e.Connection == "acme"})
			}
		}
		return err
	})
	want := []told{{"up.scope", "2 values dropped", true}, {"up.weak_algorithm", "signed with sha1", true}}
	if diff := cmp.Diff(append(want, want...), got); err != nil || diff != "" {
		t.Errorf("audit trail: %v (-want +got):\n%s", err, diff)
	}
	for _, want := range []string{"level=WARN", "code=up.weak_algorithm", "code=up.scope", `detail="signed with sha1"`} {
		if n := strings.Count(log.String(), want); n < 2 {
			t.Errorf("%q stands in the log %d times\n%s", want, n, &log)
		}
	}
}
