package broker

import (
	"slices"

	"github.com/samlet-id/samlet/identity"
)

// Explanation is what a broker makes of what an upstream says of somebody, before
// any record is looked at.
type Explanation struct {
	Principal identity.Principal // by which a link is found
	Steps     []Step             // a rule of the mapping each
	Dropped   []identity.Name    // what no rule takes
	Vouched   []string           // mail addresses by which records may be found, as LoginKey folds them
}

// Explain says what Accept would make of said. It fails as Accept does where that
// has nothing to do with the mapping or with records.
func (b *Broker) Explain(id identity.ConnectionID, said identity.Assertion) (Explanation, error) {
	u, err := b.upstream(id)
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{Steps: u.mapping.Explain(id, said), Dropped: u.mapping.Dropped(said)}
	mapped := identity.Assertion{Attributes: identity.Attributes{}}
	for _, s := range e.Steps {
		mapped.Attributes[s.To] = s.Values
	}
	if !slices.ContainsFunc(e.Steps, func(s Step) bool { return s.Refused != nil }) {
		e.Vouched = u.vouched(said, mapped)
	}
	e.Principal, err = u.subject(said)
	return e, err
}
