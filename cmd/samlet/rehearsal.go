package main

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/samlet-id/samlet/identity"
)

// rehearsal is what samlet would send to a service provider if a person signed
// in there now: read from the very message, but for what no message says. Its
// JSON is stable.
type rehearsal struct {
	SP     string `json:"sp"`
	Person string `json:"person"`
	// Refused is set where nobody would be signed in; the rest is empty then.
	Refused *rehearsedRefusal `json:"refused,omitempty"`
	// Consent is never, asked (the person would be asked first) or given.
	Consent string `json:"consent,omitempty"`

	Issuer       string               `json:"issuer,omitempty"`
	Audience     string               `json:"audience,omitempty"`
	Destination  string               `json:"destination,omitempty"`
	Recipient    string               `json:"recipient,omitempty"`
	NameID       *rehearsedName       `json:"name_id,omitempty"`
	Attributes   []rehearsedAttribute `json:"attributes"`
	Missing      []string             `json:"missing"` // attributes that its metadata requires, and that it would not get
	Context      rehearsedContext     `json:"authn_context"`
	SessionUntil string               `json:"session_not_on_or_after,omitempty"`
	Signed       rehearsedSignatures  `json:"signed"`
	Encrypted    *rehearsedEncryption `json:"encrypted,omitempty"` // of the assertion

	XML string `json:"-"` // the message, an assertion that is sent encrypted in clear
}

type rehearsedRefusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type rehearsedName struct {
	Value           string `json:"value"`
	Format          string `json:"format,omitempty"`
	NameQualifier   string `json:"name_qualifier,omitempty"`
	SPNameQualifier string `json:"sp_name_qualifier,omitempty"`
	New             bool   `json:"new"` // it would be made at the sign-in, and be another one
}

type rehearsedAttribute struct {
	Name         string           `json:"name"`
	NameFormat   string           `json:"name_format,omitempty"`
	FriendlyName string           `json:"friendly_name,omitempty"`
	Values       []rehearsedValue `json:"values"`
}

type rehearsedValue struct {
	Value   string   `json:"value"`
	Sources []string `json:"sources"` // operator, person, the id of a connection, configuration or samlet
}

type rehearsedContext struct {
	Class       string   `json:"class,omitempty"`
	Authorities []string `json:"authorities,omitempty"`
}

// rehearsedSignatures are the algorithms of the signatures; empty: not signed.
type rehearsedSignatures struct {
	Response  string `json:"response,omitempty"`
	Assertion string `json:"assertion,omitempty"`
}

type rehearsedEncryption struct {
	Content      string `json:"content"`
	KeyTransport string `json:"key_transport"`
}

// rehearse has samlet answer the party id about a person of the stage's store,
// who came in by a connection ("" is the usual one).
func (s *stage) rehearse(ctx context.Context, id string, who identity.Record, via identity.ConnectionID) (rehearsal, error) {
	p, err := s.snapshot.party(id)
	if err != nil {
		return rehearsal{}, err
	}
	r := rehearsal{SP: id, Person: cmp.Or(firstOf(who.Logins), string(who.ID)), Attributes: []rehearsedAttribute{}, Missing: []string{}}
	req, err := s.idp.Question(p.Party)
	if err != nil {
		return refused(r, err)
	}
	req.Connection = via
	told, fresh, err := s.login.Preview(ctx, who.ID, req)
	if err != nil {
		return refused(r, err)
	}
	sent, err := s.idp.Response(ctx, req, told)
	if err != nil {
		return refused(r, err)
	}
	clear := sent
	if err := r.readEnvelope(sent); err != nil {
		return rehearsal{}, err
	}
	if r.Encrypted != nil {
		if clear, err = s.respondInClear(ctx, p, req, told); err != nil {
			return rehearsal{}, err
		}
	}
	if err := r.readAssertion(clear); err != nil {
		return rehearsal{}, err
	}
	r.XML = string(clear)
	r.Consent = map[string]string{identity.ConsentURIExplicit: "asked", identity.ConsentURIPrior: "given"}[told.Consent]
	r.Consent = cmp.Or(r.Consent, identity.ConsentNever.String())
	if r.NameID != nil {
		attribute := slices.ContainsFunc(who.Values, func(v identity.Value) bool { return v.Value == r.NameID.Value })
		r.NameID.New = fresh && !attribute || r.NameID.Format == string(identity.FormatTransient)
	}
	r.traceSources(p, who, told.Released, s.snapshot.Catalogue)
	r.findMissing(p)
	return r, nil
}

func firstOf(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

// refused turns an error that the application would be told of into a result.
func refused(r rehearsal, err error) (rehearsal, error) {
	e, ok := errors.AsType[*identity.Error](err)
	if !ok || e.Kind == identity.KindInternal {
		return rehearsal{}, err
	}
	r.Refused = &rehearsedRefusal{Code: string(e.Code), Message: message(e)}
	return r, nil
}

// respondInClear is the Response towards a party that takes no encryption.
func (s *stage) respondInClear(ctx context.Context, p party, req identity.AuthnRequest, a identity.Assertion) ([]byte, error) {
	snap := *s.snapshot
	p.Encrypt.Mode = identity.Never
	snap.Parties = []party{p}
	other, err := openStage(ctx, stageConfig{Snapshot: &snap, Now: s.now, Rand: s.rand})
	if err != nil {
		return nil, err
	}
	octets, err := other.idp.Response(ctx, req, a)
	return octets, errors.Join(err, other.Close(ctx))
}

// traceSources says where each value came from: released is what the values of
// the message were made of.
func (r *rehearsal) traceSources(p party, who identity.Record, released []identity.Released, catalogue *identity.Catalogue) {
	for _, out := range released {
		row, _ := catalogue.Lookup(out.Attribute)
		name := cmp.Or(out.As, row.SAMLName, string(out.Attribute))
		i := slices.IndexFunc(r.Attributes, func(a rehearsedAttribute) bool { return a.Name == name })
		if i < 0 {
			continue
		}
		for j := range r.Attributes[i].Values {
			v := &r.Attributes[i].Values[j]
			v.Sources = sourcesOf(p.RelyingParty, who, out, v.Value)
		}
	}
}

func sourcesOf(rp identity.RelyingParty, who identity.Record, out identity.Released, value string) []string {
	var exact, any []string
	for _, v := range who.Values {
		if v.Name != out.Attribute {
			continue
		}
		name := sourceName(v.Source)
		if v.Value == value && !slices.Contains(exact, name) {
			exact = append(exact, name)
		}
		if !slices.Contains(any, name) {
			any = append(any, name)
		}
	}
	ruled := slices.ContainsFunc(rp.Release, func(rule identity.ReleaseRule) bool {
		return rule.Attribute == "" && rule.As == out.As
	})
	switch {
	case len(exact) > 0:
		return exact
	case ruled:
		return []string{"configuration"}
	case out.Attribute != "" && len(any) > 0: // several values in one
		return any
	}
	return []string{"samlet"}
}

// sourceName is the name that a source has in config.yaml.
func sourceName(s identity.Source) string {
	switch s {
	case identity.SourceOperator:
		return "operator"
	case identity.SourcePerson:
		return "person"
	}
	return string(s)
}

// findMissing names the attributes that the party's metadata says it cannot do
// without, and that the message does not have.
func (r *rehearsal) findMissing(p party) {
	service, ok := p.Metadata.SP.AttributeConsumingService(nil)
	if !ok {
		return
	}
	for _, wanted := range service.Requested {
		there := slices.ContainsFunc(r.Attributes, func(a rehearsedAttribute) bool { return a.Name == wanted.Name })
		if wanted.Required && !there {
			r.Missing = append(r.Missing, cmp.Or(wanted.FriendlyName, wanted.Name))
		}
	}
}
