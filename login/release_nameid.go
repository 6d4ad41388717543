package login

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// longest is how many characters a persistent or transient identifier may have
// (SAML Core 8.3.7, 8.3.8).
const longest = 256

// nameIDFormat chooses how the relying party is to know the person: as its
// request says, else as it is configured, else the first that its metadata lists
// and we issue, else transient (SAML Core 3.4.1.1, 8.3). It is empty where the
// assertion names nobody.
func nameIDFormat(rp identity.RelyingParty, req identity.AuthnRequest) (identity.Format, error) {
	if q := req.SPNameQualifier; q != "" && q != string(req.Audience) && q != rp.NameID.SPNameQualifier {
		return "", errNameIDPolicy(q, string(req.Audience), "The application asks for identifiers of a group of applications that it is not known to belong to.")
	}
	unsaid := req.Subject == "" || req.Subject == identity.FormatUnspecified
	switch {
	case rp.NameID.None && unsaid:
		return "", nil
	case rp.NameID.None:
		return "", errNameIDPolicy(string(req.Subject), "none", "The application asks for an identifier, and is set up to get none.")
	case unsaid:
		return preferredFormat(rp, req), nil
	case req.Subject == identity.FormatPersistent, req.Subject == identity.FormatTransient, req.Subject == rp.NameID.Format:
		return req.Subject, nil
	case req.Subject == identity.FormatEmail && mayNameMail(rp):
		return req.Subject, nil
	case req.Subject == identity.FormatEmail:
		return "", errNameIDPolicy(string(req.Subject), "", "The application asks to know people by their e-mail address, which is not released to it.")
	}
	return "", errNameIDPolicy(string(req.Subject), "persistent, transient, emailAddress or unspecified", "The application asks for a kind of identifier that we do not issue.")
}

func preferredFormat(rp identity.RelyingParty, req identity.AuthnRequest) identity.Format {
	if rp.NameID.Format != "" {
		return rp.NameID.Format
	}
	for _, f := range req.Formats {
		switch {
		case f == identity.FormatPersistent, f == identity.FormatTransient, f == identity.FormatEmail && mayNameMail(rp):
			return f
		}
	}
	return identity.FormatTransient
}

// mayNameMail reports whether an e-mail address may serve as the identifier. It
// must not leave as a NameID where it may not leave as an attribute; an operator
// who accepted what the party itself asks for has accepted this, too.
func mayNameMail(rp identity.RelyingParty) bool {
	return rp.NameID.Format == identity.FormatEmail || rp.NameID.Format == "" && rp.NameID.Source == identity.Mail || rp.ReleaseRequested ||
		slices.ContainsFunc(rp.Release, func(r identity.ReleaseRule) bool { return r.Attribute == identity.Mail })
}

// source is the attribute whose value names a person in a format, or "" where an
// identifier of ours does. A configured one is for the configured format, and for
// every format where none is configured.
func source(rp identity.RelyingParty, f identity.Format) identity.Name {
	if s := rp.NameID.Source; s != "" && f != identity.FormatTransient && (rp.NameID.Format == "" || rp.NameID.Format == f) {
		return s
	}
	switch f {
	case identity.FormatPersistent, identity.FormatTransient, "":
		return ""
	case identity.FormatEmail:
		return identity.Mail
	default:
		return identity.Username
	}
}

// nameID finds or makes the identifier. Its qualifiers are the configured ones,
// else, for an identifier of ours, who issued it to whom (SAML Core 8.3.7).
func (a *Authenticator) nameID(ctx context.Context, tx *store.Tx, mint minting, o *offer, now time.Time) (identity.Principal, error) {
	format, err := nameIDFormat(o.rp, o.req)
	if err != nil {
		return identity.Principal{}, err
	}
	p := identity.Principal{Issuer: o.req.Issuer, Format: format, SPNameQualifier: o.req.SPNameQualifier}
	from := source(o.rp, format)
	switch {
	case format == "":
		return identity.Principal{Issuer: o.req.Issuer}, nil
	case from != "":
		p.Subject, err = o.named(from, format)
	case format == identity.FormatTransient:
		p.Subject, err = a.transient(o.live.session, o.rp.ID)
	default:
		key := identity.Principal{
			Issuer: o.req.Issuer, Format: format, NameQualifier: string(o.req.Issuer), SPNameQualifier: string(o.req.Audience),
		}
		p, err = a.stored(ctx, tx, mint, o.live.record.ID, key, o.req.NoCreate, now)
	}
	if err != nil {
		return identity.Principal{}, err
	}
	if q := o.rp.NameID.NameQualifier; q != "" {
		p.NameQualifier = q
	}
	if q := o.rp.NameID.SPNameQualifier; q != "" {
		p.SPNameQualifier = q
	}
	return p, nil
}

// named returns the value of an attribute that names the person. It is never
// empty: an application that knows people by nothing knows them all as one.
func (o *offer) named(from identity.Name, format identity.Format) (string, error) {
	v := o.attributes.First(from)
	if v == "" && from == identity.Username && len(o.live.record.Logins) > 0 {
		v = o.live.record.Logins[0]
	}
	if strings.TrimSpace(v) == "" {
		return "", errNoName(from)
	}
	if format == identity.FormatPersistent && len(v) > longest {
		return "", errNoName(from)
	}
	return v, nil
}

// transient is an identifier for one session at one relying party (SAML Core
// 8.3.8). It is computed, so that a second sign-on within the session tells the
// same and a logout finds it; it rests on the session ID, which nobody outside is
// told, so that neither two parties nor two sessions can be linked by it. It has
// the form of an xs:ID, which never begins with a digit.
func (a *Authenticator) transient(s identity.Session, rp identity.RelyingPartyID) (string, error) {
	rand := a.cfg.Rand
	if s.ID != "" {
		sum := sha256.Sum256([]byte("samlet transient\x00" + string(s.ID) + "\x00" + string(rp)))
		rand = bytes.NewReader(sum[:])
	}
	id, err := identity.NewSubject(rand)
	return "_" + id, err
}

// stored returns the identifier of a record under key, which is made at its first
// use and never computed again (SAML Core 8.3.7). noCreate makes none (SAML Core
// 3.4.1.1). It outlives a change of the name by which one relying party knows us:
// what that party knew the person by before is taken over.
func (a *Authenticator) stored(ctx context.Context, tx *store.Tx, mint minting, id identity.RecordID, key identity.Principal, noCreate bool, now time.Time) (identity.Principal, error) {
	known, err := tx.NameIDs.Get(ctx, id, key)
	if err == nil {
		key.Subject = known.Principal.Subject
		return key, nil
	}
	if identity.KindOf(err) != identity.KindNotFound {
		return identity.Principal{}, fmt.Errorf("reading the name identifier: %w", err)
	}
	all, err := tx.NameIDs.OfRecord(ctx, id)
	if err != nil {
		return identity.Principal{}, fmt.Errorf("reading the record's name identifiers: %w", err)
	}
	before := slices.IndexFunc(all, func(n identity.NameID) bool {
		return n.Principal.SPNameQualifier == key.SPNameQualifier && n.Principal.Format == key.Format
	})
	switch {
	case before < 0 && noCreate:
		return identity.Principal{}, errNameIDPolicy("AllowCreate=false", "", "The application does not know you yet, and asked us not to introduce you.")
	case mint == mintNever:
		return identity.Principal{}, errMint
	case before >= 0:
		key.Subject = all[before].Principal.Subject
	default:
		if key.Subject, err = identity.NewSubject(a.cfg.Rand); err != nil {
			return identity.Principal{}, err
		}
	}
	if mint == mintPretend {
		return key, nil
	}
	if err := tx.NameIDs.Create(ctx, identity.NameID{Record: id, Principal: key, Created: now}); err != nil {
		return identity.Principal{}, fmt.Errorf("creating the name identifier: %w", err)
	}
	return key, nil
}

// subjectID is the subject identifier attribute that the relying party gets, or
// nil (SAML Subject Identifier Attributes Profile 3.3, 3.4): an identifier of ours
// in one case, and our scope. One that its metadata asks for was turned into a
// rule when the metadata was read.
func (a *Authenticator) subjectID(ctx context.Context, tx *store.Tx, mint minting, o *offer, now time.Time) (*identity.Released, error) {
	key := identity.Principal{Issuer: identity.EntityID(a.cfg.Scope)}
	switch o.rp.SubjectID {
	case identity.SubjectIDGeneral:
		key.Format = identity.FormatSubjectID
	case identity.SubjectIDPairwise:
		key.Format, key.SPNameQualifier = identity.FormatPairwiseID, string(o.req.Audience)
	case identity.SubjectIDRequested, identity.SubjectIDNone:
		return nil, nil
	}
	if a.cfg.Scope == "" {
		return nil, nil
	}
	p, err := a.stored(ctx, tx, mint, o.live.record.ID, key, false, now)
	if err != nil {
		return nil, err
	}
	name := string(key.Format)
	return &identity.Released{
		As: name, NameFormat: identity.NameFormatURI, FriendlyName: name[strings.LastIndexByte(name, ':')+1:],
		Values: []string{p.Subject + "@" + a.cfg.Scope},
	}, nil
}

func errNameIDPolicy(seen, expected, msg string) *identity.Error {
	return &identity.Error{
		Kind: identity.KindDenied, Code: "sp.nameid_policy", Who: identity.WhoOperator,
		Msg: msg, Seen: seen, Expected: expected,
	}
}

// errNoName is a person who lacks the attribute that would name them.
func errNoName(missing identity.Name) *identity.Error {
	msg := "The application knows people by an attribute that your account does not have."
	switch missing {
	case identity.Mail:
		msg = "The application knows people by their e-mail address, and your account has none."
	case identity.Username:
		msg = "The application knows people by their user name, and your account has none."
	default:
	}
	return &identity.Error{
		Kind: identity.KindDenied, Code: "sp.nameid_missing", Who: identity.WhoOperator,
		Msg: msg, Expected: "a value of " + string(missing),
	}
}
