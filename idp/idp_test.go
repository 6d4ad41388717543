package idp_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	var whole idp.Config
	newWorld(t, nil, func(cfg *idp.Config) { whole = *cfg })
	for name, c := range map[string]struct {
		spoil func(*idp.Config)
		want  string
	}{
		"no entityID":      {func(c *idp.Config) { c.EntityID = "" }, "EntityID"},
		"no parties":       {func(c *idp.Config) { c.Party = nil }, "Party"},
		"no authenticator": {func(c *idp.Config) { c.Authenticator = nil }, "Authenticator"},
		"no store":         {func(c *idp.Config) { c.Store = nil }, "Store"},
		"no keys":          {func(c *idp.Config) { c.Keys = nil }, "Keys"},
		"no pages":         {func(c *idp.Config) { c.Web = nil }, "Web"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := whole
			c.spoil(&cfg)
			if _, err := idp.New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error about %s", err, c.want)
			}
		})
	}
}

func TestBasePath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, func(cfg *idp.Config) { cfg.BaseURL = "https://example.test/login/" })
	if got, want := fmt.Sprint(w.CrossSitePosts()), "[POST /login/saml/sso POST /login/saml/as/{sp}/sso POST /login/saml/slo POST /login/saml/as/{sp}/slo POST /login/saml/artifact]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.test/login/saml/metadata", nil)
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if !strings.Contains(rec.Body.String(), `Location="https://example.test/login/saml/sso"`) {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}

// TestPublishedIsServed sends a request to every address that our metadata
// publishes, by the binding that it names. Nothing is advertised that is not
// served (SDP-MD04): a SingleSignOnService answers, and the others know which
// message they want instead.
func TestPublishedIsServed(t *testing.T) {
	t.Parallel()
	w := newECPWorld(t, nil, &direct{})
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, entityID, nil))
	published := etree.NewDocument()
	if err := published.ReadFromBytes(rec.Body.Bytes()); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("the entityID answers %d: %v", rec.Code, err)
	}
	var got []string
	for _, e := range published.FindElements("//*[@Location]") {
		bindingName, location := e.SelectAttrValue("Binding", ""), e.SelectAttrValue("Location", "")
		got = append(got, e.Tag+" "+bindingName)
		request := edited(replace(`Destination="`+ssoURL, `Destination="`+location))
		r := byPOST(t, request, "")
		switch bindingName {
		case identity.BindingRedirect:
			r = byRedirect(t, request, "", nil)
		case identity.BindingSOAP:
			r = bySOAP(t, replace(acsURL, paosACS)(replace(identity.BindingPOST, identity.BindingPAOS)(request)))
		}
		at, err := url.Parse(location)
		if err != nil {
			t.Fatal(err)
		}
		r.Host, r.URL.Path = at.Host, at.Path
		want := "Success"
		switch e.Tag {
		case "ArtifactResolutionService":
			want = "sp.artifact"
		case "SingleLogoutService":
			want = "sp.logout"
		}
		rec := httptest.NewRecorder()
		if w.handler.ServeHTTP(rec, r); !strings.Contains(rec.Body.String()+string(read(rec).response), want) {
			t.Errorf("%s answers %d, want %s\n%s", got[len(got)-1], rec.Code, want, rec.Body)
		}
	}
	want := []string{
		"ArtifactResolutionService " + identity.BindingSOAP,
		"SingleLogoutService " + identity.BindingRedirect, "SingleLogoutService " + identity.BindingPOST, "SingleLogoutService " + identity.BindingSOAP,
		"SingleSignOnService " + identity.BindingRedirect, "SingleSignOnService " + identity.BindingPOST, "SingleSignOnService " + identity.BindingSOAP,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
}

// FuzzAuthnRequest: no request makes us panic, fail, or send anything to an
// address that is not registered.
func FuzzAuthnRequest(f *testing.F) {
	f.Add(authnRequest, "")
	f.Add(edited(child(`<samlp:NameIDPolicy AllowCreate="1"/>`)), "a")
	f.Add(edited(noACS, noBinding, attribute(`AssertionConsumerServiceIndex="2"`)), "")
	f.Add(edited(child(`<saml:Subject><saml:NameID>a</saml:NameID></saml:Subject><samlp:RequestedAuthnContext Comparison="better"><saml:AuthnContextClassRef>a</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>`)), "")
	f.Add(edited(child(`<saml:Conditions NotOnOrAfter="2026-11-23T12:01:00Z"><saml:AudienceRestriction><saml:Audience>`+spID+`</saml:Audience></saml:AudienceRestriction><saml:OneTimeUse/><saml:ProxyRestriction Count="1"/></saml:Conditions>`)), "")
	f.Add(edited(child(`<samlp:Scoping ProxyCount="1"><samlp:IDPList><samlp:IDPEntry ProviderID="a"/><samlp:GetComplete>b</samlp:GetComplete></samlp:IDPList><samlp:RequesterID>c</samlp:RequesterID></samlp:Scoping>`)), "")
	f.Add(edited(child(`<saml:Subject><saml:EncryptedID/></saml:Subject>`)), "")
	f.Add(signedBy(f, authnRequest, loadKey(f, "sp")), "")
	w := newWorld(f, nil, func(cfg *idp.Config) { cfg.Rand = rand.Reader })
	f.Fuzz(func(t *testing.T, xml, relayState string) {
		w.log.Reset()
		got := w.send(byPOST(t, xml, relayState))
		if got.status >= 500 {
			t.Fatalf("%d: %s", got.status, w.log)
		}
		if got.response == nil {
			return
		}
		if got.action != acsURL && got.action != acsURL+"2" {
			t.Fatalf("a Response to %q", got.action)
		}
		w.verified(t, got.response)
	})
}

// BenchmarkSSO prints what a sign-on costs that needs no question, through the
// HTTP handler, in units of the bare RSA signature that is in it. The two take
// turns, so that a busy machine slows both.
func BenchmarkSSO(b *testing.B) {
	w := newWorld(b, nil, func(cfg *idp.Config) { cfg.Rand = rand.Reader })
	query := redirectQuery(b, authnRequest, "the state", nil)
	sum := sha256.Sum256([]byte("a"))
	b.ReportAllocs()
	var whole, bare []time.Duration
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, ssoURL+"?"+query, nil)
		rec := httptest.NewRecorder()
		start := time.Now()
		w.handler.ServeHTTP(rec, r)
		whole = append(whole, time.Since(start))
		b.StopTimer()
		if !strings.Contains(rec.Body.String(), "SAMLResponse") {
			b.Fatal(rec.Body)
		}
		start = time.Now()
		if _, err := w.key.Signer.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
		bare = append(bare, time.Since(start))
		b.StartTimer()
	}
	b.ReportMetric(median(whole)/median(bare), "x/sig")
}

// BenchmarkRespond is one signed Response without HTTP.
func BenchmarkRespond(b *testing.B) {
	w := newWorld(b, nil, func(cfg *idp.Config) { cfg.Rand = rand.Reader })
	w.auth.redirect = "/elsewhere"
	w.send(byRedirect(b, authnRequest, "", nil))
	req := *w.auth.asked
	sum := sha256.Sum256([]byte("a"))
	b.ReportAllocs()
	var whole, bare []time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := w.Respond(b.Context(), req, w.auth.answer); err != nil {
			b.Fatal(err)
		}
		whole = append(whole, time.Since(start))
		b.StopTimer()
		start = time.Now()
		if _, err := w.key.Signer.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
		bare = append(bare, time.Since(start))
		b.StartTimer()
	}
	b.ReportMetric(median(whole)/median(bare), "x/sig")
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}
