package idp

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
)

// soap adapts a handler of SOAP messages: what it returns is a fault.
func (p *Provider) soap(fn func(http.ResponseWriter, *http.Request) error) http.Handler {
	return p.cfg.Web.Handle(func(w http.ResponseWriter, r *http.Request) error {
		if err := fn(w, r); err != nil {
			p.fault(w, r, http.StatusInternalServerError, err)
		}
		return nil
	})
}

// fault answers a SOAP message that cannot be believed, as a page answers one by
// the browser: with our sentence, its code and the request ID, and nothing of
// SAML (SAML Bindings 3.2.3.3).
func (p *Provider) fault(w http.ResponseWriter, r *http.Request, status int, why error) {
	p.logRefusal(r.Context(), "message refused", "", why)
	binding.WriteSOAP(w, status, binding.FaultOf(why, web.RequestID(r.Context())))
}

// logRefusal notes a refusal where no error is returned.
func (p *Provider) logRefusal(ctx context.Context, what string, rp identity.RelyingPartyID, why error) {
	e := identity.AsError(why)
	level := slog.LevelInfo
	if e.Kind == identity.KindInternal || e.Kind == identity.KindUnavailable {
		level = slog.LevelError
	}
	p.cfg.Log.LogAttrs(ctx, level, what,
		slog.String("request_id", web.RequestID(ctx)), slog.String("relying_party", string(rp)),
		slog.String("code", string(e.Code)), slog.String("kind", e.Kind.String()),
		slog.String("seen", e.Seen), slog.String("expected", e.Expected), slog.String("err", why.Error()))
}
