package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
)

// bareSignature makes one RSA-2048 signature with the key of world's samlet, the
// yardstick of every figure.
func bareSignature(b *testing.B, world *demo) {
	b.Helper()
	signer := world.samlet.house.snapshot.Keys.Signing().Signer
	if key, ok := signer.Public().(*rsa.PublicKey); !ok || key.Size() != 256 {
		b.Fatal("the signing key is no RSA-2048 key")
	}
	digest := sha256.Sum256([]byte("samlet"))
	if _, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
		b.Fatal(err)
	}
}

// cpuTime is the processor time of the whole process so far, garbage collection
// and writing behind included.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// attributes gives one person n attributes with a value each, and lets all of
// them leave towards one application: most as they are, some renamed, filtered or
// computed.
func (d *demo) attributes(b *testing.B, user string, app, n int) {
	b.Helper()
	rows, rules := "", make([]string, n)
	values := make([]identity.Value, n)
	for i := range n {
		name := fmt.Sprintf("%s_%d", user, i)
		rows += fmt.Sprintf("  - {id: %s, label: Attribute %d, type: string, saml_name: \"urn:oid:1.3.6.1.4.1.32473.%d.%d\", friendly_name: %s}\n", name, i, app, i, name)
		values[i] = identity.Value{Name: identity.Name(name), Value: fmt.Sprintf("value %d of %s", i, user), Source: identity.SourceOperator}
		rules[i] = fmt.Sprintf("{attribute: %s}", name)
		switch i % 10 {
		case 3:
			rules[i] = fmt.Sprintf("{attribute: %s, as: \"https://app.example.test/claims/%d\"}", name, i)
		case 5:
			rules[i] = fmt.Sprintf("{attribute: %s, only: [\"value *\", \"other *\"]}", name)
		case 7:
			rules[i] = fmt.Sprintf("{value: 'upper(user.%s) + \"!\"', as: computed%d}", name, i)
		}
	}
	entry := regexp.MustCompile(fmt.Sprintf(`(?s)(id: app%d\n.*?release: )\[.*?\]`, app+1))
	err := editConfig(d.samlet.path, func(raw []byte) ([]byte, error) {
		if !entry.Match(raw) {
			return nil, fmt.Errorf("no release list of app%d in %s", app+1, raw)
		}
		raw = entry.ReplaceAll(raw, []byte("${1}["+strings.Join(rules, ", ")+"]"))
		if bytes.Contains(raw, []byte("\nattributes:\n")) {
			return bytes.Replace(raw, []byte("\nattributes:\n"), []byte("\nattributes:\n"+rows), 1), nil
		}
		return append(raw, "\nattributes:\n"+rows...), nil
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	err = d.samlet.store.Update(ctx, func(tx *store.Tx) error {
		r, err := tx.Records.ByLogin(ctx, user)
		if err != nil {
			return err
		}
		r.Values = values
		return tx.Records.Replace(ctx, r)
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := d.samlet.reload(ctx); err != nil {
		b.Fatal(err)
	}
}

// signedOn signs user in at an application, and returns the request with which a
// browser asks for the next answer from that session.
func (d *demo) signedOn(b *testing.B, user string, app int) *http.Request {
	b.Helper()
	browser := peer.NewBrowser(b)
	browser.Walk(d.Apps[app]+"/app/signin", peer.Fill{"identifier": user, "password": demoPassword})
	browser.Get(d.Apps[app] + "/app/signin")
	var address string
	for _, sent := range browser.Sent {
		if target, ok := strings.CutPrefix(sent, "GET "+d.Samlet); ok {
			address = target
		}
	}
	req := httptest.NewRequest(http.MethodGet, d.Samlet+address, nil)
	for _, c := range browser.Cookies(d.Samlet) {
		req.AddCookie(c)
	}
	answer := httptest.NewRecorder()
	d.samlet.ServeHTTP(answer, req)
	if !strings.Contains(answer.Body.String(), `name="SAMLResponse"`) {
		b.Fatalf("got status %d and no Response:\n%s", answer.Code, answer.Body)
	}
	return req
}

// BenchmarkExistingSession is one sign-on with an existing session through the
// whole HTTP handler: AuthnRequest by Redirect in, signed Response with twenty
// attributes on an auto-posting page out. Each is paired with a bare RSA-2048
// signature, so that the noise of the machine meets both; x/signature is the
// ratio of their sums of processor time.
func BenchmarkExistingSession(b *testing.B) {
	world := startWorld(b)
	world.attributes(b, "alice", 0, 20)
	req := world.signedOn(b, "alice", 0)
	var sso, signature time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := cpuTime(b)
		world.samlet.ServeHTTP(&discard{header: http.Header{}}, req)
		between := cpuTime(b)
		bareSignature(b, world)
		sso += between - began
		signature += cpuTime(b) - between
	}
	b.ReportMetric(float64(sso)/float64(signature), "x/signature")
	b.ReportMetric(float64(sso.Microseconds())/float64(b.N), "cpu-µs/sso")
}

// BenchmarkAttributes takes turns between somebody of whom 5 attributes are
// stored and leave, and somebody of whom 100 are and do, in assertions that are
// signed alone and in such that are encrypted, too. µs/95-attributes is the
// difference in processor time, and x/signature how many bare RSA-2048 signatures
// of the same run that is. A difference of a tenth of what it is taken from drowns
// in the noise of a busy machine: it is taken where the bare signatures, which know
// nothing of attributes, were quickest.
func BenchmarkAttributes(b *testing.B) {
	for _, mode := range []string{"off", "required"} {
		b.Run("encryption-"+mode, func(b *testing.B) {
			world := startWorld(b)
			cfg := world.samlet.house.snapshot.Config
			if _, err := createUser(b.Context(), world.samlet.store, cfg, "carol", identity.NewSecret(demoPassword), identity.Attributes{}); err != nil {
				b.Fatal(err)
			}
			encrypt := func(raw []byte) ([]byte, error) {
				return regexp.MustCompile(`( *)- id: app[12]\n`).ReplaceAll(raw, []byte("${0}${1}  encrypt: {mode: "+mode+"}\n")), nil
			}
			if err := editConfig(world.samlet.path, encrypt, nil); err != nil {
				b.Fatal(err)
			}
			world.attributes(b, "alice", 0, 5)
			world.attributes(b, "carol", 1, 100)
			few, many := world.signedOn(b, "alice", 0), world.signedOn(b, "carol", 1)
			var turns turns
			for b.Loop() {
				began := cpuTime(b)
				world.samlet.ServeHTTP(&discard{header: http.Header{}}, few)
				between := cpuTime(b)
				world.samlet.ServeHTTP(&discard{header: http.Header{}}, many)
				after := cpuTime(b)
				bareSignature(b, world)
				turns.add(between-began, after-between, cpuTime(b)-after)
			}
			quiet := turns.quietest()
			b.ReportMetric(float64((quiet.many-quiet.few).Microseconds())/float64(quiet.n), "µs/95-attributes")
			b.ReportMetric(float64(quiet.many-quiet.few)/float64(quiet.signature), "x/signature")
		})
	}
}

// turn is the processor time of n turns.
type turn struct {
	n                    int
	few, many, signature time.Duration
}

// turns are sums of up to 100 turns, long enough for the garbage collector to have
// its part in each.
type turns []turn

func (t *turns) add(few, many, signature time.Duration) {
	if len(*t) == 0 || (*t)[len(*t)-1].n == 100 {
		*t = append(*t, turn{})
	}
	last := &(*t)[len(*t)-1]
	last.n++
	last.few += few
	last.many += many
	last.signature += signature
}

// quietest is the sum of the quarter in which a signature took the least time.
func (t turns) quietest() turn {
	if len(t) > 1 && t[len(t)-1].n < 100 {
		t = t[:len(t)-1]
	}
	slices.SortFunc(t, func(a, b turn) int { return cmp.Compare(a.signature, b.signature) })
	var sum turn
	for _, x := range t[:(len(t)+3)/4] {
		sum.n += x.n
		sum.few += x.few
		sum.many += x.many
		sum.signature += x.signature
	}
	return sum
}

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkPasswordLogin is a whole sign-in with a password over loopback HTTP,
// the hash included; x/hash says how many hashes it cost.
func BenchmarkPasswordLogin(b *testing.B) {
	world := startWorld(b)
	began := time.Now()
	const rounds = 5
	for range rounds {
		if _, err := passwordParams(world.samlet.house.snapshot.Config).Hash(rand.Reader, demoPassword); err != nil {
			b.Fatal(err)
		}
	}
	hash := time.Since(began) / rounds
	for b.Loop() {
		page := peer.NewBrowser(b).Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "alice", "password": demoPassword})
		if !strings.Contains(string(page.Body), "alice@samlet.test") {
			b.Fatalf("the sign-in ended at %s:\n%s", page.URL, page.Text())
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(hash), "x/hash")
}

// BenchmarkStart is the time from starting the process to the first metadata
// answer, in ms, and the memory that the idle process then has (RSS, MiB).
func BenchmarkStart(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "samlet")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("building: %v\n%s", err, out)
	}
	ln, err := listenNear("127.0.0.1", 0)
	if err != nil {
		b.Fatal(err)
	}
	base := "http://" + ln.Addr().String()
	if err := ln.Close(); err != nil {
		b.Fatal(err)
	}
	path, err := initialise(b.Context(), b.TempDir(), base)
	if err != nil {
		b.Fatal(err)
	}
	var resident float64
	for b.Loop() {
		resident = startOnce(b, binary, path, base)
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/start")
	b.ReportMetric(resident, "MiB-idle")
}

// startOnce starts the binary, waits for the first metadata answer, and stops
// it with the clock standing still.
func startOnce(b *testing.B, binary, path, base string) (residentMiB float64) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "serve", "--config", path)
	cmd.Stderr = io.Discard
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for ctx.Err() == nil {
		if status, body, err := fetchText(ctx, base+"/saml/metadata"); err == nil && status == http.StatusOK && strings.Contains(body, "IDPSSODescriptor") {
			break
		}
	}
	b.StopTimer()
	defer b.StartTimer()
	residentMiB = resident(b, cmd.Process.Pid)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		b.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	return residentMiB
}

// resident reads VmRSS of a process; 0 where there is no /proc.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.Atoi(f[1])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	return 0
}
