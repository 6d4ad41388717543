package main

import "github.com/samlet-id/samlet/identity"

// checkNameIDPolicy judges which NameID a connection asks for. A transient one is of
// use only where people are known by something else.
func (d *decoder) checkNameIDPolicy(at string, c ConnectionConfig) {
	switch {
	case c.NameIDPolicy == "":
	case c.Type != "saml":
		d.faultAt(at+".name_id_policy", "only a saml connection asks for a NameID")
	case nameIDFormat(c.NameIDPolicy) == identity.FormatTransient && c.Link.By != "attribute":
		d.faultAt(at+".name_id_policy", "nobody is known again by a transient NameID; name the attribute that they are known by in link")
	case !absoluteURI(c.NameIDPolicy):
		d.oneOf(at+".name_id_policy", c.NameIDPolicy, "none", "any", "persistent", "transient", "email", "unspecified")
	}
}

// asksNameID returns the format that the connection asks for, and whether it sends
// a NameIDPolicy at all.
func (c ConnectionConfig) asksNameID() (format identity.Format, policy bool) {
	switch c.NameIDPolicy {
	case "", "none":
		return "", false
	case "any":
		return "", true
	}
	return nameIDFormat(c.NameIDPolicy), true
}
