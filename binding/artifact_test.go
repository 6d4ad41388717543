package binding_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
)

const artifactOf = identity.EntityID("https://login.example.test/saml/metadata")

func newArtifact(t testing.TB) binding.Artifact {
	t.Helper()
	a, err := binding.NewArtifact(artifactOf, 0x0102, strings.NewReader("a handle of twenty o"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// The octets of SAML Bindings 3.6.4, written out by hand but for the SourceID,
// which is `printf %s ENTITYID | sha1sum`.
func TestArtifactFormat(t *testing.T) {
	t.Parallel()
	a := newArtifact(t)
	want := "0004" + "0102" + sha1sum(t, string(artifactOf)) + hex.EncodeToString([]byte("a handle of twenty o"))
	if got := hex.EncodeToString(decode64(t, a.String())); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	back, err := binding.ParseArtifact("\n " + a.String() + "\r\n")
	if err != nil || back != a {
		t.Errorf("got %v, %v, want %v", back, err, a)
	}
}

// sha1sum is SHA-1 by coreutils, in hexadecimal digits.
func sha1sum(t testing.TB, s string) string {
	t.Helper()
	cmd := exec.Command(peer.Need(t, "sha1sum", "apt-get install coreutils"))
	cmd.Stdin = strings.NewReader(s)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out[:40])
}

// pysaml2 makes an artifact that we read, and finds in ours who made it.
func TestArtifactOfPySAML2(t *testing.T) {
	t.Parallel()
	python := peer.Need(t, "/usr/bin/python3", "apt-get install python3-pysaml2")
	a := newArtifact(t)
	a.EndpointIndex = 0
	script := `
import base64, sys
from hashlib import sha1
from saml2.entity import create_artifact
theirs = create_artifact(sys.argv[1], b"a handle of twenty o")
ours = base64.b64decode(sys.argv[2])
assert ours[:2] == b"\x00\x04" and ours[4:24] == sha1(sys.argv[1].encode()).digest() and len(ours) == 44, ours
print(theirs)`
	out, err := exec.Command(python, "-c", script, string(artifactOf), a.String()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, err := binding.ParseArtifact(string(out))
	if err != nil {
		t.Fatal(err)
	}
	if got.SourceID != a.SourceID || got.Handle != a.Handle {
		t.Errorf("got %v, want %v", got, a)
	}
}

func TestParseArtifactRefuses(t *testing.T) {
	t.Parallel()
	octets := decode64(t, newArtifact(t).String())
	for name, s := range map[string]string{
		"nothing":                  "",
		"no base64":                "!!!!",
		"base64 of URLs":           strings.Repeat("-_-_", 15),
		"too short":                b64(octets[:43]),
		"too long":                 b64(append(bytes.Clone(octets), 0)),
		"of SAML 1":                b64(append([]byte{0, 1}, octets[2:]...)),
		"of another type":          b64(append([]byte{1, 4}, octets[2:]...)),
		"with bits behind its end": newArtifact(t).String()[:58] + "9=",
		"with a break in it":       newArtifact(t).String()[:20] + " " + newArtifact(t).String()[20:],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if a, err := binding.ParseArtifact(s); identity.CodeOf(err) != "binding.artifact" || identity.KindOf(err) != identity.KindInvalid {
				t.Errorf("got %v, %v, want binding.artifact", a, err)
			}
		})
	}
}

// Each artifact has a handle of its own.
func TestNewArtifact(t *testing.T) {
	t.Parallel()
	seen := map[[20]byte]bool{}
	for range 100 {
		a, err := binding.NewArtifact(artifactOf, 0, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		seen[a.Handle] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d handles of 100 differ", len(seen))
	}
	if _, err := binding.NewArtifact(artifactOf, 0, strings.NewReader("short")); err == nil {
		t.Error("an artifact was made of too little randomness")
	}
}

func TestArtifactRoundTrip(t *testing.T) {
	t.Parallel()
	a := newArtifact(t)
	for _, relayState := range []string{"", "a/b c&d=\"ä\"\x01"} {
		redirect, err := binding.RedirectArtifact("https://app.example.test/acs?x=1", a, relayState)
		if err != nil {
			t.Fatal(err)
		}
		base, query, _ := strings.Cut(redirect.URL, "?")
		if base != "https://app.example.test/acs" || !strings.HasPrefix(query, "x=1&SAMLart=") {
			t.Errorf("redirects to %s", redirect.URL)
		}
		form := binding.PostArtifact("https://app.example.test/acs", a, relayState)
		if form.URL != "https://app.example.test/acs" {
			t.Errorf("posts to %s", form.URL)
		}
		want := binding.ArtifactMessage{Artifact: a, RelayState: relayState, HasRelayState: relayState != ""}
		for name, in := range map[string]binding.Received{"redirect": get(query), "form": post(form.Form)} {
			got, err := binding.Limits{}.DecodeArtifact(in)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
	if _, err := binding.RedirectArtifact("javascript:alert(1)", a, ""); err == nil {
		t.Error("redirects to javascript")
	}
}

func TestDecodeArtifactRefuses(t *testing.T) {
	t.Parallel()
	art := url.QueryEscape(newArtifact(t).String())
	for _, tc := range []struct {
		name string
		in   binding.Received
		want identity.Code
	}{
		{"nothing", get(""), "binding.missing"},
		{"nothing in the form", post(url.Values{}), "binding.missing"},
		{"two", get("SAMLart=" + art + "&SAMLart=" + art), "binding.duplicate"},
		{"two under an encoded name", get("SAMLart=" + art + "&SAML%61rt=" + art), "binding.duplicate"},
		{"two RelayStates", get("SAMLart=" + art + "&RelayState=a&RelayState=b"), "binding.duplicate"},
		{"two in the form", post(url.Values{"SAMLart": {"a", "b"}}), "binding.duplicate"},
		{"a broken query", get("SAMLart=%zz"), "binding.encoding"},
		{"a damaged one", get("SAMLart=" + art[:20]), "binding.artifact"},
		{"a long RelayState", get("SAMLart=" + art + "&RelayState=" + strings.Repeat("x", 1025)), "binding.relay_state"},
		{"a long query", get("SAMLart=" + strings.Repeat("x", 65<<10)), "binding.too_large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got, err := (binding.Limits{}).DecodeArtifact(tc.in); identity.CodeOf(err) != tc.want {
				t.Errorf("got %v, %v, want %s", got, err, tc.want)
			}
		})
	}
}

func FuzzDecodeArtifact(f *testing.F) {
	f.Add("SAMLart=" + url.QueryEscape(newArtifact(f).String()) + "&RelayState=x")
	f.Add("SAMLart=AAQAAA%3D%3D")
	f.Fuzz(func(t *testing.T, query string) {
		got, err := binding.Limits{}.DecodeArtifact(get(query))
		if err != nil {
			if identity.KindOf(err) != identity.KindInvalid {
				t.Errorf("got %v, want an error of KindInvalid", err)
			}
			return
		}
		if back, err := binding.ParseArtifact(got.Artifact.String()); err != nil || back != got.Artifact {
			t.Errorf("%v reads as %v: %v", got.Artifact, back, err)
		}
	})
}
