package brokertest

import "github.com/samlet-id/samlet/identity"

// The cases of a vendor that has OAuth 2.0 and no ID token, beside those above that it
// has, too. Whom an access token is for is what the vendor's API says.
const (
	RefusedWith200  Case = "an error with status 200" // as GitHub refuses codes
	NoAccessToken   Case = "no access token"
	TokenOutage     Case = "token endpoint that fails"
	ProfileOutage   Case = "API that fails"
	ProfileRefused  Case = "API that refuses the token"
	ProfileNoObject Case = "API that says no object"
	ProfileTwice    Case = "API that says a member twice"
)

// oauthRefusals lists every case of such a vendor but Good.
func oauthRefusals() []refusal {
	return []refusal{
		{WrongState, identity.KindInvalid, "up.in_response_to"},
		{StateTwice, identity.KindInvalid, "up.format"},
		{NoCode, identity.KindInvalid, "up.format"},
		{ForeignCode, identity.KindInvalid, "up.status"},
		{RefusedWith200, identity.KindInvalid, "up.status"},
		{NoAccessToken, identity.KindInvalid, "up.format"},
		{MixedUp, identity.KindInvalid, "up.issuer"},
		{NoSubject, identity.KindInvalid, "up.missing_subject"},
		{EmptySubject, identity.KindInvalid, "up.missing_subject"},
		{TokenOutage, identity.KindUnavailable, "up.unreachable"},
		{ProfileOutage, identity.KindUnavailable, "up.unreachable"},
		{ProfileRefused, identity.KindUnavailable, "up.unreachable"},
		{ProfileNoObject, identity.KindInvalid, "up.format"},
		{ProfileTwice, identity.KindInvalid, "up.format"},
		{Cancelled, identity.KindDenied, "up.status"},
		{ServerError, identity.KindUnavailable, "up.status"},
	}
}
