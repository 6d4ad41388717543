package login

import (
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// reportLife is how long a failed sign-in can be read of by the ID of its request.
const reportLife = 7 * 24 * time.Hour

// address is whatever might be somebody's mail address or user name at a domain.
var address = regexp.MustCompile(`[^\s'"<>()]+@[^\s'"<>()]+`)

// nameless takes addresses out of what an upstream said, which is its own words.
func nameless(s string) string { return address.ReplaceAllString(s, "…@…") }

// remedyOf says on whose side something has to change.
func remedyOf(who identity.Who) string {
	if who == identity.WhoPartner {
		return "It has to be changed at the identity provider."
	}
	return "It has to be changed at this sign-in service, not at the identity provider."
}

// showReport is GET /problem/ID: why a sign-in failed at an upstream, for whoever runs
// that. The ID is 80 bits of chance that the person who was refused passes on; the page
// says nothing of them.
func (a *Authenticator) showReport(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), r.PathValue("id")
	var found *identity.Event
	err := a.cfg.Store.View(ctx, func(tx *store.Tx) error {
		found = nil
		events, err := tx.Events.OfRequest(ctx, id)
		for i, e := range events {
			if e.Type == identity.EventLoginFailed && e.Who != "" {
				found = &events[i]
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("reading what a request came to: %w", err)
	}
	if found == nil || a.now().Sub(found.At) > reportLife {
		return &identity.Error{
			Kind: identity.KindNotFound, Code: "web.not_found", Who: identity.WhoUser,
			Msg: "There is no report of this sign-in, or not any more.", Expected: "the ID of a request within the last seven days",
		}
	}
	page := templates.Report{Connection: string(found.Connection), At: found.At, Code: string(found.Code), Request: id, Advice: remedyOf(found.Who)}
	page.Seen, page.Expected = web.Compared(found.Seen, found.Expected)
	if a.cfg.Upstream != nil {
		for _, c := range a.cfg.Upstream.Connections() {
			if c.ID == found.Connection {
				page.Connection, page.Issuer = c.Name, string(c.Issuer)
			}
		}
	}
	return a.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{})
}
