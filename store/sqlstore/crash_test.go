package sqlstore_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
)

// childEnv names the database that this test binary fills until it is killed.
const childEnv = "SAMLET_TEST_CRASH_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		fmt.Println("ended:", crashChild(context.Background(), path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// crashChild is the victim of TestKill: 16 writers that tell each ID as soon as
// its Update has returned, until one fails.
func crashChild(ctx context.Context, path string) error {
	s, err := sqlstore.Open(ctx, sqlite(path))
	if err != nil {
		return err
	}
	failed := make(chan error)
	var out sync.Mutex
	for i := range 16 {
		go func() {
			for j := 0; ; j++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), i, j)
				if err := s.Update(ctx, func(tx *store.Tx) error { return crashWrite(ctx, tx, id) }); err != nil {
					failed <- err
				}
				out.Lock()
				fmt.Println("done", id)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

func crashWrite(ctx context.Context, tx *store.Tx, id string) error {
	now := time.Now()
	r := identity.Record{ID: identity.RecordID(id), Logins: []string{id}, Created: now, Updated: now}
	for k := range 20 {
		r.Values = append(r.Values, identity.Value{Name: identity.Groups, Value: fmt.Sprint(id, " group ", k), Source: "partner"})
	}
	if err := tx.Records.Create(ctx, r); err != nil {
		return err
	}
	return tx.Tickets.Put(ctx, store.Ticket{Purpose: store.PurposeLogin, ID: id, Payload: make([]byte, 10_000), Expires: now.Add(time.Hour)}, now)
}

// TestKill kills a writing process (SIGKILL) at a random moment, three times
// over the same file, and looks for every write that it had acknowledged.
func TestKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "samlet.db")
	var acknowledged []string
	for round := range 3 {
		after := 1 + rand.IntN(1500)
		ids := killAfter(t, path, after)
		t.Logf("round %d: killed after %d acknowledged writes, %d were on their way", round, after, len(ids)-after)
		acknowledged = append(acknowledged, ids...)
		checkCrashed(t, path, acknowledged)
	}
}

// killAfter runs the child until it has acknowledged n writes, kills it, and
// returns all that it acknowledged.
func killAfter(t *testing.T, path string, n int) (ids []string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said = append(said, lines.Text())
		id, ok := strings.CutPrefix(lines.Text(), "done ")
		if !ok {
			continue
		}
		ids = append(ids, id)
		if len(ids) == n {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || len(ids) < n {
		t.Fatalf("the child ended by itself after %d of %d writes: %v\n%s", len(ids), n, err, strings.Join(said, "\n"))
	}
	return ids
}

func checkCrashed(t *testing.T, path string, ids []string) {
	t.Helper()
	ctx := t.Context()
	s, err := sqlstore.Open(ctx, sqlite(path))
	if err != nil {
		t.Fatalf("Open after the kill: %v", err)
	}
	err = s.View(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			r, err := tx.Records.ByLogin(ctx, id)
			if err != nil {
				t.Errorf("acknowledged write %s: %v", id, err)
				continue
			}
			if len(r.Values) != 20 {
				t.Errorf("acknowledged write %s: got %d values, want 20", id, len(r.Values))
			}
			got, err := tx.Tickets.Get(ctx, store.PurposeLogin, id, time.Now())
			if err != nil || len(got.Payload) != 10_000 {
				t.Errorf("acknowledged ticket %s: got %d octets, %v; want 10000", id, len(got.Payload), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []string{`PRAGMA integrity_check`, `SELECT COUNT(*) || ' violations' FROM pragma_foreign_key_check`} {
		var verdict string
		if err := db.QueryRowContext(ctx, check).Scan(&verdict); err != nil {
			t.Fatal(err)
		}
		if verdict != "ok" && verdict != "0 violations" {
			t.Errorf("%s: got %s", check, verdict)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
