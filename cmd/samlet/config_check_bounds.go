package main

import (
	"fmt"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// has reports whether the file gives the key at path, be it an empty value.
func (d *decoder) has(path string) bool {
	_, given := d.places[path]
	return given
}

// bound wants a length of time that was given to be between two others.
func (d *decoder) bound(at string, got Duration, least, most time.Duration) {
	if d.has(at) && (time.Duration(got) < least || time.Duration(got) > most) {
		d.faultAt(at, "want between %s and %s, got %s", plain(least), plain(most), plain(time.Duration(got)))
	}
}

// plain writes a length of time as config.yaml does.
func plain(t time.Duration) string {
	if days := t / (24 * time.Hour); days > 0 && t%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", days)
	}
	s := t.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// The bounds of lengths of time. What lies beyond them is a slip of the unit:
// clocks that are a day apart, or metadata that is over before it is fetched.
const (
	maxSkew     = 10 * time.Minute
	maxLifetime = 366 * 24 * time.Hour
)

// checkBounds refuses values that are well-formed and that nobody can mean.
func (d *decoder) checkBounds(c *Config) {
	d.bound("idp.max_clock_skew", c.IDP.MaxClockSkew, time.Second, maxSkew)
	d.bound("idp.logout.timeout", c.IDP.Logout.Timeout, time.Second, time.Minute)
	d.bound("idp.metadata.valid_for", c.IDP.Metadata.ValidFor, time.Hour, maxLifetime)
	d.bound("authentication.session.idle", c.Authentication.Session.Idle, time.Minute, maxLifetime)
	d.bound("authentication.remember_connection", c.Authentication.RememberConnection, 0, maxLifetime)
	d.bound("authentication.session.absolute", c.Authentication.Session.Absolute, time.Minute, maxLifetime)
	if address := c.IDP.Metadata.ContactEmail; address != "" {
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address {
			d.faultAt("idp.metadata.contact_email", "want a mail address such as sso@example.test, got %q", address)
		}
	}
	for i, p := range c.Server.Outbound {
		if prefix, err := netip.ParsePrefix(p); err == nil && prefix.Bits() < 7 {
			d.faultAt(fmt.Sprintf("server.outbound[%d]", i), "%s is no private network; name the ones that peers are in", p)
		}
	}
	for i, sp := range c.ServiceProviders {
		at := fmt.Sprintf("service_providers[%d]", i)
		d.bound(at+".session.lifetime", sp.Session.Lifetime, time.Minute, maxLifetime)
		d.checkAccess(at+".access", sp.Access, len(sp.Organizations) > 0)
		if sp.IDP.EntityID != "" && sp.IDP.EntityID == c.IDP.EntityID {
			d.faultAt(at+".idp.entity_id", "this is the entityID by which everybody knows us; leave it out")
		}
		if sp.ReleaseCategories && len(c.EntityCategories) == 0 {
			d.faultAt(at+".release_categories", "there are no entity_categories that say what is released")
		}
	}
	for i, conn := range c.Connections {
		at := fmt.Sprintf("connections[%d]", i)
		d.checkInitiated(at, conn, c.ServiceProviders)
		d.bound(at+".require.max_clock_skew", conn.Require.MaxClockSkew, time.Second, maxSkew)
	}
	for i, cat := range c.EntityCategories {
		same := func(other CategoryConfig) bool { return other.Name == cat.Name && other.Value == cat.Value }
		if slices.ContainsFunc(c.EntityCategories[:i], same) {
			d.faultAt(fmt.Sprintf("entity_categories[%d]", i), "an earlier entry is about %s already", cat.Value)
		}
	}
}

// checkAccess refuses a rule that was left empty: it would let everybody in.
func (d *decoder) checkAccess(at string, c AccessConfig, organizations bool) {
	switch {
	case d.has(at+".require") && strings.TrimSpace(c.Require) == "":
		d.faultAt(at+".require", "the rule is empty; leave require out to let everybody in")
	case c.Message != "" && c.Require == "" && !organizations:
		d.faultAt(at+".message", "nobody is refused without require or organizations")
	}
}

// checkFilters refuses what narrows a release rule to nothing, or not at all.
func (d *decoder) checkFilters(at string, r ReleaseConfig, connections []ConnectionConfig) {
	if d.has(at+".only") && len(r.Only) == 0 {
		d.faultAt(at+".only", "the list is empty; leave it out to let every value leave")
	}
	if d.has(at+".sources") && len(r.Sources) == 0 {
		d.faultAt(at+".sources", "the list is empty; leave it out to let values of every origin leave")
	}
	for k, s := range r.Sources {
		known := slices.ContainsFunc(connections, func(c ConnectionConfig) bool { return c.ID == s })
		if s != "operator" && s != "person" && !known {
			d.faultAt(fmt.Sprintf("%s.sources[%d]", at, k), "want operator, person or the id of a connection, got %q", s)
		}
	}
	if r.First && r.Join != "" {
		d.faultAt(at+".join", "of the first value alone there is nothing to join")
	}
	if len(r.As) > 256 {
		d.faultAt(at+".as", "a name has at most 256 characters, got %d", len(r.As))
	}
}
