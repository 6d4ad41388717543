package identity

import "time"

// EventType names what happened, as "noun.verb"; it is stable.
type EventType string

// The events that are recorded.
const (
	EventLogin         EventType = "login.succeeded"
	EventLoginFailed   EventType = "login.failed"
	EventLogout        EventType = "session.ended"
	EventLogoutTold    EventType = "logout.told"     // of a relying party; Detail: its LogoutState
	EventRemark        EventType = "upstream.remark" // on an answer that was accepted; Code, Detail
	EventRelease       EventType = "assertion.issued"
	EventRefused       EventType = "request.refused"
	EventRecordCreated EventType = "record.created"
	EventRecordUpdated EventType = "record.updated"
	EventRecordState   EventType = "record.state_changed"
	EventLinkCreated   EventType = "link.created"
	EventLinkRemoved   EventType = "link.removed"
	EventLinkReclaimed EventType = "link.reclaimed" // from whoever had typed the mail address of somebody else
	EventLinkRefused   EventType = "link.refused"   // Code: why
	EventLinkAsked     EventType = "link.asked"     // somebody new, whether they have an account

	EventConsentGiven     EventType = "consent.given"
	EventConsentWithdrawn EventType = "consent.withdrawn"
	EventNameIDImported   EventType = "name_id.imported"
)

// Event is one line of the audit trail. It is written in the same Update as the
// change that it tells of; events of reading alone are written soon after, in
// batches.
type Event struct {
	At           time.Time
	Type         EventType
	RequestID    string
	Record       RecordID
	Session      SessionID
	RelyingParty RelyingPartyID
	Connection   ConnectionID
	Code         Code   // why, for refusals
	Detail       string // names and counts, never attribute values
	// Of what an upstream did wrong: what came, what was expected, and who can put it
	// right. They name nobody.
	Seen, Expected string
	Who            Who
}
