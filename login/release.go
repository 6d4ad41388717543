package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
)

// offer is what one relying party would learn of one person, and what stands
// against telling it.
type offer struct {
	rp         identity.RelyingParty
	req        identity.AuthnRequest
	live       live
	attributes identity.Attributes // of the record, whatever their source
	released   []identity.Released
	lacking    []identity.Name
	faults     []error // of expressions

	refusal *identity.Error // why the person may not be signed in there
	consent consent
}

// prepare turns what samlet knows of a person into what one relying party would
// learn, and asks whether it may: deny by default, one place for every protocol
// and every way in. agreed is the digest of what the person has just said yes to;
// empty where nobody was asked.
func (a *Authenticator) prepare(ctx context.Context, tx *store.Tx, rp identity.RelyingParty, req identity.AuthnRequest, l live, agreed string) (*offer, error) {
	o := &offer{rp: rp, req: req, live: l, attributes: l.record.Attributes()}
	person := identity.Person{
		Attributes: o.attributes, Context: l.session.Context, Connection: l.session.Connection, Organization: l.record.Organization, RelyingParty: rp.ID,
	}
	if o.refusal = admit(rp, person); o.refusal != nil {
		return o, nil
	}
	o.released, o.faults = released(rp, req, l.record, person)
	o.lacking = lacking(req.Required, o.released)
	var err error
	o.consent, err = a.consentTo(ctx, tx, o, agreed)
	return o, err
}

// why returns the refusal of an offer that cannot be answered without a page, or
// at all; nil if it can.
func (o *offer) why() *identity.Error {
	if o.refusal != nil {
		return o.refusal
	}
	if o.consent.due {
		return errConsentDue()
	}
	return nil
}

// minting says what becomes of a stored identifier that is not there yet.
type minting int

const (
	mintNever   minting = iota // errMint: a View cannot make it
	mintStored                 // it is made and stored
	mintPretend                // one is shown, and nothing stored
)

// issue words an offer as the assertion that the relying party gets.
// Principal.Issuer is the name under which that party knows us. An offer that
// something stands against is an identity.Error.
func (a *Authenticator) issue(ctx context.Context, tx *store.Tx, mint minting, o *offer, now time.Time) (identity.Assertion, error) {
	if why := o.why(); why != nil {
		return identity.Assertion{}, why
	}
	principal, err := a.nameID(ctx, tx, mint, o, now)
	if err != nil {
		return identity.Assertion{}, err
	}
	l := o.live
	out := identity.Assertion{
		Principal: principal, Context: l.session.Context, Released: o.released, Lacking: o.lacking,
		Session: index(l.session.ID, o.rp.ID), Consent: o.consent.uri, Proxy: l.session.Proxy.Next(),
	}
	id, err := a.subjectID(ctx, tx, mint, o, now)
	if err != nil {
		return identity.Assertion{}, err
	}
	if id != nil {
		out.Released = append(out.Released, *id)
	}
	if o.rp.SessionLifetime > 0 {
		out.NotAfter = earlier(now.Add(o.rp.SessionLifetime), l.session.NotAfter)
	}
	return out, nil
}

// Preview returns what a relying party would be told if the person of a record
// signed in there now, or the identity.Error that it would be refused with.
// Nothing is written and nobody is asked: consent counts as given. minted says
// that an identifier in it is not stored yet, so that the next one will differ.
func (a *Authenticator) Preview(ctx context.Context, id identity.RecordID, req identity.AuthnRequest) (out identity.Assertion, minted bool, err error) {
	rp, err := a.party(req.RelyingParty)
	if err != nil {
		return identity.Assertion{}, false, err
	}
	now := a.now()
	show := func(tx *store.Tx) error {
		l, err := a.pretend(ctx, tx, id, req, now)
		if err != nil {
			return err
		}
		o, err := a.prepare(ctx, tx, rp, req, l, "")
		if err != nil {
			return err
		}
		o.consent.agree()
		if out, err = a.issue(ctx, tx, mintNever, o, now); !errors.Is(err, errMint) {
			return err
		}
		minted = true
		out, err = a.issue(ctx, tx, mintPretend, o, now)
		return err
	}
	err = a.cfg.Store.View(ctx, show)
	return out, minted, err
}

// pretend is the session that a person would have who signed in now.
func (a *Authenticator) pretend(ctx context.Context, tx *store.Tx, id identity.RecordID, req identity.AuthnRequest, now time.Time) (live, error) {
	rec, err := tx.Records.Get(ctx, id)
	if err != nil {
		return live{}, fmt.Errorf("reading the record: %w", err)
	}
	if why := a.barred(rec); why != nil {
		return live{}, why
	}
	s := identity.Session{
		ID: "preview", Record: id, Connection: req.Connection, Created: now, NotAfter: now.Add(a.cfg.Sessions.Absolute),
		Context: identity.AuthnContext{Class: identity.ClassUnspecified, Instant: now},
	}
	if s.Connection == "" && len(rec.Logins) == 0 {
		links, err := tx.Links.OfRecord(ctx, id)
		if err != nil {
			return live{}, fmt.Errorf("reading the record's links: %w", err)
		}
		if len(links) > 0 {
			s.Connection = links[len(links)-1].Connection
			s.Context.Authorities = []identity.EntityID{links[len(links)-1].Principal.Issuer}
		}
	}
	if s.Connection == "" {
		s.Connection = identity.LocalConnection
	}
	if m := a.method(s.Connection); m != nil {
		s.Context.Class, s.Context.Methods, s.Context.Authorities = m.Class(), []identity.Method{m.ID()}, nil
	}
	return live{session: s, record: rec}, nil
}

// errMint says that a stored identifier has to be made, which a View cannot.
var errMint = errors.New("the identifier is not there yet")

// releaseDetail tells the audit trail what left, by names and never by values.
func releaseDetail(out identity.Assertion) string {
	detail := "name_id=" + string(out.Principal.Format) + " attributes=" + releasedNames(out.Released)
	if len(out.Lacking) > 0 {
		detail += " missing=" + joinNames(out.Lacking)
	}
	return detail
}

func releasedNames(out []identity.Released) string {
	names := make([]identity.Name, len(out))
	for i, r := range out {
		names[i] = r.Attribute
		if r.Attribute == "" {
			names[i] = identity.Name(r.As)
		}
	}
	return joinNames(names)
}

func joinNames(names []identity.Name) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = string(n)
	}
	return strings.Join(words, ",")
}

// tell logs what an answer should have said and does not, by names and never by
// values.
func (a *Authenticator) tell(ctx context.Context, o *offer) {
	if o == nil {
		return
	}
	for _, err := range o.faults {
		a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "an expression failed, so that nothing of it leaves",
			slog.String("request_id", web.RequestID(ctx)), slog.String("relying_party", string(o.rp.ID)), slog.String("err", err.Error()))
	}
	if len(o.lacking) > 0 {
		a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "required attributes are missing",
			slog.String("request_id", web.RequestID(ctx)), slog.String("relying_party", string(o.rp.ID)),
			slog.String("code", string(codeLacking)), slog.String("missing", joinNames(o.lacking)))
	}
}

// codeLacking is in the log and in the audit event of an answer that lacks what
// the relying party's metadata marks as required.
const codeLacking identity.Code = "sp.required_attribute"

// participant is what a logout has to repeat towards the relying party.
func participant(l live, req identity.AuthnRequest, out identity.Assertion, now time.Time) identity.Participant {
	return identity.Participant{
		Session: l.session.ID, RelyingParty: req.RelyingParty, Audience: req.Audience,
		Principal: out.Principal, Index: out.Session, At: now,
	}
}
