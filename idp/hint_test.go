package idp

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
)

func TestHints(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query     string
		said      string // the message's own Subject
		idp, hint string
	}{
		"none":                         {"SAMLRequest=x", "", "", ""},
		"both":                         {"idp_hint=acme&login_hint=ada%40acme.test", "", "acme", "ada@acme.test"},
		"an entityID":                  {"idp_hint=https%3A%2F%2Fidp.acme.test%2Fmd", "", "https://idp.acme.test/md", ""},
		"the Subject counts for more":  {"login_hint=eve%40evil.test", "ada@acme.test", "", "ada@acme.test"},
		"twice":                        {"idp_hint=acme&idp_hint=evil&login_hint=a&login_hint=b", "", "", ""},
		"empty":                        {"idp_hint=&login_hint=", "", "", ""},
		"too long":                     {"idp_hint=" + strings.Repeat("a", 1025) + "&login_hint=" + strings.Repeat("a", 1025), "", "", ""},
		"control characters":           {"idp_hint=a%0Ab&login_hint=a%00", "", "", ""},
		"no UTF-8":                     {"idp_hint=%ff&login_hint=%fe", "", "", ""},
		"names in other letters":       {"IDP_HINT=acme&Login_Hint=ada", "", "", ""},
		"beside what cannot be parsed": {"a=%zz&idp_hint=acme", "", "acme", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := url.URL{RawQuery: c.query}
			req := identity.AuthnRequest{LoginHint: c.said}
			takeHints(&req, u.Query())
			if diff := cmp.Diff([]string{c.idp, c.hint}, []string{req.Hint, req.LoginHint}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
