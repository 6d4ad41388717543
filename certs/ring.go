package certs

import (
	"fmt"
	"slices"

	"github.com/samlet-id/samlet/identity"
)

// Ring is the set of keys that one samlet holds. It is immutable and safe for
// concurrent use; a roll-over makes a new Ring.
type Ring struct {
	all                 []Key
	signing, encryption []Key // published: active, next, retiring
	active              []Key // those of signing that sign
}

// NewRing checks the keys against one another: IDs are unique, there is an active
// signing key and no second one of its kind, and exactly one active encryption
// key if there are encryption keys that are not retired. Errors are of
// KindInvalid with code "key.ring".
func NewRing(keys []Key) (*Ring, error) {
	r := &Ring{all: slices.Clone(keys)}
	seen := map[string]bool{}
	for _, k := range keys {
		if err := k.check(); err != nil {
			return nil, err
		}
		if seen[k.ID] {
			return nil, ringError("Two keys have the id %q.", k.ID)
		}
		seen[k.ID] = true
	}
	r.signing = publishedOf(keys, Signing)
	r.encryption = publishedOf(keys, Encryption)
	r.active = activeOf(r.signing)
	if len(r.active) == 0 {
		return nil, ringError("There must be an active signing key, there are %d.", 0)
	}
	kinds := map[string]bool{}
	for _, k := range r.active {
		if kinds[k.kind()] {
			return nil, ringError("There must be only one active signing key of a kind, and several are %s.", k.kind())
		}
		kinds[k.kind()] = true
	}
	if n := len(activeOf(r.encryption)); len(r.encryption) > 0 && n != 1 {
		return nil, ringError("There must be exactly one active encryption key, there are %d.", n)
	}
	return r, nil
}

func ringError(format string, detail any) error {
	return &identity.Error{Kind: identity.KindInvalid, Code: "key.ring", Who: identity.WhoOperator, Msg: fmt.Sprintf(format, detail)}
}

// publishedOf returns the published keys of a use, the active ones first, and of
// these RSA: there are peers that read only the first KeyDescriptor, and every
// peer knows RSA.
func publishedOf(keys []Key, use Use) []Key {
	var out []Key
	for _, state := range []State{Active, Next, Retiring} {
		for _, k := range keys {
			if k.Use == use && k.State == state {
				out = append(out, k)
			}
		}
	}
	isRSA := func(k Key) bool { return k.State == Active && k.kind() == RSA.String() }
	if i := slices.IndexFunc(out, isRSA); i > 0 {
		first := out[i]
		out = slices.Insert(slices.Delete(out, i, i+1), 0, first)
	}
	return out
}

func activeOf(keys []Key) []Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.State != Active })
}

// Signing returns the key that signs where nothing is known of who verifies: the
// active RSA key, or the first that is active if there is none.
func (r *Ring) Signing() Key { return r.active[0] }

// ActiveSigning returns the keys that sign, Signing first, the others in
// configured order. There is one of each kind at most.
func (r *Ring) ActiveSigning() []Key { return slices.Clone(r.active) }

// Named returns the signing key with an id. One that was named signs in every
// state but Retired.
func (r *Ring) Named(id string) (Key, bool) {
	i := slices.IndexFunc(r.all, func(k Key) bool { return k.ID == id && k.Use == Signing && k.State != Retired })
	if i < 0 {
		return Key{}, false
	}
	return r.all[i], true
}

// Encryption returns the keys that decrypt, the active one first: a peer may
// still encrypt to a key that is about to go, or already to one that comes.
func (r *Ring) Encryption() []Key { return slices.Clone(r.encryption) }

// Published returns the keys of a use that belong in everybody's metadata: active
// first, then next, then retiring, each in configured order but for the active
// RSA key, which leads.
func (r *Ring) Published(use Use) []Key {
	switch use {
	case Signing:
		return slices.Clone(r.signing)
	case Encryption:
		return slices.Clone(r.encryption)
	}
	return nil
}

// All returns every key, retired ones too, in configured order.
func (r *Ring) All() []Key { return slices.Clone(r.all) }
