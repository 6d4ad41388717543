package login

import (
	"cmp"
	"slices"

	"github.com/samlet-id/samlet/identity"
)

// barred says why nobody is signed in with a record, or nil. An organization that
// is not configured any more keeps its people out as one that is disabled does:
// whoever takes its place is not theirs.
func (a *Authenticator) barred(rec identity.Record) *identity.Error {
	if rec.Disabled {
		return errDisabled()
	}
	if rec.Organization == "" {
		return nil
	}
	t, known := a.cfg.Organization(rec.Organization)
	if !known {
		t = identity.Tenant{ID: rec.Organization, Disabled: true}
	}
	return t.Barred()
}

// served are the organizations that the asking relying party serves; none: all.
func (a *Authenticator) served(req identity.AuthnRequest) []identity.OrganizationID {
	rp, _ := a.cfg.RelyingParty(req.RelyingParty) // one that is gone is refused elsewhere
	return rp.Organizations
}

// serves reports whether somebody of an organization may pass where those listed
// are served; an empty list serves everybody.
func serves(listed []identity.OrganizationID, of identity.OrganizationID) bool {
	return len(listed) == 0 || of != "" && slices.Contains(listed, of)
}

func errOrganization(rp identity.RelyingParty, person identity.Person) *identity.Error {
	msg := rp.Refusal
	if msg == "" {
		msg = "Your organization may not use this application."
	}
	return &identity.Error{
		Kind: identity.KindDenied, Code: "org.not_served", Who: identity.WhoOperator, Msg: msg,
		Seen: cmp.Or(string(person.Organization), "no organization"), Expected: "one of the organizations of " + string(rp.ID),
	}
}
