package broker

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// Mapping turns an upstream's attribute names into canonical ones. It is
// immutable; the zero Mapping drops every attribute.
type Mapping struct {
	rules []rule
}

// rule is an identity.MapRule, compiled.
type rule struct {
	identity.MapRule
	match     *regexp.Regexp    // nil matches all
	translate map[string]string // nil leaves values as they are
}

// NewMapping returns the mapping of rules: each fills the canonical attribute
// To with the values of the first name in From that has any, as far as its filters
// let them pass, else with what Value computes, filtered likewise, else with Constant.
// Without rules it is that of
// DefaultRules. All that can be said of a rule that makes no sense is an error: one
// whose To is not declared in the catalogue, that names no origin at all, that fills
// what another rule fills already, or whose patterns are none.
func NewMapping(rules []identity.MapRule, cat *identity.Catalogue) (Mapping, error) {
	if len(rules) == 0 {
		rules = DefaultRules(cat)
	}
	filled := map[identity.Name]bool{}
	kept := make([]rule, len(rules))
	for i, r := range rules {
		if _, declared := cat.Lookup(r.To); !declared {
			return Mapping{}, fmt.Errorf("mapping to %q: no such attribute is declared", r.To)
		}
		if filled[r.To] {
			return Mapping{}, fmt.Errorf("mapping to %q: more than one rule; list the upstream names in one", r.To)
		}
		filled[r.To] = true
		var err error
		if kept[i], err = compile(r); err != nil {
			return Mapping{}, fmt.Errorf("mapping to %q: %w", r.To, err)
		}
	}
	return Mapping{rules: kept}, nil
}

// compile checks one rule by itself.
func compile(r identity.MapRule) (rule, error) {
	switch {
	case len(r.From) == 0 && r.Value.Compute == nil && len(r.Constant) == 0:
		return rule{}, errors.New("give an upstream name, an expression or a constant")
	case slices.Contains(r.Constant, ""):
		return rule{}, errors.New("a constant is empty")
	case slices.Contains(r.From, ""):
		return rule{}, errors.New("an upstream name is empty")
	case r.Replace != "" && r.Match == "":
		return rule{}, errors.New("replace needs match, which says what is replaced")
	case r.KeepOthers && len(r.Translate) == 0:
		return rule{}, errors.New("keep_others needs translate; without it every value passes")
	case r.Required && len(r.Constant) > 0:
		return rule{}, errors.New("a constant is always there; leave required out")
	case len(r.From) == 0 && r.Value.Compute == nil && (r.Match != "" || len(r.Translate) > 0 || len(r.Only) > 0):
		return rule{}, errors.New("filters are for what the upstream says; give an upstream name")
	}
	out := rule{MapRule: r}
	out.From, out.Only, out.Constant = slices.Clone(r.From), slices.Clone(r.Only), slices.Clone(r.Constant)
	if r.Match != "" {
		// By itself first: of "a)(b" the frame would make a pattern, and another one.
		if _, err := regexp.Compile(r.Match); err != nil {
			return rule{}, fmt.Errorf("match: %w", err)
		}
		var err error
		if out.match, err = regexp.Compile("^(?:" + r.Match + ")$"); err != nil {
			return rule{}, fmt.Errorf("match: %w", err)
		}
	}
	for _, t := range r.Translate {
		if _, twice := out.translate[t.From]; twice || t.From == "" || t.To == "" {
			return rule{}, fmt.Errorf("translate: want each value once, from and to, got %q", t.From)
		}
		if out.translate == nil {
			out.translate = map[string]string{}
		}
		out.translate[t.From] = t.To
	}
	for _, glob := range r.Only {
		if _, err := path.Match(glob, ""); err != nil {
			return rule{}, fmt.Errorf("only: %q: %w", glob, err)
		}
	}
	return out, nil
}

// DefaultRules returns the mapping of a connection that configures none: for
// each attribute of the catalogue its SAML name, then the claim URIs under
// which AD FS and Entra ID send it, then its LDAP name and its OIDC claim as
// bare names, as many identity providers are set up by hand. A FriendlyName is
// never matched (IIP-SP11). The claim URI that ends in /name is left out: one
// vendor sends the user principal name under it, another the display name.
func DefaultRules(cat *identity.Catalogue) []identity.MapRule {
	var rules []identity.MapRule
	for _, a := range cat.All() {
		var from []string
		for _, n := range append([]string{a.SAMLName}, append(claimURIs(a.Name), a.LDAP, a.OIDCClaim)...) {
			if n != "" && !slices.Contains(from, n) {
				from = append(from, n)
			}
		}
		if len(from) > 0 {
			rules = append(rules, identity.MapRule{To: a.Name, From: from})
		}
	}
	return rules
}

// claimURIs returns the claim types of AD FS and Entra ID that hold the
// canonical attribute n (Microsoft, "Customize SAML token claims").
func claimURIs(n identity.Name) []string {
	const claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	switch n {
	case identity.Mail:
		return []string{claims + "emailaddress"}
	case identity.GivenName:
		return []string{claims + "givenname"}
	case identity.FamilyName:
		return []string{claims + "surname"}
	case identity.DisplayName:
		return []string{"http://schemas.microsoft.com/identity/claims/displayname"}
	case identity.Username:
		return []string{claims + "upn"}
	case identity.Groups:
		return []string{"http://schemas.microsoft.com/ws/2008/06/identity/claims/groups", "http://schemas.xmlsoap.org/claims/Group"}
	case identity.Phone:
		return []string{claims + "mobilephone"}
	default:
		return nil
	}
}

// Apply returns a, which came through a connection, with its attributes under
// canonical names; those that no rule takes are dropped, and so are empty values and
// repetitions. Nothing else of a changes, and a itself is not touched. It fails with
// code up.missing_attribute where a rule that is required fills nothing, and with
// up.mapping where a value cannot be computed.
func (m Mapping) Apply(via identity.ConnectionID, a identity.Assertion) (identity.Assertion, error) {
	out := identity.Attributes{}
	for _, r := range m.rules {
		values, err := r.fill(via, a, &Step{})
		if err != nil {
			return identity.Assertion{}, err
		}
		if len(values) > 0 {
			out[r.To] = values
		}
	}
	a.Attributes = out
	return a, nil
}

// Step is what one rule made of what an upstream said.
type Step struct {
	To      identity.Name
	From    string // the upstream's name; empty where the values are computed or constant, or there are none
	Origin  Origin
	Values  []string
	Dropped []Drop
	Refused *identity.Error // the rule refuses the login

	traced bool
}

// Origin says what part of a rule gave the values.
type Origin string

// The origins, as config.yaml spells them. OriginNone gave nothing.
const (
	OriginNone     Origin = ""
	OriginFrom     Origin = "from"
	OriginValue    Origin = "value"
	OriginConstant Origin = "constant"
)

// Drop is a value that a rule saw and did not keep, and the filter that did not
// know it: match, translate or only.
type Drop struct{ From, Value, By string }

// Explain does what Apply does, tells of every rule, and goes on where Apply would
// refuse.
func (m Mapping) Explain(via identity.ConnectionID, a identity.Assertion) []Step {
	steps := make([]Step, len(m.rules))
	for i, r := range m.rules {
		s := Step{To: r.To, traced: true}
		values, err := r.fill(via, a, &s)
		s.Values, s.Refused = values, identity.AsError(err)
		steps[i] = s
	}
	return steps
}

// fill returns the values that the rule makes of what was said, and tells s where
// they are from.
func (r rule) fill(via identity.ConnectionID, said identity.Assertion, s *Step) ([]string, error) {
	for _, from := range r.From {
		s.From = from
		if values := r.filter(said.Attributes[identity.Name(from)], s); len(values) > 0 {
			s.Origin = OriginFrom
			return values, nil
		}
	}
	s.From = ""
	if r.Value.Compute != nil {
		computed, err := r.Value.Compute(via, said)
		if err != nil {
			return nil, &identity.Error{
				Kind: identity.KindInvalid, Code: "up.mapping", Who: identity.WhoOperator, Err: err,
				Msg:  "What your organization's sign-in service said about you could not be understood here.",
				Seen: "the value of the rule for " + string(r.To) + " cannot be computed", Expected: "a text or a list of texts (samlet connection test)",
			}
		}
		if values := r.filter(computed, s); len(values) > 0 {
			s.Origin = OriginValue
			return values, nil
		}
	}
	if len(r.Constant) > 0 {
		s.Origin = OriginConstant
		return distinct(r.Constant), nil
	}
	if r.Required {
		return nil, r.missing(said.Attributes)
	}
	return nil, nil
}

// filter returns what becomes of values, each once.
func (r rule) filter(values []string, s *Step) []string {
	values = distinct(values)
	if r.match == nil && r.translate == nil && len(r.Only) == 0 {
		return values
	}
	out := make([]string, 0, len(values))
	for _, v := range values {
		kept, by := r.pass(v)
		if by == "" {
			out = append(out, kept)
		} else if s.traced {
			s.Dropped = append(s.Dropped, Drop{From: s.From, Value: v, By: by})
		}
	}
	return distinct(out)
}

// pass returns what becomes of one value, or which filter drops it.
func (r rule) pass(v string) (kept, droppedBy string) {
	if r.match != nil {
		groups := r.match.FindStringSubmatchIndex(v)
		if groups == nil {
			return "", "match"
		}
		if r.Replace != "" {
			v = string(r.match.ExpandString(nil, r.Replace, v, groups))
		}
	}
	if r.translate != nil {
		to, listed := r.translate[v]
		if !listed && !r.KeepOthers {
			return "", "translate"
		}
		if listed {
			v = to
		}
	}
	fits := func(glob string) bool { ok, err := path.Match(glob, v); return ok && err == nil }
	if len(r.Only) > 0 && !slices.ContainsFunc(r.Only, fits) {
		return "", "only"
	}
	return v, ""
}

// missing says what the upstream would have to send. It names names, and no values.
func (r rule) missing(said identity.Attributes) *identity.Error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: codeMissingAttribute, Who: identity.WhoPartner,
		Msg:  "Your organization's sign-in service did not say everything about you that is needed here.",
		Seen: namesOf(said), Expected: fmt.Sprintf("a value for %s, from %s", r.To, strings.Join(r.names(), " or ")),
	}
}

// namesOf lists the names of attributes for whoever has to repair what is missing.
func namesOf(said identity.Attributes) string {
	const most = 40
	var names []string
	for _, n := range said.Names() {
		names = append(names, string(n))
	}
	if len(names) == 0 {
		return "no attributes at all"
	}
	return strings.Join(names[:min(len(names), most)], " ")
}

// distinct returns the values that are not empty, each once, in their order. A
// set keeps thousands of group values cheap.
func distinct(values []string) []string {
	seen := make(map[string]bool, len(values))
	var out []string
	for _, v := range values {
		if v != "" && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// Dropped returns the names of a that no rule takes, sorted.
func (m Mapping) Dropped(a identity.Assertion) []identity.Name {
	return slices.DeleteFunc(a.Attributes.Names(), func(n identity.Name) bool {
		return slices.ContainsFunc(m.rules, func(r rule) bool { return slices.Contains(r.names(), string(n)) })
	})
}

// names returns the upstream names that the rule looks at.
func (r rule) names() []string {
	if len(r.Value.Names) == 0 {
		return r.From
	}
	names := slices.Clone(r.From)
	for _, n := range r.Value.Names {
		if !slices.Contains(names, string(n)) {
			names = append(names, string(n))
		}
	}
	return names
}
