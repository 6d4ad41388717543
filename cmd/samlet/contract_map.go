package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/samlet-id/samlet/identity"
)

// checkMappingContract judges a contract about what becomes of claims.
func (d *decoder) checkMappingContract(at string, c *contract, snap *snapshot) {
	if c.User != "" || c.Attributes != nil || c.SP != "" {
		d.faultAt(at, "claims come in by a connection; user, attributes and sp are about what leaves")
	}
	if found := snap.connection(c.Connection); c.Connection == "" || found != nil && found.Type == "local" {
		d.faultAt(at, "connection is missing: the id of the one that says the claims")
	}
	d.knownConnection(at+".connection", c.Connection, snap)
	for i, v := range *c.Claims {
		if v.Name == "" || len(v.Value) == 0 || v.Source != "" {
			d.faultAt(fmt.Sprintf("%s.claims[%d]", at, i), "want name, as the upstream has it, and value")
		}
	}
	e := c.Expect
	if (e.Record == nil) == (e.Denied == "") || e.Attributes != nil || e.NameID != nil || e.Consent != nil {
		d.faultAt(at+".expect", "want record, exactly what the connection brings ([] for nothing), or denied")
	}
	if e.Record != nil {
		d.checkRecord(at+".expect", *e.Record, snap)
	}
	c.Name = cmp.Or(c.Name, cmp.Or(c.Subject, "somebody")+" from "+c.Connection)
}

func (d *decoder) checkRecord(at string, record []contractAttribute, snap *snapshot) {
	var names, seen []string
	for _, a := range snap.Catalogue.All() {
		names = append(names, string(a.Name))
	}
	for i, a := range record {
		here := fmt.Sprintf("%s.record[%d]", at, i)
		d.knownAttribute(here+".name", a.Name, names)
		switch {
		case a.Name == "" || len(a.Values) == 0 || a.NameFormat != "":
			d.faultAt(here, "want name, of the catalogue, and values")
		case slices.Contains(seen, a.Name):
			d.faultAt(here+".name", "%q stands here a second time; put all values into one", a.Name)
		}
		seen = append(seen, a.Name)
	}
}

// runMapping has the connection bring somebody whom nobody knows, and returns what
// is not as the contract has it.
func (c contract) runMapping(ctx context.Context, s *stage) ([]string, error) {
	said := identity.Attributes{}
	for _, v := range *c.Claims {
		said[identity.Name(v.Name)] = append(said[identity.Name(v.Name)], v.Value...)
	}
	t, err := s.try(ctx, nil, identity.ConnectionID(c.Connection), assertionOf(s.snapshot.connection(c.Connection), cmp.Or(c.Subject, "contract"), said))
	if err != nil {
		return nil, err
	}
	switch {
	case t.Refused != nil && t.Refused.Code == c.Expect.Denied:
		return nil, nil
	case t.Refused != nil:
		return []string{"- " + cmp.Or(prefixed("denied: ", c.Expect.Denied), "access is granted"), "+ denied: " + t.Refused.Code + " (" + t.Refused.Message + ")"}, nil
	case c.Expect.Denied != "":
		return []string{"- denied: " + c.Expect.Denied, "+ access is granted"}, nil
	}
	var got []rehearsedAttribute
	for _, n := range t.Attributes.Names() {
		a := rehearsedAttribute{Name: string(n)}
		for _, v := range t.Attributes[n] {
			a.Values = append(a.Values, rehearsedValue{Value: v})
		}
		got = append(got, a)
	}
	return attributeBreaches(*c.Expect.Record, got), nil
}

// prefixed is text behind prefix, or nothing.
func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
