package brokertest

import "github.com/samlet-id/samlet/identity"

// Case names one way in which an upstream, or somebody in its place, answers.
type Case string

// The cases. Where it is not said otherwise the answer is good apart from what
// the name says: rightly signed by the upstream that was asked, in time, and
// for us.
const (
	Good                Case = "good"
	Expired             Case = "expired"                // as old as makes it count no more, the skew included
	Early               Case = "early"                  // counts only later
	Unsolicited         Case = "unsolicited"            // answers no request
	WrongAudience       Case = "wrong audience"         // for another relying party
	WrongIssuer         Case = "wrong issuer"           // the assertion's issuer is another
	WrongInResponseTo   Case = "wrong InResponseTo"     // answers another request
	WrongDestination    Case = "wrong destination"      // sent to another place
	WrongRecipient      Case = "wrong recipient"        // confirmed for another place
	Unsigned            Case = "unsigned"               // no signature at all
	ForeignSignature    Case = "foreign signature"      // signed with a key that is not the upstream's
	Tampered            Case = "tampered"               // changed after it was signed
	SeveralAssertions   Case = "several assertions"     // a forged assertion beside the signed one
	EncryptedUnsigned   Case = "encrypted and unsigned" // anybody can encrypt to our public key
	MixedUp             Case = "mixed-up IdP"           // the other upstream's own answer to our question
	Cancelled           Case = "cancelled"              // the person said no
	NoSubject           Case = "no subject"
	MissingIssuer       Case = "missing issuer"
	MissingConditions   Case = "missing conditions"
	CommentTruncation   Case = "comment truncation"      // a comment splits the subject
	SignatureWrapping1  Case = "XSW1 signature wrapping" // a forged Response whose Signature holds the original
	SignatureWrapping2  Case = "XSW2 signature wrapping" // a forged Response, original and Signature side by side
	SignatureWrapping3  Case = "XSW3 signature wrapping" // a forged Assertion before the original
	SignatureWrapping4  Case = "XSW4 signature wrapping" // the original within the forged Assertion
	SignatureWrapping5  Case = "XSW5 signature wrapping" // the forged Assertion took the Signature, the original follows
	SignatureWrapping6  Case = "XSW6 signature wrapping" // the original within the Signature of the forged Assertion
	SignatureWrapping7  Case = "XSW7 signature wrapping" // a forged Assertion within Extensions
	SignatureWrapping8  Case = "XSW8 signature wrapping" // the original within an Object of the Signature
	SignatureWrappingID Case = "XSW with a repeated ID"  // the forged Assertion has the ID of the original
)

// refusal is how a connector answers a case that is not good.
type refusal struct {
	Case Case
	Kind identity.Kind
	Code identity.Code
}

// refusals lists every case but Good.
func refusals() []refusal {
	return []refusal{
		{Expired, identity.KindExpired, "up.clock"},
		{Early, identity.KindInvalid, "up.clock"},
		{Unsolicited, identity.KindInvalid, "up.unsolicited"},
		{WrongAudience, identity.KindInvalid, "up.audience"},
		{WrongIssuer, identity.KindInvalid, "up.issuer"},
		{WrongInResponseTo, identity.KindInvalid, "up.in_response_to"},
		{WrongDestination, identity.KindInvalid, "up.destination"},
		{WrongRecipient, identity.KindInvalid, "up.recipient"},
		{Unsigned, identity.KindInvalid, "up.unsigned"},
		{ForeignSignature, identity.KindInvalid, "up.signature"},
		{Tampered, identity.KindInvalid, "up.signature"},
		{SeveralAssertions, identity.KindInvalid, "up.several_assertions"},
		{EncryptedUnsigned, identity.KindInvalid, "up.unsigned"},
		{MixedUp, identity.KindInvalid, "up.issuer"},
		{Cancelled, identity.KindDenied, "up.status"},
		{NoSubject, identity.KindInvalid, "up.missing_subject"},
		{MissingIssuer, identity.KindInvalid, "up.missing_issuer"},
		{MissingConditions, identity.KindInvalid, "up.missing_conditions"},
		{CommentTruncation, identity.KindInvalid, "up.format"},
		{SignatureWrapping1, identity.KindInvalid, "up.several_assertions"},
		{SignatureWrapping2, identity.KindInvalid, "up.several_assertions"},
		{SignatureWrapping3, identity.KindInvalid, "up.several_assertions"},
		{SignatureWrapping4, identity.KindInvalid, "up.several_assertions"},
		{SignatureWrapping5, identity.KindInvalid, "up.several_assertions"},
		{SignatureWrapping6, identity.KindInvalid, "up.several_assertions"},
		{SignatureWrapping7, identity.KindInvalid, "up.several_assertions"},
		{SignatureWrapping8, identity.KindInvalid, "up.several_assertions"},
		{SignatureWrappingID, identity.KindInvalid, "up.format"},
	}
}
