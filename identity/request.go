package identity

import "time"

// RelyingPartyID is the operator's slug of one relying party: stable in URLs,
// audit records and metrics.
type RelyingPartyID string

// ConnectionID is the operator's slug of one upstream connection.
type ConnectionID string

// AuthnRequest is the question: who asks, about whom, and under which terms.
type AuthnRequest struct {
	Issuer       EntityID       // who is asked: the entityID under which the relying party knows us
	RelyingParty RelyingPartyID // who asks
	Audience     EntityID       // who asks, by its protocol name: SP entityID or client_id

	Subject         Format   // NameIDPolicy Format or subject_type; empty leaves the choice to us
	Formats         []Format // the name identifier formats of the asker's metadata, best first; for when neither Subject nor configuration decides
	SPNameQualifier string   // NameIDPolicy SPNameQualifier
	NoCreate        bool     // NameIDPolicy AllowCreate="false", stated outright (SAML Core 3.4.1.1)
	Unsolicited     bool     // nobody asked: the person started here (SAML Profiles 4.1.5)

	ForceAuthn bool          // authenticate afresh, whatever the session says
	Afresh     bool          // no session of before answers, though the upstream may answer from its own
	IsPassive  bool          // show nothing to the person
	MaxAge     time.Duration // oldest acceptable authentication; zero means any
	Context    RequestedContext

	LoginHint  string       // the identifier the relying party expects, if it said
	Connection ConnectionID // the upstream that was asked for, if any
	Hint       string       // an upstream, by its id or entityID, that somebody proposes: a wish and no demand
	Scoping    Scoping      // through which upstreams the answer may come
	Wanted     []Name       // the attributes asked for; nil means "as the release policy says"
	Required   []Name       // those of Wanted that the relying party says it cannot do without
	Only       Attributes   // of some of Wanted, the only values asked for (SAML Metadata 2.4.4.2)
	Locales    []string     // BCP 47 tags, best first

	// KnownOnly says that the answer is to prove who somebody is and no more: for
	// somebody who is not known, no record is made, found by mail or linked.
	KnownOnly bool
	Except    ConnectionID // an upstream that may not answer

	Resume string // where the browser goes back to when the login has ended; a path of ours
	State  []byte // what the asking protocol wants back then
}

// Scoping bounds the identity providers that may take part in the answer (SAML
// Core 3.4.1.2). The zero value bounds nothing.
type Scoping struct {
	ProxyCount *int       // how many identity providers may stand behind us; 0: none; nil: any
	IDPList    []EntityID // the acceptable ones; nil: any
	Requesters []EntityID // RequesterID: on whose behalf the relying party itself asks
}

// Outcome is how the start of a login ended: either the answer is known at once
// (Assertion, as the relying party is to know the person), or the browser has to
// go to Redirect first, a path of ours. Exactly one of the two is set.
type Outcome struct {
	Assertion Assertion
	Redirect  string
}
