package idp_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/crewjam/saml"
	"github.com/google/go-cmp/cmp"
	saml2 "github.com/russellhaering/gosaml2"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// layouts are the forms in which an assertion can reach a service provider. The
// peers take the time from the machine, so that these worlds do, too.
var layouts = map[string]struct {
	rule    identity.SignRule
	content string // with which the assertion is encrypted; empty: not at all
}{
	"response signed":            {},
	"assertion signed":           {rule: identity.SignRule{Assertion: identity.On, Response: identity.Off}},
	"both signed":                {rule: identity.SignRule{Assertion: identity.On}},
	"encrypted, response signed": {content: xmlsec.AlgAES128GCM},
	"encrypted, both signed":     {rule: identity.SignRule{Assertion: identity.On}, content: xmlsec.AlgAES128GCM},
	"encrypted, AES-256-GCM":     {content: xmlsec.AlgAES256GCM},
	"encrypted, AES-128-CBC":     {content: xmlsec.AlgAES128CBC},
	"encrypted, AES-256-CBC":     {content: xmlsec.AlgAES256CBC},
	"signed with SHA-512":        {rule: identity.SignRule{Assertion: identity.On, Algorithm: xmlsec.AlgRSASHA512}},
}

func newPeerWorld(t *testing.T, rule identity.SignRule, content string) *world {
	t.Helper()
	edit := func(md string) string { return md }
	if content != "" {
		edit = func(md string) string {
			return replace(`</ds:KeyInfo>`, `</ds:KeyInfo><md:EncryptionMethod Algorithm="`+content+`"/>`)(replace(` use="signing"`, ``)(md))
		}
	}
	w := newWorld(t, edit, func(cfg *idp.Config) { cfg.Now, cfg.Rand = time.Now, rand.Reader })
	w.party.Sign, w.party.Encrypt.AllowCBC = rule, true
	w.auth.answer.Context.Instant = time.Now().Add(-time.Minute)
	return w
}

// understood is what a peer made of the Response.
type understood struct {
	NameID, SessionIndex string
	Mail, Groups         []string
}

var wantUnderstood = understood{
	NameID: alice().Principal.Subject, SessionIndex: "s-1",
	Mail: []string{"alice@example.test"}, Groups: []string{"staff", "admins"},
}

func TestCrewjamServiceProvider(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		if c.content == xmlsec.AlgAES256GCM {
			continue // AES-128-GCM is all of GCM that crewjam reads
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPeerWorld(t, c.rule, c.content)
			sp := crewjamSP(t, w)
			rq, err := sp.MakeAuthenticationRequest(ssoURL, saml.HTTPRedirectBinding, saml.HTTPPostBinding)
			if err != nil {
				t.Fatal(err)
			}
			to, err := rq.Redirect("state", sp)
			if err != nil {
				t.Fatal(err)
			}
			got := w.send(httptest.NewRequestWithContext(t.Context(), http.MethodGet, to.String(), nil))
			post := httptest.NewRequestWithContext(t.Context(), http.MethodPost, acsURL, nil)
			post.PostForm = url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(got.response)}}
			a, err := sp.ParseResponse(post, []string{rq.ID})
			if err != nil {
				var why *saml.InvalidResponseError
				if ok := asInvalid(err, &why); ok {
					err = why.PrivateErr
				}
				t.Fatalf("%v\n%s\n%s", err, got.response, w.log)
			}
			u := understood{NameID: a.Subject.NameID.Value, SessionIndex: a.AuthnStatements[0].SessionIndex}
			for _, at := range a.AttributeStatements[0].Attributes {
				for _, v := range at.Values {
					switch at.FriendlyName {
					case "mail":
						u.Mail = append(u.Mail, v.Value)
					case "isMemberOf":
						u.Groups = append(u.Groups, v.Value)
					}
				}
			}
			if diff := cmp.Diff(wantUnderstood, u); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func asInvalid(err error, target **saml.InvalidResponseError) bool {
	e, ok := err.(*saml.InvalidResponseError) //nolint:errorlint // crewjam returns it bare
	*target = e
	return ok
}

func crewjamSP(t *testing.T, w *world) *saml.ServiceProvider {
	t.Helper()
	key := loadKey(t, "sp")
	doc, err := w.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	var md saml.EntityDescriptor
	if err := xml.Unmarshal(doc.Body, &md); err != nil {
		t.Fatal(err)
	}
	parse := func(s string) url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return *u
	}
	return &saml.ServiceProvider{
		EntityID: spID, MetadataURL: parse(spID), AcsURL: parse(acsURL), IDPMetadata: &md,
		Key: key.Signer.(*rsa.PrivateKey), Certificate: key.Certificate, SignatureMethod: xmlsec.AlgRSASHA256,
		AuthnNameIDFormat: saml.PersistentNameIDFormat,
	}
}

func TestGosaml2ServiceProvider(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPeerWorld(t, c.rule, c.content)
			sp := &saml2.SAMLServiceProvider{
				IdentityProviderSSOURL: ssoURL, IdentityProviderIssuer: entityID,
				AssertionConsumerServiceURL: acsURL, ServiceProviderIssuer: spID, AudienceURI: spID,
				SignAuthnRequests: true, SignAuthnRequestsAlgorithm: dsig.RSASHA256SignatureMethod,
				IDPCertificateStore: &dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{w.key.Certificate}},
				SPKeyStore:          keyStore{loadKey(t, "sp")},
			}
			doc, err := sp.BuildAuthRequestDocumentNoSig()
			if err != nil {
				t.Fatal(err)
			}
			to, err := sp.BuildAuthURLRedirect("state", doc)
			if err != nil {
				t.Fatal(err)
			}
			got := w.send(httptest.NewRequestWithContext(t.Context(), http.MethodGet, to, nil))
			info, err := sp.RetrieveAssertionInfo(base64.StdEncoding.EncodeToString(got.response))
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, got.response, w.log)
			}
			if info.WarningInfo.InvalidTime || info.WarningInfo.NotInAudience {
				t.Errorf("warnings: %+v", info.WarningInfo)
			}
			u := understood{
				NameID: info.NameID, SessionIndex: info.SessionIndex,
				Mail:   info.Values.GetAll("urn:oid:0.9.2342.19200300.100.1.3"),
				Groups: info.Values.GetAll("urn:oid:1.3.6.1.4.1.5923.1.5.1.1"),
			}
			if diff := cmp.Diff(wantUnderstood, u); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// keyStore hands a key to goxmldsig.
type keyStore struct{ key certs.Key }

func (k keyStore) GetKeyPair() (*rsa.PrivateKey, []byte, error) {
	return k.key.Signer.(*rsa.PrivateKey), k.key.Certificate.Raw, nil
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, func(cfg *idp.Config) { cfg.RequireSignedRequests = true })
	get := func(etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, entityID, nil)
		r.Header.Set("If-None-Match", etag)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		return rec
	}
	first := get("")
	doc := first.Body.Bytes()
	peer.ValidateXSD(t, doc)
	peer.VerifyXMLSec1(t, doc, w.key.PEM())
	if got, want := first.Header().Get("Content-Type"), "application/samlmetadata+xml"; got != want {
		t.Errorf("Content-Type %q, want %q", got, want)
	}
	for _, want := range []string{
		`entityID="` + entityID + `"`, `WantAuthnRequestsSigned="true"`,
		`Binding="` + identity.BindingRedirect + `" Location="` + ssoURL + `"`, `Binding="` + identity.BindingPOST + `" Location="` + ssoURL + `"`,
	} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("no %s in\n%s", want, doc)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodHead, entityID, nil)
	head := httptest.NewRecorder()
	w.handler.ServeHTTP(head, r)
	if got, want := head.Header().Get("ETag"), first.Header().Get("ETag"); got != want || want == "" || head.Body.Len() > 0 {
		t.Errorf("HEAD: ETag %q and %d bytes, want %q and none", got, head.Body.Len(), want)
	}
	if again := get(first.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("got %d for the same ETag, want 304", again.Code)
	}
}
