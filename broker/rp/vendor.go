package rp

import (
	"crypto"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// Vendor names an upstream that departs from the specifications, or adds to them.
type Vendor string

// The vendors. The zero value departs from nothing.
const (
	VendorApple     Vendor = "apple"     // appleid.apple.com: answers by form, a client secret that is signed
	VendorGoogle    Vendor = "google"    // accounts.google.com: hd, mail that is its own or is not
	VendorMicrosoft Vendor = "microsoft" // login.microsoftonline.com: many tenants, mail that nobody vouches for
	VendorGitLab    Vendor = "gitlab"    // gitlab.com or one's own: groups_direct
	VendorLinkedIn  Vendor = "linkedin"  // www.linkedin.com/oauth: neither nonce nor PKCE
	VendorGitHub    Vendor = "github"    // github.com or one's own: OAuth 2.0 alone
	VendorFacebook  Vendor = "facebook"  // www.facebook.com: OAuth 2.0 alone, without PKCE
)

// AppleKey signs client secrets for Apple, which registers a key in place of a
// secret (Apple, "Creating a client secret").
type AppleKey struct {
	TeamID, KeyID string
	Signer        crypto.Signer // ECDSA, P-256
}

// tenant is the part of Microsoft's issuers that names who was asked.
var tenant = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// template is how a Microsoft issuer that stands for many tenants spells that of each,
// empty where the issuer is one tenant's.
func (c *Connector) template() string {
	if c.cfg.Vendor != VendorMicrosoft {
		return ""
	}
	for _, many := range []string{"/common/", "/organizations/", "/consumers/"} {
		if before, after, ok := strings.Cut(string(c.cfg.Issuer), many); ok {
			return before + "/{tenantid}/" + after
		}
	}
	return ""
}

// issued reports whether iss is the upstream's name in a token that says tid. Of
// Microsoft's many tenants it is the one that tid names, and one that is wanted.
func (c *Connector) issued(iss, tid string) bool {
	if template := c.template(); template != "" {
		return tenant.MatchString(tid) && iss == strings.Replace(template, "{tenantid}", tid, 1) &&
			(len(c.cfg.Tenants) == 0 || slices.Contains(c.cfg.Tenants, tid))
	}
	return iss == string(c.cfg.Issuer)
}

// challenges reports whether a question carries a PKCE challenge. LinkedIn refuses a
// code_verifier, and Facebook has it for its ID tokens alone: there, state alone binds
// an answer.
func (c *Connector) challenges() bool {
	return c.cfg.Vendor != VendorLinkedIn && c.cfg.Vendor != VendorFacebook
}

// nonces reports whether a question carries a nonce, which comes back in an ID token,
// though not in LinkedIn's.
func (c *Connector) nonces() bool { return c.cfg.Vendor != VendorLinkedIn && !c.cfg.Vendor.Plain() }

// amend judges what only this vendor says, and puts it into the words of OpenID
// Connect Core 5.1. The form is that of an answer by POST, which nobody signed.
func (c *Connector) amend(claims object, form url.Values) error {
	switch c.cfg.Vendor {
	case VendorApple:
		return claims.appleName(form.Get("user"))
	case VendorGoogle:
		return c.amendGoogle(claims)
	case VendorMicrosoft:
		// A mail address is what somebody wrote into a directory, unless Microsoft
		// says that its domain is the tenant's own (xms_edov).
		delete(claims, "email_verified")
		if v := fmt.Sprint(claims["xms_edov"]); v == "true" || v == "1" {
			claims["email_verified"] = true
		}
	case VendorGitLab:
		if _, stated := claims["groups"]; !stated && claims["groups_direct"] != nil {
			claims["groups"] = claims["groups_direct"]
		}
	case VendorLinkedIn, VendorGitHub, VendorFacebook:
	}
	return nil
}

// amendGoogle holds people to the hosted domains that are wanted, and takes Google's
// word for its own addresses alone: any other is what somebody confirmed once.
func (c *Connector) amendGoogle(claims object) error {
	hd := claims.text("hd")
	if want := c.cfg.HostedDomains; len(want) > 0 && !slices.Contains(want, hd) {
		return upstream("up.hosted_domain", identity.KindDenied, "Your account at Google is not one of the organization's.", "hd "+clean(hd), strings.Join(want, " or "))
	}
	_, domain, _ := strings.Cut(claims.text("email"), "@")
	if domain = strings.ToLower(domain); domain != "gmail.com" && (hd == "" || domain != strings.ToLower(hd)) {
		delete(claims, "email_verified")
	}
	return nil
}

// appleName takes the name that Apple posts beside the first answer, and never again:
// what the person typed, and no more than that.
func (o object) appleName(user string) error {
	if user == "" {
		return nil
	}
	posted, err := decode([]byte(user))
	if err != nil {
		e := malformed("a user that is no JSON object", "the name as Apple posts it")
		e.Err = err
		return e
	}
	name, _ := posted["name"].(object) // there may be none
	for claim, part := range map[string]string{"given_name": "firstName", "family_name": "lastName"} {
		if v := name.text(part); v != "" && len(v) <= maxWords {
			o[claim] = v
		}
	}
	return nil
}

// appleSecret is the client secret of the moment.
func (c *Connector) appleSecret() (string, error) {
	now := c.cfg.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": c.cfg.Apple.TeamID, "sub": c.cfg.ClientID, "aud": string(c.cfg.Issuer),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("writing Apple's client secret: %w", err)
	}
	return signed(c.cfg.Apple.Signer, c.cfg.Apple.KeyID, claims)
}
