package ldap

import (
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/samlet-id/samlet/identity"
)

// describe returns what the directory says of somebody who has proved to be
// entry, as the account that searches sees it.
func (d *Directory) describe(conn *ldap.Conn, entry *ldap.Entry) (identity.Assertion, error) {
	id := subject(entry, d.cfg.IDAttribute)
	if id == "" {
		return identity.Assertion{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "up.missing_subject", Who: identity.WhoOperator,
			Msg:  "Your organization's directory did not say who you are in a way that lasts.",
			Seen: "no single " + d.cfg.IDAttribute, Expected: "the attribute that users.id_attribute names, with one value",
		}
	}
	said := identity.Attributes{}
	for _, a := range entry.Attributes {
		name := identity.Name(a.Name)
		// An account that may read too much brings no hashes into the house.
		if strings.EqualFold(a.Name, "userPassword") || strings.EqualFold(a.Name, "unicodePwd") {
			continue
		}
		said[name] = append(said[name], a.Values...)
	}
	if d.cfg.GroupFilter != "" {
		groups, err := d.groups(conn, entry.DN)
		if err != nil {
			return identity.Assertion{}, errUnreachable(err)
		}
		said[GroupsAttribute] = groups
	}
	return identity.Assertion{
		Principal: identity.Principal{Issuer: d.cfg.Issuer, Subject: id},
		Context: identity.AuthnContext{
			Methods: []identity.Method{identity.MethodPassword}, AAL: identity.AAL1, Instant: d.cfg.Now().UTC(),
		},
		Attributes: said,
	}, nil
}

// groups returns the DNs of a person's groups, page by page (RFC 2696). Groups
// in groups are the server's business: Active Directory follows them with the
// matching rule 1.2.840.113556.1.4.1941.
func (d *Directory) groups(conn *ldap.Conn, dn string) ([]string, error) {
	if err := conn.Bind(d.cfg.BindDN, d.cfg.BindPassword.Reveal()); err != nil {
		return nil, fmt.Errorf("binding for the groups: %w", err)
	}
	filter := strings.ReplaceAll(d.cfg.GroupFilter, placeDN, ldap.EscapeFilter(dn))
	found, err := conn.SearchWithPaging(ldap.NewSearchRequest(d.cfg.GroupBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		0, d.seconds(), false, filter, []string{"1.1"}, nil), pageSize)
	if err != nil {
		return nil, fmt.Errorf("searching for groups: %w", err)
	}
	var names []string
	for _, g := range found.Entries {
		names = append(names, g.DN)
	}
	return names, nil
}

// subject returns the one value of the attribute that identifies somebody.
// objectGUID is sixteen octets, of which the first three groups are little-endian
// (MS-DTYP 2.3.4.2); it is told as the text that administrators know.
func subject(entry *ldap.Entry, attribute string) string {
	values := entry.GetEqualFoldRawAttributeValues(attribute)
	if len(values) != 1 {
		return ""
	}
	g := values[0]
	if !strings.EqualFold(attribute, "objectGUID") {
		return string(g)
	}
	if len(g) != 16 {
		return ""
	}
	return fmt.Sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%x-%x", g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8:10], g[10:])
}
