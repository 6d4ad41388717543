package brokertest

import "github.com/samlet-id/samlet/identity"

// The cases of an OpenID Provider, beside those above that it has, too. Unsigned is
// alg none; WrongInResponseTo is another nonce; MixedUp is another iss beside the code.
const (
	NoNonce          Case = "no nonce"
	WrongState       Case = "another state"
	StateTwice       Case = "state twice"
	NoCode           Case = "no code"
	ForeignCode      Case = "code that the upstream does not know"
	NoIDToken        Case = "no ID token"
	NotJWS           Case = "ID token that is no JWS"
	JWTConfusion     Case = "JWT confusion"       // an HMAC with the public key as its secret
	ForeignKeySet    Case = "foreign jku and jwk" // the header brings, and points to, the key of somebody else
	UnknownKey       Case = "unknown kid"
	NoExpiry         Case = "no exp"
	NoIssuedAt       Case = "no iat"
	DamagedTime      Case = "exp that is no time"
	NoAudience       Case = "no aud"
	SeveralAudiences Case = "several audiences without azp"
	WrongParty       Case = "another azp"
	EmptySubject     Case = "empty sub"
	LongSubject      Case = "sub of 256 characters"
	CasedSubject     Case = "Sub for sub"
	SubjectTwice     Case = "sub twice"
	NumberSubject    Case = "sub that is a number"
	WrongAccessToken Case = "at_hash of another access token"
	OtherUserInfo    Case = "UserInfo of somebody else"
	NoUserInfoSub    Case = "UserInfo of nobody"
	LogoutToken      Case = "logout token for an ID token"
	LoginRequired    Case = "login_required"
	UnmetContext     Case = "unmet_authentication_requirements"
	ServerError      Case = "server_error"
)

// openIDRefusals lists every case of an OpenID Provider but Good.
func openIDRefusals() []refusal {
	return []refusal{
		{Expired, identity.KindExpired, "up.clock"},
		{Early, identity.KindInvalid, "up.clock"},
		{WrongAudience, identity.KindInvalid, "up.audience"},
		{WrongIssuer, identity.KindInvalid, "up.issuer"},
		{MissingIssuer, identity.KindInvalid, "up.issuer"},
		{WrongInResponseTo, identity.KindInvalid, "up.in_response_to"},
		{NoNonce, identity.KindInvalid, "up.in_response_to"},
		{WrongState, identity.KindInvalid, "up.in_response_to"},
		{StateTwice, identity.KindInvalid, "up.format"},
		{NoCode, identity.KindInvalid, "up.format"},
		{ForeignCode, identity.KindInvalid, "up.status"},
		{NoIDToken, identity.KindInvalid, "up.format"},
		{NotJWS, identity.KindInvalid, "up.format"},
		{Unsigned, identity.KindInvalid, "up.unsigned"},
		{JWTConfusion, identity.KindInvalid, "up.algorithm"},
		{ForeignSignature, identity.KindInvalid, "up.signature"},
		{Tampered, identity.KindInvalid, "up.signature"},
		{ForeignKeySet, identity.KindInvalid, "up.signature"},
		{UnknownKey, identity.KindInvalid, "up.signature"},
		{MixedUp, identity.KindInvalid, "up.issuer"},
		{NoExpiry, identity.KindInvalid, "up.format"},
		{NoIssuedAt, identity.KindInvalid, "up.format"},
		{DamagedTime, identity.KindInvalid, "up.format"},
		{NoAudience, identity.KindInvalid, "up.audience"},
		{SeveralAudiences, identity.KindInvalid, "up.audience"},
		{WrongParty, identity.KindInvalid, "up.audience"},
		{NoSubject, identity.KindInvalid, "up.missing_subject"},
		{EmptySubject, identity.KindInvalid, "up.missing_subject"},
		{LongSubject, identity.KindInvalid, "up.missing_subject"},
		{CasedSubject, identity.KindInvalid, "up.missing_subject"},
		{NumberSubject, identity.KindInvalid, "up.missing_subject"},
		{SubjectTwice, identity.KindInvalid, "up.format"},
		{WrongAccessToken, identity.KindInvalid, "up.access_token"},
		{OtherUserInfo, identity.KindInvalid, "up.userinfo"},
		{NoUserInfoSub, identity.KindInvalid, "up.userinfo"},
		{LogoutToken, identity.KindInvalid, "up.in_response_to"},
		{Cancelled, identity.KindDenied, "up.status"},
		{LoginRequired, identity.KindNeedsInteraction, "up.status"},
		{UnmetContext, identity.KindContextUnmet, "up.status"},
		{ServerError, identity.KindUnavailable, "up.status"},
	}
}
