package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
)

// maxLogoutForm bounds, in bytes, the form that brings a logout token.
const maxLogoutForm = 64 << 10

// mountProviderLogout serves logout with the OpenID Provider of one connection: its
// back channel, its front channel, and where it sends the browser after ours.
func (h *house) mountProviderLogout(mux *http.ServeMux, site *web.Web, id identity.ConnectionID) {
	path := pathOIDCLogout + string(id)
	mux.Handle("GET "+path, site.Handle(func(w http.ResponseWriter, r *http.Request) error {
		// The state is known to the browser that was sent away alone.
		next, err := h.login.UpstreamLogoutAnswered(r.Context(), r.URL.Query().Get("state"), id, nil)
		if err != nil {
			return err
		}
		site.Redirect(w, r, next)
		return nil
	}))
	mux.Handle("POST "+path+pathLogoutBack, site.Handle(func(w http.ResponseWriter, r *http.Request) error {
		err := h.backChannelLogout(w, r, id)
		if err != nil {
			h.logUpstreamLogout(r, id, err)
		}
		return answerBackChannel(w, err)
	}))
	mux.Handle("GET "+path+pathLogoutFront, site.Handle(func(w http.ResponseWriter, r *http.Request) error {
		return h.frontChannelLogout(w, r, id)
	}))
}

// backChannelLogout takes a logout token (Back-Channel Logout 1.0, 2.5). Whoever is
// signed out already is (2.7).
func (h *house) backChannelLogout(w http.ResponseWriter, r *http.Request, id identity.ConnectionID) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutForm)
	if err := r.ParseForm(); err != nil || len(r.PostForm["logout_token"]) != 1 {
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "up.format", Who: identity.WhoPartner, Err: err,
			Msg: "This is no message of back-channel logout.", Seen: "no logout_token, or several", Expected: "a form with one logout_token",
		}
	}
	l, err := h.relying[id].ReadLogoutToken(r.Context(), r.PostForm.Get("logout_token"), id)
	if err != nil {
		return err
	}
	return h.endFromProvider(r, l)
}

// endFromProvider ends the sessions that an OpenID Provider names. That there is
// none is as good.
func (h *house) endFromProvider(r *http.Request, l identity.Logout) error {
	_, err := h.login.LogoutDirectly(r.Context(), l)
	if err != nil && identity.KindOf(err) == identity.KindNotFound {
		return nil
	}
	return err
}

// answerBackChannel answers as Back-Channel Logout 1.0, 2.8, says.
func answerBackChannel(w http.ResponseWriter, why error) error {
	if why == nil {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	e := identity.AsError(why)
	status, name := http.StatusBadRequest, "invalid_request"
	if e.Kind == identity.KindInternal || e.Kind == identity.KindUnavailable {
		status, name = http.StatusServiceUnavailable, "temporarily_unavailable"
	}
	body, err := json.Marshal(map[string]string{"error": name, "error_description": string(e.Code) + " " + e.Seen})
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only when whoever asked has gone
	return nil
}

// frontChannelLogout answers in a frame of the OpenID Provider's page (Front-Channel
// Logout 1.0, 3), to which no cookie of ours comes.
func (h *house) frontChannelLogout(w http.ResponseWriter, r *http.Request, id identity.ConnectionID) error {
	connector := h.relying[id]
	l, err := connector.ReadFrontLogout(r.URL.Query(), id)
	if err == nil {
		err = h.endFromProvider(r, l)
	}
	if err != nil {
		return err
	}
	if origin, ok := web.Origin(string(connector.Issuer())); ok {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors "+origin)
		w.Header().Del("X-Frame-Options")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("Signed out.\n")) // fails only when the browser has gone
	return nil
}
