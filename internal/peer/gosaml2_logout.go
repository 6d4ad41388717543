package peer

import (
	"errors"
	"net/http"

	saml2 "github.com/russellhaering/gosaml2"
)

// logout ends the session here and asks the identity provider to end the rest.
func (g *goSAML2) logout(w http.ResponseWriter, r *http.Request) {
	session, l := g.session(r)
	if session == "" {
		writeLogin(w, http.StatusUnauthorized, Login{Error: "nobody is signed in"})
		return
	}
	if err := g.ask(w, r, l); err != nil {
		writeLogin(w, http.StatusInternalServerError, Login{Error: err.Error()})
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.logins, session)
}

func (g *goSAML2) ask(w http.ResponseWriter, r *http.Request, l Login) error {
	// The library takes the format from its configuration, so each session has a
	// library of its own here.
	lib := g.with(g.o.LogoutBy, l.NameIDFormat)
	if g.o.LogoutBy == Redirect {
		doc, err := lib.BuildLogoutRequestDocumentNoSig(l.NameID, l.SessionIndex)
		if err != nil {
			return err
		}
		to, err := lib.BuildLogoutURLRedirect("/", doc)
		if err != nil {
			return err
		}
		http.Redirect(w, r, to, http.StatusFound)
		return nil
	}
	doc, err := lib.BuildLogoutRequestDocument(l.NameID, l.SessionIndex)
	if err != nil {
		return err
	}
	page, err := lib.BuildLogoutBodyPostFromDocument("/", doc)
	if err != nil {
		return err
	}
	writeHTML(w, page)
	return nil
}

// with is the library for messages about logout.
func (g *goSAML2) with(by Binding, format string) *saml2.SAMLServiceProvider {
	return &saml2.SAMLServiceProvider{
		IdentityProviderSLOURL:         g.idp.Logout[by],
		IdentityProviderSLOBinding:     string(by),
		IdentityProviderIssuer:         g.idp.EntityID,
		ServiceProviderSLOURL:          g.lib.ServiceProviderSLOURL,
		ServiceProviderIssuer:          g.lib.ServiceProviderIssuer,
		SignAuthnRequestsAlgorithm:     g.lib.SignAuthnRequestsAlgorithm,
		SignAuthnRequestsCanonicalizer: g.lib.SignAuthnRequestsCanonicalizer,
		IDPCertificateStore:            g.lib.IDPCertificateStore,
		SPKeyStore:                     g.lib.SPKeyStore,
		SPSigningKeyStore:              g.lib.SPSigningKeyStore,
		NameIdFormat:                   format,
	}
}

// slo takes LogoutRequests and LogoutResponses, both by POST only.
func (g *goSAML2) slo(w http.ResponseWriter, r *http.Request) {
	if encoded := r.PostFormValue("SAMLResponse"); encoded != "" {
		if _, err := g.lib.ValidateEncodedLogoutResponsePOST(encoded); err != nil {
			writeLogout(w, http.StatusForbidden, Logout{Error: err.Error(), Status: statusIn(err)})
			return
		}
		writeLogout(w, http.StatusOK, Logout{LoggedOut: true})
		return
	}
	page, err := g.loggedOut(r.PostFormValue("SAMLRequest"), r.PostFormValue("RelayState"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeHTML(w, page)
}

func (g *goSAML2) loggedOut(encoded, relayState string) ([]byte, error) {
	request, err := g.lib.ValidateEncodedLogoutRequestPOST(encoded)
	if err != nil {
		return nil, err
	}
	if request.NameID == nil {
		return nil, errors.New("the LogoutRequest has no NameID")
	}
	g.mu.Lock()
	for key, l := range g.logins {
		if l.NameID == request.NameID.Value { // The library does not read SessionIndex.
			delete(g.logins, key)
		}
	}
	g.mu.Unlock()
	lib := g.with(POST, "")
	doc, err := lib.BuildLogoutResponseDocument(saml2.StatusCodeSuccess, request.ID)
	if err != nil {
		return nil, err
	}
	return lib.BuildLogoutResponseBodyPostFromDocument(relayState, doc)
}
