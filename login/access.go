package login

import "github.com/samlet-id/samlet/identity"

// admit says why a person may not be signed in at a relying party, or nil. A
// condition that cannot tell keeps everybody out.
func admit(rp identity.RelyingParty, person identity.Person) *identity.Error {
	if !serves(rp.Organizations, person.Organization) {
		return errOrganization(rp, person)
	}
	if rp.Access == nil {
		return nil
	}
	allowed, err := rp.Access(person)
	if allowed && err == nil {
		return nil
	}
	msg := rp.Refusal
	if msg == "" {
		msg = "Your account may not use this application."
	}
	return &identity.Error{
		Kind: identity.KindDenied, Code: "user.not_allowed", Who: identity.WhoOperator,
		Msg: msg, Expected: "access.require to hold", Err: err,
	}
}
