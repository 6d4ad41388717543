package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// soon is when the end of a certificate is worth a word.
const soon = 60 * 24 * time.Hour

// metadata judges a metadata file as samlet reads one, with http endpoints let
// pass: a file of a test set-up is still a file.
func (j *judge) metadata(r *Report, e *xmlsec.Element) {
	if id := e.Attr("entityID"); id != "" {
		r.Issuer = id
	}
	now := func() time.Time { return j.now }
	// The role may be unusable, its keys still serve to check the file's own
	// signature, which only its federation or a known copy can vouch for.
	if signer := j.lookup(r.Issuer, nil); signer != nil {
		_, _ = j.verify(r, e, signer, signer.asIDP()) // it notes what it finds; what is read is judged below either way
	} else if e.Document().HasSignature(e) {
		_, _ = j.verify(r, e, nil, false) // likewise
	}
	if e.Is(xmlsec.NSMetadata, "EntitiesDescriptor") {
		j.aggregate(r, e)
		return
	}
	parsed, err := metadata.Parse(j.message.SAML.XML, metadata.ParseOptions{Now: now, Skew: j.Skew, AllowHTTP: true})
	switch code := identity.CodeOf(err); {
	case err != nil && code == "md.expired":
		r.failed("valid_until", err, identity.WhoPartner)
		return
	case err != nil && (code == "md.key" || code == "md.no_key"):
		r.failed("keys", err, identity.WhoPartner)
		return
	case err != nil && (code == "md.endpoint" || code == "md.no_acs" || code == "md.no_sso"):
		r.failed("endpoints", err, identity.WhoPartner)
		return
	case err != nil:
		r.failed("metadata", err, identity.WhoPartner)
		return
	}
	r.pass("metadata", "%s%s", strings.Join(rolesOf(parsed), " and "), findings(parsed.Findings))
	if parsed.ValidUntil.IsZero() {
		r.pass("valid_until", "No end is stated.")
	} else {
		r.pass("valid_until", "until %s.", xmlsec.FormatTime(parsed.ValidUntil))
	}
	e2 := Entity{Entity: parsed}
	for _, idp := range []bool{true, false} {
		if idp && parsed.IDP != nil || !idp && parsed.SP != nil {
			j.keys(r, e2.role(idp))
		}
	}
	j.endpoints(r, parsed)
}

func (j *judge) aggregate(r *Report, e *xmlsec.Element) {
	n := len(e.Children(xmlsec.NSMetadata, "EntityDescriptor"))
	if s := e.Attr("validUntil"); s != "" {
		until, err := xmlsec.ParseTime(s)
		if err != nil {
			r.fail(Check{ID: "valid_until", Detail: "The validUntil is not a time.", Seen: s, Expected: "an xs:dateTime", Who: identity.WhoPartner, Code: "md.value"})
		} else {
			j.until(r, "valid_until", "validUntil", until, "md.expired")
		}
	}
	r.pass("metadata", "An aggregate of %d entities; give one EntityDescriptor to have it explained.", n)
}

func rolesOf(e *metadata.Entity) []string {
	var roles []string
	if e.IDP != nil {
		roles = append(roles, "an identity provider")
	}
	if e.SP != nil {
		roles = append(roles, "an application (service provider)")
	}
	return roles
}

func findings(all []string) string {
	if len(all) == 0 {
		return "."
	}
	return ". " + strings.Join(all, " ")
}

// keys judges dates, which nobody need heed (Metadata Interoperability Profile
// 2.6.1) and some vendors do.
func (j *judge) keys(r *Report, role *metadata.Role) {
	for _, c := range role.Certificates {
		k := describe(c.Certificate.PublicKey, c.Certificate, "")
		use := "signing and encryption"
		if c.Use != "" {
			use = c.Use
		}
		note := ""
		switch until := c.Certificate.NotAfter; {
		case until.Before(j.now):
			note = "; its certificate has expired, which is no fault in SAML, yet some vendors take it for one"
		case until.Before(j.now.Add(soon)):
			note = "; its certificate expires soon, which some vendors heed"
		}
		r.pass("keys", "%s: %s%s.", use, k, note)
	}
	if len(role.Certificates) == 0 {
		r.pass("keys", "%d for signing, %d for encryption, without certificates.", len(role.Signing), len(role.Encryption))
	}
}

func (j *judge) endpoints(r *Report, e *metadata.Entity) {
	note := func(kind string, at metadata.Endpoint, more string) {
		plain := ""
		if strings.HasPrefix(at.Location, "http://") {
			plain = "; plain http is for development alone"
		}
		r.pass("endpoints", "%s, %s: %s%s%s", kind, bindingWords(at.Binding), at.Location, more, plain)
	}
	if e.IDP != nil {
		for _, at := range e.IDP.SSO {
			note("SingleSignOnService", at, "")
		}
		for _, at := range e.IDP.SLO {
			note("SingleLogoutService", at, "")
		}
	}
	if e.SP != nil {
		for _, at := range e.SP.ACS {
			note("AssertionConsumerService", at.Endpoint, fmt.Sprintf(" (index %d)", at.Index))
		}
		for _, at := range e.SP.SLO {
			note("SingleLogoutService", at, "")
		}
	}
}
