package main

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/templates"
)

// pathOrganization is where people of one organization begin, with its id after it.
const pathOrganization = "/o/"

// organizationPage lists the applications that people of an organization may open from
// here: those that take a sign-in that begins with us, and serve it. Each link proposes
// the organization's connection.
func (h *house) organizationPage(site *web.Web) func(http.ResponseWriter, *http.Request) error {
	tenant := h.snapshot.tenants()
	return func(w http.ResponseWriter, r *http.Request) error {
		t, known := tenant(identity.OrganizationID(r.PathValue("id")))
		if !known {
			return &identity.Error{Kind: identity.KindNotFound, Code: "web.not_found", Who: identity.WhoUser, Msg: "There is nothing at this address."}
		}
		if why := t.Barred(); why != nil {
			return why
		}
		page := templates.Organization{Name: cmp.Or(t.Name, string(t.ID))}
		for _, p := range h.snapshot.Parties {
			if p.Disabled || !p.IDPInitiated || len(p.Organizations) > 0 && !slices.Contains(p.Organizations, t.ID) {
				continue
			}
			query := url.Values{"sp": {string(p.ID)}, "idp_hint": {string(t.ID)}}
			page.Applications = append(page.Applications, templates.OrganizationLink{Name: p.Name, URL: "/saml/idp-initiated?" + query.Encode()})
		}
		return site.Render(w, r, http.StatusOK, page, web.RenderOptions{})
	}
}
