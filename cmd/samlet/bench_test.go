package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/samlet-id/samlet/internal/peer"
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

// BenchmarkExistingSession is one sign-on with an existing session through the
// whole HTTP handler: AuthnRequest by Redirect in, signed Response on an
// auto-posting page out. Each is paired with a bare RSA-2048 signature, so that
// the noise of the machine meets both; x/signature is the ratio of their sums of
// processor time.
func BenchmarkExistingSession(b *testing.B) {
	world := startWorld(b)
	browser := peer.NewBrowser(b)
	browser.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "alice", "password": demoPassword})
	browser.Get(world.Apps[0] + "/app/signin")
	var address string
	for _, sent := range browser.Sent {
		if target, ok := strings.CutPrefix(sent, "GET "+world.Samlet); ok {
			address = target
		}
	}
	req := httptest.NewRequest(http.MethodGet, world.Samlet+address, nil)
	for _, c := range browser.Cookies(world.Samlet) {
		req.AddCookie(c)
	}
	answer := httptest.NewRecorder()
	world.samlet.ServeHTTP(answer, req)
	if !strings.Contains(answer.Body.String(), `name="SAMLResponse"`) {
		b.Fatalf("got status %d and no Response:\n%s", answer.Code, answer.Body)
	}
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
