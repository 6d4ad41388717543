package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/login"
)

// directory finds relying parties by entityID and by slug. It never changes
// once requests are answered.
type directory struct {
	byEntity map[identity.EntityID]idp.Party
	several  map[identity.EntityID]bool // each of several entries has an entityID of ours, and none of them the common one
	bySlug   map[identity.RelyingPartyID]idp.Party
}

func newDirectory(parties []party) *directory {
	d := &directory{byEntity: map[identity.EntityID]idp.Party{}, several: map[identity.EntityID]bool{}, bySlug: map[identity.RelyingPartyID]idp.Party{}}
	for _, p := range parties {
		d.add(p)
	}
	return d
}

// add takes p in, unless it is disabled: a disabled party is as good as unknown.
func (d *directory) add(p party) {
	if p.Disabled {
		return
	}
	// Of several entries about one entityID each has an entityID of ours and an
	// address for itself, but perhaps the one that is known by ours.
	other, there := d.byEntity[p.EntityID]
	if !there || p.Issuer == "" {
		d.byEntity[p.EntityID] = p.Party
	}
	d.several[p.EntityID] = there && p.Issuer != "" && other.Issuer != ""
	d.bySlug[p.ID] = p.Party
}

// party finds by entityID. Where there is none the error names the nearest one
// that is known.
func (d *directory) party(_ context.Context, id identity.EntityID) (idp.Party, error) {
	if d.several[id] {
		return idp.Party{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "sp.ambiguous", Who: identity.WhoVendor,
			Msg:  "Several entries are about the application that sent you here, and each has an address of its own here.",
			Seen: string(id), Expected: "a message to /saml/as/ and the id of one of them",
		}
	}
	if p, ok := d.byEntity[id]; ok {
		return p, nil
	}
	return idp.Party{}, &identity.Error{
		Kind: identity.KindNotFound, Code: "sp.unknown", Who: identity.WhoOperator,
		Msg:  "This sign-in service does not know the application that sent you here.",
		Seen: string(id), Expected: d.nearest(id),
	}
}

// asker finds by entityID who may ask where somebody signs in. Own is the entityID by
// which everybody knows us who has no other for us.
func (d *directory) asker(own identity.EntityID) func(context.Context, identity.EntityID) (login.Asker, error) {
	return func(ctx context.Context, id identity.EntityID) (login.Asker, error) {
		p, err := d.party(ctx, id)
		if err != nil {
			return login.Asker{}, err
		}
		return login.Asker{
			RelyingParty: p.ID, Issuer: cmp.Or(p.Issuer, own),
			Locations: slices.Concat(p.Metadata.SP.DiscoveryLocations(), p.DiscoveryResponses),
		}, nil
	}
}

// nearest returns the known entityID that id is most likely a slip of, "" for
// none. Anybody can ask for anything, so the work is bounded: long names are no
// slips, and of many known ones only those of about the same length are looked at.
func (d *directory) nearest(id identity.EntityID) string {
	const longest, most = 256, 200
	if len(id) > longest {
		return ""
	}
	var known []string
	for k := range d.byEntity {
		if apart := len(k) - len(id); apart >= -8 && apart <= 8 {
			known = append(known, string(k))
		}
	}
	slices.Sort(known)
	return nearest(string(id), known[:min(len(known), most)])
}

// relyingParty finds by slug.
func (d *directory) relyingParty(id identity.RelyingPartyID) (identity.RelyingParty, bool) {
	p, ok := d.bySlug[id]
	return p.RelyingParty, ok
}

// partyByID finds by slug, and fails as party does.
func (d *directory) partyByID(_ context.Context, id identity.RelyingPartyID) (idp.Party, error) {
	if p, ok := d.bySlug[id]; ok {
		return p, nil
	}
	return idp.Party{}, &identity.Error{
		Kind: identity.KindNotFound, Code: "sp.unknown", Who: identity.WhoOperator,
		Msg: "This sign-in service does not know such an application.", Seen: string(id),
	}
}
