package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// minimal is the smallest configuration that is faultless by itself.
const minimal = `server: {base_url: "https://login.example.test"}
keys: [{id: sig, use: signing, state: active, key: "file:sig.key", cert: "file:sig.crt"}]
`

func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestConfigFaults holds that each fault is told with its place, and that all
// of them are told at once.
func TestConfigFaults(t *testing.T) {
	t.Parallel()
	const sp = "service_providers:\n  - id: a\n    metadata: {file: a.xml}\n"
	longID := "urn:" + strings.Repeat("x", 253)
	tests := []struct {
		name, yaml string
		want       []string // "line:column: path: message"
	}{
		{"unknown key", minimal + "sevrer: {}\n", []string{`3:1: sevrer: unknown key; did you mean "server"?`}},
		{"unknown key below", minimal + "log:\n  levle: info\n", []string{`4:3: log.levle: unknown key; did you mean "level"?`}},
		{"unlike any key", minimal + "log:\n  zzzzzzzz: info\n", []string{`4:3: log.zzzzzzzz: unknown key; known here are format, level`}},
		{"other case", minimal + "Log: {}\n", []string{`3:1: Log: unknown key; did you mean "log"?`}},
		{"twice", minimal + "log: {}\nlog: {}\n", []string{`4:1: log: this key stands here a second time; the first is in line 3`}},
		{"no mapping", minimal + "log: loud\n", []string{`3:6: log: want keys and values, got "loud"`}},
		{"no list", minimal + "attributes: mail\n", []string{`3:13: attributes: want a list, got "mail"`}},
		{"number for text", minimal + "attributes: [{id: 5}]\n", []string{`3:19: attributes[0].id: want a string, got the number 5; put it in quotes if it is meant as text`}},
		{"YAML 1.1 truth", minimal + "attributes: [{id: no}]\n", []string{`3:19: attributes[0].id: want a string, got "no"; put it in quotes if it is meant as text`}},
		{"YAML 1.1 octal", minimal + "authentication: {methods: [{id: password, argon2: {time: 010}}]}\n", []string{`3:58: authentication.methods[0].argon2.time: want a whole number, got the number 010`}},
		{"date for text", minimal + "attributes: [{id: a, label: 2026-11-23}]\n", []string{`3:29: attributes[0].label: want a string, got the date 2026-11-23; put it in quotes if it is meant as text`}},
		{"text for truth", minimal + "idp: {want_authn_requests_signed: \"yes\"}\n", []string{`3:35: idp.want_authn_requests_signed: want true or false, got "yes"`}},
		{"bare number for duration", minimal + "idp: {metadata: {valid_for: 5}}\n", []string{`3:29: idp.metadata.valid_for: "5" is no duration: write a number with a unit, such as 90s, 12h or 7d`}},
		{"size", minimal + "authentication: {methods: [{id: password, argon2: {memory: 64MB}}]}\n", []string{`3:60: authentication.methods[0].argon2.memory: "64MB" is no size: write a number with KiB, MiB or GiB, such as 19MiB`}},
		{"alias", minimal + "log: &l {level: info}\nstore: *l\n", []string{`4:8: store: aliases are not read here; write the value out`}},
		{"two documents", minimal + "---\nlog: {}\n", []string{`3:1: : a second YAML document starts here; the file must hold exactly one`}},
		{"OpenID Provider without its keys", minimal + "connections:\n  - {id: op, type: oidc, issuer: \"http://op.partner.test\", token_endpoint_auth_method: none}\n", []string{
			`4:5: connections[0]: a connection of type oidc needs client_id and client_secret`,
			`4:34: connections[0].issuer: want an https URL without query and fragment, got "http://op.partner.test"`,
			`4:88: connections[0].token_endpoint_auth_method: want client_secret_basic or client_secret_post or private_key_jwt, got "none"`,
		}},
		{"OAuth without a vendor", minimal + "connections:\n" +
			"  - {id: a, type: oauth, issuer: \"https://op.partner.test\", client_id: a, client_secret: \"literal:b\"}\n" +
			"  - {id: b, type: oauth, preset: google, client_id: a, client_secret: \"literal:b\", token_endpoint_auth_method: private_key_jwt}\n", []string{
			`4:5: connections[0].preset: want facebook or github, got ""`,
			`5:34: connections[1].preset: want facebook or github, got "google"`,
			`5:112: connections[1].token_endpoint_auth_method: it belongs to type: oidc alone`,
		}},
		{"presets of OpenID Providers", minimal + "connections:\n" +
			"  - {id: a, type: oidc, preset: apple, client_id: a, client_secret: \"literal:b\"}\n" +
			"  - {id: b, type: oidc, preset: google, client_id: a, client_secret: \"literal:b\", tenants: [x]}\n" +
			"  - {id: c, type: oidc, preset: adfs, issuer: \"https://op.partner.test\", client_id: a, client_secret: \"literal:b\"}\n", []string{
			`4:5: connections[0]: preset: apple needs team_id, key_id and private_key, of which each client secret is made, in place of client_secret`,
			`5:92: connections[1].tenants: it belongs to preset: microsoft alone`,
			`6:33: connections[2].preset: want apple or generic or gitlab or google or linkedin or microsoft, got "adfs"`,
		}},
		{"what a browser that remembers does", minimal + "connections: [{id: a, type: saml, metadata: {file: a.xml}, remembered: always}]\n", []string{
			`3:72: connections[0].remembered: want offer or lead, got "always"`,
		}},
		{"organizations that are one towards applications", minimal + "organizations:\n  - {id: a, idp: {entity_id: \"https://a.test\", signing_key: other}}\n  - {id: b, idp: {entity_id: \"https://a.test\"}}\n  - {id: c, idp: {entity_id: \"https://login.example.test/saml/metadata\"}}\n", []string{
			`4:61: organizations[0].idp.signing_key: there is no signing key "other" among keys that is not retired`,
			`5:30: organizations[1].idp.entity_id: this is the entityID by which a knows us already`,
			`6:30: organizations[2].idp.entity_id: this is the entityID by which everybody knows us already`,
		}},
		{"one OpenID Provider twice", minimal + "connections:\n" + strings.Repeat("  - {id: op, type: oidc, issuer: \"https://op.partner.test\", client_id: a, client_secret: \"literal:b\"}\n", 2), []string{
			`5:10: connections[1].id: the id "op" is taken by an earlier entry`,
			`5:34: connections[1].issuer: https://op.partner.test is the issuer of another connection already`,
		}},
		{"http outside of loopback", strings.Replace(minimal, "https", "http", 1), []string{`1:20: server.base_url: http is for development on loopback alone; want https, got "http://login.example.test"`}},
		{"base URL with a path", strings.Replace(minimal, ".test", ".test/x", 1), []string{`1:20: server.base_url: want an origin such as https://login.example.test, got "https://login.example.test/x"`}},
		{"relative entityID", minimal + "idp: {entity_id: saml/metadata}\n", []string{`3:18: idp.entity_id: an entityID is an absolute URI of at most 256 characters, got "saml/metadata"`}},
		{"entityID of 257 characters", minimal + "idp: {entity_id: " + longID + "}\n", []string{`3:18: idp.entity_id: an entityID is an absolute URI of at most 256 characters, got "` + longID + `"`}},
		{"no signing key", `server: {base_url: "https://login.example.test"}` + "\n", []string{`1:1: keys: there is no active signing key; ` + "`samlet init` makes one"}},
		{"two active keys", minimal[:len(minimal)-2] + `, {id: b, use: encryption, state: active, key: "file:b", cert: "file:b"}, {id: c, use: encryption, state: active, key: "file:b", cert: "file:b"}]` + "\n", []string{`2:195: keys[2].state: a second active encryption key; only one can be active`}},
		{"a dedicated encryption key", minimal[:len(minimal)-2] + `, {id: b, use: encryption, state: dedicated, key: "file:b", cert: "file:b"}]` + "\n", []string{`2:123: keys[1].state: only signing keys can be dedicated`}},
		{"an unknown algorithm", minimal + "refuse_algorithms: [rsa-sha256, md6]\n", []string{`3:33: refuse_algorithms[1]: want the URI of an algorithm, or aes128-cbc, aes128-gcm, aes256-cbc, aes256-gcm, ecdsa-sha256, ecdsa-sha384, ecdsa-sha512, ed25519, rsa-sha256, rsa-sha384, rsa-sha512, got "md6"`}},
		{"nothing signed", minimal + "service_providers:\n  - {id: a, metadata: {file: a.xml}, sign: {assertion: false, response: false}}\n", []string{`4:44: service_providers[0].sign: nothing would be signed; leave assertion or response on`}},
		{"a logo by http", minimal + "idp: {metadata: {logo: http://a.test/logo.png}}\n", []string{`3:24: idp.metadata.logo: want an https URL or a data URI of an image, got "http://a.test/logo.png"`}},
		{"a help page by http", minimal + "idp: {metadata: {error_url: http://a.test/help}}\n", []string{`3:29: idp.metadata.error_url: want an https URL, got "http://a.test/help"`}},
		{"unknown attribute", minimal + sp + "    release: [{attribute: mial}]\n", []string{`6:27: service_providers[0].release[0].attribute: there is no attribute "mial"; did you mean "mail"?`}},
		{"links by mail without a domain", minimal + "connections: [{id: a, type: saml, metadata: {file: a.xml}, link: {existing: verified_email}}]\n", []string{"3:77: connections[0].link.existing: verified_email links within the connection's own mail domains: list them in email_domains"}},
		{"people known by they do not say what", minimal + "connections: [{id: a, type: saml, metadata: {file: a.xml}, link: {by: attribute}}]\n", []string{"3:71: connections[0].link.by: which attribute? Name it in link.attribute, as the upstream does"}},
		{"people of a directory known by an attribute", minimal + "connections: [{id: a, type: ldap, link: {by: attribute, attribute: uid}}]\n", []string{"3:46: connections[0].link.by: only people of a saml connection are known by an attribute"}},
		{"an attribute that nobody is known by", minimal + "connections: [{id: a, type: saml, metadata: {file: a.xml}, link: {attribute: uid}}]\n", []string{"3:78: connections[0].link.attribute: nobody is known by it without link.by: attribute"}},
		{"demands that nothing translates", minimal + "connections: [{id: a, type: saml, metadata: {file: a.xml}, authn_context: {request: demanded}}]\n", []string{"3:85: connections[0].authn_context.request: what applications demand is translated by trust: list there what the classes of this upstream are worth"}},
		{"classes that are none", minimal + "connections: [{id: a, type: saml, metadata: {file: a.xml}, authn_context: {request: all, require: [\"urn:a urn:b\"]}}]\n", []string{`3:85: connections[0].authn_context.request: want none or demanded, got "all"`, `3:100: connections[0].authn_context.require[0]: want a context class, as the upstream says it, got "urn:a urn:b"`}},
		{"a privacy statement in the clear", minimal + "idp: {metadata: {privacy_url: \"http://a.test/\"}}\n", []string{`3:31: idp.metadata.privacy_url: want an https URL, got "http://a.test/"`}},
		{"a discovery response elsewhere", minimal + "service_providers: [{id: a, metadata: {file: a.xml}, discovery_response: [\"javascript:alert(1)\"]}]\n", []string{`3:75: service_providers[0].discovery_response[0]: want an http or https URL without a fragment, got "javascript:alert(1)"`}},
		{"a NameID that is none", minimal + "connections: [{id: a, type: saml, metadata: {file: a.xml}, name_id_policy: lasting}]\n", []string{`3:76: connections[0].name_id_policy: want none or any or persistent or transient or email or unspecified, got "lasting"`}},
		{"a NameID that does not last", minimal + "connections: [{id: a, type: saml, metadata: {file: a.xml}, name_id_policy: transient}]\n", []string{"3:76: connections[0].name_id_policy: nobody is known again by a transient NameID; name the attribute that they are known by in link"}},
		{"a NameID of a directory", minimal + "connections: [{id: a, type: ldap, name_id_policy: any}]\n", []string{"3:51: connections[0].name_id_policy: only a saml connection asks for a NameID"}},
		{"no scope", minimal + "connections: [{id: a, type: saml, metadata: {file: a.xml}, scopes: {allow: [\"@a.test\"]}}]\n", []string{`3:77: connections[0].scopes.allow[0]: want a scope such as partner.test, got "@a.test"`}},
		{"scopes that nobody checks", minimal + "connections: [{id: a, type: saml, metadata: {file: a.xml}, scopes: {check: false, allow: [a.test]}}]\n", []string{"3:76: connections[0].scopes.check: with check: false there is nothing to allow, and no attribute to check"}},
		{"a landing that is nowhere", minimal + "connections: [{id: a, type: saml, metadata: {file: a.xml}, idp_initiated: [wiki]}]\n", []string{`3:76: connections[0].idp_initiated[0]: want the id of a service provider, got "wiki"`}},
		{"a landing that takes none", minimal + sp + "connections: [{id: b, type: saml, metadata: {file: a.xml}, sign_requests: false, idp_initiated: [a]}]\n", []string{
			"6:75: connections[0].sign_requests: with idp_initiated the requests are signed",
			"6:98: connections[0].idp_initiated[0]: a takes no sign-in that it did not ask for; set its session.idp_initiated if its vendor wants one",
		}},
		{"a directory that begins sign-ins", minimal + sp + "connections: [{id: b, type: ldap, idp_initiated: [a]}]\n", []string{"6:50: connections[0].idp_initiated: only a saml or oidc connection begins a sign-in"}},
		{"a directory with artifacts", minimal + "connections: [{id: b, type: ldap, artifact: true}]\n", []string{"3:45: connections[0].artifact: only a saml connection answers by artifact"}},
		{"bad pattern", minimal + sp + "    release: [{attribute: groups, only: [\"[\"]}]\n", []string{`6:42: service_providers[0].release[0].only[0]: "[" is no pattern: syntax error in pattern`}},
		{"id taken", minimal + sp + "  - id: a\n    metadata: {file: b.xml}\n", []string{`6:9: service_providers[1].id: the id "a" is taken by an earlier entry`}},
		{"no metadata", minimal + "service_providers: [{id: a}]\n", []string{`3:21: service_providers[0].metadata: want exactly one of file, url, xml and inline (file beside url is the fetched copy)`}},
		{"an organization that is not there", minimal + "organizations: [{id: acme}]\nconnections: [{id: a, type: saml, metadata: {file: a.xml}, organization: acne}]\n" + sp + "    organizations: [beta]\n",
			[]string{`4:74: connections[0].organization: there is no organization "acne"; did you mean "acme"?`, `8:21: service_providers[0].organizations[0]: there is no organization "beta"`}},
		{"one domain of two organizations", minimal + "organizations: [{id: acme, domains: [acme.test]}, {id: beta, domains: [acme.test, Beta.test]}]\n",
			[]string{`3:72: organizations[1].domains[0]: "acme.test" belongs to the organization acme already`, `3:83: organizations[1].domains[1]: want a mail domain in lower case such as acme.test, got "Beta.test"`}},
		{"an organization twice", minimal + "organizations: [{id: acme}, {id: acme}]\n", []string{`3:34: organizations[1].id: the id "acme" is taken by an earlier entry`}},
		{"the domain of another organization", minimal + "organizations: [{id: acme, domains: [acme.test]}, {id: beta}]\nconnections:\n  - {id: a, type: saml, metadata: {file: a}, email_domains: [acme.test]}\n  - {id: b, type: saml, metadata: {file: a}, organization: beta, email_domains: [x.test]}\n",
			[]string{`5:62: connections[0].email_domains[0]: "acme.test" belongs to the organization acme, and a does not`, `6:82: connections[1].email_domains[0]: "x.test" is none of the domains of beta`}},
		{"an application of no organization", minimal + sp + "    organizations: []\n", []string{`6:20: service_providers[0].organizations: the list is empty; leave it out to serve everybody`}},
		{"passwords of one organization", minimal + "organizations: [{id: acme}]\nconnections: [{id: local, type: local, organization: acme}]\n", []string{`4:54: connections[0].organization: people of every organization may have a password here; local is nobody's`}},
		{"shared domain", minimal + "connections:\n  - {id: a, type: saml, email_domains: [x.test], metadata: {file: a}}\n  - {id: b, type: saml, email_domains: [x.test], metadata: {file: a}}\n",
			[]string{`5:41: connections[1].email_domains[0]: "x.test" belongs to another connection already`}},
		{"a filter that lets nothing leave", minimal + sp + "    release: [{attribute: mail, only: []}]\n", []string{`6:39: service_providers[0].release[0].only: the list is empty; leave it out to let every value leave`}},
		{"no origin", minimal + sp + "    release: [{attribute: mail, sources: []}]\n", []string{`6:42: service_providers[0].release[0].sources: the list is empty; leave it out to let values of every origin leave`}},
		{"an unknown origin", minimal + sp + "    release: [{attribute: mail, sources: [parter]}]\n", []string{`6:43: service_providers[0].release[0].sources[0]: want operator, person or the id of a connection, got "parter"`}},
		{"the first value joined", minimal + sp + "    release: [{attribute: mail, first: true, join: x}]\n", []string{`6:52: service_providers[0].release[0].join: of the first value alone there is nothing to join`}},
		{"a name that is too long", minimal + sp + "    release: [{attribute: mail, as: " + longID + "}]\n", []string{`6:37: service_providers[0].release[0].as: a name has at most 256 characters, got 257`}},
		{"an empty access rule", minimal + sp + "    access: {require: \"\"}\n", []string{`6:23: service_providers[0].access.require: the rule is empty; leave require out to let everybody in`}},
		{"a refusal of nobody", minimal + sp + "    access: {message: Ask us}\n", []string{`6:23: service_providers[0].access.message: nobody is refused without require or organizations`}},
		{"our own entityID again", minimal + sp + "    idp: {entity_id: https://login.example.test/saml/metadata}\n", []string{`6:22: service_providers[0].idp.entity_id: this is the entityID by which everybody knows us; leave it out`}},
		{"categories without any", minimal + sp + "    release_categories: true\n", []string{`6:25: service_providers[0].release_categories: there are no entity_categories that say what is released`}},
		{"one category twice", minimal + "entity_categories: [{value: https://c.test}, {value: https://c.test}]\n", []string{`3:46: entity_categories[1]: an earlier entry is about https://c.test already`}},
		{"clocks that are days apart", minimal + "idp: {max_clock_skew: 48h}\n", []string{`3:23: idp.max_clock_skew: want between 1s and 10m, got 2d`}},
		{"no patience", minimal + "idp: {logout: {timeout: 0s}}\n", []string{`3:25: idp.logout.timeout: want between 1s and 1m, got 0s`}},
		{"metadata that is over at once", minimal + "idp: {metadata: {valid_for: 1s}}\n", []string{`3:29: idp.metadata.valid_for: want between 1h and 366d, got 1s`}},
		{"a session of no length", minimal + sp + "    session: {lifetime: 0s}\n", []string{`6:25: service_providers[0].session.lifetime: want between 1m and 366d, got 0s`}},
		{"a contact that is no address", minimal + "idp: {metadata: {contact_email: us}}\n", []string{`3:33: idp.metadata.contact_email: want a mail address such as sso@example.test, got "us"`}},
		{"calls to everywhere", strings.Replace(minimal, `.test"`, `.test", outbound: [0.0.0.0/0]`, 1), []string{`1:61: server.outbound[0]: 0.0.0.0/0 is no private network; name the ones that peers are in`}},
		{"a mapping that is no pattern", minimal + "connections:\n  - {id: a, type: saml, metadata: {file: a}, map: [{to: mail, from: m, match: \"(\"}]}\n",
			[]string{"4:52: connections[0].map[0]: mapping to \"mail\": match: error parsing regexp: missing closing ): `(`"}},
		{"a mapping that is no expression", minimal + "connections:\n  - {id: a, type: saml, metadata: {file: a}, map: [{to: locale, value: en}]}\n",
			[]string{"4:72: connections[0].map[0].value: unknown name en; there are claims, issuer, subject and connection (a text stands in quotes) (line 1, column 1 of the expression)"}},
		{"a mapping without an origin", minimal + "connections:\n  - {id: a, type: saml, metadata: {file: a}, map: [{to: locale}]}\n",
			[]string{"4:52: connections[0].map[0]: a rule needs to, and from, value or constant"}},
		{"a mapping of an empty constant", minimal + "connections:\n  - {id: a, type: saml, metadata: {file: a}, map: [{to: locale, constant: [\"\"]}]}\n",
			[]string{"4:52: connections[0].map[0]: mapping to \"locale\": a constant is empty"}},
		{"two mappings of one attribute", minimal + "connections:\n  - {id: a, type: saml, metadata: {file: a}, map: [{to: mail, from: m}, {to: mail, from: mm}]}\n",
			[]string{`4:78: connections[0].map[1].to: an earlier rule fills mail; list the upstream names in one`}},
		{"a mapping that lets nothing pass", minimal + "connections:\n  - {id: a, type: saml, metadata: {file: a}, map: [{to: mail, from: m, only: []}]}\n",
			[]string{`4:78: connections[0].map[0].only: the list is empty; leave it out to let every value pass`}},
		{"three at once", minimal + "lgo: {}\nlog: {level: 5}\nstore: []\n", []string{
			`3:1: lgo: unknown key; did you mean "log"?`,
			`4:14: log.level: want a string, got the number 5; put it in quotes if it is meant as text`,
			`5:8: store: want keys and values, got a list`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := readConfig(write(t, tt.yaml))
			var faulty *configError
			if !errors.As(err, &faulty) {
				t.Fatalf("readConfig() = %v, want a *configError", err)
			}
			var got []string
			for _, f := range faulty.Faults {
				got = append(got, fmt.Sprintf("%d:%d: %s: %s", f.At.Line, f.At.Column, f.Path, f.Msg))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigSyntaxErrorHasLine(t *testing.T) {
	t.Parallel()
	_, _, err := readConfig(write(t, "version: 1\nserver: {base_url: [\n"))
	if want := regexp.MustCompile(`config\.yaml:\d+:1: `); err == nil || !want.MatchString(err.Error()) {
		t.Errorf("readConfig() = %v, want a place like %s", err, want)
	}
}

// TestKeysAreHarmlessToViper holds the rules that keep viper harmless: keys are
// lower-case words without dots, and viper sees what the file says.
func TestKeysAreHarmlessToViper(t *testing.T) {
	t.Parallel()
	harmless := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, key := range configKeys() {
		if !harmless.MatchString(key) {
			t.Errorf("the key %q does not match %s", key, harmless)
		}
	}

	raw, err := os.ReadFile("../../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := yaml.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(strings.NewReader(string(raw))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, v.AllSettings()); diff != "" {
		t.Errorf("viper holds something other than the file (-file +viper):\n%s", diff)
	}
}

// configKeys returns every key of config.yaml, each once.
func configKeys() []string {
	var keys []string
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Slice, reflect.Pointer:
			walk(typ.Elem())
		case reflect.Struct:
			for f := range typ.Fields() {
				keys = append(keys, f.Tag.Get("yaml"))
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
	slices.Sort(keys)
	return slices.Compact(keys)
}

// TestExampleConfigIsFaultless reads the config.yaml that the project shows.
func TestExampleConfigIsFaultless(t *testing.T) {
	t.Parallel()
	if _, _, err := readConfig("../../config.yaml"); err != nil {
		t.Error(err)
	}
}

// TestEnvironmentOverridesAllowedScalars sets every variable that is allowed,
// and some that are not.
func TestEnvironmentOverridesAllowedScalars(t *testing.T) {
	values := map[string]string{
		"SAMLETD_SERVER_BASE_URL": "https://other.example.test", "SAMLETD_SERVER_LISTEN": "127.0.0.1:1",
		"SAMLETD_STORE_DRIVER": "postgres", "SAMLETD_STORE_DSN": "env:ELSEWHERE",
		"SAMLETD_LOG_LEVEL": "debug", "SAMLETD_LOG_FORMAT": "json",
		"SAMLETD_KEYS": "oops", "SAMLETD_SERVER": "oops", "SAMLET_SERVER_LISTEN": "oops", "SAMLET_PORT": "tcp://10.0.0.1:80",
		"SAMLETD_IDP_ENTITY_ID": "urn:oops",
	}
	for k, v := range values {
		t.Setenv(k, v)
	}
	cfg, _, err := readConfig(write(t, minimal))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for key, field := range overridable(cfg) {
		got["SAMLETD_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))] = *field
	}
	for k, v := range got {
		if v != values[k] {
			t.Errorf("%s = %q, want %q", k, v, values[k])
		}
	}
	if len(got) != 6 || len(cfg.Keys) != 1 || cfg.IDP.EntityID != "https://other.example.test/saml/metadata" {
		t.Errorf("overridden: %d scalars, %d keys, entityID %s; want 6, 1 and the one derived from base_url", len(got), len(cfg.Keys), cfg.IDP.EntityID)
	}
}

func TestReference(t *testing.T) {
	d := newDecoder(write(t, ""))
	dir := filepath.Dir(d.file)
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("from file"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("A_SECRET", "from env")
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	for ref, want := range map[string]string{"file:secret": "from file", "env:A_SECRET": "from env", "cred:secret": "from file", "literal:x:y": "x:y"} {
		got, err := d.reference(ref)
		if err != nil || string(got) != want {
			t.Errorf("reference(%q) = %q, %v; want %q", ref, got, err, want)
		}
	}
	for _, ref := range []string{"secret", "file:absent", "env:ABSENT_SECRET", "cred:../secret", "http://x", ""} {
		if got, err := d.reference(ref); err == nil {
			t.Errorf("reference(%q) = %q, want an error", ref, got)
		}
	}
}

// FuzzReadConfig holds that no bytes make the reader panic, and that what it
// accepts it accepts again.
func FuzzReadConfig(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? {}\n: x\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := newDecoder("config.yaml")
		cfg := defaultConfig()
		if d.decodeStrict(raw, &cfg); len(d.faults) == 0 {
			cfg.complete()
			d.checkConfig(&cfg)
		}
		_, _ = findList(raw, "service_providers") // an unreadable document is an error; here only a panic is a failure
	})
}
