package explain

import (
	"crypto"
	"slices"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// Entity is one side of the exchange, as far as it is known.
type Entity struct {
	*metadata.Entity
	From string // where its metadata is from, for people: a file, or "this samlet"
	Ours bool   // it is what this samlet publishes
	// RequireSigned is whether this samlet takes its AuthnRequests only signed;
	// Auto follows the metadata of both sides.
	RequireSigned identity.Switch
	NameID        identity.NameIDRule // what this samlet does for it beyond what it publishes
	AllowSHA1     bool                // this samlet accepts SHA-1 of it
}

// Context is what messages are judged by.
type Context struct {
	Entities   []Entity
	Decrypters []crypto.Decrypter // to open what is encrypted to us
	// SignIns are the kinds of sign-in that this samlet can bring about; empty:
	// not known.
	SignIns []identity.AuthnContext

	// RequestForm judges an AuthnRequest by its form alone, as the identity provider
	// does; nil leaves that check out.
	RequestForm func(*xmlsec.Element) error

	// Nearest picks the known name that a wrong one was probably meant to be, ""
	// for none; nil suggests nothing.
	Nearest func(got string, known []string) string

	// At is the time to judge by; zero: the time at which a capture says that the
	// message was sent, else Now.
	At   time.Time
	Now  time.Time
	Skew time.Duration // tolerated between clocks; 0: 3 minutes (IIP-G01)
}

const (
	defaultSkew = 3 * time.Minute
	// maxRequestAge is how old an AuthnRequest may be on arrival, as samlet's
	// identity provider has it.
	maxRequestAge = 5 * time.Minute
)

// Explain judges messages of one input, in their order. It never fails: what
// cannot be read is a report of one failed check.
func Explain(messages []Message, c Context) []Report {
	if c.Skew == 0 {
		c.Skew = defaultSkew
	}
	asked := map[string]bool{}
	var reports []Report
	for _, m := range messages {
		j := judge{Context: c, message: m, now: c.At, asked: asked}
		if j.now.IsZero() {
			j.now = m.At
		}
		if j.now.IsZero() {
			j.now = c.Now
		}
		reports = append(reports, j.report())
	}
	return reports
}

// judge judges one message.
type judge struct {
	Context
	message Message
	now     time.Time
	asked   map[string]bool // the IDs of requests that came before in the same input
}

// lookup returns the entity of that entityID with the role that has wants; a nil
// has takes any.
func (j *judge) lookup(id string, has func(*metadata.Entity) bool) *Entity {
	for i := range j.Entities {
		if e := &j.Entities[i]; string(e.EntityID) == id && (has == nil || has(e.Entity)) {
			return e
		}
	}
	return nil
}

func isIDP(e *metadata.Entity) bool { return e.IDP != nil }
func isSP(e *metadata.Entity) bool  { return e.SP != nil }

// others returns who can be at the other end of an exchange with sender: those of
// the wanted role, and where our own side is known and the sender is not ours,
// our side alone, and the other way round.
func (j *judge) others(sender *Entity, has func(*metadata.Entity) bool) []*Entity {
	var all []*Entity
	for i := range j.Entities {
		e := &j.Entities[i]
		if (sender == nil || e.EntityID != sender.EntityID) && has(e.Entity) {
			all = append(all, e)
		}
	}
	ours := func(e *Entity) bool { return e.Ours }
	if !slices.ContainsFunc(j.Entities, func(e Entity) bool { return e.Ours }) {
		return all
	}
	if sender != nil && sender.Ours {
		return slices.DeleteFunc(all, ours)
	}
	return slices.DeleteFunc(all, func(e *Entity) bool { return !e.Ours })
}

// role returns what e publishes in the role that sent a message.
func (e *Entity) role(idp bool) *metadata.Role {
	switch {
	case e == nil:
		return nil
	case idp && e.IDP != nil:
		return &e.IDP.Role
	case !idp && e.SP != nil:
		return &e.SP.Role
	case e.SP != nil:
		return &e.SP.Role
	case e.IDP != nil:
		return &e.IDP.Role
	}
	return nil
}

// nearest suggests an entity with the role in the place of an unknown one.
func (j *judge) nearest(id string, has func(*metadata.Entity) bool) string {
	if j.Nearest == nil {
		return ""
	}
	var known []string
	for _, e := range j.Entities {
		if has(e.Entity) {
			known = append(known, string(e.EntityID))
		}
	}
	return j.Nearest(id, known)
}

// text returns the text of e without the blanks around it, "" if it has none.
func text(e *xmlsec.Element) string {
	s, err := e.TrimText()
	if err != nil {
		return ""
	}
	return s
}

// exact returns the text of e with its blanks: entityIDs are compared octet for
// octet (SAML Core 1.3.1).
func exact(e *xmlsec.Element) string {
	s, err := e.Text()
	if err != nil {
		return ""
	}
	return s
}
