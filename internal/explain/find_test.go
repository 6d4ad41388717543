package explain_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/explain"
)

// TestFindRefuses holds that what is no SAML message is answered with a sentence
// and a code.
func TestFindRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, input string
		code        identity.Code
	}{
		{"nothing", " \r\n", "explain.empty"},
		{"a web page", "<!DOCTYPE html><html><form></form></html>", "explain.html"},
		{"words", "hello, what is this?", "explain.nothing"},
		{"base64 of something else", "aGVsbG8sIHdvcmxk", "explain.nothing"},
		{"a URL without a message", "https://login.example.test/saml/sso?x=1", "explain.nothing"},
		{"two messages in one query", "https://login.example.test/saml/sso?SAMLRequest=a&SAMLRequest=b", "binding.duplicate"},
		{"a damaged artifact", "SAMLart=AAA", "binding.artifact"},
		{"JSON that is cut off", `{"log": {"entries": [`, "explain.json"},
		{"JSON of something else", `{"issuer": "https://op.example.test"}`, "explain.nothing"},
		{"a HAR without messages", `{"log":{"entries":[{"request":{"method":"GET","url":"https://app.example.test/"}}]}}`, "explain.nothing"},
		{"too much", strings.Repeat("x", explain.MaxInput+1), "explain.too_large"},
		{"too much XML", "<a>" + strings.Repeat("x", 1<<20) + "</a>", "explain.too_large"},
		{"more messages than are looked at", `{"log":{"entries":[` + strings.Repeat(`{"request":{"method":"GET","url":"https://login.example.test/?SAMLart=x"}},`, 200) + `{"request":{"method":"GET","url":"https://login.example.test/?SAMLart=x"}}]}}`, "explain.too_large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := explain.Find([]byte(tc.input))
			if identity.CodeOf(err) != tc.code || identity.AsError(err).Msg == "" {
				t.Errorf("got %d messages and %v, want %s", len(got), err, tc.code)
			}
		})
	}
}

// TestVerifiedFailsClosed holds that Verified is true of exactly those messages
// whose signatures are by known keys and cover them.
func TestVerifiedFailsClosed(t *testing.T) {
	t.Parallel()
	unsigned := []string{"request-form-deflated", "request-deflated", "request-nothing-known", "artifact", "artifact-url", "metadata-sp", "metadata-idp"}
	for name, f := range fixtures(t, "good") {
		reports := f.explain(t)
		want := true
		for _, u := range unsigned {
			want = want && u != name
		}
		if name == "request-deflated" {
			want = true // deflated, yet signed inside
		}
		for _, r := range reports {
			if r.Verified() != want {
				t.Errorf("%s: Verified is %t, want %t", name, r.Verified(), want)
			}
		}
	}
	for _, name := range []string{
		"request-foreign-key", "request-changed", "request-sha1", "request-unsigned", "request-redirect-xml-signature", "request-query-foreign-key",
		"request-query-relay-state-added", "request-query-sha1", "response-unsigned", "response-foreign-key", "response-changed", "response-two-assertions", "logout-unsigned", "request-doctype",
	} {
		for _, r := range fixtures(t, "faults")[name].explain(t) {
			if r.Verified() {
				t.Errorf("%s: Verified is true", name)
			}
		}
	}
	// Without metadata nothing is verified, however whole a signature is.
	f := fixtures(t, "good")["response-form"]
	f.lines["from"] = "none"
	if r := f.explain(t)[0]; r.Verified() || r.Check("signature").Result != explain.NotJudged {
		t.Errorf("without keys: %+v", r.Signatures)
	}
}

// TestSignaturesTellTheCertificate holds that a signature is told with what made
// it, what was tried, and what the message encloses.
func TestSignaturesTellTheCertificate(t *testing.T) {
	t.Parallel()
	s := fixtures(t, "good")["request-form"].explain(t)[0].Signatures[0]
	if !s.Valid || s.Covers != "AuthnRequest" || s.By == nil || len(s.By.SHA256) != 95 || len(s.By.SHA1) != 59 || s.By.NotAfter == "" || s.By.Entity == "" {
		t.Errorf("of a valid signature: %+v", s)
	}
	r := fixtures(t, "faults")["request-foreign-key"].explain(t)[0]
	s = r.Signatures[0]
	if s.Valid || s.By != nil || len(s.Tried) != 1 || s.Enclosed == nil || s.Code != "sig.key" {
		t.Errorf("of a foreign signature: %+v", s)
	}
	c := r.Check("signature")
	if !strings.Contains(c.Seen, s.Enclosed.SHA256) || !strings.Contains(c.Expected, s.Tried[0].SHA256) || !strings.Contains(c.Detail, "whole") {
		t.Errorf("the check does not tell both fingerprints: %+v", *c)
	}
}

// TestDifferencesAreMarked holds that the part of an address that is wrong is in
// brackets.
func TestDifferencesAreMarked(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"request-acs":            "https://app.example.test/saml/acs[/]",
		"response-audience":      "https://app.example.test/saml[/metadata]",
		"response-recipient":     "https://app.example.test/saml/acs[/]",
		"request-unknown-issuer": "https://app.example.test/saml[l]",
	} {
		f := fixtures(t, "faults")[name]
		got := f.explain(t)[0]
		if c := got.Check(f.lines["check"]); c.Seen != want {
			t.Errorf("%s: got %q, want %q", name, c.Seen, want)
		}
	}
}

// TestReportJSON holds the stable names of the JSON, and that no private key is
// in it.
func TestReportJSON(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(fixtures(t, "good")["response-encrypted"].explain(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"kind":"Response"`, `"checks":[{"id":"xml","title":`, `"clause":`, `"result":"pass"`, `"signatures":[{"covers":"Response"`, `"inside":[{"kind":"EncryptedAssertion"`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the JSON lacks %s: %s", want, raw)
		}
	}
	key, err := os.ReadFile("../xmlsec/testdata/keys/test-encryption-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(key)) {
		if line = strings.TrimSpace(line); len(line) > 20 && !strings.HasPrefix(line, "---") && strings.Contains(string(raw), line) {
			t.Fatal("the private key is in the report")
		}
	}
}

// TestCapturesTellTheTime holds that messages of a capture are judged by the time
// at which they were sent, and that an answer is matched with its request.
func TestCapturesTellTheTime(t *testing.T) {
	t.Parallel()
	f := fixtures(t, "good")["har"]
	messages, err := explain.Find(f.input)
	if err != nil {
		t.Fatal(err)
	}
	c := world(t, "both", time.Time{})
	c.At, c.Now = time.Time{}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	reports := explain.Explain(messages, c)
	for _, r := range reports {
		if r.Failed() || r.JudgedAt != "2026-11-23T18:00:00Z" {
			t.Errorf("judged at %s: %q", r.JudgedAt, failing([]explain.Report{r}))
		}
	}
	if got := reports[1].Check("in_response_to"); got.Result != explain.Pass {
		t.Errorf("InResponseTo: got %+v", *got)
	}
}

func FuzzFind(f *testing.F) {
	for _, folder := range []string{"good", "faults"} {
		for _, x := range fixtures(f, folder) {
			f.Add(x.input)
		}
	}
	f.Add([]byte("%25253C"))
	f.Add([]byte("SAMLRequest="))
	c := world(f, "both", time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC))
	f.Fuzz(func(t *testing.T, input []byte) {
		messages, err := explain.Find(input)
		if err != nil {
			if identity.KindOf(err) != identity.KindInvalid {
				t.Errorf("got %v, want an error of KindInvalid", err)
			}
			return
		}
		for _, r := range explain.Explain(messages, c) {
			if len(r.Checks) == 0 {
				t.Errorf("nothing is said of %q", input)
			}
			for _, c := range r.XML() {
				if c < ' ' && c != '\n' && c != '\t' {
					t.Errorf("a control character is shown: %q", r.XML())
				}
			}
			if r.Failed() || r.Verified() {
				continue
			}
		}
	})
}
