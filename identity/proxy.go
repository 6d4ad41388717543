package identity

import "slices"

// ProxyRestriction bounds what may be issued on the strength of an assertion (SAML
// Core 2.5.1.6). The zero value bounds nothing.
type ProxyRestriction struct {
	Count     *int       // how many assertions may follow, each on the strength of the one before; nil: any number
	Audiences []EntityID // whom they may be for; none: anybody
}

// Given reports whether there is any bound.
func (p ProxyRestriction) Given() bool { return p.Count != nil || len(p.Audiences) > 0 }

// Permits reports whether an assertion may be issued to a relying party.
func (p ProxyRestriction) Permits(to EntityID) bool {
	return (p.Count == nil || *p.Count > 0) && (len(p.Audiences) == 0 || slices.Contains(p.Audiences, to))
}

// Next is what an assertion has to say that is issued under p: one step less, to
// nobody else.
func (p ProxyRestriction) Next() ProxyRestriction {
	if p.Count != nil {
		n := max(*p.Count-1, 0)
		p.Count = &n
	}
	return p
}

// And is what holds where both do. Where they agree on nobody no assertion may
// follow, which an empty list would not say.
func (p ProxyRestriction) And(q ProxyRestriction) ProxyRestriction {
	if p.Count == nil || q.Count != nil && *q.Count < *p.Count {
		p.Count = q.Count
	}
	switch {
	case len(q.Audiences) == 0:
	case len(p.Audiences) == 0:
		p.Audiences = q.Audiences
	default:
		p.Audiences = slices.DeleteFunc(slices.Clone(p.Audiences), func(id EntityID) bool { return !slices.Contains(q.Audiences, id) })
		if len(p.Audiences) == 0 {
			none := 0
			p.Count = &none
		}
	}
	return p
}
