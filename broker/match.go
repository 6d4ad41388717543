package broker

import (
	"context"
	"fmt"
	"slices"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// The claims of OpenID Connect Core 5.1 by which a provider vouches for a mail
// address, under the provider's own names.
const (
	claimEmail         identity.Name = "email"
	claimEmailVerified identity.Name = "email_verified"
)

// vouched returns, as LoginKey folds them, the mail addresses of a principal for
// which upstream u answers with its name: those in a domain that the operator has
// given to u alone. A SAML partner answers for what it signs, unless it says
// otherwise; any other has to say so, and of that one claim.
func (u upstream) vouched(said, mapped identity.Assertion) []string {
	verified := said.Attributes[claimEmailVerified]
	if u.Type != "saml" && len(verified) == 0 || slices.ContainsFunc(verified, func(v string) bool { return v != "true" }) {
		return nil
	}
	var keys []string
	for _, mail := range mapped.Attributes[identity.Mail] {
		if u.Type != "saml" && !slices.Contains(said.Attributes[claimEmail], mail) {
			continue
		}
		key, ok := identity.LoginKey(mail)
		domain, isMail := mailDomain(mail)
		if ok && isMail && u.owns(domain) && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// match is a record that has a vouched mail address, and whether somebody who is
// to be believed says so of the record, too.
type match struct {
	record   identity.Record
	verified bool
}

// matches finds the records whose mail address is one of those that the upstream
// vouches for. A value counts as verified if the operator set it or the connection
// brought it that owns the domain; what a person typed does not, and still
// matches, since the address is not theirs (squatting). What other connections
// said of a domain that is not theirs matches nobody, and so do the people of
// another organization.
func (l linking) matches(ctx context.Context, tx *store.Tx) ([]match, error) {
	var found []match
	for _, key := range l.vouched {
		records, err := tx.Records.ByMail(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("finding records by mail: %w", err)
		}
		for _, r := range records {
			if r.Organization != "" && r.Organization != l.connection.Organization || slices.ContainsFunc(found, func(m match) bool { return m.record.ID == r.ID }) {
				continue
			}
			typed, verified := false, false
			for _, v := range r.Values {
				if folded, ok := identity.LoginKey(v.Value); v.Name != identity.Mail || !ok || folded != key {
					continue
				}
				verified = verified || v.Source == identity.SourceOperator || v.Source == identity.Source(l.connection.ID)
				typed = typed || v.Source == identity.SourcePerson
			}
			if verified || typed {
				found = append(found, match{r, verified})
			}
		}
	}
	return found, nil
}

// adopt links a principal that nobody is yet to the one record that has its mail
// address, where the connection is set to (ExistingVerified). It reports false
// where there is none. The address alone never suffices: a record that the
// same upstream knows as somebody else stays theirs, for mail addresses are given
// to others, and then there is no second record either, for subjects change.
func (l linking) adopt(ctx context.Context, tx *store.Tx) (identity.Record, bool, error) {
	if l.connection.Existing != identity.ExistingVerified {
		return identity.Record{}, false, nil
	}
	found, err := l.matches(ctx, tx)
	if err != nil || len(found) == 0 {
		return identity.Record{}, false, err
	}
	if len(found) > 1 {
		return identity.Record{}, false, errExists("more than one account has the mail address")
	}
	m := found[0]
	if m.record.Disabled {
		return identity.Record{}, false, errDisabled(m.record)
	}
	links, err := tx.Links.OfRecord(ctx, m.record.ID)
	if err != nil {
		return identity.Record{}, false, fmt.Errorf("reading the record's links: %w", err)
	}
	if m.verified && slices.ContainsFunc(links, func(k identity.Link) bool { return k.Principal.Issuer == l.who.Issuer }) {
		return identity.Record{}, false, errExists("the account with the mail address is linked to another subject of this identity provider")
	}
	if !m.verified {
		if m.record, err = l.reclaim(ctx, tx, m.record, links); err != nil {
			return identity.Record{}, false, err
		}
	}
	if err := l.link(ctx, tx, m.record); err != nil {
		return identity.Record{}, false, err
	}
	if err := tx.Events.Append(ctx, l.event(identity.EventLinkCreated, m.record)); err != nil {
		return identity.Record{}, false, fmt.Errorf("recording the event: %w", err)
	}
	record, err := l.update(ctx, tx, m.record)
	return record, err == nil, err
}

// reclaim takes a record away from whoever typed a mail address that the
// upstream says belongs to the principal: passwords, links, sessions and what they
// typed are gone, so that nobody who was there first gets in again.
func (l linking) reclaim(ctx context.Context, tx *store.Tx, record identity.Record, links []identity.Link) (identity.Record, error) {
	passwords, err := tx.Credentials.OfRecord(ctx, record.ID, identity.CredentialPassword)
	if err != nil {
		return record, fmt.Errorf("reading the squatter's passwords: %w", err)
	}
	for _, c := range passwords {
		if err := tx.Credentials.Delete(ctx, c.ID); err != nil {
			return record, fmt.Errorf("removing a squatter's password: %w", err)
		}
	}
	for _, k := range links {
		if err := tx.Links.Delete(ctx, k.Principal.Issuer, k.Principal.Subject); err != nil {
			return record, fmt.Errorf("removing a squatter's link: %w", err)
		}
		e := l.event(identity.EventLinkRemoved, record)
		e.Connection, e.Detail = k.Connection, "the record was reclaimed"
		if err := tx.Events.Append(ctx, e); err != nil {
			return record, fmt.Errorf("recording the event: %w", err)
		}
	}
	sessions, err := tx.Sessions.OfRecord(ctx, record.ID)
	if err != nil {
		return record, fmt.Errorf("reading a squatter's sessions: %w", err)
	}
	for _, s := range sessions {
		if err := l.endSession(ctx, tx, s); err != nil {
			return record, fmt.Errorf("ending a squatter's session: %w", err)
		}
	}
	record.Reconcile(identity.SourcePerson, nil)
	record.Updated = l.now
	if err := tx.Records.Replace(ctx, record); err != nil {
		return record, fmt.Errorf("removing what a squatter typed: %w", err)
	}
	e := l.event(identity.EventLinkReclaimed, record)
	e.Detail = fmt.Sprintf("passwords: %d, links: %d, sessions: %d", len(passwords), len(links), len(sessions))
	if err := tx.Events.Append(ctx, e); err != nil {
		return record, fmt.Errorf("recording the event: %w", err)
	}
	return record, nil
}

// endSession ends s as whoever keeps sessions does, who then tells those who took
// part in it.
func (l linking) endSession(ctx context.Context, tx *store.Tx, s identity.Session) error {
	const why = "the record was reclaimed"
	if l.end != nil {
		tell, err := l.end(ctx, tx, s.ID, why)
		*l.tell = append(*l.tell, tell)
		return err
	}
	if err := tx.Sessions.Delete(ctx, s.ID); err != nil {
		return err
	}
	e := l.event(identity.EventLogout, identity.Record{ID: s.Record})
	e.Session, e.Connection, e.Detail = s.ID, s.Connection, why
	return tx.Events.Append(ctx, e)
}

func errExists(seen string) *identity.Error {
	return &identity.Error{
		Kind: identity.KindDenied, Code: "link.exists", Who: identity.WhoOperator, Seen: seen,
		Msg:      "There is an account here with your mail address, and it could not be made sure that it is yours. Ask the people who run this sign-in.",
		Expected: "one account, and no other subject linked to it (samlet user show, samlet user link)",
	}
}

func errDisabled(record identity.Record) *identity.Error {
	return &identity.Error{
		Kind: identity.KindDenied, Code: "user.disabled", Who: identity.WhoOperator,
		Msg: "This account is switched off.", Seen: string(record.ID),
	}
}
