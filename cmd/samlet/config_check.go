package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// checkConfig adds a fault for everything in c that can be judged without
// opening another file.
func (d *decoder) checkConfig(c *Config) {
	if c.Version != 1 {
		d.faultAt("version", "this samlet reads version 1, got %d", c.Version)
	}
	d.checkServer(c)
	d.oneOf("store.driver", c.Store.Driver, "sqlite", "postgres")
	d.oneOf("log.format", c.Log.Format, "text", "json")
	if _, err := parseLevel(c.Log.Level); err != nil {
		d.faultAt("log.level", "%v", err)
	}
	if !absoluteURI(c.IDP.EntityID) {
		d.faultAt("idp.entity_id", "an entityID is an absolute URI of at most 256 characters, got %q", c.IDP.EntityID)
	}
	d.checkKeys(c.Keys)
	for i, a := range c.RefuseAlgorithms {
		if _, known := algorithmNamed(a); !known {
			d.faultAt(fmt.Sprintf("refuse_algorithms[%d]", i), "want the URI of an algorithm, or %s, got %q", strings.Join(algorithmNames(), ", "), a)
		}
	}
	names := d.checkAttributes(c)
	for i, cat := range c.EntityCategories {
		at := fmt.Sprintf("entity_categories[%d]", i)
		if cat.Value == "" {
			d.faultAt(at, "value is missing: the URI of the category")
		}
		d.checkRelease(at, cat.Release, names, c.Connections)
	}
	d.checkServiceProviders(c, names)
	d.checkConnections(c.Connections, names)
	d.checkOrganizations(c)
	d.checkBounds(c)
	d.checkOIDC(c)
	for i, m := range c.Authentication.Methods {
		d.oneOf(fmt.Sprintf("authentication.methods[%d].id", i), m.ID, "password")
	}
}

func (d *decoder) checkServer(c *Config) {
	if _, err := parseBaseURL(c.Server.BaseURL); err != nil {
		d.faultAt("server.base_url", "%v", err)
	}
	if _, _, err := net.SplitHostPort(c.Server.Listen); err != nil {
		d.faultAt("server.listen", "want host:port or :port, got %q", c.Server.Listen)
	}
	for i, p := range c.Server.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			d.faultAt(fmt.Sprintf("server.trusted_proxies[%d]", i), "want a network such as 10.0.0.0/8, got %q", p)
		}
	}
	for i, p := range c.Server.Outbound {
		if _, err := netip.ParsePrefix(p); err != nil {
			d.faultAt(fmt.Sprintf("server.outbound[%d]", i), "want a network such as 10.0.0.0/8, got %q", p)
		}
	}
	if u := c.IDP.Metadata.ErrorURL; u != "" && !strings.HasPrefix(u, "https://") {
		d.faultAt("idp.metadata.error_url", "want an https URL, got %q", u)
	}
	if u := c.IDP.Metadata.PrivacyURL; u != "" && !strings.HasPrefix(u, "https://") {
		d.faultAt("idp.metadata.privacy_url", "want an https URL, got %q", u)
	}
	if u := c.IDP.Metadata.Logo; u != "" && !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "data:image/") {
		d.faultAt("idp.metadata.logo", "want an https URL or a data URI of an image, got %q", u)
	}
	d.oneOf("server.tls.mode", string(c.Server.TLS.Mode), "off", "files")
	if c.Server.TLS.Mode == "files" && (c.Server.TLS.CertFile == "" || c.Server.TLS.KeyFile == "") {
		d.faultAt("server.tls", "mode files needs cert_file and key_file")
	}
}

// parseBaseURL parses the public origin of samlet. Plain http is accepted on
// loopback addresses alone.
func parseBaseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return nil, errors.New("base_url is missing: the public origin of samlet, such as https://login.example.test")
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return nil, fmt.Errorf("want an origin such as https://login.example.test, got %q", s)
	case !plainHost.MatchString(u.Host) || u.Port() != "" && !validPort(u.Port()):
		return nil, fmt.Errorf("want a host in lower case, with a port up to 65535 if any, got %q", s)
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, fmt.Errorf("http is for development on loopback alone; want https, got %q", s)
	}
	return nil, fmt.Errorf("want https, got %q", s)
}

var plainHost = regexp.MustCompile(`^([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?$`)

func validPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// loopback reports whether host is a loopback address or a name that RFC 6761
// (6.3) keeps for one.
func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func absoluteURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && len(s) <= 256
}

func (d *decoder) checkKeys(keys []KeyConfig) {
	seen, active := map[string]bool{}, map[string]bool{}
	for i, k := range keys {
		at := fmt.Sprintf("keys[%d]", i)
		d.checkID(at, k.ID, seen)
		d.oneOf(at+".use", k.Use, "signing", "encryption")
		d.oneOf(at+".state", k.State, "active", "next", "retiring", "retired", "dedicated")
		if k.Key == "" || k.Cert == "" {
			d.faultAt(at, "a key needs both key and cert")
		}
		if k.State == "active" && active[k.Use] && k.Use == "encryption" { // signing: one of each algorithm, as loadKeys finds
			d.faultAt(at+".state", "a second active %s key; only one can be active", k.Use)
		}
		if k.State == "dedicated" && k.Use == "encryption" {
			d.faultAt(at+".state", "only signing keys can be dedicated")
		}
		active[k.Use] = active[k.Use] || k.State == "active"
	}
	if !active["signing"] {
		d.faultAt("keys", "there is no active signing key; `samlet init` makes one")
	}
}

// checkAttributes returns the canonical names that are known.
func (d *decoder) checkAttributes(c *Config) []string {
	seen := map[string]bool{}
	for i, a := range c.Attributes {
		at := fmt.Sprintf("attributes[%d]", i)
		d.checkID(at, a.ID, seen)
		d.oneOf(at+".type", a.Type, "", "string", "email", "string_list")
		d.oneOf(at+".name_format", a.NameFormat, "", "uri", "basic", "unspecified")
	}
	catalogue, err := catalogueOf(c)
	if err != nil {
		d.faultAt("attributes", "%v", err)
		return nil
	}
	var names []string
	for _, a := range catalogue.All() {
		names = append(names, string(a.Name))
	}
	return names
}

func (d *decoder) checkConnections(conns []ConnectionConfig, names []string) {
	seen, domains := map[string]bool{}, map[string]bool{}
	for i, c := range conns {
		at := fmt.Sprintf("connections[%d]", i)
		d.checkID(at, c.ID, seen)
		d.oneOf(at+".type", c.Type, "local", "saml", "oidc", "oauth", "ldap")
		switch {
		case c.Type == "saml":
			d.checkSource(at+".metadata", c.Metadata)
		case c.Type == "local" && c.ID != string(identity.LocalConnection):
			d.faultAt(at+".id", "the connection of type local has the id %q", identity.LocalConnection)
		case c.ID == string(identity.LocalConnection) && c.Type != "local":
			d.faultAt(at+".id", "the id %q is kept for the connection of type local", identity.LocalConnection)
		}
		if c.byOAuth() {
			d.checkVendor(at, c)
		} else {
			d.oneOf(at+".preset", c.Preset, append(slices.Sorted(maps.Keys(samlPresets())), "")...)
		}
		d.oneOf(at+".remembered", c.Remembered, "", "offer", "lead")
		d.checkLinkBy(at, c)
		d.checkArtifact(at, c)
		d.checkNameIDPolicy(at, c)
		d.checkScopes(at+".scopes", c.Scopes)
		d.oneOf(at+".link.existing", c.Link.Existing, "", "never", "ask", "verified_email")
		if c.Link.Existing == "verified_email" && len(c.EmailDomains) == 0 && c.Organization == "" {
			d.faultAt(at+".link.existing", "verified_email links within the connection's own mail domains: list them in email_domains")
		}
		d.oneOf(at+".link.update", c.Link.Update, "", "every_login")
		for j, domain := range c.EmailDomains {
			here := fmt.Sprintf("%s.email_domains[%d]", at, j)
			switch {
			case domain == "" || domain != strings.ToLower(domain) || strings.ContainsAny(domain, "@/: *"):
				d.faultAt(here, "want a mail domain in lower case such as partner.test, got %q", domain)
			case domains[domain]:
				d.faultAt(here, "%q belongs to another connection already", domain)
			}
			domains[domain] = true
		}
		for j, a := range c.Require.WeakAlgorithms {
			d.oneOf(fmt.Sprintf("%s.require.weak_algorithms[%d]", at, j), a, "sha1", "aes-cbc")
		}
		d.checkTrust(at, c.AuthnContext)
		d.checkMap(at, c.Map, names)
	}
}

func (d *decoder) checkSource(at string, m MetadataSource) {
	n := 0
	for _, given := range []bool{m.URL != "", m.File != "" && m.URL == "", m.XML != "", m.Inline != nil} {
		if given {
			n++
		}
	}
	if n != 1 {
		d.faultAt(at, "want exactly one of file, url, xml and inline (file beside url is the fetched copy)")
	}
}

func (d *decoder) checkID(at, id string, seen map[string]bool) {
	switch {
	case id == "":
		d.faultAt(at, "id is missing")
	case !identity.ValidSlug(id):
		d.faultAt(at+".id", "want lower-case letters, digits, - and _, at most 64, got %q", id)
	case seen[id]:
		d.faultAt(at+".id", "the id %q is taken by an earlier entry", id)
	}
	seen[id] = true
}

func (d *decoder) knownAttribute(at, name string, names []string) {
	if name == "" || slices.Contains(names, name) {
		return
	}
	hint := "known are " + strings.Join(names, ", ")
	if near := nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	d.faultAt(at, "there is no attribute %q; %s", name, hint)
}

func (d *decoder) oneOf(at, got string, allowed ...string) {
	if slices.Contains(allowed, got) {
		return
	}
	allowed = slices.DeleteFunc(allowed, func(s string) bool { return s == "" })
	d.faultAt(at, "want %s, got %q", strings.Join(allowed, " or "), got)
}

func parseLevel(s string) (slog.Level, error) {
	var l slog.Level
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, s) {
		return l, fmt.Errorf("want debug, info, warn or error, got %q", s)
	}
	err := l.UnmarshalText([]byte(s))
	return l, err
}
