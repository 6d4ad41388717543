package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/samlet-id/samlet/internal/peer"
)

// samletHost is another site than every peer's, so that cookies behave as they
// do between organizations.
const samletHost = "127.0.0.5"

// served is a samlet process: the real binary with the files that `samlet init`
// made, driven by its command line alone.
type served struct {
	base, dir string
	editing   sync.Mutex // config.yaml, by tests side by side
}

// serveSamlet starts samlet. edit changes config.yaml before it is read; nil
// leaves it as init wrote it.
func serveSamlet(t *testing.T, edit func(config string) string) *served {
	t.Helper()
	s := &served{}
	binary, err := exec.LookPath("samlet") // TestMain puts this test binary there.
	if err != nil {
		t.Fatal(err)
	}
	s.base = peer.Start(t, "samlet", samletHost, "/readyz", func(addr string) []string {
		s.dir = filepath.Join(t.TempDir(), "samlet")
		s.run(t, "", "init", "--dir", s.dir, "--base-url", "http://"+addr)
		if edit != nil {
			s.edit(t, edit)
		}
		return []string{binary, "serve", "--config", s.config()}
	})
	return s
}

func (s *served) config() string { return filepath.Join(s.dir, "config.yaml") }

func (s *served) edit(t *testing.T, edit func(string) string) {
	t.Helper()
	s.editing.Lock()
	defer s.editing.Unlock()
	text, err := os.ReadFile(s.config())
	if err != nil {
		t.Fatal(err)
	}
	changed := edit(string(text))
	if changed == string(text) {
		t.Fatalf("config.yaml is not as this test expects it:\n%s", text)
	}
	if err := replaceFile(s.config(), []byte(changed)); err != nil {
		t.Fatal(err)
	}
}

// run executes one samlet command and returns what it printed.
func (s *served) run(t *testing.T, stdin string, args ...string) []byte {
	t.Helper()
	return s.ends(t, 0, stdin, args...)
}

// ends is run for a command that ends with an exit code.
func (s *served) ends(t *testing.T, want int, stdin string, args ...string) []byte {
	t.Helper()
	if args[0] != "init" {
		args = append(args, "--config", s.config())
	}
	cmd := exec.CommandContext(t.Context(), "samlet", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != want {
		t.Fatalf("samlet %s: %v, want exit code %d\n%s%s", strings.Join(args, " "), err, want, out, stderr.Bytes())
	}
	return out
}

func (s *served) metadata(t *testing.T) []byte {
	t.Helper()
	return peer.NewBrowser(t).Get(s.base + "/saml/metadata").Body
}

// addSP starts a service provider and makes it known, and waits until samlet
// has taken it over.
func (s *served) addSP(t *testing.T, kind peer.SPKind, o peer.SPOptions, flags ...string) *peer.SP {
	t.Helper()
	sp := s.startSP(t, kind, o, flags...)
	s.awaitSP(t, sp)
	return sp
}

// startSP is addSP without the wait. flags are more of `samlet sp add`.
func (s *served) startSP(t *testing.T, kind peer.SPKind, o peer.SPOptions, flags ...string) *peer.SP {
	t.Helper()
	o.IdPMetadata = s.metadata(t)
	sp := kind.Start(t, o)
	file := filepath.Join(t.TempDir(), "sp.xml")
	if err := os.WriteFile(file, sp.Metadata, 0o600); err != nil {
		t.Fatal(err)
	}
	s.editing.Lock()
	defer s.editing.Unlock()
	s.run(t, "", append([]string{
		"sp", "add", "--metadata", file, "--id", spID(sp), "--name", sp.Name, "--replace", "--release", "mail,given_name,family_name,groups",
	}, flags...)...)
	return sp
}

// spID is the id of a service provider's entry.
func spID(sp *peer.SP) string { return strings.ToLower(strings.ReplaceAll(sp.Name, "_", "-")) }

// setSP adds a line to the entry of a service provider.
func (s *served) setSP(t *testing.T, sp *peer.SP, line string) {
	t.Helper()
	at := "- id: " + spID(sp) + "\n"
	s.edit(t, func(config string) string { return strings.Replace(config, at, at+"    "+line+"\n", 1) })
}

func (s *served) awaitSP(t *testing.T, sp *peer.SP) {
	t.Helper()
	await(t, "samlet knows "+sp.Name, func() (bool, string) {
		p := peer.NewBrowser(t).Get(s.base + "/saml/idp-initiated?sp=" + url.QueryEscape(sp.EntityID))
		return !strings.Contains(p.Text(), "sp.unknown"), p.Text()
	})
}

// eachKind runs a test for every kind of service provider that is able to do it,
// as many side by side as there are processors.
func eachKind(t *testing.T, can func(peer.SPKind) bool, test func(t *testing.T, kind peer.SPKind)) {
	t.Helper()
	for _, kind := range peer.SPs() {
		if can(kind) {
			t.Run(kind.Name, func(t *testing.T) {
				t.Parallel()
				test(t, kind)
			})
		}
	}
}

// await polls until something is so.
func await(t *testing.T, what string, so func() (bool, string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, seen := so()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s; at last: %s", what, seen)
		}
	}
}

// people lists the records as `samlet user list --json` tells them.
func (s *served) people(t *testing.T) []userRow {
	t.Helper()
	var rows []userRow
	out := s.run(t, "", "user", "list", "--json")
	if err := json.Unmarshal(out, &rows); err != nil {
		t.Fatalf("samlet user list --json: %v\n%s", err, out)
	}
	return rows
}

// wantAttributes compares what an SP understood with LDAP-named attributes.
func wantAttributes(t *testing.T, l peer.Login, want map[string][]string) {
	t.Helper()
	for name, values := range want {
		if got := l.Values(name, peer.OID(name)); !slices.Equal(got, values) {
			t.Errorf("%s: got %q, want %q", name, got, values)
		}
	}
}
