package peer

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"testing"
)

// SimpleSAMLphpSP starts Debian's SimpleSAMLphp as a service provider with a
// small application of its own. It publishes that it takes LogoutRequests by SOAP,
// but version 1.19 ends with a TypeError after it has, before it answers, so that
// is none of its abilities here.
func SimpleSAMLphpSP(t testing.TB, o SPOptions) *SP {
	t.Helper()
	const name = "SimpleSAMLphp"
	refuseBeyond(t, name, o)
	php := Need(t, "php", simpleSAMLphpHint)
	www := Need(t, "/usr/share/simplesamlphp/www", simpleSAMLphpHint)
	for _, extension := range []string{"soap", "sqlite3"} {
		pattern := "/etc/php/*/mods-available/" + extension + ".ini"
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		Need(t, append(found, pattern)[0], simpleSAMLphpHint)
	}
	dir := simpleSAMLphpDir(t, map[string]string{"sp/authsources.php": "authsources.php", "sp/pages.php": "pages.php"})
	put(t, dir, "sp/idp.xml", o.narrowed(t))
	const metadata, acs = "/module.php/saml/sp/metadata.php/default-sp", "/module.php/saml/sp/saml2-acs.php/default-sp"
	base, end := serve(t, hostSimpleSP, metadata, func(addr string) command {
		settings := struct {
			Base  string  `json:"base"`
			IdP   string  `json:"idp"`
			ACS   Binding `json:"acs"`
			Store string  `json:"store"` // the one in which a session is found by its NameID
			SPOptions
		}{"http://" + addr, readIdP(t, o.IdPMetadata).EntityID, POST, "sql", o}
		if o.Artifact {
			settings.ACS = Artifact
		}
		text, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, "settings.json", text)
		return simpleSAMLphpServer(name, php, www, dir, addr)
	})
	sp := &SP{
		Name: name, EntityID: base + metadata, URL: base, ACS: base + acs,
		LoginURL: base + "/login", LogoutURL: base + "/logout", WhoURL: base + "/",
		Metadata: fetch(t, base+metadata), end: end,
	}
	if !o.EncryptAssertions {
		sp.Metadata = encryptionKey.ReplaceAll(sp.Metadata, nil)
	}
	return sp
}

// encryptionKey is what software that has one key for both uses publishes, and
// what an operator leaves out who wants assertions in the clear.
var encryptionKey = regexp.MustCompile(`(?s)<(\w+:)?KeyDescriptor use="encryption">.*?</(\w+:)?KeyDescriptor>`)
