// Package store is the contract of persistence: what samlet keeps, and what
// whoever keeps it promises. It knows no SQL. store/sqlstore fulfils it on
// SQLite and PostgreSQL; store/storetest is the proof.
package store

import (
	"context"
	"time"

	"github.com/samlet-id/samlet/identity"
)

// Store keeps everything that outlives a request. It is safe for concurrent
// use. Errors are identity.Errors: an absent thing is KindNotFound, and so is a
// reference to a record or session that is not there; a taken key is KindExists;
// a value that cannot be kept is KindInvalid; a store that cannot be reached, is
// too busy, or was left waiting by a context that ended is KindUnavailable.
//
// Points in time are kept to the microsecond and returned in UTC. Strings have
// to be UTF-8 without NUL, else KindInvalid. Deleting what is absent is no
// error.
type Store interface {
	// View runs fn on one consistent snapshot, read-only. It never waits for
	// an Update that writes to disk.
	View(ctx context.Context, fn func(*Tx) error) error
	// Update runs fn in one transaction and returns once its writes would
	// survive a power failure; transactions that succeed might as well have
	// run one after the other. When fn returns an error or panics, nothing of
	// it is kept. After KindUnavailable the caller cannot know whether the
	// writes were kept, so what it repeats must be repeatable.
	//
	// fn may run again after a conflict, so it touches nothing but its Tx and
	// what it overwrites each time; it may share a commit with other callers,
	// who wait for it meanwhile, so it does nothing slow.
	Update(ctx context.Context, fn func(*Tx) error) error
	// Sweep removes tickets, counters and sessions that ended before now and
	// returns how many rows went. Correctness never depends on it.
	Sweep(ctx context.Context, now time.Time) (int, error)
	// Ping reports whether the store answers.
	Ping(ctx context.Context) error
	// Close completes the Updates that run and refuses those that wait.
	Close() error
}

// Tx is the store within one View or Update; it is not safe for concurrent use
// and dead once fn returns. Using it later, or writing within a View, is
// KindInternal with code "store.misuse". After KindNotFound and KindExists fn
// may go on, except where something referred to what is not there; that and
// any other failure of the database fails the transaction, whatever fn makes of
// it.
type Tx struct {
	Records     Records
	Links       Links
	Credentials Credentials
	NameIDs     NameIDs
	Consents    Consents
	Sessions    Sessions
	Tickets     Tickets
	Counters    Counters
	Events      Events
}

// Records keeps identity records.
type Records interface {
	// Create stores a new record; KindExists if the ID or one of the sign-in
	// names is taken.
	Create(ctx context.Context, r identity.Record) error
	Get(ctx context.Context, id identity.RecordID) (identity.Record, error)
	// ByLogin finds by a sign-in name as identity.LoginKey returns it.
	ByLogin(ctx context.Context, login string) (identity.Record, error)
	// ByMail lists the records with a mail value, of whatever source, that
	// identity.LoginKey folds to key, in ID order. It may read every record.
	ByMail(ctx context.Context, key string) ([]identity.Record, error)
	// Replace stores r in place of the record of the same ID, values and
	// sign-in names included; what is as it was is not written.
	Replace(ctx context.Context, r identity.Record) error
	// List returns up to limit records with IDs after the given one, in ID order.
	List(ctx context.Context, after identity.RecordID, limit int) ([]identity.Record, error)
}

// Links keeps which upstream principal is which record. The key is (Issuer,
// Subject), compared octet for octet.
type Links interface {
	// Create fails with KindExists if the principal is linked already.
	Create(ctx context.Context, l identity.Link) error
	Get(ctx context.Context, issuer identity.EntityID, subject string) (identity.Link, error)
	// Touch sets LastUsed.
	Touch(ctx context.Context, l identity.Link, at time.Time) error
	// Delete removes the link of a principal.
	Delete(ctx context.Context, issuer identity.EntityID, subject string) error
	// OfRecord lists a record's links, oldest first.
	OfRecord(ctx context.Context, id identity.RecordID) ([]identity.Link, error)
}

// Credentials keeps authenticators.
type Credentials interface {
	// Put creates or replaces by ID.
	Put(ctx context.Context, c identity.Credential) error
	// OfRecord returns a record's credentials of one kind, oldest first.
	OfRecord(ctx context.Context, id identity.RecordID, kind identity.CredentialKind) ([]identity.Credential, error)
	Delete(ctx context.Context, id string) error
}

// NameIDs keeps the identifiers under which relying parties know people.
type NameIDs interface {
	// Create fails with KindExists if the record has one for this relying
	// party and format, or if the value is taken there.
	Create(ctx context.Context, n identity.NameID) error
	// Get finds by record, issuer (Principal.Issuer), relying party
	// (Principal.SPNameQualifier) and format.
	Get(ctx context.Context, id identity.RecordID, p identity.Principal) (identity.NameID, error)
	// BySubject finds by issuer, relying party, format and subject.
	BySubject(ctx context.Context, p identity.Principal) (identity.NameID, error)
	// OfRecord lists a record's identifiers, newest first.
	OfRecord(ctx context.Context, id identity.RecordID) ([]identity.NameID, error)
}

// Consents keeps what people allowed relying parties to learn: at most one
// consent of a record and relying party.
type Consents interface {
	// Put creates or replaces.
	Put(ctx context.Context, c identity.Consent) error
	Get(ctx context.Context, id identity.RecordID, rp identity.RelyingPartyID) (identity.Consent, error)
	// OfRecord lists a record's consents, oldest first.
	OfRecord(ctx context.Context, id identity.RecordID) ([]identity.Consent, error)
	Delete(ctx context.Context, id identity.RecordID, rp identity.RelyingPartyID) error
}

// Sessions keeps login sessions. The token is the cookie's bearer value; only
// its SHA-256 is stored.
type Sessions interface {
	Create(ctx context.Context, token string, s identity.Session) error
	// Get finds by token; KindNotFound when it is over at now.
	Get(ctx context.Context, token string, now time.Time) (identity.Session, error)
	// ByID finds by ID, be it over or not.
	ByID(ctx context.Context, id identity.SessionID) (identity.Session, error)
	// List returns up to limit sessions with IDs after the given one, in ID
	// order, those that are over and not yet swept included.
	List(ctx context.Context, after identity.SessionID, limit int) ([]identity.Session, error)
	// Delete ends the session and drops its participants.
	Delete(ctx context.Context, id identity.SessionID) error
	// Join adds or replaces a participant, by session and relying party.
	Join(ctx context.Context, p identity.Participant) error
	// Participants lists them in the order of their latest assertions.
	Participants(ctx context.Context, id identity.SessionID) ([]identity.Participant, error)
	// Known lists the participants of all sessions whose relying party knows
	// the person by that subject, whatever its format, the oldest assertion first.
	Known(ctx context.Context, rp identity.RelyingPartyID, subject string) ([]identity.Participant, error)
	// OfRecord lists a record's sessions, newest first, those that are over
	// and not yet swept included.
	OfRecord(ctx context.Context, id identity.RecordID) ([]identity.Session, error)
	// FromUpstream lists the sessions of the principal whom an upstream knows by
	// that subject, whatever its format, in ID order, those that are over and not
	// yet swept included.
	FromUpstream(ctx context.Context, issuer identity.EntityID, subject string) ([]identity.Session, error)
	// UpstreamIndex is FromUpstream by what an upstream calls a session of its own,
	// which must not be empty.
	UpstreamIndex(ctx context.Context, issuer identity.EntityID, index identity.SessionID) ([]identity.Session, error)
}

// Purpose says what a ticket is for; IDs of different purposes never meet.
type Purpose string

// The purposes in use.
const (
	PurposeLogin    Purpose = "login"    // a login transaction
	PurposeParked   Purpose = "parked"   // a message kept over a 303
	PurposeReplay   Purpose = "replay"   // the ID of a message that was consumed
	PurposeArtifact Purpose = "artifact" // a message that an artifact stands for
	PurposeLogout   Purpose = "logout"   // a logout that goes round the relying parties
	PurposeTold     Purpose = "told"     // a message of that logout, which waits for its answer
	PurposeHint     Purpose = "hint"     // what an upstream wants to be shown at the end of a session, by the session's ID
)

// Ticket is short-lived state of one shape: a login transaction, a request ID,
// a code, a challenge, a mailed token. Only the SHA-256 of its ID is stored, so
// that a Ticket that was read back carries the ID it was asked for.
type Ticket struct {
	Purpose Purpose
	ID      string
	Payload []byte
	Version int64 // set by the store; Replace compares it
	Expires time.Time
}

// Tickets keeps tickets. All methods take now from the caller, and treat a
// ticket whose Expires is not after now as absent.
type Tickets interface {
	// Put stores a new ticket; KindExists while one of the same purpose and ID
	// lives: this is replay detection.
	Put(ctx context.Context, t Ticket, now time.Time) error
	Get(ctx context.Context, p Purpose, id string, now time.Time) (Ticket, error)
	// Replace gives old a new payload if nobody else did since old was read,
	// else KindExists ("changed meanwhile"); KindNotFound when it is gone.
	Replace(ctx context.Context, old Ticket, payload []byte, now time.Time) error
	// Take returns and removes; of concurrent callers exactly one wins, the
	// others get KindNotFound.
	Take(ctx context.Context, p Purpose, id string, now time.Time) (Ticket, error)
}

// Counters keeps counts that expire, for throttling.
type Counters interface {
	// Hit adds one to key and returns the count. A count whose window ended
	// starts anew at 1, with a window of the given length from now.
	Hit(ctx context.Context, key string, window time.Duration, now time.Time) (count int, ends time.Time, err error)
	// Count returns the count that Hit left and when its window ends: 0 once the
	// window has ended, or if there was none.
	Count(ctx context.Context, key string, now time.Time) (count int, ends time.Time, err error)
	// Reset forgets key.
	Reset(ctx context.Context, key string) error
}

// Events keeps the audit trail.
type Events interface {
	Append(ctx context.Context, e ...identity.Event) error
	// List returns up to limit events, newest first, of one record, or of all
	// when id is empty.
	List(ctx context.Context, id identity.RecordID, limit int) ([]identity.Event, error)
	// OfRequest returns the events of one request, oldest first.
	OfRequest(ctx context.Context, id string) ([]identity.Event, error)
}
