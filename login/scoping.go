package login

import (
	"fmt"
	"slices"

	"github.com/samlet-id/samlet/identity"
)

// scoped refuses a session that came about through more identity providers, or
// through others, than the request allows (SAML Core 3.4.1.2). We may answer for
// ourselves where our own entityID is listed; for an upstream where it is, or one
// of those behind it.
func scoped(req identity.AuthnRequest, s identity.Session) *identity.Error {
	through := s.Context.Authorities
	if s.Connection != identity.LocalConnection && len(through) == 0 {
		through = []identity.EntityID{s.Upstream.Issuer}
	}
	if !req.Scoping.Proxies(len(through)) {
		return errProxyCount(len(through), *req.Scoping.ProxyCount)
	}
	if len(through) == 0 {
		through = []identity.EntityID{req.Issuer}
	}
	if !req.Scoping.Lists(through...) {
		return errIDPList("sp.idp_list", req)
	}
	return nil
}

// outOfScope says why the scope of a request leaves no way in of those that there
// are without it, or returns nil.
func (a *Authenticator) outOfScope(req identity.AuthnRequest) *identity.Error {
	if !req.Scoping.Given() || a.offersAny(req) {
		return nil
	}
	unscoped, listed := req, req
	unscoped.Scoping, listed.Scoping.ProxyCount = identity.Scoping{}, nil
	switch {
	case !a.offersAny(unscoped):
		return nil
	case a.offersAny(listed):
		return errProxyCount(1, *req.Scoping.ProxyCount)
	case slices.Contains(req.Scoping.IDPList, req.Issuer), a.cfg.Upstream != nil && slices.ContainsFunc(req.Scoping.IDPList, a.cfg.Upstream.Knows):
		return errIDPList("sp.idp_unavailable", req)
	}
	return errIDPList("sp.idp_list", req)
}

func (a *Authenticator) offersAny(req identity.AuthnRequest) bool {
	local, upstreams := a.offer(req)
	return local || len(upstreams) > 0
}

// provable is the best that a method can show for somebody.
func provable(m Method) identity.AuthnContext {
	return identity.AuthnContext{Class: m.Class(), Also: m.Also()}
}

func errProxyCount(seen, most int) *identity.Error {
	return &identity.Error{
		Kind: identity.KindDenied, Code: "sp.proxy_count", Who: identity.WhoVendor,
		Msg:  "The application does not accept a sign-in that another organization vouches for.",
		Seen: fmt.Sprintf("%d identity providers behind us", seen), Expected: fmt.Sprintf("ProxyCount %d", most),
	}
}

// errIDPList has one of two codes: the listed identity providers are not known
// here, or cannot be used at present.
func errIDPList(code identity.Code, req identity.AuthnRequest) *identity.Error {
	list := req.Scoping.IDPList
	return &identity.Error{
		Kind: identity.KindDenied, Code: code, Who: identity.WhoVendor,
		Msg:  "The application names the organizations at which you may sign in, and none of them is available here.",
		Seen: fmt.Sprintf("%d, first %s", len(list), list[0]), Expected: "our entityID, or that of a connection",
	}
}

// errProxy is an upstream that does not let this relying party be told of its
// sign-ins (SAML Core 2.5.1.6).
func errProxy(req identity.AuthnRequest) *identity.Error {
	return &identity.Error{
		Kind: identity.KindDenied, Code: "up.proxy_restriction", Who: identity.WhoPartner,
		Msg:  "Your organization does not allow its sign-in to be passed on to this application.",
		Seen: "a ProxyRestriction without " + string(req.Audience), Expected: "none, or one that lists it",
	}
}
