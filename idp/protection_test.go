package idp_test

import (
	"crypto"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// moreKeys are keys beside the RSA key of testdata.
var moreKeys = sync.OnceValue(func() map[string]certs.Key {
	keys := map[string]certs.Key{}
	for id, c := range map[string]struct {
		algorithm certs.Algorithm
		state     certs.State
	}{
		"p256": {certs.ECDSAP256, certs.Active}, "p384": {certs.ECDSAP384, certs.Active}, "ed25519": {certs.Ed25519, certs.Active},
		"own": {certs.RSA, certs.Dedicated}, "next": {certs.ECDSAP256, certs.Next},
	} {
		k, _, _, err := certs.Generate(certs.GenerateConfig{
			ID: id, Use: certs.Signing, State: c.state, Algorithm: c.algorithm, CommonName: id, Now: time.Now, Rand: rand.Reader,
		})
		if err != nil {
			panic(err)
		}
		keys[id] = k
	}
	return keys
})

// withKeys gives the identity provider all of moreKeys, too.
func withKeys(t testing.TB) func(*idp.Config) {
	t.Helper()
	return withRing(t, "p256", "p384", "ed25519", "own", "next")
}

func withRing(t testing.TB, more ...string) func(*idp.Config) {
	t.Helper()
	keys := []certs.Key{loadKey(t, "idp")}
	for _, id := range more {
		keys = append(keys, moreKeys()[id])
	}
	ring, err := certs.NewRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	return func(cfg *idp.Config) { cfg.Keys, cfg.Rand = ring, rand.Reader }
}

// declaring puts algorithms into the service provider's metadata (Metadata
// Profile for Algorithm Support).
func declaring(local string, algorithms ...string) func(string) string {
	s := ""
	for _, a := range algorithms {
		s += `<alg:` + local + ` xmlns:alg="` + xmlsec.NSMDAlg + `" Algorithm="` + a + `"/>`
	}
	return replace("<md:SPSSODescriptor ", `<md:Extensions>`+s+`</md:Extensions><md:SPSSODescriptor `)
}

func inExtensions(local string, algorithm string) func(string) string {
	return replace("</md:Extensions>", `<alg:`+local+` xmlns:alg="`+xmlsec.NSMDAlg+`" Algorithm="`+algorithm+`"/></md:Extensions>`)
}

// TestSigningAlgorithm: what the service provider declares binds us (IIP-MD10),
// what the operator says goes before it, and nobody else gets anything but
// rsa-sha256.
func TestSigningAlgorithm(t *testing.T) {
	t.Parallel()
	const rsaSHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	methods := func(a ...string) func(string) string { return declaring("SigningMethod", a...) }
	for name, c := range map[string]struct {
		metadata  func(string) string
		rule      identity.SignRule
		key       string // of moreKeys; empty: the RSA key
		algorithm string // empty: refused
	}{
		"nothing declared":               {nil, identity.SignRule{}, "", xmlsec.AlgRSASHA256},
		"their favourite":                {methods(xmlsec.AlgECDSASHA256, xmlsec.AlgRSASHA256), identity.SignRule{}, "p256", xmlsec.AlgECDSASHA256},
		"their favourite is RSA":         {methods(xmlsec.AlgRSASHA512, xmlsec.AlgECDSASHA256), identity.SignRule{}, "", xmlsec.AlgRSASHA512},
		"ECDSA with SHA-384":             {methods(xmlsec.AlgECDSASHA384), identity.SignRule{}, "p256", xmlsec.AlgECDSASHA384},
		"Ed25519":                        {methods(xmlsec.AlgEd25519), identity.SignRule{}, "ed25519", xmlsec.AlgEd25519},
		"behind what is refused":         {methods(rsaSHA1, xmlsec.AlgRSASHA256), identity.SignRule{}, "", xmlsec.AlgRSASHA256},
		"behind what is unknown":         {methods("urn:x", xmlsec.AlgRSASHA384), identity.SignRule{}, "", xmlsec.AlgRSASHA384},
		"SHA-1 alone":                    {methods(rsaSHA1), identity.SignRule{}, "", ""},
		"unknown alone":                  {methods("urn:x"), identity.SignRule{}, "", ""},
		"digests alone":                  {declaring("DigestMethod", xmlsec.AlgSHA1, xmlsec.AlgSHA512), identity.SignRule{}, "", xmlsec.AlgRSASHA512},
		"a digest that is refused alone": {declaring("DigestMethod", xmlsec.AlgSHA1), identity.SignRule{}, "", ""},
		"methods and digests": {func(md string) string {
			return inExtensions("DigestMethod", xmlsec.AlgSHA384)(methods(xmlsec.AlgRSASHA256, xmlsec.AlgRSASHA384)(md))
		}, identity.SignRule{}, "", xmlsec.AlgRSASHA384},
		"the operator's algorithm":            {nil, identity.SignRule{Algorithm: xmlsec.AlgECDSASHA256}, "p256", xmlsec.AlgECDSASHA256},
		"the operator's against theirs":       {methods(rsaSHA1), identity.SignRule{Algorithm: xmlsec.AlgRSASHA256}, "", xmlsec.AlgRSASHA256},
		"the operator's SHA-1":                {nil, identity.SignRule{Algorithm: rsaSHA1}, "", ""},
		"the operator's key":                  {nil, identity.SignRule{Key: "own"}, "own", xmlsec.AlgRSASHA256},
		"the operator's key and their method": {methods(xmlsec.AlgECDSASHA256, xmlsec.AlgRSASHA512), identity.SignRule{Key: "own"}, "own", xmlsec.AlgRSASHA512},
		"the operator's key cannot":           {methods(xmlsec.AlgECDSASHA256), identity.SignRule{Key: "own"}, "", ""},
		"a key that others do not meet yet":   {nil, identity.SignRule{Key: "next"}, "next", xmlsec.AlgECDSASHA256},
		"an active key by name":               {nil, identity.SignRule{Key: "p384"}, "p384", xmlsec.AlgECDSASHA384},
		"the operator's key and algorithm":    {nil, identity.SignRule{Key: "p384", Algorithm: xmlsec.AlgECDSASHA256}, "p384", xmlsec.AlgECDSASHA256},
		"the operator's key and another alg":  {nil, identity.SignRule{Key: "p384", Algorithm: xmlsec.AlgRSASHA256}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.metadata, withKeys(t))
			w.party.Sign = c.rule
			w.party.Sign.Assertion = identity.On
			got := w.send(byRedirect(t, authnRequest, "", nil))
			if c.algorithm == "" {
				if got.codes() != "Responder/AuthnFailed" || !strings.Contains(got.message(), "sp.algorithm") || strings.Contains(string(got.response), "<ds:Signature") {
					t.Errorf("got %s\n%s", got.codes(), got.response)
				}
				return
			}
			if c.key != "" {
				w.key = moreKeys()[c.key]
			}
			if n := strings.Count(string(got.response), `SignatureMethod Algorithm="`+c.algorithm+`"`); n != 2 {
				t.Fatalf("%d of 2 signatures are of %s:\n%s", n, c.algorithm, got.response)
			}
			peer.ValidateXSD(t, got.response)
			if c.algorithm != xmlsec.AlgEd25519 { // proven beside in internal/xmlsec
				peer.VerifyXMLSec1(t, got.response, w.key.PEM())
			}
			verifyOurs(t, got.response, w.key)
		})
	}
}

// TestWithoutRSA: the only key there is signs.
func TestWithoutRSA(t *testing.T) {
	t.Parallel()
	ring, err := certs.NewRing([]certs.Key{moreKeys()["p256"]})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, nil, func(cfg *idp.Config) { cfg.Keys = ring })
	w.key = moreKeys()["p256"]
	verifyOurs(t, w.response(t, nil), w.key)
}

// TestPresence: a service provider may know us by another name and key, in
// messages, and in metadata of its own. Nobody else meets either.
func TestPresence(t *testing.T) {
	t.Parallel()
	const alias = "https://alias.example.test/saml"
	for name, c := range map[string]struct {
		issuer identity.EntityID
		key    string
		want   identity.EntityID
		keys   []string // published; nil: nothing of its own
	}{
		"as everybody":    {"", "", entityID, nil},
		"a name":          {alias, "", alias, []string{"idp", "p256", "p384", "ed25519", "next"}},
		"a key":           {"", "own", entityID, []string{"own"}},
		"a name and key":  {alias, "own", alias, []string{"own"}},
		"a key that is":   {"", "p256", entityID, []string{"p256"}},
		"a key not there": {"", "gone", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil, withKeys(t))
			w.party.Issuer, w.party.Sign.Key = c.issuer, c.key
			common := w.published(t, entityID, http.StatusOK)
			if got, want := keyNames(t, common), []string{"idp", "p256", "p384", "ed25519", "next"}; !slices.Equal(got, want) {
				t.Errorf("everybody's metadata has the keys %v, want %v", got, want)
			}
			if c.want == "" {
				if got := w.send(byRedirect(t, authnRequest, "", nil)); got.response != nil {
					t.Errorf("answered with a key that is not there:\n%s", got.response)
				}
				return
			}
			if c.key != "" {
				w.key = moreKeys()[c.key]
			}
			response := w.verified(t, w.response(t, nil))
			for _, e := range []*xmlsec.Element{response, response.Child(xmlsec.NSAssertion, "Assertion")} {
				if got, err := e.Child(xmlsec.NSAssertion, "Issuer").TrimText(); err != nil || got != string(c.want) {
					t.Errorf("Issuer of %s: got %q, %v; want %q", e.Local, got, err, c.want)
				}
			}
			if w.auth.asked.Issuer != c.want {
				t.Errorf("the Authenticator is told %q, want %q", w.auth.asked.Issuer, c.want)
			}
			if c.keys == nil {
				w.published(t, entityID+"/app", http.StatusNotFound)
				return
			}
			own := w.published(t, entityID+"/app", http.StatusOK)
			if own.EntityID != c.want || !slices.Equal(keyNames(t, own), c.keys) {
				t.Errorf("its own metadata is of %s with %v, want %s with %v", own.EntityID, keyNames(t, own), c.want, c.keys)
			}
			sso := slices.Clone(common.IDP.SSO)
			for i := range sso {
				if c.issuer != "" { // the address tells entries with one entityID apart
					sso[i].Location = strings.Replace(sso[i].Location, "/saml/sso", "/saml/as/app/sso", 1)
				}
			}
			if diff := cmp.Diff(sso, own.IDP.SSO); diff != "" {
				t.Errorf("endpoints (-want +its own):\n%s", diff)
			}
			w.published(t, entityID+"/another", http.StatusNotFound)
		})
	}
}

// published reads our metadata at an address, or the status where there is none.
func (w *world) published(t *testing.T, address string, status int) *metadata.Entity {
	t.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, nil))
	if rec.Code != status {
		t.Fatalf("%s: got %d, want %d\n%s", address, rec.Code, status, rec.Body)
	}
	if status != http.StatusOK {
		return nil
	}
	peer.ValidateXSD(t, rec.Body.Bytes())
	var keys []crypto.PublicKey
	for _, k := range moreKeys() {
		keys = append(keys, k.Public())
	}
	e, err := metadata.Parse(rec.Body.Bytes(), metadata.ParseOptions{Want: metadata.RoleIDP, Now: func() time.Time { return noon }, Keys: append(keys, loadKey(t, "idp").Public())})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func keyNames(t *testing.T, e *metadata.Entity) []string {
	t.Helper()
	var names []string
	for _, c := range e.IDP.Certificates {
		if c.Use != "signing" {
			continue
		}
		name, _, _ := strings.Cut(c.Certificate.Subject.CommonName, ".")
		names = append(names, name)
	}
	return names
}

// BenchmarkRespondFast is one Response signed with the keys that sign faster
// than RSA, for service providers that ask for it.
func BenchmarkRespondFast(b *testing.B) {
	for name, alg := range map[string]string{"ECDSA P-256": xmlsec.AlgECDSASHA256, "Ed25519": xmlsec.AlgEd25519} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, declaring("SigningMethod", alg), withKeys(b))
			w.auth.redirect = "/elsewhere"
			w.send(byRedirect(b, authnRequest, "", nil))
			req := *w.auth.asked
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Respond(b.Context(), req, w.auth.answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
