package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
)

func TestReadMoves(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string
		want       int
		fault      string
	}{
		{"good, columns in any order, with a byte order mark", "\ufeffnew,old\nb,a\nd,c\n", 2, ""},
		{"empty file", "", 0, "EOF"},
		{"no column", "from,to\na,b\n", 0, "columns old and new"},
		{"an empty subject", "old,new\na,\n", 0, "line 2: a subject is empty"},
		{"one old subject twice", "old,new\na,b\na,c\n", 0, "line 3: the old subject is that of line 2"},
		{"two people on one subject", "old,new\na,c\nb,c\n", 0, "line 3: the new subject is that of line 2"},
		{"a short line", "old,new\na\n", 0, "wrong number of fields"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := readMoves([]byte(tt.file))
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("got %v, want %q", err, tt.fault)
				}
				return
			}
			if err != nil || len(got) != tt.want {
				t.Errorf("got %d lines and %v, want %d", len(got), err, tt.want)
			}
		})
	}
}

// TestRelink moves subjects all at once or not at all, and never onto somebody.
func TestRelink(t *testing.T) {
	t.Parallel()
	const issuer, other = "https://idp.acme.test", "https://idp.other.test"
	tests := []struct {
		name, file string
		yes        bool
		moved      int
		code       identity.Code
		want       map[string]identity.RecordID // of issuer
	}{
		{"dry run", "old,new\na,x\n", false, 1, "", map[string]identity.RecordID{"a": "ada", "b": "bob"}},
		{"moved, with one whom nobody knows", "old,new\na,x\nnobody,y\n", true, 1, "", map[string]identity.RecordID{"x": "ada", "b": "bob"}},
		{"swapped", "old,new\na,b\nb,a\n", true, 2, "", map[string]identity.RecordID{"b": "ada", "a": "bob"}},
		{"one after the other", "old,new\na,b\nb,c\n", true, 2, "", map[string]identity.RecordID{"b": "ada", "c": "bob"}},
		{"onto somebody", "old,new\nb,z\na,b\n", true, 2, "", map[string]identity.RecordID{"z": "bob", "b": "ada"}},
		{"onto somebody who stays", "old,new\na,b\n", true, 0, "link.taken", map[string]identity.RecordID{"a": "ada", "b": "bob"}},
		{"a dry run shows the conflict", "old,new\na,b\n", false, 0, "link.taken", map[string]identity.RecordID{"a": "ada", "b": "bob"}},
		{"another issuer's subject", "old,new\no,x\n", true, 0, "", map[string]identity.RecordID{"a": "ada", "b": "bob"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db, err := sqlstore.Open(t.Context(), sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: filepath.Join(t.TempDir(), "samlet.db")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
			err = db.Update(t.Context(), func(tx *store.Tx) error {
				for _, l := range []struct {
					issuer  identity.EntityID
					subject string
					record  identity.RecordID
				}{{issuer, "a", "ada"}, {issuer, "b", "bob"}, {other, "o", "olga"}} {
					if err := tx.Records.Create(t.Context(), identity.Record{ID: l.record, Created: now, Updated: now}); err != nil {
						return err
					}
					p := identity.Principal{Issuer: l.issuer, Subject: l.subject, Format: identity.FormatPersistent}
					if err := tx.Links.Create(t.Context(), identity.Link{Principal: p, Record: l.record, Connection: "acme", Created: now, LastUsed: now}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			moves, err := readMoves([]byte(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			moved, err := relink(t.Context(), db, func(s string) identity.Principal { return identity.Principal{Issuer: issuer, Subject: s} }, moves, tt.yes)
			if identity.CodeOf(err) != tt.code || err == nil && moved != tt.moved {
				t.Errorf("got %d moved and %v, want %d and code %q", moved, err, tt.moved, tt.code)
			}
			got, events := map[string]identity.RecordID{}, 0
			err = db.View(t.Context(), func(tx *store.Tx) error {
				for _, id := range []identity.RecordID{"ada", "bob", "olga"} {
					links, err := tx.Links.OfRecord(t.Context(), id)
					if err != nil {
						return err
					}
					for _, l := range links {
						if l.Principal.Issuer == issuer {
							got[l.Principal.Subject] = l.Record
						}
					}
				}
				trail, err := tx.Events.List(t.Context(), "", 100)
				events = len(trail)
				return err
			})
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("links: %v (-want +got):\n%s", err, diff)
			}
			if want := 2 * tt.moved; tt.yes && events != want || !tt.yes && events != 0 {
				t.Errorf("%d events, want %d", events, want)
			}
		})
	}
}

// TestRelinkCommand moves the demo's pat, first without doing it.
func TestRelinkCommand(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	command(t, world, exitGood, "user", "link", "alice", "--connection", "partner", "--subject", "old-subject")
	file := filepath.Join(t.TempDir(), "map.csv")
	if err := os.WriteFile(file, []byte("old,new\nold-subject,new-subject\nnobody,x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args []string
		want string
	}{
		{nil, "Would move 1 link of partner; old subjects that nobody is linked to: 1; nothing was written"},
		{[]string{"--yes"}, "Moved 1 link of partner; old subjects that nobody is linked to: 1"},
		{[]string{"--yes"}, "Moved 0 links of partner; old subjects that nobody is linked to: 2"},
	} {
		out := command(t, world, exitGood, append([]string{"connection", "relink", "partner", "--map", file}, step.args...)...)
		if !strings.Contains(out, step.want) {
			t.Errorf("%v: got %q, want %q", step.args, out, step.want)
		}
	}
	if got := onlyLinked(t, world).Links[0].Subject; got != "new-subject" {
		t.Errorf("the subject is %q", got)
	}
	command(t, world, exitUsage, "connection", "relink", "partner", "--map", file+".none")
}
