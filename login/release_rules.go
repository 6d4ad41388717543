package login

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// released applies the rules of a relying party: what no rule names does not
// leave. Each name on the wire leaves once. Where several rules give it, they
// narrow each other, so that no order of rules lets more out under one name than
// the strictest of them. Of an expression that fails nothing leaves; the faults
// say which.
func released(rp identity.RelyingParty, req identity.AuthnRequest, rec identity.Record, person identity.Person) (_ []identity.Released, faults []error) {
	out := make([]identity.Released, 0, len(rp.Release)+2)
	forms := make([]form, 0, cap(out)) // to be applied once all have narrowed
	at := make(map[string]int, cap(out))
	for j := range rp.Release {
		rule := &rp.Release[j]
		values, err := valuesOf(rule, rec, person)
		if err != nil {
			faults = append(faults, fmt.Errorf("computing %s: %w", rule.As, err))
			values = nil
		}
		values = matching(values, rule.Only)
		name := rule.As
		if name == "" {
			name = canonical + string(rule.Attribute)
		}
		i, again := at[name]
		if !again {
			at[name] = len(out)
			out = append(out, identity.Released{
				Attribute: rule.Attribute, As: rule.As, NameFormat: rule.NameFormat, FriendlyName: rule.FriendlyName, Values: values,
			})
			forms = append(forms, form{rule.First, rule.Join})
			continue
		}
		out[i].Values = slices.DeleteFunc(slices.Clone(out[i].Values), func(v string) bool { return !slices.Contains(values, v) })
		forms[i].first = forms[i].first || rule.First
		forms[i].join = cmp.Or(forms[i].join, rule.Join)
	}
	for i := range out {
		out[i].Values = forms[i].apply(out[i].Values)
	}
	out = append(out, requested(rp, req, person.Attributes)...)
	return slices.DeleteFunc(out, func(r identity.Released) bool { return len(r.Values) == 0 }), faults
}

// canonical begins the key of an attribute that goes by the catalogue's name. No
// name on the wire holds NUL (XML 1.0 2.2).
const canonical = "\x00"

// requested are the attributes that the relying party's metadata asks for and no
// rule speaks of, where the operator lets the metadata decide. Where it names the
// values that it wants, no others leave.
func requested(rp identity.RelyingParty, req identity.AuthnRequest, attributes identity.Attributes) []identity.Released {
	if !rp.ReleaseRequested {
		return nil
	}
	wanted := req.Wanted
	if rp.ReleaseRequired {
		wanted = req.Required
	}
	var out []identity.Released
	for i, n := range wanted {
		ruled := slices.ContainsFunc(rp.Release, func(r identity.ReleaseRule) bool { return r.Attribute == n })
		if ruled || slices.Contains(wanted[:i], n) {
			continue
		}
		values := attributes[n]
		if only, some := req.Only[n]; some {
			values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !slices.Contains(only, v) })
		}
		out = append(out, identity.Released{Attribute: n, Values: form{}.apply(values)})
	}
	return out
}

// valuesOf returns the values that a rule speaks of, in their stored order. An
// expression of a rule with Sources sees the values of these alone.
func valuesOf(rule *identity.ReleaseRule, rec identity.Record, person identity.Person) ([]string, error) {
	switch {
	case rule.Value != nil:
		if len(rule.Sources) > 0 {
			person.Attributes = fromSources(rec, rule.Sources).Attributes()
		}
		return rule.Value(person)
	case rule.Attribute == "":
		return rule.Constant, nil
	case len(rule.Sources) > 0:
		return fromSources(rec, rule.Sources).Attributes()[rule.Attribute], nil
	}
	return person.Attributes[rule.Attribute], nil
}

// fromSources is rec without the values of other origins.
func fromSources(rec identity.Record, sources []identity.Source) identity.Record {
	rec.Values = slices.DeleteFunc(slices.Clone(rec.Values), func(v identity.Value) bool { return !slices.Contains(sources, v.Source) })
	return rec
}

// form is how values leave: First and Join of a rule.
type form struct {
	first bool
	join  string
}

// apply drops empty values, which say nothing, and brings the others into form.
func (f form) apply(values []string) []string {
	if slices.Contains(values, "") {
		values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
	}
	if f.first && len(values) > 1 {
		values = values[:1:1]
	}
	if f.join != "" && len(values) > 1 {
		values = []string{strings.Join(values, f.join)}
	}
	return values
}

// lacking returns those of required that are not released.
func lacking(required []identity.Name, out []identity.Released) []identity.Name {
	var missing []identity.Name
	for _, n := range required {
		if !slices.ContainsFunc(out, func(r identity.Released) bool { return r.Attribute == n }) {
			missing = append(missing, n)
		}
	}
	return missing
}

// matching returns the values that match one of the globs (path.Match without
// its special treatment of '/'). A malformed glob matches nothing.
func matching(values, globs []string) []string {
	if len(globs) == 0 {
		return values
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
