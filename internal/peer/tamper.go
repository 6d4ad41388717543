package peer

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
)

// StripSignature is a Tamper that takes the signature off a SAML request: the
// parameters of HTTP-Redirect, the element of HTTP-POST.
func StripSignature(u *url.URL, form url.Values) {
	if u.Query().Has("SAMLRequest") {
		u.RawQuery = without(u.RawQuery, "SigAlg", "Signature")
	}
	editPosted(form, func(xml string) string { return signatureElement.ReplaceAllString(xml, "") })
}

// BreakSignature is a Tamper that changes what a SAML request says and leaves the
// signature as it was.
func BreakSignature(u *url.URL, form url.Values) {
	if q := u.Query(); q.Has("SAMLRequest") && q.Has("Signature") {
		u.RawQuery = without(u.RawQuery, "RelayState") + "&RelayState=another"
	}
	editPosted(form, func(xml string) string {
		return issueInstant.ReplaceAllStringFunc(xml, func(attr string) string {
			last := len(attr) - 1 // of the seconds
			return attr[:last] + string('0'+(attr[last]-'0'+1)%10)
		})
	})
}

var (
	signatureElement = regexp.MustCompile(`(?s)<(\w+:)?Signature[ >].*?</(\w+:)?Signature>`)
	issueInstant     = regexp.MustCompile(`IssueInstant=["']\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)
)

// without leaves parameters out of a query whose other octets stay as they are.
func without(query string, names ...string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		drop := false
		for _, n := range names {
			drop = drop || n == name
		}
		if !drop {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

func editPosted(form url.Values, edit func(xml string) string) {
	for i, encoded := range form["SAMLRequest"] {
		if xml, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			form["SAMLRequest"][i] = base64.StdEncoding.EncodeToString([]byte(edit(string(xml))))
		}
	}
}
