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
// this process.
func Crewjam(t testing.TB, o SPOptions) *SP {
	t.Helper()
	refuse(t, "crewjam", "IsPassive", o.IsPassive)
	refuse(t, "crewjam", "refusing unsigned Responses", o.WantResponseSigned)
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
		SignRequest: o.SignRequests, ForceAuthn: o.ForceAuthn,
	})
	if err != nil {
		t.Fatalf("setting crewjam's samlsp up: %v", err)
	}
	if o.NameIDFormat != "" {
		m.ServiceProvider.AuthnNameIDFormat = saml.NameIDFormat(o.NameIDFormat)
	}
	if o.SignRequests {
		m.ServiceProvider.SignatureMethod = dsig.RSASHA256SignatureMethod // It would sign with SHA-1.
	}
	m.Binding = saml.HTTPRedirectBinding
	if o.RequestByPOST {
		m.Binding = saml.HTTPPostBinding
	}
	m.ResponseBinding = saml.HTTPPostBinding
	m.OnError = func(w http.ResponseWriter, _ *http.Request, err error) {
		writeLogin(w, http.StatusForbidden, refusedByCrewjam(err))
	}
	// The middleware's session keeps the subject and the attributes only, so the
	// rest of what it validated is noted on the way.
	var seen noted
	m.AssertionHandler = &seen

	mux.HandleFunc("/saml/metadata", func(w http.ResponseWriter, _ *http.Request) {
		md := m.ServiceProvider.Metadata()
		for i := range md.SPSSODescriptors {
			if d := &md.SPSSODescriptors[i]; !o.EncryptAssertions {
				d.KeyDescriptors = withoutEncryption(d.KeyDescriptors)
			}
		}
		writeXML(w, md)
	})
	mux.Handle("/saml/", m)
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		r.URL = &url.URL{Path: "/"} // The middleware returns to the address that started the login.
		m.HandleStartAuthFlow(w, r)
	})
	mux.Handle("/", m.RequireAccount(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, ok := samlsp.SessionFromContext(r.Context()).(samlsp.JWTSessionClaims)
		if !ok {
			writeLogin(w, http.StatusInternalServerError, Login{Error: "no session"})
			return
		}
		writeLogin(w, http.StatusOK, seen.login(claims))
	})))
	return inProcessSP(t, "crewjam", server, "/saml/metadata", "/saml/acs")
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
		Name:     name,
		EntityID: server.URL + metadata,
		URL:      server.URL,
		LoginURL: server.URL + "/login",
		ACS:      server.URL + acs,
		Metadata: fetch(t, server.URL+metadata),
	}
}

func writeLogin(w http.ResponseWriter, status int, l Login) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(l) // The reader went away; nobody is left to tell.
}
