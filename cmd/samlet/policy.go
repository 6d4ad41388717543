package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/expression"
	"github.com/samlet-id/samlet/metadata"
)

// policy is what config.yaml says of who may be signed in and what may leave, its
// expressions compiled.
type policy struct {
	parties    []partyPolicy // as service_providers
	categories []category
	scoped     bool // there is an idp.scope
}

// partyPolicy is that of one service provider alone.
type partyPolicy struct {
	access  identity.Condition
	release []identity.ReleaseRule
}

// category is one of entity_categories.
type category struct {
	name, value string
	release     []identity.ReleaseRule
}

// policyReader compiles expressions and turns what is wrong with them into faults
// of the configuration.
type policyReader struct {
	decoder   *decoder
	catalogue *identity.Catalogue
	compiler  *expression.Compiler
}

// scopePattern is the form of a scope (SAML Subject Identifier Attributes Profile
// 3.3.2).
var scopePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,126}$`)

func readPolicy(cfg *Config, catalogue *identity.Catalogue, d *decoder) *policy {
	r := &policyReader{decoder: d, catalogue: catalogue, compiler: expression.New(catalogue)}
	p := &policy{scoped: cfg.IDP.Scope != ""}
	if p.scoped && !scopePattern.MatchString(cfg.IDP.Scope) {
		d.faultAt("idp.scope", "want letters, digits, dots and hyphens, such as example.test, got %q", cfg.IDP.Scope)
	}
	for i, sp := range cfg.ServiceProviders {
		at := fmt.Sprintf("service_providers[%d]", i)
		rules := r.rules(at, sp.Release)
		r.checkNames(at, rules)
		p.parties = append(p.parties, partyPolicy{access: r.condition(at+".access.require", sp.Access.Require), release: rules})
	}
	for i, c := range cfg.EntityCategories {
		name := c.Name
		if name == "" {
			name = metadata.AttributeEntityCategory
		}
		p.categories = append(p.categories, category{name, c.Value, r.rules(fmt.Sprintf("entity_categories[%d]", i), c.Release)})
	}
	return p
}

func (r *policyReader) condition(at, source string) identity.Condition {
	if source == "" {
		return nil
	}
	c, err := r.compiler.Condition(source)
	r.fault(at, err)
	return c
}

func (r *policyReader) fault(at string, err error) {
	if err != nil {
		r.decoder.faultOf(at, err)
	}
}

// faultOf tells what is wrong with the expression at.
func (d *decoder) faultOf(at string, err error) {
	var f *expression.Fault
	if errors.As(err, &f) {
		d.faultAt(at, "%s (line %d, column %d of the expression)", f.Msg, f.Line, f.Column)
		return
	}
	d.faultAt(at, "%v", err)
}

// rules returns release rules, each with its name on the wire.
func (r *policyReader) rules(at string, configured []ReleaseConfig) []identity.ReleaseRule {
	rules := make([]identity.ReleaseRule, len(configured))
	for j, c := range configured {
		rules[j] = releaseRule(c)
		if c.Value != "" {
			var err error
			rules[j].Value, err = r.compiler.Expression(c.Value)
			r.fault(fmt.Sprintf("%s.release[%d].value", at, j), err)
		}
		row, known := r.catalogue.Lookup(identity.Name(c.Attribute))
		if known && c.As == "" && row.SAMLName != "" {
			rules[j].As, rules[j].NameFormat = row.SAMLName, cmp.Or(rules[j].NameFormat, row.NameFormat)
		}
		if rules[j].As != "" && rules[j].NameFormat == "" {
			rules[j].NameFormat = identity.NameFormatOf(rules[j].As)
		}
	}
	return rules
}

// checkNames refuses two rules of one list that fill one name from different
// places: only what both have would leave, which nobody means.
func (r *policyReader) checkNames(at string, rules []identity.ReleaseRule) {
	for j, rule := range rules {
		i := slices.IndexFunc(rules[:j], func(other identity.ReleaseRule) bool { return contradict(other, rule) })
		if i >= 0 {
			r.decoder.faultAt(fmt.Sprintf("%s.release[%d]", at, j), "release[%d] fills %s from elsewhere; one value can put both together", i, rule.As)
		}
	}
}

// contradict reports whether two rules fill one name from different places.
func contradict(a, b identity.ReleaseRule) bool {
	return a.As != "" && a.As == b.As && (a.Attribute == "" || a.Attribute != b.Attribute)
}

// apply completes what config.yaml says of service provider i with what its
// metadata says.
func (p *policy) apply(i int, c ServiceProviderConfig, rp *identity.RelyingParty, entity *metadata.Entity, warn func(format string, args ...any)) {
	own := p.parties[i]
	rp.Access, rp.Release = own.access, slices.Clone(own.release)
	for _, category := range p.categories {
		if !c.ReleaseCategories || !entity.HasAttribute(category.name, category.value) {
			continue
		}
		for _, rule := range category.release {
			// What is said of the one service provider is meant for it.
			if !slices.ContainsFunc(own.release, func(o identity.ReleaseRule) bool { return contradict(o, rule) }) {
				rp.Release = append(rp.Release, rule)
			}
		}
	}
	if rp.SubjectID == identity.SubjectIDRequested {
		rp.SubjectID = requestedSubjectID(entity)
		if !p.scoped && rp.SubjectID != identity.SubjectIDNone {
			warn("service_providers[%d].subject_id: the metadata of %s asks for a subject identifier, and there is no idp.scope", i, c.ID)
		}
	}
}

// requestedSubjectID is what the metadata asks for with subject-id:req (SAML
// Subject Identifier Attributes Profile 4.1): of several, the most private.
func requestedSubjectID(entity *metadata.Entity) identity.SubjectIDRule {
	asks := func(value string) bool { return entity.HasAttribute(metadata.AttributeSubjectIDRequirement, value) }
	switch {
	case asks("none"):
		return identity.SubjectIDNone
	case asks("pairwise-id"), asks("any"):
		return identity.SubjectIDPairwise
	case asks("subject-id"):
		return identity.SubjectIDGeneral
	}
	return identity.SubjectIDNone
}
