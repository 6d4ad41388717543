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
}

// NewRing checks the keys against one another: IDs are unique, there is exactly
// one active signing key, and exactly one active encryption key if there are
// encryption keys that are not retired. Errors are of KindInvalid with code
// "key.ring".
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
	if n := countActive(r.signing); n != 1 {
		return nil, ringError("There must be exactly one active signing key, there are %d.", n)
	}
	if n := countActive(r.encryption); len(r.encryption) > 0 && n != 1 {
		return nil, ringError("There must be exactly one active encryption key, there are %d.", n)
	}
	return r, nil
}

func ringError(format string, detail any) error {
	return &identity.Error{Kind: identity.KindInvalid, Code: "key.ring", Who: identity.WhoOperator, Msg: fmt.Sprintf(format, detail)}
}

// publishedOf returns the published keys of a use, the active one first: there
// are peers that read only the first KeyDescriptor.
func publishedOf(keys []Key, use Use) []Key {
	var out []Key
	for _, state := range []State{Active, Next, Retiring} {
		for _, k := range keys {
			if k.Use == use && k.State == state {
				out = append(out, k)
			}
		}
	}
	return out
}

func countActive(keys []Key) int {
	n := 0
	for _, k := range keys {
		if k.State == Active {
			n++
		}
	}
	return n
}

// Signing returns the key that signs: the active one.
func (r *Ring) Signing() Key { return r.signing[0] }

// Encryption returns the keys that decrypt, the active one first: a peer may
// still encrypt to a key that is about to go, or already to one that comes.
func (r *Ring) Encryption() []Key { return slices.Clone(r.encryption) }

// Published returns the keys of a use that belong in metadata: active first,
// then next, then retiring, each in configured order.
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
