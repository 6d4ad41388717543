package idp

import (
	"net/url"
	"unicode"
	"unicode/utf8"

	"github.com/samlet-id/samlet/identity"
)

// The parameters by which an application, or a link, may propose where somebody
// signs in, beside the message and covered by no signature. They are wishes: they
// choose between ways that are open anyhow.
const (
	paramIDPHint   = "idp_hint"   // a connection, by its id or entityID
	paramLoginHint = "login_hint" // who is expected (OpenID Connect Core 3.1.2.1)

	maxHint = 1024
)

// takeHints notes the wishes of a query. One that is given twice or is no text is
// none. What a message itself says of the person counts for more.
func takeHints(req *identity.AuthnRequest, query url.Values) {
	req.Hint = hint(query[paramIDPHint])
	if req.LoginHint == "" {
		req.LoginHint = hint(query[paramLoginHint])
	}
}

func hint(values []string) string {
	if len(values) != 1 || len(values[0]) > maxHint || !utf8.ValidString(values[0]) {
		return ""
	}
	for _, r := range values[0] {
		if unicode.IsControl(r) {
			return ""
		}
	}
	return values[0]
}
