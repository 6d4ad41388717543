package main

import (
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
)

const (
	fedSSO  = "https://idp.example.test/sso"
	wikiACS = "https://wiki.example.test/acs"
)

const initiatedConfig = `service_providers:
  - {id: wiki, metadata: {inline: {entity_id: "https://wiki.example.test", acs: ["https://wiki.example.test/acs"]}}, session: {idp_initiated: true}}
  - {id: payroll, metadata: {inline: {entity_id: "https://payroll.example.test", acs: ["https://payroll.example.test/acs"]}}, session: {idp_initiated: true}}
`

// initiated is a samlet whose connection fed may begin sign-ins, as told.
type initiated struct {
	*server
	idp, other, to certs.Key
}

func newInitiated(t *testing.T, landing string) initiated {
	t.Helper()
	settings := ""
	if landing != "" {
		settings = "    idp_initiated: " + landing + "\n"
	}
	return newInitiatedWith(t, settings, io.Discard)
}

// newInitiatedWith is newInitiated with lines more of the connection.
func newInitiatedWith(t *testing.T, settings string, log io.Writer) initiated {
	t.Helper()
	path, err := initialise(t.Context(), filepath.Join(t.TempDir(), "samlet"), "http://127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	load := func(name string) certs.Key {
		if err := makeKey(dir, certs.Signing, name, name+".example.test"); err != nil {
			t.Fatal(err)
		}
		var files [2][]byte
		for i, end := range []string{".key", ".crt"} {
			if files[i], err = os.ReadFile(filepath.Join(dir, "certs", name+end)); err != nil {
				t.Fatal(err)
			}
		}
		key, err := certs.Load(name, certs.Signing, certs.Active, files[0], files[1])
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	w := initiated{idp: load("idp"), other: load("other")}
	const local = "  - {id: local, type: local, name: Password}\n"
	added := strings.NewReplacer("WEAK", "", "IDP", filepath.Join("certs", "idp")).Replace(weakConnection)
	added += settings
	text := strings.Replace(readAll(t, path), local, local+added, 1)
	writeFile(t, path, strings.Replace(text, "service_providers: []\n", initiatedConfig, 1))
	w.server = openAt(t, path, log)
	w.to = w.current().Keys.Encryption()[0]
	return w
}

// visitor is a browser with cookies of samlet.
type visitor struct {
	w       initiated
	cookies map[string]string
}

func (w initiated) visitor() *visitor { return &visitor{w, map[string]string{}} }

func (v *visitor) send(t *testing.T, r *http.Request, crossSite bool) *httptest.ResponseRecorder {
	t.Helper()
	if !crossSite { // SameSite=Lax
		for name, value := range v.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	rec := httptest.NewRecorder()
	v.w.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		v.cookies[c.Name] = c.Value
	}
	return rec
}

// posts brings a Response from another site, and follows samlet's redirects until
// there is a page or the browser is sent elsewhere.
func (v *visitor) posts(t *testing.T, response []byte, relayState string) *httptest.ResponseRecorder {
	t.Helper()
	form := url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(response)}, "RelayState": {relayState}}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:8080"+pathACS+"fed", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://idp.example.test")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return v.follow(t, v.send(t, r, true))
}

func (v *visitor) follow(t *testing.T, rec *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	t.Helper()
	for range 8 {
		to := rec.Header().Get("Location")
		if to == "" || strings.HasPrefix(to, "http") && !strings.HasPrefix(to, "http://127.0.0.1:8080/") {
			return rec
		}
		at, err := url.Parse("http://127.0.0.1:8080")
		if err != nil {
			t.Fatal(err)
		}
		if at, err = at.Parse(to); err != nil {
			t.Fatal(err)
		}
		rec = v.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodGet, at.String(), nil), false)
	}
	t.Fatal("samlet sends the browser in circles")
	return nil
}

// asked returns our question at the upstream, or fails the test.
func asked(t *testing.T, rec *httptest.ResponseRecorder) *url.URL {
	t.Helper()
	u, err := url.Parse(rec.Header().Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), fedSSO) || u.Query().Get("SAMLRequest") == "" {
		t.Fatalf("no question at the upstream: %d to %s\n%s", rec.Code, u, rec.Body)
	}
	return u
}

// outOfNowhere is a Response that answers no request, signed by key.
func (w initiated) outOfNowhere(t *testing.T, key certs.Key) []byte {
	t.Helper()
	q := etree.NewElement("AuthnRequest")
	id, err := identity.NewMessageID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	q.CreateAttr("ID", id)
	q.CreateAttr("AssertionConsumerServiceURL", "http://127.0.0.1:8080"+pathACS+"fed")
	q.CreateElement("Issuer").SetText("http://127.0.0.1:8080" + pathSPMetadata + "fed/metadata")
	return weakAnswer{unsolicited: true}.response(t, q, key, w.to)
}

// handed returns what the page posts to an application, decoded.
func handed(t *testing.T, rec *httptest.ResponseRecorder, acs string) string {
	t.Helper()
	found := regexp.MustCompile(`name="SAMLResponse" value="([^"]+)"`).FindStringSubmatch(rec.Body.String())
	if found == nil || !strings.Contains(rec.Body.String(), acs) {
		return ""
	}
	xml, err := base64.StdEncoding.DecodeString(strings.NewReplacer("&#43;", "+", "&#x2B;", "+").Replace(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return string(xml)
}

// TestInitiatedAtAnUpstream turns an unsolicited Response into a signed question,
// and the answer to that into a sign-in at the application that it was for.
func TestInitiatedAtAnUpstream(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, landing, relayState, acs string }{
		{"named by its id", "[payroll, wiki]", "wiki", wikiACS},
		{"named by its entityID", "[payroll, wiki]", "https://wiki.example.test", wikiACS},
		{"the first", "[wiki, payroll]", "", wikiACS},
		{"a RelayState that is something else", "[wiki]", "https://portal.example.test/start", wikiACS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newInitiated(t, tt.landing)
			v := w.visitor()
			question := asked(t, v.posts(t, w.outOfNowhere(t, w.idp), tt.relayState))
			if question.Query().Get("Signature") == "" {
				t.Error("the question is not signed")
			}
			if v.cookies[sessionCookieName] != "" {
				t.Error("there is a session before the answer")
			}
			good := weakAnswer{}.response(t, readRequest(t, question.String()), w.idp, w.to)
			xml := handed(t, v.posts(t, good, question.Query().Get("RelayState")), tt.acs)
			if xml == "" || strings.Contains(xml, "InResponseTo") {
				t.Errorf("the application is told\n%s", xml)
			}
			if v.cookies[sessionCookieName] == "" {
				t.Error("there is no session")
			}
		})
	}
}

// sessionCookieName is the cookie of a session, where it is plain http.
const sessionCookieName = "samlet_session"

// Nobody is signed in by an unsolicited Response in itself: not by a stolen one,
// a forged one, one that another site plants, or one that is put in the place of
// the answer.
func TestAttackUnsolicitedThroughBroker(t *testing.T) {
	t.Parallel()
	page := func(t *testing.T, rec *httptest.ResponseRecorder, code string) {
		t.Helper()
		if rec.Header().Get("Location") != "" || !strings.Contains(rec.Body.String(), code) || strings.Contains(rec.Body.String(), "SAMLResponse") {
			t.Errorf("got %d to %q, want a page with %s\n%s", rec.Code, rec.Header().Get("Location"), code, rec.Body)
		}
	}
	edited := func(xml []byte, old, by string) []byte { return []byte(strings.Replace(string(xml), old, by, 1)) }
	for _, tt := range []struct {
		name, landing, relayState string
		build                     func(*testing.T, initiated) []byte
		code                      string // of the page; empty: nothing but a question
	}{
		{"switched off", "", "wiki", func(t *testing.T, w initiated) []byte { return w.outOfNowhere(t, w.idp) }, "ui.stale"},
		{"switched off, without RelayState", "", "", func(t *testing.T, w initiated) []byte { return w.outOfNowhere(t, w.idp) }, "up.unsolicited"},
		{"an application that is not listed", "[wiki]", "payroll", func(t *testing.T, w initiated) []byte { return w.outOfNowhere(t, w.idp) }, "up.landing"},
		{"signed by somebody else", "[wiki]", "wiki", func(t *testing.T, w initiated) []byte { return w.outOfNowhere(t, w.other) }, ""},
		{"changed", "[wiki]", "wiki", func(t *testing.T, w initiated) []byte { return edited(w.outOfNowhere(t, w.idp), ">ada<", ">root<") }, ""},
		{"of another issuer", "[wiki]", "wiki", func(t *testing.T, w initiated) []byte {
			return edited(w.outOfNowhere(t, w.idp), "https://idp.example.test<", "https://idp.evil.test<")
		}, "up.issuer"},
		{"for another address", "[wiki]", "wiki", func(t *testing.T, w initiated) []byte {
			return edited(w.outOfNowhere(t, w.idp), `Destination="http://127.0.0.1:8080/saml/acs/fed"`, `Destination="https://elsewhere.test/acs"`)
		}, "up.destination"},
		{"a refusal, which must not ask for ever", "[wiki]", "wiki", func(t *testing.T, w initiated) []byte {
			return edited(w.outOfNowhere(t, w.idp), "status:Success", "status:Responder")
		}, "up.status"},
		{"the answer to a question of nobody", "[wiki]", "wiki", func(t *testing.T, w initiated) []byte {
			return edited(w.outOfNowhere(t, w.idp), `<samlp:Response `, `<samlp:Response InResponseTo="_x" `)
		}, "ui.stale"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newInitiated(t, tt.landing)
			v := w.visitor()
			rec := v.posts(t, tt.build(t, w), tt.relayState)
			if tt.code == "" {
				asked(t, rec)
			} else {
				page(t, rec, tt.code)
			}
			if v.cookies[sessionCookieName] != "" {
				t.Error("somebody is signed in")
			}
		})
	}
	t.Run("in the place of the answer (replay)", func(t *testing.T) {
		t.Parallel()
		w := newInitiated(t, "[wiki]")
		v := w.visitor()
		stolen := w.outOfNowhere(t, w.idp)
		question := asked(t, v.posts(t, stolen, ""))
		page(t, v.posts(t, stolen, question.Query().Get("RelayState")), "up.unsolicited")
		if v.cookies[sessionCookieName] != "" {
			t.Error("somebody is signed in")
		}
	})
	t.Run("over the session of somebody else (login CSRF)", func(t *testing.T) {
		t.Parallel()
		w := newInitiated(t, "[wiki]")
		v := w.visitor()
		question := asked(t, v.posts(t, w.outOfNowhere(t, w.idp), ""))
		v.posts(t, weakAnswer{}.response(t, readRequest(t, question.String()), w.idp, w.to), question.Query().Get("RelayState"))
		before := v.cookies[sessionCookieName]
		asked(t, v.posts(t, w.outOfNowhere(t, w.idp), "wiki"))
		if before == "" || v.cookies[sessionCookieName] != before {
			t.Error("the session changed")
		}
	})
	t.Run("the answer in another browser", func(t *testing.T) {
		t.Parallel()
		w := newInitiated(t, "[wiki]")
		question := asked(t, w.visitor().posts(t, w.outOfNowhere(t, w.idp), ""))
		answer := weakAnswer{}.response(t, readRequest(t, question.String()), w.idp, w.to)
		victim := w.visitor()
		page(t, victim.posts(t, answer, question.Query().Get("RelayState")), "ui.stale")
		if victim.cookies[sessionCookieName] != "" {
			t.Error("the victim is signed in as the attacker")
		}
	})
}
