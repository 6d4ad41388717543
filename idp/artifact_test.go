package idp_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crewjam/saml"
	"github.com/google/go-cmp/cmp"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/store"
)

const (
	artifactURL = "https://login.example.test/saml/artifact"
	artifactACS = acsURL + "/artifact"
	otherID     = "https://other.example.test/saml/metadata"
)

// byArtifact asks for a Response by artifact.
var byArtifact = func(s string) string {
	return replace("bindings:HTTP-POST", "bindings:HTTP-Artifact")(replace(acsURL, artifactACS)(s))
}

const resolveXML = `<samlp:ArtifactResolve xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"` +
	` ID="_resolve1" Version="2.0" IssueInstant="{NOW}" Destination="` + artifactURL + `"><saml:Issuer>` + spID + `</saml:Issuer><samlp:Artifact>{ARTIFACT}</samlp:Artifact></samlp:ArtifactResolve>`

// artifactWorld is a world whose clock goes, with another service provider.
type artifactWorld struct {
	*world
	store store.Store
	mu    sync.Mutex
	now   time.Time
}

func newArtifactWorld(t testing.TB, edit func(string) string) *artifactWorld {
	t.Helper()
	w := &artifactWorld{now: noon}
	other := newParty(t, func(md string) string {
		return strings.ReplaceAll(replace(certBase64(t, "sp"), certBase64(t, "other"))(md), "app.example.test", "other.example.test")
	})
	other.ID = "other"
	w.world = newWorld(t, edit, func(cfg *idp.Config) {
		known := cfg.Party
		cfg.Party = func(ctx context.Context, id identity.EntityID) (idp.Party, error) {
			if id == other.EntityID {
				return *other, nil
			}
			return known(ctx, id)
		}
		cfg.Now, cfg.Rand, w.store = w.clock, rand.Reader, cfg.Store
	})
	return w
}

func (w *artifactWorld) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *artifactWorld) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// artifact signs alice in and returns what the browser carries to the service
// provider.
func (w *artifactWorld) artifact(t testing.TB, edits ...func(string) string) binding.ArtifactMessage {
	t.Helper()
	got := w.send(byRedirect(t, byArtifact(edited(edits...)), "the state", nil))
	to, query, _ := strings.Cut(got.location, "?")
	if got.status != http.StatusSeeOther || to != artifactACS {
		t.Fatalf("got %d to %q, want a redirect to %s\n%s", got.status, got.location, artifactACS, w.log)
	}
	m, err := binding.Limits{}.DecodeArtifact(binding.Received{Method: http.MethodGet, RawQuery: query})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// resolve is the ArtifactResolve of the service provider for an artifact.
func (w *artifactWorld) resolve(artifact string) string {
	return strings.NewReplacer("{NOW}", xmlsec.FormatTime(w.clock()), "{ARTIFACT}", artifact).Replace(resolveXML)
}

// resolved is what came of an ArtifactResolve.
type resolved struct {
	status  int
	fault   string
	codes   string // of the ArtifactResponse's own status
	message []byte // the ArtifactResponse's octets
	inner   *xmlsec.Element
	doc     *xmlsec.Document
}

func (r resolved) String() string {
	switch {
	case r.fault != "":
		return r.fault
	case r.inner != nil:
		return r.codes + " with " + r.inner.Local
	}
	return r.codes
}

func (w *world) soap(t testing.TB, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://login.example.test"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "text/xml")
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

// fetch sends a message in an envelope and reads the answer, whose signature has
// to be ours unless it is a fault.
func (w *world) fetch(t testing.TB, message string) resolved {
	t.Helper()
	return w.read(t, w.soap(t, "/saml/artifact", string(binding.SOAP(nil, []byte(message)))))
}

func (w *world) read(t testing.TB, rec *httptest.ResponseRecorder) resolved {
	t.Helper()
	env, err := binding.ParseSOAP(rec.Body.Bytes())
	if err != nil {
		t.Fatalf("the answer is no SOAP: %d %s\n%v\n%s", rec.Code, rec.Body, err, w.log)
	}
	if env.Body.Is(xmlsec.NSSOAP11, "Fault") {
		text, err := env.Body.Child("", "faultstring").Text()
		if err != nil {
			t.Fatal(err)
		}
		_, code, _ := strings.Cut(text, "(")
		code, _, _ = strings.Cut(code, ",")
		return resolved{status: rec.Code, fault: code}
	}
	e, err := env.Document.Verify(env.Body, xmlsec.Trust{Keys: []crypto.PublicKey{w.key.Public()}})
	if err != nil {
		t.Fatalf("the answer's signature: %v\n%s", err, rec.Body)
	}
	got := resolved{status: rec.Code, message: rec.Body.Bytes(), doc: env.Document, inner: env.Body.Child(xmlsec.NSProtocol, "Response")}
	for c := e.Child(xmlsec.NSProtocol, "Status").Child(xmlsec.NSProtocol, "StatusCode"); c != nil; c = c.Child(xmlsec.NSProtocol, "StatusCode") {
		got.codes += "/" + strings.TrimPrefix(c.Attr("Value"), "urn:oasis:names:tc:SAML:2.0:status:")
	}
	got.codes = strings.TrimPrefix(got.codes, "/")
	if v := e.Attr("InResponseTo"); v != "_resolve1" {
		t.Errorf("InResponseTo is %q", v)
	}
	return got
}

// TestArtifact takes a Response by artifact, in each way that it can be
// protected, and one that refuses.
func TestArtifact(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule    identity.SignRule
		encrypt bool
		err     error
		issuer  identity.EntityID
		want    string
	}{
		"as it comes":         {want: "Success"},
		"both signed":         {rule: identity.SignRule{Assertion: identity.On}, want: "Success"},
		"encrypted":           {rule: identity.SignRule{Assertion: identity.On}, encrypt: true, want: "Success"},
		"refused":             {err: &identity.Error{Kind: identity.KindNeedsInteraction, Code: "sp.passive", Msg: "no"}, want: "Responder/NoPassive"},
		"under its own issue": {issuer: "https://login.example.test/for/app", want: "Success"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edit := func(md string) string { return md }
			if c.encrypt {
				edit = replace(` use="signing"`, ``)
			}
			w := newArtifactWorld(t, edit)
			w.party.Sign, w.party.Issuer, w.auth.err = c.rule, c.issuer, c.err
			issuer := identity.EntityID(entityID)
			if c.issuer != "" {
				issuer, w.auth.answer.Principal.Issuer = c.issuer, c.issuer
			}
			m := w.artifact(t)
			if m.RelayState != "the state" || m.Artifact.SourceID != binding.SourceID(issuer) || m.Artifact.EndpointIndex != 0 {
				t.Errorf("the browser carries %+v", m)
			}
			got := w.fetch(t, signedBy(t, w.resolve(m.Artifact.String()), loadKey(t, "sp")))
			if got.status != http.StatusOK || got.String() != "Success with Response" {
				t.Fatalf("got %d %v\n%s", got.status, got, w.log)
			}
			response, err := got.doc.Verify(got.inner, xmlsec.Trust{Keys: []crypto.PublicKey{w.key.Public()}})
			if err != nil {
				t.Fatalf("the Response's own signature: %v", err)
			}
			a := answer{response: response.Raw()}
			if a.codes() != c.want || response.Attr("Destination") != artifactACS || response.Attr("InResponseTo") != "_request1" {
				t.Errorf("the Response is %s", a.response)
			}
			if from, _ := response.Child(xmlsec.NSAssertion, "Issuer").Text(); from != string(issuer) {
				t.Errorf("the Response is of %q, want %q", from, issuer)
			}
			peer.ValidateXSD(t, got.message)
			peer.VerifyXMLSec1(t, got.message, w.key.PEM())
		})
	}
}

// TestAttackArtifactTheft: whoever sees an artifact pass by can neither learn what
// it stands for nor use it up, and nobody can use it twice or late.
func TestAttackArtifactTheft(t *testing.T) {
	t.Parallel()
	sp, other := loadKey(t, "sp"), loadKey(t, "other")
	const nothing, whole = "Success", "Success with Response"
	changed := func(a binding.Artifact, change func(*binding.Artifact)) string { change(&a); return a.String() }
	for name, c := range map[string]struct {
		attack func(t *testing.T, w *artifactWorld, a binding.Artifact) string
		want   string // what the attack is answered
		after  string // what the rightful owner is answered afterwards
	}{
		"another service provider": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			return signedBy(t, replace(spID, otherID)(w.resolve(a.String())), other)
		}, nothing, whole},
		"another in our name": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			return signedBy(t, w.resolve(a.String()), other)
		}, "sp.signature", whole},
		"nobody's signature": {func(_ *testing.T, w *artifactWorld, a binding.Artifact) string {
			return w.resolve(a.String())
		}, "sp.unsigned", whole},
		"nobody": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			return signedBy(t, replace(spID, "https://nobody.example.test")(w.resolve(a.String())), other)
		}, "sp.unknown", whole},
		"an artifact put under a signature": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			guess := changed(a, func(a *binding.Artifact) { a.Handle[0]++ })
			return replace(guess, a.String())(signedBy(t, w.resolve(guess), sp))
		}, "sp.signature", whole},
		"a signature of something else": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			guess := changed(a, func(a *binding.Artifact) { a.Handle[0]++ })
			inner := signedBy(t, w.resolve(guess), sp)
			return replace(`<samlp:Artifact>`, `<samlp:Extensions>`+inner+`</samlp:Extensions><samlp:Artifact>`)(replace("_resolve1", "_evil")(w.resolve(a.String())))
		}, "sp.unsigned", whole},
		"meant for another address": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			return signedBy(t, replace(artifactURL, "https://idp.elsewhere.test/artifact")(w.resolve(a.String())), sp)
		}, "sp.destination", whole},
		"recorded long ago": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			return signedBy(t, replace(xmlsec.FormatTime(noon), xmlsec.FormatTime(noon.Add(-time.Hour)))(w.resolve(a.String())), sp)
		}, "Requester/RequestDenied", whole},
		"another version": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			return signedBy(t, replace(`Version="2.0"`, `Version="2.1"`)(w.resolve(a.String())), sp)
		}, "VersionMismatch/RequestVersionTooHigh", whole},
		"a guess": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			return signedBy(t, w.resolve(changed(a, func(a *binding.Artifact) { a.Handle[19] ^= 1 })), sp)
		}, nothing, whole},
		"of another source": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			return signedBy(t, w.resolve(changed(a, func(a *binding.Artifact) { a.SourceID[0]++ })), sp)
		}, nothing, whole},
		"of another endpoint": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			return signedBy(t, w.resolve(changed(a, func(a *binding.Artifact) { a.EndpointIndex = 1 })), sp)
		}, nothing, whole},
		"damaged": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			return signedBy(t, w.resolve(a.String()[1:]), sp)
		}, nothing, whole},
		"a second time": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			return signedBy(t, w.resolve(a.String()), sp)
		}, whole, nothing},
		"after two minutes": {func(t *testing.T, w *artifactWorld, a binding.Artifact) string {
			w.pass(2 * time.Minute)
			return signedBy(t, w.resolve(a.String()), sp)
		}, nothing, nothing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newArtifactWorld(t, nil)
			a := w.artifact(t).Artifact
			if got := w.fetch(t, c.attack(t, w, a)); got.String() != c.want {
				t.Errorf("the attack is answered %v, want %s\n%s", got, c.want, w.log)
			}
			if got := w.fetch(t, signedBy(t, w.resolve(a.String()), sp)); got.String() != c.after {
				t.Errorf("the owner is answered %v, want %s\n%s", got, c.after, w.log)
			}
		})
	}
}

// TestArtifactOnceInParallel: of many at once exactly one gets it.
func TestArtifactOnceInParallel(t *testing.T) {
	t.Parallel()
	w := newArtifactWorld(t, nil)
	message := signedBy(t, w.resolve(w.artifact(t).Artifact.String()), loadKey(t, "sp"))
	var wg sync.WaitGroup
	answers := make([]*httptest.ResponseRecorder, 16)
	for i := range answers {
		wg.Go(func() { answers[i] = w.soap(t, "/saml/artifact", string(binding.SOAP(nil, []byte(message)))) })
	}
	wg.Wait()
	got := map[string]int{}
	for _, rec := range answers {
		got[w.read(t, rec).String()]++
	}
	if diff := cmp.Diff(map[string]int{"Success with Response": 1, "Success": 15}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestArtifactFaults are messages that are not even SAML.
func TestArtifactFaults(t *testing.T) {
	t.Parallel()
	w := newArtifactWorld(t, nil)
	whole := w.resolve("AAQAAA==")
	for name, c := range map[string]struct{ body, want string }{
		"nothing":         {"", "xml.syntax"},
		"no envelope":     {whole, "binding.soap"},
		"SOAP 1.2":        {strings.Replace(string(binding.SOAP(nil, []byte(whole))), xmlsec.NSSOAP11, "http://www.w3.org/2003/05/soap-envelope", 1), "binding.soap_version"},
		"another header":  {string(binding.SOAP([]byte(`<x:y xmlns:x="urn:x" xmlns:S="`+xmlsec.NSSOAP11+`" S:mustUnderstand="1"/>`), []byte(whole))), "binding.must_understand"},
		"another message": {string(binding.SOAP(nil, []byte(authnRequest))), "sp.artifact"},
		"no Artifact":     {string(binding.SOAP(nil, []byte(replace(`<samlp:Artifact>AAQAAA==</samlp:Artifact>`, ``)(whole)))), "sp.artifact"},
		"two Artifacts":   {string(binding.SOAP(nil, []byte(replace(`</samlp:Artifact>`, `</samlp:Artifact><samlp:Artifact/>`)(whole)))), "sp.artifact"},
		"no Issuer":       {string(binding.SOAP(nil, []byte(replace(`<saml:Issuer>`+spID+`</saml:Issuer>`, ``)(whole)))), "sp.artifact"},
		"a bomb":          {`<!DOCTYPE a [<!ENTITY b "c">]>` + string(binding.SOAP(nil, []byte(whole))), "xml.dtd"},
		"a deep one":      {string(binding.SOAP(nil, []byte(strings.Repeat("<a>", 1000)+strings.Repeat("</a>", 1000)))), "xml.depth"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := w.read(t, w.soap(t, "/saml/artifact", c.body)); got.fault != c.want || got.status != http.StatusInternalServerError {
				t.Errorf("got %d %v, want %s", got.status, got, c.want)
			}
		})
	}
}

// TestCrewjamResolvesArtifact has crewjam's service provider fetch and judge a
// Response by itself.
func TestCrewjamResolvesArtifact(t *testing.T) {
	t.Parallel()
	w := newPeerWorld(t, identity.SignRule{Assertion: identity.On}, "")
	sp := crewjamSP(t, w)
	sp.AcsURL.Path += "/artifact"
	sp.SignatureMethod = dsig.RSASHA256SignatureMethod
	sp.HTTPClient = &http.Client{Transport: into{w.handler}}
	rq, err := sp.MakeAuthenticationRequest(ssoURL, saml.HTTPRedirectBinding, saml.HTTPArtifactBinding)
	if err != nil {
		t.Fatal(err)
	}
	to, err := rq.Redirect("state", sp)
	if err != nil {
		t.Fatal(err)
	}
	got := w.send(httptest.NewRequestWithContext(t.Context(), http.MethodGet, to.String(), nil))
	back := httptest.NewRequestWithContext(t.Context(), http.MethodGet, got.location, nil)
	if err := back.ParseForm(); err != nil {
		t.Fatal(err)
	}
	a, err := sp.ParseResponse(back, []string{rq.ID})
	if err != nil {
		var why *saml.InvalidResponseError
		if ok := asInvalid(err, &why); ok {
			err = why.PrivateErr
		}
		t.Fatalf("%v\n%s\n%s", err, got.location, w.log)
	}
	if a.Subject.NameID.Value != alice().Principal.Subject {
		t.Errorf("crewjam reads %+v", a.Subject.NameID)
	}
}

// into is a transport without a network.
type into struct{ handler http.Handler }

func (i into) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	i.handler.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// FuzzArtifactResolve: no message gets a Response but the one that the service
// provider signed.
func FuzzArtifactResolve(f *testing.F) {
	w := newArtifactWorld(f, nil)
	key := loadKey(f, "sp")
	artifact := w.artifact(f).Artifact.String()
	f.Add([]byte(w.resolve(artifact)))
	f.Add([]byte(signedBy(f, w.resolve(artifact), loadKey(f, "other"))))
	f.Add(bytes.Replace([]byte(signedBy(f, w.resolve("AAQAAA=="), key)), []byte("AAQAAA=="), []byte(artifact), 1))
	f.Fuzz(func(t *testing.T, message []byte) {
		rec := w.soap(t, "/saml/artifact", string(binding.SOAP(nil, message)))
		if strings.Contains(rec.Body.String(), "<samlp:Response") || strings.Contains(rec.Body.String(), "(internal") {
			t.Errorf("answered %s", rec.Body)
		}
	})
}

// TestResponseWithoutSending: what an application that takes artifacts would be
// told can be looked at, and nothing is kept for it.
func TestResponseWithoutSending(t *testing.T) {
	t.Parallel()
	w := newArtifactWorld(t, func(md string) string { return strings.ReplaceAll(md, identity.BindingPOST, identity.BindingArtifact) })
	req, err := w.Question(*w.party)
	if err != nil {
		t.Fatal(err)
	}
	response, err := w.Response(t.Context(), req, w.auth.answer)
	if err != nil {
		t.Fatal(err)
	}
	if to := w.verified(t, response).Attr("Destination"); to != acsURL {
		t.Errorf("it is for %q, want %q", to, acsURL)
	}
	swept, err := w.store.Sweep(t.Context(), noon.Add(time.Hour))
	if err != nil || swept != 0 {
		t.Errorf("%d rows were kept: %v", swept, err)
	}
}
