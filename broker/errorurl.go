package broker

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
)

const codeMissingAttribute identity.Code = "up.missing_attribute"

// helpFor fills what is known here into the errorURL of an upstream that did not say
// enough about somebody: the code that means this, and what is wanted (SAML V2.0
// Metadata Deployment Profile for errorURL 2.1). The rest is filled in where it is
// known: our entityID with the connection, the request where the page is shown.
func helpFor(errorURL, wanted string, now time.Time) string {
	return strings.NewReplacer("ERRORURL_CODE", "IDENTIFICATION_FAILURE", "ERRORURL_TS", strconv.FormatInt(now.Unix(), 10), "ERRORURL_CTX", url.QueryEscape(wanted)).Replace(errorURL)
}
