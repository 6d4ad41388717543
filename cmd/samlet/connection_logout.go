package main

import (
	"log/slog"
	"net/http"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
)

// Our SingleLogoutService for one connection, below pathSPMetadata and its ID.
const (
	pathSPLogout     = "/slo"
	pathSPLogoutSOAP = "/slo/soap"
)

// mountLogout serves where an upstream sends its LogoutRequests, and its answers
// to ours. It returns the patterns that take forms from other sites.
func (h *house) mountLogout(mux *http.ServeMux, site *web.Web, id identity.ConnectionID) []string {
	path := pathSPMetadata + string(id) + pathSPLogout
	front := site.Handle(func(w http.ResponseWriter, r *http.Request) error { return h.upstreamLogout(w, r, site, id) })
	mux.Handle("GET "+path, front)
	mux.Handle("POST "+path, front)
	soap := pathSPMetadata + string(id) + pathSPLogoutSOAP
	mux.Handle("POST "+soap, site.Handle(func(w http.ResponseWriter, r *http.Request) error {
		if err := h.upstreamLogoutSOAP(w, r, id); err != nil {
			h.logUpstreamLogout(r, id, err)
			binding.WriteSOAP(w, http.StatusInternalServerError, binding.FaultOf(err, web.RequestID(r.Context())))
		}
		return nil
	}))
	return []string{"POST " + path}
}

// upstreamLogout takes a message of single logout by the browser (SAML Profiles
// 4.4.3). What cannot be believed is answered to the person alone.
func (h *house) upstreamLogout(w http.ResponseWriter, r *http.Request, site *web.Web, id identity.ConnectionID) error {
	ctx, connector := r.Context(), h.connectors[id]
	in, err := binding.Receive(w, r, 0)
	if err != nil {
		return err
	}
	m, err := connector.ReadLogout(in)
	if err != nil {
		return err
	}
	if !m.Request {
		// The browser itself was sent there, so it goes on here.
		path, err := h.login.UpstreamLogoutAnswered(ctx, m.InResponseTo, id, m.Judge())
		if err != nil {
			return err
		}
		site.Redirect(w, r, path)
		return nil
	}
	path, err := h.login.Logout(ctx, connector.LogoutOf(m, id))
	if err == nil && path != "" {
		site.Redirect(w, r, path)
		return nil
	}
	if m.State == nil {
		return err
	}
	msg, failed := h.answerUpstream(r, connector, m, err)
	if failed != nil {
		return failed
	}
	if err != nil {
		h.logUpstreamLogout(r, id, err)
	}
	return site.Send(w, r, msg.URL, msg.Form)
}

// answerUpstream returns the answer to a request that was carried out at once, or
// that why kept from being.
func (h *house) answerUpstream(r *http.Request, connector *sp.Connector, m sp.LogoutMessage, why error) (binding.Message, error) {
	if why != nil {
		return connector.RefuseLogout(m.State, why)
	}
	return connector.AnswerLogout(r.Context(), m.State, true)
}

// upstreamLogoutSOAP takes a LogoutRequest without a browser. A message that
// cannot be believed is a SOAP fault, which acknowledges nothing; from then on
// everything is a LogoutResponse.
func (h *house) upstreamLogoutSOAP(w http.ResponseWriter, r *http.Request, id identity.ConnectionID) error {
	connector := h.connectors[id]
	env, err := binding.ReceiveSOAP(w, r, 0)
	if err != nil {
		return err
	}
	m, err := connector.ReadLogoutSOAP(env)
	if err != nil {
		return err
	}
	complete, why := h.login.LogoutDirectly(r.Context(), connector.LogoutOf(m, id))
	if why != nil {
		h.logUpstreamLogout(r, id, why)
	}
	octets, err := connector.AnswerLogoutSOAP(m, complete, why)
	if err != nil {
		return err
	}
	binding.WriteSOAP(w, http.StatusOK, binding.SOAP(nil, octets))
	return nil
}

// logUpstreamLogout notes a refusal where no error is returned.
func (h *house) logUpstreamLogout(r *http.Request, id identity.ConnectionID, why error) {
	h.log.LogAttrs(r.Context(), slog.LevelInfo, "logout of an upstream refused",
		slog.String("request_id", web.RequestID(r.Context())), slog.String("connection", string(id)),
		slog.String("code", string(identity.CodeOf(why))), slog.String("err", why.Error()))
}
