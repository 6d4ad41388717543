package main

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// checkServiceProviders judges the entries of service_providers that need no
// other file. names are the attributes that are known.
func (d *decoder) checkServiceProviders(c *Config, names []string) {
	seen := map[string]bool{}
	for i, sp := range c.ServiceProviders {
		at := fmt.Sprintf("service_providers[%d]", i)
		d.checkID(at, sp.ID, seen)
		d.checkSource(at+".metadata", sp.Metadata)
		for j, location := range sp.DiscoveryResponse {
			u, err := url.Parse(location)
			if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" || strings.Contains(location, "#") {
				d.faultAt(fmt.Sprintf("%s.discovery_response[%d]", at, j), "want an http or https URL without a fragment, got %q", location)
			}
		}
		d.checkNameID(at+".name_id", sp.NameID, names)
		d.oneOf(at+".subject_id", sp.SubjectID, "", "requested", "none", "subject-id", "pairwise-id")
		if (sp.SubjectID == "subject-id" || sp.SubjectID == "pairwise-id") && c.IDP.Scope == "" {
			d.faultAt(at+".subject_id", "a subject identifier needs idp.scope, such as example.test")
		}
		d.oneOf(at+".consent", sp.Consent, "", "never", "first_use", "on_change", "always")
		d.oneOf(at+".sign.algorithm", sp.Sign.Algorithm, namesOf(signAlgorithms)...)
		d.oneOf(at+".encrypt.mode", string(sp.Encrypt.Mode), "", "off", "if_available", "required")
		d.oneOf(at+".encrypt.content", sp.Encrypt.Content, namesOf(contentAlgorithms)...)
		d.oneOf(at+".encrypt.key_transport", sp.Encrypt.KeyTransport, "", "rsa-oaep", "rsa-oaep-sha256")
		if off := identity.Off; switchOf(sp.Sign.Assertion) == off && switchOf(sp.Sign.Response) == off {
			d.faultAt(at+".sign", "nothing would be signed; leave assertion or response on")
		}
		d.checkPresentedAs(at+".idp", sp.IDP, c)
		if (sp.ReleaseRequested || sp.ReleaseRequiredOnly) && len(sp.Release) > 0 {
			d.faultAt(at+".release", "either release lists the attributes, or release_requested or release_required_only lets the metadata decide, not both")
		}
		d.checkRelease(at, sp.Release, names, c.Connections)
	}
}

func (d *decoder) checkNameID(at string, c NameIDConfig, names []string) {
	d.knownAttribute(at+".source", c.Source, names)
	if u, err := url.Parse(c.Format); err == nil && u.IsAbs() {
		if c.Source == "" {
			d.faultAt(at, "a format of your own needs a source: the attribute whose value it is")
		}
		return
	}
	d.oneOf(at+".format", c.Format, "", "persistent", "transient", "email", "unspecified", "none")
}

func (d *decoder) checkPresentedAs(at string, c SPIdentityConfig, all *Config) {
	if c.EntityID != "" && !absoluteURI(c.EntityID) {
		d.faultAt(at+".entity_id", "an entityID is an absolute URI of at most 256 characters, got %q", c.EntityID)
	}
	usable := func(k KeyConfig) bool { return k.ID == c.SigningKey && k.Use == "signing" && k.State != "retired" }
	if c.SigningKey != "" && !slices.ContainsFunc(all.Keys, usable) {
		d.faultAt(at+".signing_key", "there is no signing key %q among keys that is not retired", c.SigningKey)
	}
}

// checkRelease judges the release rules of the entry at.
func (d *decoder) checkRelease(at string, rules []ReleaseConfig, names []string, connections []ConnectionConfig) {
	for j, r := range rules {
		rule := fmt.Sprintf("%s.release[%d]", at, j)
		given := 0
		for _, there := range []bool{r.Attribute != "", len(r.Constant) > 0, r.Value != ""} {
			if there {
				given++
			}
		}
		switch {
		case given != 1:
			d.faultAt(rule, "want exactly one of attribute, constant and value")
		case r.Attribute == "" && r.As == "":
			d.faultAt(rule, "as is missing: what the application calls the attribute")
		}
		d.knownAttribute(rule+".attribute", r.Attribute, names)
		d.oneOf(rule+".name_format", r.NameFormat, "", "uri", "basic", "unspecified")
		for k, glob := range r.Only {
			if _, err := path.Match(glob, ""); err != nil {
				d.faultAt(fmt.Sprintf("%s.only[%d]", rule, k), "%q is no pattern: %v", glob, err)
			}
		}
		d.checkFilters(rule, r, connections)
	}
}
