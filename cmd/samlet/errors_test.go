package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"html"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/templates"
)

// refusal is a refusal as one of its witnesses tells it.
type refusal struct {
	code      string
	requestID string
}

var (
	pageCode  = regexp.MustCompile(`<dt>Code</dt><dd><code dir="ltr">([^<]*)</code>`)
	pageID    = regexp.MustCompile(`<dt>Request ID</dt><dd><code dir="ltr">([^<]*)</code>`)
	statusTop = regexp.MustCompile(`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:(\w+)"`)
	statusEnd = regexp.MustCompile(`\((\S+), request ([a-z0-9]+)\)</samlp:StatusMessage>`)
	logField  = regexp.MustCompile(`(request_id|code|kind)=(\S+)`)
)

// logged returns the fields of the log line that tells of that request and code.
func logged(log string, r refusal) map[string]string {
	for line := range strings.Lines(log) {
		fields := map[string]string{}
		for _, f := range logField.FindAllStringSubmatch(line, -1) {
			fields[f[1]] = f[2]
		}
		if fields["request_id"] == r.requestID && fields["code"] == r.code {
			return fields
		}
	}
	return nil
}

// onPage reads a refusal off an error page.
func onPage(page string) refusal {
	var r refusal
	if m := pageCode.FindStringSubmatch(page); m != nil {
		r.code = html.UnescapeString(m[1])
	}
	if m := pageID.FindStringSubmatch(page); m != nil {
		r.requestID = m[1]
	}
	return r
}

// statusFor is what the architecture says of a kind: the HTTP status of a page and
// the top-level SAML status.
func statusFor(kind string) (page int, saml string) {
	switch kind {
	case "invalid", "expired", "replayed":
		return http.StatusBadRequest, "Requester"
	case "denied", "needs_interaction", "context_unmet":
		return http.StatusForbidden, "Responder"
	case "not_found":
		return http.StatusNotFound, "Responder"
	case "exists":
		return http.StatusConflict, "Responder"
	case "unavailable":
		return http.StatusServiceUnavailable, "Responder"
	}
	return http.StatusInternalServerError, "Responder"
}

// deviation is the SAML status that the specification has for just one refusal,
// whatever its kind.
func deviation(code string) (string, bool) {
	switch code {
	case "sp.version_low", "sp.version_high":
		return "VersionMismatch", true
	case "sp.nameid_policy":
		return "Requester", true
	}
	return "", false
}

// follow sends q and follows the browser to the first answer that is no redirect
// of ours.
func (m *matrix) follow(t *testing.T, q *question, session string) *httptest.ResponseRecorder {
	t.Helper()
	r := m.request(t, q, session)
	for {
		rec := httptest.NewRecorder()
		m.house.handler.ServeHTTP(rec, r)
		to := rec.Header().Get("Location")
		if !strings.HasPrefix(to, "/login") {
			return rec
		}
		next := httptest.NewRequestWithContext(t.Context(), http.MethodGet, matrixBase+to, nil)
		for _, c := range slices.Concat(r.Cookies(), rec.Result().Cookies()) {
			next.AddCookie(c)
		}
		r = next
	}
}

// TestErrorsAgree provokes every refusal of a request through the whole samlet
// and demands that its witnesses agree: the page or the SAML status, the HTTP
// status, the log line, and the request ID that joins them.
func TestErrorsAgree(t *testing.T) {
	m := newMatrix(t)
	met := map[string]bool{}
	for _, r := range requestRows() {
		session := r.session
		if session == "" {
			session = "password"
		}
		rec := m.follow(t, newQuestion(r.changes), session)
		name := r.field + ": " + r.form
		page := rec.Body.String()
		if rec.Code >= http.StatusBadRequest {
			got := onPage(page)
			met[got.code] = true
			fields := logged(m.log.String(), got)
			if got.code == "" || got.requestID != rec.Header().Get("X-Request-Id") || fields == nil {
				t.Errorf("%s: the page says %+v, the header %s, and the log\n%s", name, got, rec.Header().Get("X-Request-Id"), m.log.String())
				continue
			}
			if want, _ := statusFor(fields["kind"]); rec.Code != want && got.code != "binding.too_large" {
				t.Errorf("%s: status %d for %s, want %d", name, rec.Code, fields["kind"], want)
			}
			continue
		}
		response := responseOf(t, page)
		top := statusTop.FindStringSubmatch(response)
		if top == nil || top[1] == "Success" {
			continue
		}
		end := statusEnd.FindStringSubmatch(response)
		if end == nil {
			t.Errorf("%s: the StatusMessage carries no code and request ID: %s", name, response)
			continue
		}
		got := refusal{code: end[1], requestID: end[2]}
		met[got.code] = true
		fields := logged(m.log.String(), got)
		if got.requestID != rec.Header().Get("X-Request-Id") || fields == nil {
			t.Errorf("%s: the SP is told %+v, the header is %s, and the log\n%s", name, got, rec.Header().Get("X-Request-Id"), m.log.String())
			continue
		}
		_, want := statusFor(fields["kind"])
		if d, ok := deviation(got.code); ok {
			want = d
		}
		if top[1] != want {
			t.Errorf("%s: SAML status %s for %s (%s), want %s", name, top[1], got.code, fields["kind"], want)
		}
	}
	for _, code := range []string{"ui.stale", "rate.limited"} {
		met[code] = true // TestErrorsOfPeopleAgree
	}
	m.soapErrorsAgree(t, met)
	demandAll(t, met)
}

// withECP builds the house of m anew, with enhanced clients of the first
// application admitted.
func (m *matrix) withECP(t *testing.T) http.Handler {
	t.Helper()
	snap := *m.house.snapshot
	snap.Parties = slices.Clone(snap.Parties)
	snap.Parties[0].ECP = true
	pages, err := templates.New(templates.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := build(&snap, &shared{
		store: m.store, pages: pages, log: slog.New(slog.NewTextHandler(m.log, nil)), now: func() time.Time { return matrixNow }, rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h.handler
}

// soapErrorsAgree provokes the refusals of messages that no browser carries. They
// end in a status, in a fault, or in the log alone: who asks for an artifact of
// somebody else learns nothing.
func (m *matrix) soapErrorsAgree(t *testing.T, met map[string]bool) {
	handler := m.withECP(t)
	message := func(kind, issuer, inside string) string {
		xml := `<samlp:` + kind + ` xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_q" Version="2.0" IssueInstant="2026-11-23T12:00:00Z"><saml:Issuer>` +
			issuer + `</saml:Issuer>` + inside + `</samlp:` + kind + `>`
		return string(m.sign(t, []byte(xml)))
	}
	artifact := base64.StdEncoding.EncodeToString(append([]byte{0, 4, 0, 0}, make([]byte, 40)...))
	header := func(xml string) string { return "<S:Header>" + xml + "</S:Header>" }
	const understood = ` S:mustUnderstand="1" S:actor="http://schemas.xmlsoap.org/soap/actor/next"`
	for _, tc := range []struct {
		name, path, header, message string
		code                        string
		silent                      bool // the asking side is told nothing
	}{
		{"an artifact that nobody has", "/saml/artifact", "", message("ArtifactResolve", appID, "<samlp:Artifact>"+artifact+"</samlp:Artifact>"), "sp.no_artifact", true},
		{"an ArtifactResolve without artifact", "/saml/artifact", "", message("ArtifactResolve", appID, ""), "sp.artifact", false},
		{"a LogoutRequest of nobody", "/saml/slo/soap", "", message("LogoutRequest", appID, ""), "sp.logout", false},
		{"an enhanced client that is not admitted", "/saml/ecp", "", message("AuthnRequest", laxID, ""), "sp.ecp", false},
		{"channels that differ", "/saml/ecp", header(`<cb:ChannelBindings xmlns:cb="urn:oasis:names:tc:SAML:protocol:ext:channel-binding" Type="tls-server-end-point"` + understood + `>YQ==</cb:ChannelBindings>`),
			message("AuthnRequest", appID, `<samlp:Extensions><cb:ChannelBindings xmlns:cb="urn:oasis:names:tc:SAML:protocol:ext:channel-binding" Type="tls-server-end-point">Yg==</cb:ChannelBindings></samlp:Extensions>`), "sp.channel_binding", false},
		{"a shared key that cannot be sealed", "/saml/ecp", header(`<ec:SessionKey xmlns:ec="urn:ietf:params:xml:ns:samlec"` + understood + `><ec:EncType>18</ec:EncType></ec:SessionKey>`), message("AuthnRequest", appID, ""), "sp.session_key", false},
	} {
		body := `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/">` + tc.header + `<S:Body>` + tc.message + `</S:Body></S:Envelope>`
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, matrixBase+tc.path, strings.NewReader(body))
		r.Header.Set("Content-Type", "text/xml")
		r.SetBasicAuth("alice", "a password")
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		got := refusal{code: tc.code, requestID: rec.Header().Get("X-Request-Id")}
		told := strings.Contains(rec.Body.String(), "("+got.code+", request "+got.requestID+")")
		if fields := logged(m.log.String(), got); fields == nil || told == tc.silent {
			t.Errorf("%s: the log has %v, and the asking side is told: %t\n%d %s\n%s", tc.name, fields, told, rec.Code, rec.Body, m.log.String())
			continue
		}
		met[tc.code] = true
	}
}

// responseOf returns the Response that waits on a page, "" if none does.
func responseOf(t *testing.T, page string) string {
	t.Helper()
	for _, f := range matrixField.FindAllStringSubmatch(page, -1) {
		if f[1] == "SAMLResponse" {
			octets, err := base64.StdEncoding.DecodeString(html.UnescapeString(f[2]))
			if err != nil {
				t.Fatal(err)
			}
			return string(octets)
		}
	}
	return ""
}

// demandAll demands that every code of the catalogue of the families that people
// and applications meet was met here, or that a test somewhere else names it.
func demandAll(t *testing.T, met map[string]bool) {
	t.Helper()
	var tests strings.Builder
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, "samlet/errors_test.go") {
			tests.WriteString(readAll(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	catalogue, _, _ := strings.Cut(readAll(t, "../../docs/errors.md"), "## samlet itself")
	for _, m := range regexp.MustCompile("`((?:sp|ui|user|rate)\\.[a-z_]+)`").FindAllStringSubmatch(catalogue, -1) {
		code := m[1]
		if !met[code] && !regexp.MustCompile(regexp.QuoteMeta(code)+`\b`).MatchString(tests.String()) {
			t.Errorf("docs/errors.md lists %s, which no test provokes", code)
		}
	}
}

// TestErrorPagesTell holds what the pages of the refusals say that people have to
// put right: both values, where they differ, and what was tried.
func TestErrorPagesTell(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	for _, tc := range []struct {
		name    string
		changes []change
		want    []string
	}{
		{"unknown application: its name, and the nearest known", []change{from(appID + "x")}, []string{
			"sp.unknown", `https://app.example.test/saml<mark>x</mark>`, appID, "<details open>",
		}},
		{"another address: both, with the differing part marked", []change{attr("AssertionConsumerServiceURL", appACS+"/evil")}, []string{
			"sp.acs_mismatch", "<dt>Seen</dt>", "https://app.example.test/acs/<mark>", "<dt>Expected</dt>", "<details open>",
		}},
		{"a name that is a script: escaped", []change{from("&lt;script&gt;alert(1)&lt;/script&gt;")}, []string{
			"sp.unknown", "&lt;script&gt;alert(1)&lt;/script&gt;",
		}},
		{"a signature: which keys were tried, and how old the metadata is", []change{func(q *question) {
			q.sign, q.by = "query", http.MethodGet
			q.query = func(s string) string { return strings.Replace(s, "&SigAlg", "&RelayState=added&SigAlg", 1) }
		}}, []string{"sp.signature", "sig.key", "SHA-256 " + m.house.snapshot.Keys.Signing().Fingerprint256(), "read on 20"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			page := m.follow(t, newQuestion(tc.changes), "password").Body.String()
			for _, want := range tc.want {
				if !strings.Contains(page, want) {
					t.Errorf("the page lacks %q:\n%s", want, page[strings.Index(page, "<main"):])
				}
			}
			if strings.Contains(page, "<script>alert") {
				t.Error("the page runs what came from outside")
			}
		})
	}
}
