package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// checkLinkBy judges by what the people of connection c are known again.
func (d *decoder) checkLinkBy(at string, c ConnectionConfig) {
	d.oneOf(at+".link.by", c.Link.By, "", "subject", "attribute")
	by := c.Link.By == "attribute"
	switch {
	case by && c.Type != "saml":
		d.faultAt(at+".link.by", "only people of a saml connection are known by an attribute")
	case by && strings.TrimSpace(c.Link.Attribute) == "":
		d.faultAt(at+".link.by", "which attribute? Name it in link.attribute, as the upstream does")
	case !by && c.Link.Attribute != "":
		d.faultAt(at+".link.attribute", "nobody is known by it without link.by: attribute")
	}
}

// namer returns whom a subject of a connection on the command line names.
type namer func(subject string) identity.Principal

// knownBy returns how the people of a connection are known: by NameID or sub, or by
// the value of an attribute where its link.by says so.
func knownBy(snap *snapshot, id string, format identity.Format) (namer, error) {
	issuer, err := issuerOf(snap, id)
	if err != nil {
		return nil, err
	}
	if c := snap.connection(id); c != nil && c.LinkBy != "" {
		return func(subject string) identity.Principal {
			return identity.AttributePrincipal(issuer, c.LinkBy, subject)
		}, nil
	}
	return func(subject string) identity.Principal {
		return identity.Principal{Issuer: issuer, Subject: subject, Format: format}
	}, nil
}

// issuerOf returns whose subjects a connection brings.
func issuerOf(snap *snapshot, id string) (identity.EntityID, error) {
	row, err := findConnection(snap, id)
	if err != nil {
		return "", err
	}
	if row.EntityID == "" {
		return "", fmt.Errorf("connection %s has no identity provider whose people could be linked: %s", id, strings.Join(row.Findings, ", "))
	}
	return identity.EntityID(row.EntityID), nil
}

// errNoSubject refuses a link to nobody.
func errNoSubject() error {
	return usageError{errors.New("--subject wants the identifier by which the connection's people are known, which is not transient")}
}

// plainSubject returns a link's subject as it is written on the command line, and
// the attribute whose value it is, if it is one.
func plainSubject(p identity.Principal) (subject, attribute string) {
	if name, value, ok := p.ByAttribute(); ok {
		return value, string(name)
	}
	return p.Subject, ""
}
