package peer

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/crewjam/saml"
	"github.com/crewjam/saml/samlsp"
	dsig "github.com/russellhaering/goxmldsig"
)

// Crewjam starts a service provider made of crewjam/saml's samlsp middleware, in
// this process. The library asks for logouts and reads the answers; it has
// nothing that verifies a LogoutRequest. Asking by HTTP-Redirect is not used: it
// leaves its signature inside of the message, where none may be, and does not
// sign the query (SAML Bindings 3.4.4.1).
func Crewjam(t testing.TB, o SPOptions) *SP {
	t.Helper()
	refuseBeyond(t, "crewjam", o)
	idp, err := samlsp.ParseMetadata(o.IdPMetadata)
	if err != nil {
		t.Fatalf("reading the identity provider's metadata: %v", err)
	}
	k := keys(t)
	mux := http.NewServeMux()
	server := inProcess(t, hostCrewjam, mux)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	m, err := samlsp.New(samlsp.Options{
		URL: *base, EntityID: base.String() + "/saml/metadata",
		Key: k.key, Certificate: k.cert, IDPMetadata: idp,
		SignRequest: o.SignRequests || o.Artifact, ForceAuthn: o.ForceAuthn,
		AllowIDPInitiated: o.Unsolicited, UseArtifactResponse: o.Artifact,
	})
	if err != nil {
		t.Fatalf("setting crewjam's samlsp up: %v", err)
	}
	c := &crewjamSP{m: m, o: o}
	c.configure()
	mux.HandleFunc("GET /saml/metadata", c.metadata)
	mux.HandleFunc("/saml/slo", c.answered)
	mux.Handle("/saml/", m)
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		r.URL = &url.URL{Path: "/"} // The middleware returns to the address that started the login.
		m.HandleStartAuthFlow(w, r)
	})
	mux.HandleFunc("GET /logout", c.logout)
	mux.HandleFunc("GET /{$}", c.who)
	return inProcessSP(t, "crewjam", server, "/saml/metadata", "/saml/acs")
}

type crewjamSP struct {
	m *samlsp.Middleware
	o SPOptions

	// The middleware's session keeps the subject and the attributes only, so the
	// rest of what it validated is noted on the way.
	seen noted
}

func (c *crewjamSP) configure() {
	sp := &c.m.ServiceProvider
	if c.o.NameIDFormat != "" {
		sp.AuthnNameIDFormat = saml.NameIDFormat(c.o.NameIDFormat)
	}
	if sp.SignatureMethod != "" {
		sp.SignatureMethod = dsig.RSASHA256SignatureMethod // It would sign with SHA-1.
	}
	if c.o.AuthnContext != "" {
		sp.RequestedAuthnContext = &saml.RequestedAuthnContext{Comparison: "exact", AuthnContextClassRef: c.o.AuthnContext}
	}
	for _, b := range c.o.Logout {
		sp.LogoutBindings = append(sp.LogoutBindings, string(b))
	}
	c.m.Binding = saml.HTTPRedirectBinding
	if c.o.RequestByPOST {
		c.m.Binding = saml.HTTPPostBinding
	}
	if !c.o.Artifact {
		c.m.ResponseBinding = saml.HTTPPostBinding
	}
	c.m.OnError = func(w http.ResponseWriter, _ *http.Request, err error) {
		writeLogin(w, http.StatusForbidden, refusedByCrewjam(err))
	}
	c.m.AssertionHandler = &c.seen
}

// signing is the library as it signs, whether or not requests are signed.
func (c *crewjamSP) signing() saml.ServiceProvider {
	sp := c.m.ServiceProvider
	sp.SignatureMethod = dsig.RSASHA256SignatureMethod
	return sp
}

func (c *crewjamSP) metadata(w http.ResponseWriter, _ *http.Request) {
	sp := c.m.ServiceProvider
	if c.o.signs() {
		sp = c.signing()
	}
	md := sp.Metadata()
	for i := range md.SPSSODescriptors {
		d := &md.SPSSODescriptors[i]
		d.AuthnRequestsSigned = &c.o.SignRequests
		if !c.o.EncryptAssertions {
			d.KeyDescriptors = withoutEncryption(d.KeyDescriptors)
		}
		if len(c.o.Logout) == 0 {
			d.SingleLogoutServices = nil
		}
	}
	writeXML(w, md)
}

// logout ends the session here and asks the identity provider to end the rest.
func (c *crewjamSP) logout(w http.ResponseWriter, r *http.Request) {
	session, err := c.m.Session.GetSession(r)
	claims, ok := session.(samlsp.JWTSessionClaims)
	if err != nil || !ok {
		writeLogin(w, http.StatusUnauthorized, Login{Error: "nobody is signed in"})
		return
	}
	sp := c.signing()
	sp.AuthnNameIDFormat = saml.NameIDFormat(c.seen.login(claims).NameIDFormat)
	page, err := sp.MakePostLogoutRequest(claims.Subject, "/")
	if err == nil {
		err = c.m.Session.DeleteSession(w, r)
	}
	if err != nil {
		writeLogin(w, http.StatusInternalServerError, Login{Error: err.Error()})
		return
	}
	writeHTML(w, page)
}

// answered reads the LogoutResponse.
func (c *crewjamSP) answered(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("SAMLRequest") != "" {
		http.Error(w, "this library reads no LogoutRequest", http.StatusBadRequest)
		return
	}
	if err := c.m.ServiceProvider.ValidateLogoutResponseRequest(r); err != nil {
		refused := refusedByCrewjam(err)
		writeLogout(w, http.StatusForbidden, Logout{Error: refused.Error, Status: refused.Status})
		return
	}
	writeLogout(w, http.StatusOK, Logout{LoggedOut: true})
}

func (c *crewjamSP) who(w http.ResponseWriter, r *http.Request) {
	session, err := c.m.Session.GetSession(r)
	claims, ok := session.(samlsp.JWTSessionClaims)
	if err != nil || !ok {
		writeLogin(w, http.StatusUnauthorized, Login{Error: "nobody is signed in"})
		return
	}
	writeLogin(w, http.StatusOK, c.seen.login(claims))
}

func refusedByCrewjam(err error) Login {
	l := Login{Error: err.Error()}
	var invalid *saml.InvalidResponseError
	if errors.As(err, &invalid) {
		l.Error = invalid.PrivateErr.Error()
	}
	var status saml.ErrBadStatus
	if errors.As(err, &status) || invalid != nil && errors.As(invalid.PrivateErr, &status) {
		l.Status = []string{status.Status}
	}
	return l
}

func withoutEncryption(all []saml.KeyDescriptor) []saml.KeyDescriptor {
	var kept []saml.KeyDescriptor
	for _, k := range all {
		if k.Use != "encryption" {
			kept = append(kept, k)
		}
	}
	return kept
}

// noted holds the last Assertion of each subject that the middleware accepted.
type noted struct {
	mu   sync.Mutex
	byID map[string]*saml.Assertion
}

func (n *noted) HandleAssertion(a *saml.Assertion) error {
	if a.Subject == nil || a.Subject.NameID == nil {
		return errors.New("the Assertion has no NameID")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byID == nil {
		n.byID = map[string]*saml.Assertion{}
	}
	n.byID[a.Subject.NameID.Value] = a
	return nil
}

func (n *noted) login(c samlsp.JWTSessionClaims) Login {
	l := Login{NameID: c.Subject, Attributes: map[string][]string{}}
	for name, values := range c.Attributes {
		if name == "SessionIndex" {
			l.SessionIndex = c.Attributes.Get(name)
			continue
		}
		l.Attributes[name] = values
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	a, ok := n.byID[c.Subject]
	if !ok {
		l.Error = "an unknown session"
		return l
	}
	l.Issuer = a.Issuer.Value
	l.NameIDFormat = a.Subject.NameID.Format
	for _, s := range a.AuthnStatements {
		if ref := s.AuthnContext.AuthnContextClassRef; ref != nil {
			l.AuthnContext = ref.Value
		}
	}
	return l
}

// inProcess serves a handler on a free port of a host until the test ends.
func inProcess(t testing.TB, host string, h http.Handler) *httptest.Server {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatalf("listening on %s: %v", host, err)
	}
	server := httptest.NewUnstartedServer(h)
	server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func inProcessSP(t testing.TB, name string, server *httptest.Server, metadata, acs string) *SP {
	t.Helper()
	return &SP{
		Name:      name,
		EntityID:  server.URL + metadata,
		URL:       server.URL,
		LoginURL:  server.URL + "/login",
		LogoutURL: server.URL + "/logout",
		WhoURL:    server.URL + "/",
		ACS:       server.URL + acs,
		Metadata:  fetch(t, server.URL+metadata),
		end:       server.Close,
	}
}

func writeLogin(w http.ResponseWriter, status int, l Login) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(l) // The reader went away; nobody is left to tell.
}

func writeLogout(w http.ResponseWriter, status int, l Logout) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(l) // As above.
}

func writeHTML(w http.ResponseWriter, page []byte) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write(page) // As above.
}
