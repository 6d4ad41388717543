package identity

import "slices"

// Lists reports whether the IDPList, if there is one, names one of ids.
func (s Scoping) Lists(ids ...EntityID) bool {
	return s.IDPList == nil || slices.ContainsFunc(ids, func(id EntityID) bool { return slices.Contains(s.IDPList, id) })
}

// Proxies reports whether n identity providers, one behind the other, may stand
// behind us.
func (s Scoping) Proxies(n int) bool { return s.ProxyCount == nil || n <= *s.ProxyCount }

// Given reports whether the relying party said anything about scope.
func (s Scoping) Given() bool { return s.ProxyCount != nil || s.IDPList != nil || s.Requesters != nil }
