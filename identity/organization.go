package identity

// OrganizationID is the operator's slug of one organization: stable in URLs,
// audit records and whatever is derived from it. Empty means none.
type OrganizationID string

// Tenant is an organization as the operator configured it: people who come in by
// its own connections, and the mail domains that are its own.
type Tenant struct {
	ID       OrganizationID
	Name     string // what people read
	Domains  []string
	Disabled bool
}

// Barred says why nobody of the organization may come in now, or nil.
func (t Tenant) Barred() *Error {
	if !t.Disabled {
		return nil
	}
	return &Error{
		Kind: KindDenied, Code: "org.disabled", Who: WhoOperator, Seen: string(t.ID), Expected: "an organization that is not disabled",
		Msg: "Your organization may not sign in here at present.",
	}
}
