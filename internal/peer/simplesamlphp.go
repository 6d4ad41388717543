package peer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const simpleSAMLphpHint = "apt-get install simplesamlphp php-cli php-xml php-mbstring php-soap php-sqlite3"

// User is a person whom an upstream identity provider knows. Attributes go by
// their LDAP names (uid, mail, givenName, sn, isMemberOf, …) and are sent under
// the SAML Names with the urn:oid: prefix that belong to them; a name that is
// not in that table is sent as it is. uid is what a persistent NameID is made of.
type User struct {
	Name       string              `json:"name"`
	Password   string              `json:"password"`
	Attributes map[string][]string `json:"attributes"`
}

// Ada and Grace are two people for tests that do not care who signs in.
func Ada() User {
	return User{Name: "ada", Password: "countess-1815", Attributes: map[string][]string{
		"uid": {"ada"}, "mail": {"ada@partner.example"}, "givenName": {"Ada"}, "sn": {"Lovelace"},
		"displayName": {"Ada Lovelace"}, "isMemberOf": {"staff", "analysts", "engine & loom <x>"},
	}}
}

// Grace is the other one.
func Grace() User {
	return User{Name: "grace", Password: "admiral-1906", Attributes: map[string][]string{
		"uid": {"grace"}, "mail": {"grace@partner.example"}, "givenName": {"Grace"}, "sn": {"Hopper"},
		"displayName": {"Grace Hopper"}, "isMemberOf": {"staff"},
	}}
}

// IdPOptions say how an upstream identity provider answers. The zero value
// knows Ada and Grace, gives a persistent NameID to who asks for nothing else,
// and signs the Response and the Assertion.
type IdPOptions struct {
	Users              []User
	NameIDFormats      []string // persistent, when empty
	UnsignedResponse   bool
	UnsignedAssertion  bool
	EncryptAssertions  bool // to SPs that publish a key, with AES-256-GCM
	WantRequestsSigned bool
	Artifacts          bool // answers by artifact to SPs that ask for it
}

// IdP is a running identity provider.
type IdP struct {
	Name     string
	EntityID string
	URL      string
	Metadata []byte
	CertPEM  []byte // of the signing key

	t     testing.TB
	dir   string
	known int
}

// SimpleSAMLphp starts Debian's SimpleSAMLphp as an identity provider that asks
// for username and password.
func SimpleSAMLphp(t testing.TB, o IdPOptions) *IdP {
	t.Helper()
	php := Need(t, "php", simpleSAMLphpHint)
	www := Need(t, "/usr/share/simplesamlphp/www", simpleSAMLphpHint)
	if len(o.NameIDFormats) == 0 {
		o.NameIDFormats = []string{"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"}
	}
	if len(o.Users) == 0 {
		o.Users = []User{Ada(), Grace()}
	}
	i := &IdP{Name: "SimpleSAMLphp", CertPEM: keys(t).certPEM, t: t}
	i.dir = simpleSAMLphpDir(t, map[string]string{
		"authsources.php": "authsources.php", "saml20-idp-hosted.php": "metadata/saml20-idp-hosted.php",
	})
	i.SetUsers(o.Users...)
	const metadata = "/saml2/idp/metadata.php"
	i.URL, _ = serve(t, hostSimpleSAMLphp, metadata, func(addr string) command {
		settings, err := json.Marshal(map[string]any{
			"base": "http://" + addr, "nameIDFormats": o.NameIDFormats,
			"signResponse": !o.UnsignedResponse, "signAssertion": !o.UnsignedAssertion,
			"encrypt": o.EncryptAssertions, "wantRequestsSigned": o.WantRequestsSigned,
			"artifacts": o.Artifacts, "store": map[bool]string{false: "phpsession", true: "sql"}[o.Artifacts],
		})
		if err != nil {
			t.Fatal(err)
		}
		put(t, i.dir, "settings.json", settings)
		return simpleSAMLphpServer(i.Name, php, www, i.dir, addr)
	})
	i.EntityID = i.URL + metadata
	i.Metadata = fetch(t, i.EntityID)
	return i
}

// simpleSAMLphpDir makes a folder that SimpleSAMLphp runs in: what is the same
// for both of its roles, and files of testdata by the path in the folder.
func simpleSAMLphpDir(t testing.TB, files map[string]string) string {
	t.Helper()
	k := keys(t)
	dir := tempDir(t)
	for _, sub := range []string{"data", "tmp", "metadata", "sessions", "sp"} {
		path := filepath.Join(dir, sub)
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := own(path); err != nil {
			t.Fatal(err)
		}
	}
	put(t, dir, "key.pem", k.keyPEM)
	put(t, dir, "cert.pem", k.certPEM)
	files["config.php"], files["router.php"] = "config.php", "router.php"
	for from, to := range files {
		b, err := os.ReadFile(testdata(t, "simplesamlphp", from))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, to, b)
	}
	return dir
}

func simpleSAMLphpServer(name, php, www, dir, addr string) command {
	return command{
		name: name,
		args: []string{php, "-S", addr, "-t", www, filepath.Join(dir, "router.php")},
		env:  []string{"SIMPLESAMLPHP_CONFIG_DIR=" + dir, "TMPDIR=" + filepath.Join(dir, "tmp")},
		dir:  dir,
		log:  filepath.Join(dir, "log"),
		drop: true,
	}
}

// Trust makes a service provider known. It is in force at the next request.
func (i *IdP) Trust(spMetadata []byte) {
	i.t.Helper()
	i.known++
	put(i.t, i.dir, "sp/"+strconv.Itoa(i.known)+".xml", spMetadata)
}

// SetUsers replaces the people, as a directory changes between two logins. It
// counts from the next login on that asks for the password.
func (i *IdP) SetUsers(users ...User) {
	i.t.Helper()
	b, err := json.Marshal(users)
	if err != nil {
		i.t.Fatal(err)
	}
	put(i.t, i.dir, "users.json", b)
}

// SignIn is what a person types at this identity provider.
func (u User) SignIn() Fill { return Fill{"username": u.Name, "password": u.Password} }

// OID is the SAML Name under which SimpleSAMLphp sends an attribute.
func OID(ldapName string) string {
	return map[string]string{
		"uid":         "urn:oid:0.9.2342.19200300.100.1.1",
		"mail":        "urn:oid:0.9.2342.19200300.100.1.3",
		"givenName":   "urn:oid:2.5.4.42",
		"sn":          "urn:oid:2.5.4.4",
		"displayName": "urn:oid:2.16.840.1.113730.3.1.241",
		"isMemberOf":  "urn:oid:1.3.6.1.4.1.5923.1.5.1.1",
	}[strings.TrimSpace(ldapName)]
}
