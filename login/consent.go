package login

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// consent is what a person's word on an offer is, or that it is due.
type consent struct {
	due    bool
	uri    string // for the assertion (SAML Core 8.4); empty where nobody is asked
	digest string // of what would leave, names and values
	shown  []item // the same, for the person to read
}

// item is one line of what would leave.
type item struct {
	label    string
	values   []string
	required bool
}

// agree takes the person's word for given, here and now.
func (c *consent) agree() {
	if c.due {
		c.due, c.uri = false, identity.ConsentURIExplicit
	}
}

// consentTo finds out whether the person of an offer has to be asked. It reads
// the store for relying parties alone that ask. Where nothing would leave, there
// is nothing to ask.
func (a *Authenticator) consentTo(ctx context.Context, tx *store.Tx, o *offer, agreed string) (consent, error) {
	if o.rp.Consent == identity.ConsentNever {
		return consent{}, nil
	}
	c := consent{shown: a.shown(o)}
	if len(c.shown) == 0 {
		return consent{}, nil
	}
	c.digest = digestOf(o, c.shown)
	if agreed == c.digest {
		c.uri = identity.ConsentURIExplicit
		return c, nil
	}
	if o.rp.Consent == identity.ConsentAlways {
		c.due = true
		return c, nil
	}
	known, err := tx.Consents.Get(ctx, o.live.record.ID, o.rp.ID)
	if err != nil && identity.KindOf(err) != identity.KindNotFound {
		return consent{}, fmt.Errorf("reading the consent: %w", err)
	}
	if err != nil || !covers(known, c.shown) || o.rp.Consent == identity.ConsentOnChange && known.Digest != c.digest {
		c.due = true
		return c, nil
	}
	c.uri = identity.ConsentURIPrior
	return c, nil
}

// shown lists what would leave: the attributes, and the identifier where it is
// more than a random one.
func (a *Authenticator) shown(o *offer) []item {
	var items []item
	if format, err := nameIDFormat(o.rp, o.req); err == nil {
		if from := source(o.rp, format); from != "" {
			if v, err := o.named(from, format); err == nil {
				items = append(items, item{label: a.label(from) + " (identifier)", values: []string{v}, required: true})
			}
		}
	}
	for _, r := range o.released {
		it := item{label: a.label(r.Attribute), values: r.Values}
		if it.label == "" {
			it.label = r.FriendlyName
		}
		if it.label == "" {
			it.label = r.As
		}
		for _, n := range o.req.Required {
			it.required = it.required || n == r.Attribute
		}
		items = append(items, it)
	}
	if o.rp.SubjectID == identity.SubjectIDGeneral && a.cfg.Scope != "" {
		items = append(items, item{label: "An identifier that all applications share", values: []string{"…@" + a.cfg.Scope}, required: true})
	}
	return items
}

// label is what people call an attribute.
func (a *Authenticator) label(n identity.Name) string {
	if n == "" {
		return ""
	}
	if a.cfg.Catalogue != nil {
		if row, ok := a.cfg.Catalogue.Lookup(n); ok && row.Label != "" {
			return row.Label
		}
	}
	return string(n)
}

// digestOf tells whether anything changed: who is told which values of what, by
// the names on the wire. Each part is led by its length, so that none can pass for
// two.
func digestOf(o *offer, shown []item) string {
	h := sha256.New()
	write := func(s string) { fmt.Fprintf(h, "%d:%s", len(s), s) }
	write(string(o.rp.ID))
	for _, r := range o.released {
		write(string(r.Attribute))
		write(r.As)
	}
	for _, it := range shown {
		write(strconv.Itoa(len(it.values)))
		for _, v := range it.values {
			write(v)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// covers reports whether a consent is about everything that would leave: what was
// not on the page, nobody has allowed.
func covers(given identity.Consent, shown []item) bool {
	for _, label := range labels(shown) {
		if !slices.Contains(given.Attributes, label) {
			return false
		}
	}
	return true
}

// labels are the names of what was shown, for the record of a consent.
func labels(shown []item) []string {
	out := make([]string, len(shown))
	for i, it := range shown {
		out[i] = it.label
	}
	return out
}

// errConsentDue is a person who has to be asked first, where no page can be
// shown.
func errConsentDue() *identity.Error {
	return &identity.Error{
		Kind: identity.KindNeedsInteraction, Code: "sp.passive", Who: identity.WhoUser,
		Msg: "The application asked not to show a page, and you have to be asked first what it may learn of you.",
	}
}

// errDeclined is a person who said no.
func errDeclined(shown []item) *identity.Error {
	return &identity.Error{
		Kind: identity.KindDenied, Code: "user.declined", Who: identity.WhoUser,
		Msg: "You did not allow the application to learn what it needs.", Expected: "consent to " + strings.Join(labels(shown), ", "),
	}
}
