package login_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/identity"
)

// browser is a browser with cookies that follows redirects when told.
type browser struct {
	w       *world
	client  *http.Client
	address string
}

func (w *world) newBrowser() *browser {
	w.tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.tb.Fatal(err)
	}
	return &browser{w: w, address: "192.0.2.1", client: &http.Client{
		Transport: w.server.Client().Transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is an answer to a browser.
type page struct {
	status int
	to     string // Location
	body   string
	header http.Header
}

func (b *browser) do(req *http.Request) page {
	b.w.tb.Helper()
	req.Header.Set("Test-Address", b.address)
	resp, err := b.client.Do(req)
	if err != nil {
		b.w.tb.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		b.w.tb.Fatal(err)
	}
	shown := string(body)
	if _, main, ok := strings.Cut(shown, "<main"); ok {
		shown = main // the style sheet would drown a failure's message
	}
	return page{status: resp.StatusCode, to: resp.Header.Get("Location"), body: shown, header: resp.Header}
}

func (b *browser) get(path string) page {
	b.w.tb.Helper()
	req, err := http.NewRequestWithContext(b.w.tb.Context(), http.MethodGet, b.w.server.URL+path, nil)
	if err != nil {
		b.w.tb.Fatal(err)
	}
	return b.do(req)
}

func (b *browser) request(path string, form url.Values) *http.Request {
	b.w.tb.Helper()
	req, err := http.NewRequestWithContext(b.w.tb.Context(), http.MethodPost, b.w.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.w.tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req
}

func (b *browser) post(path string, form url.Values) page {
	b.w.tb.Helper()
	req := b.request(path, form)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(req)
}

// crossPost is a form that another site submits: the browser sends no Lax
// cookies with it.
func (b *browser) crossPost(path string, form url.Values) page {
	b.w.tb.Helper()
	req := b.request(path, form)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	naked := &browser{w: b.w, address: b.address, client: &http.Client{
		Transport: b.client.Transport, CheckRedirect: b.client.CheckRedirect,
	}}
	return naked.do(req)
}

// follow goes on while the answer is a redirect within this host.
func (b *browser) follow(p page) page {
	b.w.tb.Helper()
	for range 10 {
		if p.status != http.StatusSeeOther || !strings.HasPrefix(p.to, "/") {
			return p
		}
		p = b.get(p.to)
	}
	b.w.tb.Fatalf("more than ten redirects, the last to %s", p.to)
	return page{}
}

var ticketField = regexp.MustCompile(`name="t" value="([^"]+)"`)

// ticket returns the login ticket of a page's form.
func (p page) ticket(tb testing.TB) string {
	tb.Helper()
	m := ticketField.FindStringSubmatch(p.body)
	if m == nil {
		tb.Fatalf("no ticket on the page: %d %s %s", p.status, p.to, p.body)
	}
	return m[1]
}

// answer decodes what the relying party received.
func (p page) answer(tb testing.TB) answer {
	tb.Helper()
	var a answer
	if err := json.Unmarshal([]byte(p.body), &a); err != nil || p.status != http.StatusOK {
		tb.Fatalf("no answer to a relying party: %d to %q: %s", p.status, p.to, p.body)
	}
	return a
}

// ask opens an application and goes on to the first page or answer.
func (b *browser) ask(req identity.AuthnRequest) page {
	b.w.tb.Helper()
	return b.follow(b.get(ssoPath(b.w.tb, req)))
}

func ssoPath(tb testing.TB, req identity.AuthnRequest) string {
	tb.Helper()
	if req.RelyingParty == "" {
		req.RelyingParty = "wiki"
	}
	req.Issuer, req.Resume = ourID, "/sso/resume"
	raw, err := json.Marshal(req)
	if err != nil {
		tb.Fatal(err)
	}
	return "/sso?req=" + url.QueryEscape(string(raw))
}

// signIn goes through identifier and password from the sign-in page p.
func (b *browser) signIn(p page, name, pass string) page {
	b.w.tb.Helper()
	t := p.ticket(b.w.tb)
	p = b.follow(b.post("/login", url.Values{"t": {t}, "identifier": {name}}))
	if p.ticket(b.w.tb) != t {
		b.w.tb.Fatal("the ticket changed between identifier and password")
	}
	return b.follow(b.post("/login", url.Values{"t": {t}, "identifier": {name}, "password": {pass}}))
}

var proofField = regexp.MustCompile(`name="proof" value="([^"]+)"`)

// signOut presses the button of the page that asks, and goes on to what follows.
func (b *browser) signOut() page {
	b.w.tb.Helper()
	p := b.get("/logout")
	m := proofField.FindStringSubmatch(p.body)
	if m == nil {
		b.w.tb.Fatalf("the page does not offer to sign out: %d %s", p.status, p.body)
	}
	return b.follow(b.post("/logout", url.Values{"proof": {m[1]}}))
}

func (b *browser) cookie(name string) string {
	b.w.tb.Helper()
	u, err := url.Parse(b.w.server.URL)
	if err != nil {
		b.w.tb.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// cookieLike finds a cookie by the beginning of its name.
func (b *browser) cookieLike(prefix string) (name, value string) {
	b.w.tb.Helper()
	u, err := url.Parse(b.w.server.URL)
	if err != nil {
		b.w.tb.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if strings.HasPrefix(c.Name, prefix) {
			return c.Name, c.Value
		}
	}
	return "", ""
}

func (b *browser) setCookie(name, value string) {
	b.w.tb.Helper()
	u, err := url.Parse(b.w.server.URL)
	if err != nil {
		b.w.tb.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}
