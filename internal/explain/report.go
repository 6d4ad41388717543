package explain

import (
	"fmt"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// Result is the verdict of one check.
type Result string

// The verdicts. NotJudged is no praise: the input, or what is known of the two
// sides, does not tell.
const (
	Pass      Result = "pass"
	Fail      Result = "fail"
	NotJudged Result = "not_judged"
)

// Check is one thing that was looked at. Its JSON is stable.
type Check struct {
	ID       string        `json:"id"` // one of Checks
	Title    string        `json:"title"`
	Clause   string        `json:"clause"` // of the specification
	Result   Result        `json:"result"`
	Detail   string        `json:"detail,omitempty"` // in words
	Seen     string        `json:"seen,omitempty"`
	Expected string        `json:"expected,omitempty"`
	Who      identity.Who  `json:"who,omitempty"`  // who can put it right, for a failure
	Code     identity.Code `json:"code,omitempty"` // with which samlet refuses it, if it does
}

// Report is what is to be said of one message, or of one element in it that
// stands for itself, such as the Assertion of a Response. Its JSON is stable.
type Report struct {
	Kind         string      `json:"kind"` // local name of the element, "Artifact", or "" if it cannot be read
	Source       string      `json:"source,omitempty"`
	Binding      string      `json:"binding,omitempty"`
	URL          string      `json:"url,omitempty"`
	RelayState   string      `json:"relay_state,omitempty"`
	ID           string      `json:"id,omitempty"`
	Issuer       string      `json:"issuer,omitempty"`
	IssueInstant string      `json:"issue_instant,omitempty"`
	JudgedAt     string      `json:"judged_at,omitempty"` // the time that the check of times went by
	Checks       []Check     `json:"checks"`
	Signatures   []Signature `json:"signatures,omitempty"`
	Inside       []Report    `json:"inside,omitempty"`

	element *xmlsec.Element // as it was read
}

// XML returns the element for display, decrypted if it was encrypted; nil if
// there is none.
func (r *Report) XML() []byte { return xmlsec.Pretty(r.element) }

// Failed reports whether any check failed, in here or inside.
func (r *Report) Failed() bool {
	for _, c := range r.Checks {
		if c.Result == Fail {
			return true
		}
	}
	for i := range r.Inside {
		if r.Inside[i].Failed() {
			return true
		}
	}
	return false
}

// Verified reports whether valid signatures of known keys cover the message: the
// whole of it, or every assertion in it. It fails closed: a signature that is not
// valid, or could not be judged, spoils the message wherever it stands.
func (r *Report) Verified() bool {
	whole := r.sound()
	for i := range r.Signatures {
		whole = whole && r.Signatures[i].Valid
	}
	if !whole {
		return false
	}
	own := false
	for _, s := range r.Signatures {
		// By Redirect a signature inside the XML is no substitute for one over the
		// query, which covers the RelayState, too (SAML Bindings 3.4.4.1).
		own = own || s.Covers == "query" || r.Binding != identity.BindingRedirect
	}
	for i := range r.Inside {
		in := &r.Inside[i]
		if !own && !in.Verified() || own && !in.unspoilt() {
			return false
		}
	}
	return own || len(r.Inside) > 0
}

// unspoilt is Verified for what a signature around it covers.
func (r *Report) unspoilt() bool {
	for i := range r.Signatures {
		if !r.Signatures[i].Valid {
			return false
		}
	}
	for i := range r.Inside {
		if !r.Inside[i].unspoilt() {
			return false
		}
	}
	return r.sound()
}

// sound reports whether nothing failed that bears on signatures.
func (r *Report) sound() bool {
	for _, c := range r.Checks {
		switch c.ID {
		case "encoding", "xml", "type", "assertions", "algorithm", "signature", "signature_required", "content":
			if c.Result == Fail {
				return false
			}
		}
	}
	return true
}

// Check returns the check of that id, here or inside, the first failed one
// before others; nil if there is none.
func (r *Report) Check(id string) *Check {
	var found *Check
	for i := range r.Checks {
		if c := &r.Checks[i]; c.ID == id && (found == nil || c.Result == Fail) {
			found = c
		}
	}
	for i := range r.Inside {
		if c := r.Inside[i].Check(id); c != nil && (found == nil || c.Result == Fail && found.Result != Fail) {
			found = c
		}
	}
	return found
}

func (r *Report) add(c Check) {
	info := infoOf(c.ID)
	c.Title, c.Clause = info.Title, info.Clause
	r.Checks = append(r.Checks, c)
}

func (r *Report) pass(id, format string, args ...any) {
	r.add(Check{ID: id, Result: Pass, Detail: fmt.Sprintf(format, args...)})
}

func (r *Report) skip(id, format string, args ...any) {
	r.add(Check{ID: id, Result: NotJudged, Detail: fmt.Sprintf(format, args...)})
}

// fail notes a failure; c has all but the verdict.
func (r *Report) fail(c Check) {
	c.Result = Fail
	r.add(c)
}

// failed notes the failure that err tells of.
func (r *Report) failed(id string, err error, who identity.Who) {
	e := identity.AsError(err)
	if e.Who != "" {
		who = e.Who
	}
	r.fail(Check{ID: id, Detail: e.Msg, Seen: e.Seen, Expected: e.Expected, Who: who, Code: e.Code})
}

// Info describes one check.
type Info struct{ ID, Title, Clause string }

// Checks returns every check that there is, in the order in which they are made.
func Checks() []Info {
	return []Info{
		{"encoding", "The binding's encoding", "SAML Bindings 3.4.4, 3.5.4, 3.6.4"},
		{"xml", "Well-formed, safe XML", "SAML Core 1.2; Implementation Profile IIP-G03"},
		{"type", "A SAML 2.0 message", "SAML Core 3.2"},
		{"artifact", "The artifact and its sender", "SAML Bindings 3.6.4"},
		{"id", "ID", "SAML Core 1.3.4, 3.2.1"},
		{"issue_instant_format", "IssueInstant is a UTC time", "SAML Core 1.3.3"},
		{"form", "Every part as schema and profile have it", "SAML Core 3.4.1; SAML Profiles 4.1.4.1"},
		{"issuer", "Issuer is known", "SAML Core 2.2.5; SAML Profiles 4.1.4.1, 4.1.4.2"},
		{"assertions", "Exactly one assertion", "SAML Profiles 4.1.4.2"},
		{"algorithm", "Algorithms that are accepted", "SAML Core 5.4; RFC 9231; Implementation Profile IIP-ALG"},
		{"signature", "Signature", "SAML Core 5; SAML Bindings 3.4.4.1"},
		{"signature_required", "Signed where it has to be", "SAML Profiles 4.1.3.1, 4.1.4.5, 4.4.3.1"},
		{"destination", "Destination is where it was sent", "SAML Core 3.2.1; SAML Bindings 3.4.5.2, 3.5.5.2"},
		{"acs", "AssertionConsumerService is registered", "SAML Core 3.4.1; SAML Profiles 4.1.4.1"},
		{"version", "Version is 2.0", "SAML Core 4.1"},
		{"issue_instant", "IssueInstant agrees with the clock", "SAML Core 3.2.1; Implementation Profile IIP-G01"},
		{"protocol_binding", "ProtocolBinding can be served", "SAML Core 3.4.1; SAML Profiles 4.1.2"},
		{"attribute_service", "AttributeConsumingServiceIndex exists", "SAML Core 3.4.1"},
		{"nameid_policy", "NameIDPolicy can be met", "SAML Core 3.4.1.1"},
		{"authn_context", "RequestedAuthnContext can be met", "SAML Core 3.3.2.2.1"},
		{"passive", "IsPassive and ForceAuthn", "SAML Core 3.4.1"},
		{"request_conditions", "Conditions of the request", "SAML Core 3.4.1"},
		{"request_subject", "Subject of the request", "SAML Profiles 4.1.4.1"},
		{"relay_state", "RelayState", "SAML Bindings 3.4.3"},
		{"in_response_to", "InResponseTo", "SAML Core 3.2.2; SAML Profiles 4.1.4.3"},
		{"status", "Status", "SAML Core 3.2.2.1"},
		{"decrypt", "Encrypted for a key of ours", "SAML Core 6; XML Encryption 1.1"},
		{"subject", "Subject", "SAML Core 2.4; SAML Profiles 4.1.4.2"},
		{"confirmation", "A bearer SubjectConfirmation", "SAML Profiles 4.1.4.2"},
		{"recipient", "Recipient is the AssertionConsumerService", "SAML Profiles 4.1.4.2, 4.1.4.3"},
		{"confirmation_time", "The confirmation is valid now", "SAML Profiles 4.1.4.2"},
		{"conditions_time", "The assertion is valid now", "SAML Core 2.5.1"},
		{"audience", "Audience is the application", "SAML Core 2.5.1.4; SAML Profiles 4.1.4.2"},
		{"conditions", "Conditions that are understood", "SAML Core 2.5.1"},
		{"authn_statement", "AuthnStatement", "SAML Core 2.7.2; SAML Profiles 4.1.4.2"},
		{"session_end", "The session has not ended", "SAML Core 2.7.2"},
		{"attributes", "Attributes", "SAML Core 2.7.3; SAML Profiles 8"},
		{"not_on_or_after", "The logout is not too late", "SAML Core 3.7.1"},
		{"logout_subject", "Whom the logout is of", "SAML Core 3.7.1; SAML Profiles 4.4.4.1"},
		{"metadata", "Metadata that can be used", "SAML Metadata 2"},
		{"valid_until", "The metadata is valid now", "SAML Metadata 2.3.1"},
		{"keys", "Keys", "SAML Metadata 2.4.1.1; Metadata Interoperability Profile 2.6.1"},
		{"endpoints", "Endpoints", "SAML Metadata 2.2.2, 2.4.3, 2.4.4"},
		{"content", "What it holds", "SAML Core 3.5; SOAP 1.1 section 4"},
	}
}

func infoOf(id string) Info {
	for _, i := range Checks() {
		if i.ID == id {
			return i
		}
	}
	return Info{ID: id, Title: id}
}

// ago words the distance between a time and now.
func ago(t, now time.Time) string {
	d := now.Sub(t).Round(time.Second)
	if d < 0 {
		return (-d).String() + " ahead"
	}
	return d.String() + " ago"
}
