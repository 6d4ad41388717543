package main

import (
	"fmt"
	"slices"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/expression"
)

// checkMap judges the mapping of the connection at, a rule at a time and as the
// broker will.
func (d *decoder) checkMap(at string, rules []MapConfig, names []string) {
	filled := map[string]bool{}
	for j, m := range rules {
		rule := fmt.Sprintf("%s.map[%d]", at, j)
		d.knownAttribute(rule+".to", m.To, names)
		switch {
		case m.To == "" || len(m.From) == 0 && m.Value == "" && len(m.Constant) == 0:
			d.faultAt(rule, "a rule needs to, and from, value or constant")
			continue
		case filled[m.To]:
			d.faultAt(rule+".to", "an earlier rule fills %s; list the upstream names in one", m.To)
		case d.has(rule+".only") && len(m.Only) == 0:
			d.faultAt(rule+".only", "the list is empty; leave it out to let every value pass")
		case d.has(rule+".translate") && len(m.Translate) == 0:
			d.faultAt(rule+".translate", "the list is empty; leave it out to take values as they are")
		}
		filled[m.To] = true
		if !slices.Contains(names, m.To) {
			continue
		}
		// The attribute is known; what else is wrong is the rule's own.
		own, err := identity.NewCatalogue([]identity.Attribute{{Name: identity.Name(m.To)}})
		if err != nil {
			d.faultAt(rule, "%v", err)
			continue
		}
		compiled, err := mapRule(m)
		if err != nil {
			d.faultOf(rule+".value", err)
			continue
		}
		if _, err := broker.NewMapping([]identity.MapRule{compiled}, own); err != nil {
			d.faultAt(rule, "%v", err)
		}
	}
}

// mapRule is one rule as the broker reads it.
func mapRule(m MapConfig) (identity.MapRule, error) {
	r := identity.MapRule{
		To: identity.Name(m.To), From: m.From, Match: m.Match, Replace: m.Replace, KeepOthers: m.KeepOthers,
		Only: m.Only, Constant: m.Constant, Required: m.Required,
	}
	for _, t := range m.Translate {
		r.Translate = append(r.Translate, identity.Translation{From: t.From, To: t.To})
	}
	if m.Value == "" {
		return r, nil
	}
	var err error
	r.Value, err = expression.Derivation(m.Value)
	return r, err
}
