package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
)

// TestDirectory looks entries up that share one entityID: the entry that is known
// by our common entityID answers for it, and where each has one of its own, none
// does.
func TestDirectory(t *testing.T) {
	t.Parallel()
	entry := func(id, issuer string) party {
		return party{Party: idp.Party{RelyingParty: identity.RelyingParty{
			ID: identity.RelyingPartyID(id), EntityID: "https://app.example.test", Issuer: identity.EntityID(issuer),
		}}}
	}
	common, one, two, three := entry("common", ""), entry("one", "urn:1"), entry("two", "urn:2"), entry("three", "urn:3")
	off := entry("off", "urn:4")
	off.Disabled = true
	for name, c := range map[string]struct {
		entries []party
		want    identity.RelyingPartyID
		code    identity.Code
	}{
		"none":                      {nil, "", "sp.unknown"},
		"one with its own":          {[]party{one}, "one", ""},
		"the common one first":      {[]party{common, one, two}, "common", ""},
		"the common one between":    {[]party{one, common, two}, "common", ""},
		"the common one last":       {[]party{one, two, common}, "common", ""},
		"two with their own":        {[]party{one, two}, "", "sp.ambiguous"},
		"three with their own":      {[]party{one, two, three}, "", "sp.ambiguous"},
		"the other is switched off": {[]party{one, off}, "one", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(c.entries)
			got, err := d.party(t.Context(), "https://app.example.test")
			if diff := cmp.Diff(c.want, got.ID); diff != "" || identity.CodeOf(err) != c.code {
				t.Errorf("got %q, %v; want %q, code %q", got.ID, err, c.want, c.code)
			}
			for _, e := range c.entries {
				if p, err := d.partyByID(t.Context(), e.ID); !e.Disabled && (err != nil || p.ID != e.ID) {
					t.Errorf("%s by its id: got %q, %v", e.ID, p.ID, err)
				}
			}
		})
	}
}
