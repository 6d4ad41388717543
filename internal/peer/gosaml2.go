package peer

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"strings"
	"sync"
	"testing"

	saml2 "github.com/russellhaering/gosaml2"
	"github.com/russellhaering/gosaml2/types"
	dsig "github.com/russellhaering/goxmldsig"
)

// GoSAML2 starts a service provider made of russellhaering/gosaml2, in this
// process. The library has no web part: requests are tracked here.
func GoSAML2(t testing.TB, o SPOptions) *SP {
	t.Helper()
	refuseBeyond(t, "gosaml2", o)
	k := keys(t)
	idp := readIdP(t, o.IdPMetadata)
	trusted := &dsig.MemoryX509CertificateStore{}
	for _, c := range idp.Certs {
		der, err := base64.StdEncoding.DecodeString(c)
		if err != nil {
			t.Fatalf("reading the identity provider's certificate: %v", err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatalf("reading the identity provider's certificate: %v", err)
		}
		trusted.Roots = append(trusted.Roots, cert)
	}
	mux := http.NewServeMux()
	server := inProcess(t, hostGoSAML2, mux)
	lib := &saml2.SAMLServiceProvider{
		IdentityProviderSSOURL:      idp.Redirect,
		IdentityProviderSSOBinding:  saml2.BindingHttpRedirect,
		IdentityProviderIssuer:      idp.EntityID,
		AssertionConsumerServiceURL: server.URL + "/acs",
		ServiceProviderSLOURL:       server.URL + "/slo",
		ServiceProviderIssuer:       server.URL + "/metadata",
		AudienceURI:                 server.URL + "/metadata",
		SignAuthnRequests:           o.SignRequests,
		SignAuthnRequestsAlgorithm:  dsig.RSASHA256SignatureMethod,
		// The library's own choice is inclusive C14N 1.1; SAML Core 5.4.3 asks for
		// the exclusive one.
		SignAuthnRequestsCanonicalizer: dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(""),
		ForceAuthn:                     o.ForceAuthn,
		IsPassive:                      o.IsPassive,
		NameIdFormat:                   o.NameIDFormat,
		IDPCertificateStore:            trusted,
	}
	if o.AuthnContext != "" {
		lib.RequestedAuthnContext = &saml2.RequestedAuthnContext{Comparison: "exact", Contexts: []string{o.AuthnContext}}
	}
	if o.RequestByPOST {
		lib.IdentityProviderSSOURL, lib.IdentityProviderSSOBinding = idp.POST, saml2.BindingHttpPost
	}
	store := dsig.TLSCertKeyStore(tls.Certificate{Certificate: [][]byte{k.cert.Raw}, PrivateKey: k.key})
	lib.SPKeyStore, lib.SPSigningKeyStore = store, store
	g := &goSAML2{lib: lib, o: o, idp: idp, pending: map[string]bool{}, logins: map[string]Login{}}
	mux.HandleFunc("GET /metadata", g.metadata)
	mux.HandleFunc("GET /login", g.login)
	mux.HandleFunc("POST /acs", g.acs)
	mux.HandleFunc("GET /logout", g.logout)
	mux.HandleFunc("/slo", g.slo)
	mux.HandleFunc("GET /{$}", g.show)
	return inProcessSP(t, "gosaml2", server, "/metadata", "/acs")
}

type goSAML2 struct {
	lib *saml2.SAMLServiceProvider
	o   SPOptions
	idp idpFacts

	mu      sync.Mutex
	pending map[string]bool  // request IDs
	logins  map[string]Login // by session cookie
}

func (g *goSAML2) metadata(w http.ResponseWriter, _ *http.Request) {
	md, err := g.lib.Metadata()
	if err != nil {
		writeLogin(w, http.StatusInternalServerError, Login{Error: err.Error()})
		return
	}
	for _, b := range g.o.Logout {
		md.SPSSODescriptor.SingleLogoutServices = append(md.SPSSODescriptor.SingleLogoutServices,
			types.Endpoint{Binding: string(b), Location: g.lib.ServiceProviderSLOURL})
	}
	if !g.o.EncryptAssertions {
		var kept []types.KeyDescriptor
		for _, k := range md.SPSSODescriptor.KeyDescriptors {
			if k.Use != "encryption" {
				kept = append(kept, k)
			}
		}
		md.SPSSODescriptor.KeyDescriptors = kept
	}
	writeXML(w, md)
}

func (g *goSAML2) login(w http.ResponseWriter, r *http.Request) {
	build := g.lib.BuildAuthRequestDocumentNoSig // Redirect signs the query instead.
	if g.o.RequestByPOST && g.o.SignRequests {
		build = g.lib.BuildAuthRequestDocument
	}
	doc, err := build()
	if err != nil {
		writeLogin(w, http.StatusInternalServerError, Login{Error: err.Error()})
		return
	}
	g.mu.Lock()
	g.pending[doc.Root().SelectAttrValue("ID", "")] = true
	g.mu.Unlock()
	if g.o.RequestByPOST {
		page, err := g.lib.BuildAuthBodyPostFromDocument("/", doc)
		if err != nil {
			writeLogin(w, http.StatusInternalServerError, Login{Error: err.Error()})
			return
		}
		writeHTML(w, page)
		return
	}
	to, err := g.lib.BuildAuthURLRedirect("/", doc)
	if err != nil {
		writeLogin(w, http.StatusInternalServerError, Login{Error: err.Error()})
		return
	}
	http.Redirect(w, r, to, http.StatusFound)
}

func (g *goSAML2) acs(w http.ResponseWriter, r *http.Request) {
	encoded := r.FormValue("SAMLResponse")
	l, inResponseTo, err := g.read(encoded)
	if err != nil {
		writeLogin(w, http.StatusForbidden, Login{Error: err.Error(), Status: statusIn(err)})
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.pending[inResponseTo] && (inResponseTo != "" || !g.o.Unsolicited) {
		writeLogin(w, http.StatusForbidden, Login{Error: "unknown InResponseTo " + inResponseTo})
		return
	}
	delete(g.pending, inResponseTo)
	session := rand.Text()
	g.logins[session] = l
	http.SetCookie(w, &http.Cookie{
		Name: "session", Value: session, Path: "/",
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (g *goSAML2) read(encoded string) (Login, string, error) {
	info, err := g.lib.RetrieveAssertionInfo(encoded)
	if err != nil {
		return Login{}, "", err
	}
	l := Login{
		NameID: info.NameID, NameIDFormat: info.NameIDFormat, SessionIndex: info.SessionIndex,
		Attributes: map[string][]string{},
	}
	switch warn := info.WarningInfo; {
	case warn.InvalidTime:
		l.Error = "the Assertion is not valid at this time"
	case warn.NotInAudience:
		l.Error = "the Assertion is for another audience"
	case g.o.WantResponseSigned && !info.ResponseSignatureValidated:
		l.Error = "the Response is not signed"
	}
	for name := range info.Values {
		l.Attributes[name] = info.Values.GetAll(name)
	}
	inResponseTo := ""
	for _, a := range info.Assertions {
		l.Issuer = a.Issuer.Value
		if s := a.AuthnStatement; s != nil && s.AuthnContext != nil && s.AuthnContext.AuthnContextClassRef != nil {
			l.AuthnContext = s.AuthnContext.AuthnContextClassRef.Value
		}
		if s := a.Subject; s != nil && s.SubjectConfirmation != nil && s.SubjectConfirmation.SubjectConfirmationData != nil {
			inResponseTo = s.SubjectConfirmation.SubjectConfirmationData.InResponseTo
		}
	}
	return l, inResponseTo, nil
}

// session is the login of a browser; the key is "" where there is none.
func (g *goSAML2) session(r *http.Request) (string, Login) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, err := r.Cookie("session")
	if err != nil {
		return "", Login{}
	}
	l, ok := g.logins[c.Value]
	if !ok {
		return "", Login{}
	}
	return c.Value, l
}

func (g *goSAML2) show(w http.ResponseWriter, r *http.Request) {
	session, l := g.session(r)
	if session == "" {
		writeLogin(w, http.StatusUnauthorized, Login{Error: "nobody is signed in"})
		return
	}
	writeLogin(w, http.StatusOK, l)
}

// statusIn picks SAML status codes out of a library's error text.
func statusIn(err error) []string {
	var codes []string
	for word := range strings.FieldsFuncSeq(err.Error(), func(r rune) bool { return strings.ContainsRune(" \"',<>/()[]", r) }) {
		if strings.HasPrefix(word, "urn:oasis:names:tc:SAML:2.0:status:") {
			codes = append(codes, word)
		}
	}
	return codes
}

func writeXML(w http.ResponseWriter, doc any) {
	out, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	_, _ = w.Write(out) // The reader went away; nobody is left to tell.
}
