package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
)

const (
	formatPersistent  = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	formatEmail       = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	formatUnspecified = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
	formatTransient   = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	attrUnspecified   = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
	attrBasic         = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
	attrURI           = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"

	testIssuer = "https://login.example.test/saml/metadata"
)

// recipeWant is what one vendor's documents demand, as far as a test can hold
// it. A NameID of "*" is one of ours.
type recipeWant struct {
	audience, acs          string
	issuer                 string // testIssuer if empty
	nameID, format         string
	qualifier, spQualifier string
	attributes             []string // "name NameFormat value…", sorted
	assertion, response    bool     // signed
	session                time.Duration
}

var recipeWants = map[string]recipeWant{
	"slack": {
		audience: "https://slack.com", acs: "https://acme.slack.com/sso/saml",
		nameID: "*", format: formatPersistent, qualifier: "acme.slack.com", spQualifier: "https://slack.com",
		attributes: []string{
			"User.Email " + attrUnspecified + " mia@example.test", "User.Username " + attrUnspecified + " mia",
			"first_name " + attrUnspecified + " Mia", "last_name " + attrUnspecified + " Moe",
		},
		response: true,
	},
	"aws-iam-identity-center": {
		audience: "https://eu-example-1.signin.aws.example.test/platform/saml/d-0000000000",
		acs:      "https://eu-example-1.signin.aws.example.test/platform/saml/acs/0000",
		nameID:   "mia@example.test", format: formatEmail, assertion: true, response: true,
	},
	"google-workspace": {
		audience: "https://accounts.google.com/samlrp/metadata?rpid=01abcdef", acs: "https://accounts.google.com/samlrp/acs?rpid=01abcdef",
		nameID: "mia@example.test", format: formatEmail, response: true,
	},
	"github": {
		audience: "https://github.com/orgs/acme", acs: "https://github.com/orgs/acme/saml/consume",
		nameID: "mia", format: formatPersistent,
		attributes: []string{"emails " + attrBasic + " mia@example.test", "full_name " + attrBasic + " Mia Moe", "username " + attrBasic + " mia"},
		assertion:  true, response: true, session: 24 * time.Hour,
	},
	"gitlab": {
		audience: "https://gitlab.example.test", acs: "https://gitlab.example.test/users/auth/saml/callback",
		nameID: "*", format: formatPersistent, qualifier: testIssuer, spQualifier: "https://gitlab.example.test",
		attributes: []string{
			"email " + attrBasic + " mia@example.test", "first_name " + attrBasic + " Mia", "last_name " + attrBasic + " Moe", "name " + attrBasic + " Mia Moe",
		},
		response: true,
	},
	"grafana": {
		audience: "https://grafana.example.test/saml/metadata", acs: "https://grafana.example.test/saml/acs",
		nameID: "*", format: formatTransient,
		attributes: []string{"displayName " + attrBasic + " Mia Moe", "mail " + attrBasic + " mia@example.test"}, response: true,
	},
	"salesforce": {
		audience: "https://acme.my.salesforce.com", acs: "https://acme.my.salesforce.com?so=00D000000000000AAA",
		nameID: "mia@example.test", format: formatUnspecified,
		attributes: []string{
			"User.Email " + attrUnspecified + " mia@example.test", "User.FirstName " + attrUnspecified + " Mia",
			"User.LastName " + attrUnspecified + " Moe", "User.ProfileId " + attrUnspecified + " Standard User",
			"User.Username " + attrUnspecified + " mia@example.test",
		},
		assertion: true, response: true,
	},
	"zendesk": {
		audience: "https://acme.zendesk.com", acs: "https://acme.zendesk.com/access/saml",
		nameID: "mia@example.test", format: formatEmail, assertion: true, response: true,
	},
	"zoom": {
		audience: "acme.zoom.us", acs: "https://acme.zoom.us/saml/SSO", nameID: "mia@example.test", format: formatEmail,
		attributes: []string{"email " + attrBasic + " mia@example.test", "first_name " + attrBasic + " Mia", "last_name " + attrBasic + " Moe"},
		assertion:  true, response: true,
	},
	"microsoft-365": {
		audience: "urn:federation:MicrosoftOnline", acs: "https://login.microsoftonline.com/login.srf",
		issuer: testIssuer + "/acme.example.test", nameID: "bWlhLWltbXV0YWJsZQ==", format: formatPersistent,
		attributes: []string{"IDPEmail " + attrBasic + " mia@example.test"}, assertion: true, response: true,
	},
	"nextcloud": {
		audience: "https://cloud.example.test/apps/user_saml/saml/metadata", acs: "https://cloud.example.test/apps/user_saml/saml/acs",
		nameID: "mia", format: formatUnspecified,
		attributes: []string{"displayname " + attrBasic + " Mia Moe", "email " + attrBasic + " mia@example.test", "uid " + attrBasic + " mia"},
		assertion:  true, response: true,
	},
	"generic": {
		audience: "https://app.example.test/saml/metadata", acs: "https://app.example.test/saml/acs",
		nameID: "*", format: formatPersistent, qualifier: testIssuer, spQualifier: "https://app.example.test/saml/metadata",
		attributes: []string{
			"urn:oid:0.9.2342.19200300.100.1.3 " + attrURI + " mia@example.test", "urn:oid:2.16.840.1.113730.3.1.241 " + attrURI + " Mia Moe",
			"urn:oid:2.5.4.4 " + attrURI + " Moe", "urn:oid:2.5.4.42 " + attrURI + " Mia",
		},
		assertion: true, response: true,
	},
}

// TestRecipes holds every recipe against what its vendor demands, and the octets
// that it sends against a golden file. A change of one is a change for everybody
// who uses the recipe.
func TestRecipes(t *testing.T) {
	t.Parallel()
	recipes, err := loadRecipes()
	if err != nil {
		t.Fatal(err)
	}
	if len(recipes) != len(recipeWants) {
		t.Errorf("%d recipes, and %d of them have a test", len(recipes), len(recipeWants))
	}
	for _, r := range recipes {
		t.Run(r.ID, func(t *testing.T) {
			t.Parallel()
			got := rehearseRecipe(t, r)
			if diff := cmp.Diff(wantOf(recipeWants[r.ID]), got.demanded()); diff != "" {
				t.Errorf("what %s gets (-want +got):\n%s", r.Title, diff)
			}
			if n := len(got.NameID.Value); got.NameID.Format == formatPersistent && n > 64 {
				t.Errorf("the NameID has %d characters", n)
			}
			golden(t, filepath.Join("testdata", "recipes", r.ID+".xml"), []byte(got.XML+"\n"))
			peer.ValidateXSD(t, []byte(got.XML))
			peer.VerifyXMLSec1(t, []byte(got.XML), []byte(readAll(t, "../../idp/testdata/idp.crt")))
		})
	}
}

// demand is the part of a rehearsal that a vendor cares about.
type demand struct {
	Issuer, Audience, Destination, Recipient string
	NameID, Format, Qualifier, SPQualifier   string
	Attributes                               []string
	Assertion, Response, Encrypted           bool
	Session                                  string
}

func wantOf(w recipeWant) demand {
	d := demand{
		Issuer: testIssuer, Audience: w.audience, Destination: w.acs, Recipient: w.acs,
		NameID: w.nameID, Format: w.format, Qualifier: w.qualifier, SPQualifier: w.spQualifier,
		Attributes: w.attributes, Assertion: w.assertion, Response: w.response,
	}
	if w.issuer != "" {
		d.Issuer = w.issuer
	}
	if w.session != 0 {
		d.Session = goldenTime.Add(w.session).Format("2006-01-02T15:04:05Z")
	}
	return d
}

func (r rehearsal) demanded() demand {
	d := demand{
		Issuer: r.Issuer, Audience: r.Audience, Destination: r.Destination, Recipient: r.Recipient,
		NameID: r.NameID.Value, Format: r.NameID.Format, Qualifier: r.NameID.NameQualifier, SPQualifier: r.NameID.SPNameQualifier,
		Assertion: r.Signed.Assertion != "", Response: r.Signed.Response != "", Encrypted: r.Encrypted != nil,
	}
	if at, err := time.Parse(time.RFC3339, r.SessionUntil); err == nil {
		d.Session = at.Format("2006-01-02T15:04:05Z")
	}
	if r.NameID.New {
		d.NameID = "*"
	}
	for _, a := range r.Attributes {
		d.Attributes = append(d.Attributes, strings.Join(append([]string{a.Name, a.NameFormat}, a.values()...), " "))
	}
	slices.Sort(d.Attributes)
	return d
}

var goldenTime = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)

// rehearseRecipe adds an application by a recipe, with the examples of its
// parameters, and has samlet answer it about a fixed person at a fixed time.
func rehearseRecipe(t *testing.T, r recipe) rehearsal {
	t.Helper()
	config := recipeConfig(t)
	args := []string{"sp", "add", "--config", config, "--recipe", r.ID, "--id", "app"}
	if r.Metadata == "required" {
		args = append(args, "--metadata", filepath.Join("testdata", "recipes", r.ID+"-sp.xml"))
	}
	for _, p := range r.Parameters {
		if p.Default == "" {
			args = append(args, "--set", p.Name+"="+p.Example)
		}
	}
	mustRun(t, args...)
	snap, err := loadSnapshot(config)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openStage(t.Context(), stageConfig{Snapshot: snap, Now: func() time.Time { return goldenTime }, Rand: &steadyRand{source: rand.NewChaCha8([32]byte{1})}})
	if err != nil {
		t.Fatal(err)
	}
	who := identity.Record{ID: "record-of-mia", Logins: []string{"mia"}, Created: goldenTime, Updated: goldenTime}
	who.Reconcile(identity.SourceOperator, identity.Attributes{
		identity.Mail: {"mia@example.test"}, identity.GivenName: {"Mia"}, identity.FamilyName: {"Moe"}, identity.DisplayName: {"Mia Moe"},
		identity.Username: {"mia"}, identity.Groups: {"staff"}, identity.Phone: {"+00 555 0100"}, "immutable_id": {"bWlhLWltbXV0YWJsZQ=="},
	})
	if err := s.store.Update(t.Context(), func(tx *store.Tx) error { return tx.Records.Create(t.Context(), who) }); err != nil {
		t.Fatal(err)
	}
	got, err := s.rehearse(t.Context(), "app", who, "")
	if err != nil {
		t.Fatal(err)
	}
	if got.Refused != nil {
		t.Fatalf("refused: %+v", got.Refused)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	return got
}

// recipeConfig is a configuration with a key that never changes.
func recipeConfig(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"idp.key", "idp.crt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(readAll(t, "../../idp/testdata/"+name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "config.yaml")
	text := "server: {base_url: \"https://login.example.test\"}\n" +
		"keys:\n  - {id: sig, use: signing, state: active, key: \"file:idp.key\", cert: \"file:idp.crt\"}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// steadyRand gives the same octets in every run.
type steadyRand struct {
	mu     sync.Mutex
	source io.Reader
}

func (r *steadyRand) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(b)
}

// mustRun runs one samlet command in this process and returns what it printed.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != exitGood {
		t.Fatalf("samlet %s: exit code %d\n%s%s", strings.Join(args, " "), code, out.String(), errs.String())
	}
	return out.String()
}

// TestRecipePages holds docs/recipes and the recipes together: a page says what
// the recipe does, word for word.
func TestRecipePages(t *testing.T) {
	t.Parallel()
	recipes, err := loadRecipes()
	if err != nil {
		t.Fatal(err)
	}
	index := "# Recipes\n\nApplications that `samlet sp add --recipe` connects. These pages are written from the\nrecipes themselves (`go test ./cmd/samlet -run TestRecipePages -update`), and\n`samlet sp recipes RECIPE` prints them.\n\n| application | recipe | needs |\n|---|---|---|\n"
	for _, r := range recipes {
		index += fmt.Sprintf("| [%s](%s.md) | `%s` | `%s` |\n", r.Title, r.ID, r.ID, strings.Join(r.row().needs(), " "))
		golden(t, "../../docs/recipes/"+r.ID+".md", []byte(r.page()))
		for _, p := range r.Parameters {
			if !strings.Contains(r.page(), "`"+p.Name+"`") {
				t.Errorf("the page of %s does not name the parameter %s", r.ID, p.Name)
			}
		}
		for _, rule := range r.Entry.Release {
			if rule.As != "" && !strings.Contains(r.page(), "attribute `"+rule.As+"`") {
				t.Errorf("the page of %s does not name the attribute %s", r.ID, rule.As)
			}
		}
	}
	golden(t, "../../docs/recipes/README.md", []byte(index))
	pages, err := filepath.Glob("../../docs/recipes/*.md")
	if err != nil || len(pages) != len(recipes)+1 {
		t.Errorf("%d pages in docs/recipes for %d recipes, error %v", len(pages), len(recipes), err)
	}
}
