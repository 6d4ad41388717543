package login

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// release turns what samlet knows of a person into what one relying party
// learns: deny by default, one place for every protocol. Principal.Issuer is
// the name under which that party knows us. Where the party knows the person by
// a stored identifier that does not exist yet, release makes it in an Update and
// fails with errMint in a View.
func (a *Authenticator) release(ctx context.Context, tx *store.Tx, mint bool, rp identity.RelyingParty, req identity.AuthnRequest, l live, now time.Time) (identity.Assertion, error) {
	attributes := l.record.Attributes()
	format, err := nameIDFormat(rp, req)
	if err != nil {
		return identity.Assertion{}, err
	}
	principal, err := a.nameID(ctx, tx, mint, format, rp, req, l.record, now)
	if err != nil {
		return identity.Assertion{}, err
	}
	out := identity.Assertion{
		Principal:  principal,
		Context:    l.session.Context,
		Attributes: released(rp, req, attributes),
		Session:    index(l.session.ID, rp.ID),
	}
	if rp.SessionLifetime > 0 {
		out.NotAfter = earlier(now.Add(rp.SessionLifetime), l.session.NotAfter)
	}
	return out, nil
}

// released filters attributes. A rule lets a name pass and may narrow its
// values; several rules for one name narrow each other, so that no order of
// rules lets more out than the strictest.
func released(rp identity.RelyingParty, req identity.AuthnRequest, attributes identity.Attributes) identity.Attributes {
	out := identity.Attributes{}
	for _, rule := range rp.Release {
		values, seen := out[rule.Attribute]
		if !seen {
			values = attributes[rule.Attribute]
		}
		out[rule.Attribute] = matching(values, rule.Only)
	}
	if rp.ReleaseRequested {
		for _, n := range req.Wanted {
			if _, ruled := out[n]; !ruled {
				out[n] = slices.Clone(attributes[n])
			}
		}
	}
	for n, values := range out {
		if len(values) == 0 {
			delete(out, n)
		}
	}
	return out
}

// matching returns the values that match one of the globs (path.Match without
// its special treatment of '/'). A malformed glob matches nothing.
func matching(values, globs []string) []string {
	if len(globs) == 0 {
		return slices.Clone(values)
	}
	var out []string
	for _, v := range values {
		if slices.ContainsFunc(globs, func(g string) bool { return glob(g, v) }) {
			out = append(out, v)
		}
	}
	return out
}

func glob(pattern, value string) bool {
	// path.Match lets '*' stop at a slash; attribute values are no paths. No
	// value can hold NUL (XML 1.0 2.2), so that it can stand in.
	swap := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
	ok, err := path.Match(swap(pattern), swap(value))
	return err == nil && ok
}

// errMint says that a stored identifier has to be made, which a View cannot.
var errMint = errors.New("the identifier is not there yet")

// nameIDFormat chooses how the relying party is to know the person: as its
// request says, else as it is configured, else the first that its metadata lists
// and we issue, else transient (SAML Core 3.4.1.1, 8.3).
func nameIDFormat(rp identity.RelyingParty, req identity.AuthnRequest) (identity.Format, error) {
	if q := req.SPNameQualifier; q != "" && q != string(req.Audience) {
		return "", errNameIDPolicy(q, string(req.Audience), "The application asks for identifiers of a group of applications that it is not known to belong to.")
	}
	switch req.Subject {
	case "", identity.FormatUnspecified:
		return preferredFormat(rp, req), nil
	case identity.FormatPersistent, identity.FormatTransient:
		return req.Subject, nil
	case identity.FormatEmail:
		if !mayNameMail(rp) {
			return "", errNameIDPolicy(string(req.Subject), "", "The application asks to know people by their e-mail address, which is not released to it.")
		}
		return req.Subject, nil
	default:
		return "", errNameIDPolicy(string(req.Subject), "persistent, transient, emailAddress or unspecified", "The application asks for a kind of identifier that we do not issue.")
	}
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
	return rp.NameID.Format == identity.FormatEmail || rp.ReleaseRequested ||
		slices.ContainsFunc(rp.Release, func(r identity.ReleaseRule) bool { return r.Attribute == identity.Mail })
}

// nameID finds or makes the identifier.
func (a *Authenticator) nameID(ctx context.Context, tx *store.Tx, mint bool, format identity.Format, rp identity.RelyingParty, req identity.AuthnRequest, rec identity.Record, now time.Time) (identity.Principal, error) {
	p := identity.Principal{Issuer: req.Issuer, Format: format, SPNameQualifier: req.SPNameQualifier}
	var err error
	switch format {
	case identity.FormatPersistent:
		p.NameQualifier, p.SPNameQualifier = string(req.Issuer), string(req.Audience)
		return a.pairwise(ctx, tx, mint, p, req, rec, now)
	case identity.FormatTransient:
		// A transient identifier has the form of an xs:ID, which never begins with
		// a digit (SAML Core 8.3.8).
		if p.Subject, err = identity.NewSubject(a.cfg.Rand); err != nil {
			return identity.Principal{}, err
		}
		p.Subject = "_" + p.Subject
		return p, nil
	case identity.FormatEmail:
		p.Subject = rec.Attributes().First(identity.Mail)
		if p.Subject == "" {
			return identity.Principal{}, errNoName(identity.Mail)
		}
		return p, nil
	default:
		p.Format = identity.FormatUnspecified
		p.Subject = namedBy(rp.NameID.Source, rec)
		if p.Subject == "" {
			return identity.Principal{}, errNoName(rp.NameID.Source)
		}
		return p, nil
	}
}

// namedBy returns the value that names a person in the unspecified format.
func namedBy(source identity.Name, rec identity.Record) string {
	if source != "" {
		return rec.Attributes().First(source)
	}
	if name := rec.Attributes().First(identity.Username); name != "" || len(rec.Logins) == 0 {
		return name
	}
	return rec.Logins[0]
}

// pairwise returns the stored identifier of rec at the party of p, which is made
// at its first use and never computed again (SAML Core 8.3.7). AllowCreate being
// false outright makes none (SAML Core 3.4.1.1).
func (a *Authenticator) pairwise(ctx context.Context, tx *store.Tx, mint bool, p identity.Principal, req identity.AuthnRequest, rec identity.Record, now time.Time) (identity.Principal, error) {
	known, err := tx.NameIDs.Get(ctx, rec.ID, p)
	switch {
	case err == nil:
		return known.Principal, nil
	case identity.KindOf(err) != identity.KindNotFound:
		return identity.Principal{}, fmt.Errorf("reading the name identifier: %w", err)
	case req.NoCreate:
		return identity.Principal{}, errNameIDPolicy("AllowCreate=false", "", "The application does not know you yet, and asked us not to introduce you.")
	case !mint:
		return identity.Principal{}, errMint
	}
	if p.Subject, err = identity.NewSubject(a.cfg.Rand); err != nil {
		return identity.Principal{}, err
	}
	if err := tx.NameIDs.Create(ctx, identity.NameID{Record: rec.ID, Principal: p, Created: now}); err != nil {
		return identity.Principal{}, fmt.Errorf("creating the name identifier: %w", err)
	}
	return p, nil
}

// releaseDetail tells the audit trail what left, by names and never by values.
func releaseDetail(out identity.Assertion) string {
	names := make([]string, 0, len(out.Attributes))
	for _, n := range out.Attributes.Names() {
		names = append(names, string(n))
	}
	return "name_id=" + string(out.Principal.Format) + " attributes=" + strings.Join(names, ",")
}

// participant is what a logout has to repeat towards the relying party.
func participant(l live, req identity.AuthnRequest, out identity.Assertion, now time.Time) identity.Participant {
	return identity.Participant{
		Session: l.session.ID, RelyingParty: req.RelyingParty, Audience: req.Audience,
		Principal: out.Principal, Index: out.Session, At: now,
	}
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
	case "":
		missing = identity.Username
		msg = "The application knows people by their user name, and your account has none."
	default:
	}
	return &identity.Error{
		Kind: identity.KindDenied, Code: "sp.nameid_missing", Who: identity.WhoOperator,
		Msg: msg, Expected: "a value of " + string(missing),
	}
}
