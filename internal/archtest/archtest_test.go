package archtest

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/samlet-id/samlet"

// plan maps each package to the packages of the house it may import. Imports
// point down only: L4 cmd; L3 idp, broker/*, login/*, store/sqlstore; L2 broker,
// login; L1 store, binding, metadata, certs, templates, internal/xmlsec,
// internal/web; L0 identity. Siblings of a row stand apart, but for the
// exceptions that are written out here.
var plan = map[string][]string{
	"identity": {},

	"store":               {"identity"},
	"certs":               {"identity"},
	"templates":           {"identity"},
	"internal/web":        {"identity", "templates"},
	"internal/xmlsec":     {"identity", "certs"},
	"binding":             {"identity", "certs", "internal/xmlsec"},
	"metadata":            {"identity", "certs", "internal/xmlsec"},
	"internal/expression": {"identity"},
	"internal/explain":    {"identity", "binding", "metadata", "internal/xmlsec"},
	"internal/archtest":   {},
	"internal/peer":       {},

	"broker": {"identity", "store", "binding"},
	"login":  {"identity", "store", "binding", "templates", "internal/web"},

	"idp":             {"identity", "store", "binding", "metadata", "certs", "internal/xmlsec", "internal/web", "templates"},
	"broker/sp":       {"identity", "broker", "store", "binding", "metadata", "certs", "internal/xmlsec"},
	"broker/rp":       {"identity", "broker", "store", "binding", "certs"},
	"broker/ldap":     {"identity"},
	"login/directory": {"identity", "login", "store", "templates"},
	"login/password":  {"identity", "login", "store", "templates"},
	"store/sqlstore":  {"identity", "store"},

	"store/storetest":     {"identity", "store"},
	"broker/brokertest":   {"identity", "broker", "binding"},
	"login/logintest":     {"identity", "login", "store"},
	"templates/storybook": {"identity", "templates"},

	"cmd/samlet": {
		"identity", "store", "store/sqlstore", "certs", "binding", "metadata", "templates", "internal/web",
		"idp", "broker", "broker/sp", "broker/rp", "broker/ldap", "login", "login/directory", "login/password", "internal/expression",
		"internal/explain", "internal/xmlsec",
	},
}

// owners names the only packages that may import a module or a standard package
// that must not spread.
var owners = map[string][]string{
	"github.com/russellhaering/goxmldsig": {"internal/xmlsec", "internal/peer"},
	"github.com/beevik/etree":             {"internal/xmlsec"},
	"encoding/xml":                        {"internal/xmlsec", "internal/peer"},
	"github.com/crewjam/saml/xmlenc":      {"internal/xmlsec"},
	"github.com/crewjam/saml":             {"idp", "broker/sp", "metadata", "internal/peer"},
	"github.com/coreos/go-oidc/v3":        {"broker/rp"},
	"golang.org/x/oauth2":                 {"broker/rp"},
	"github.com/go-jose/go-jose/v4":       {"broker/rp", "cmd/samlet"},
	"github.com/russellhaering/gosaml2":   {"internal/peer"},
	"github.com/mattn/go-sqlite3":         {"store/sqlstore"},
	"github.com/jackc/pgx/v5":             {"store/sqlstore"},
	"github.com/pressly/goose/v3":         {"store/sqlstore"},
	"database/sql":                        {"store/sqlstore"},
	"github.com/spf13/viper":              {"cmd/samlet"},
	"github.com/spf13/cobra":              {"cmd/samlet"},
	"go.yaml.in/yaml/v3":                  {"cmd/samlet"},
	"html/template":                       {"templates"},
	"golang.org/x/crypto/argon2":          {"login/password"},
	"github.com/go-asn1-ber/asn1-ber":     {"cmd/samlet"}, // the demo's directory
	"github.com/go-ldap/ldap/v3":          {"broker/ldap", "cmd/samlet"},
	"github.com/expr-lang/expr":           {"internal/expression"},
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	walkGo(t, func(file string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		pkg := path.Dir(file)
		seen[pkg] = true
		allowed, planned := plan[pkg]
		if !planned {
			t.Errorf("%s: package %s is not in the plan", file, pkg)
			return
		}
		for _, imported := range importsOf(t, file) {
			inside, ours := strings.CutPrefix(imported, module+"/")
			if ours && !slices.Contains(allowed, inside) {
				t.Errorf("%s: %s imports %s; allowed are %v", file, pkg, inside, allowed)
			}
			if pkg == "identity" && strings.Contains(imported, ".") {
				t.Errorf("%s: identity imports %s, which is not in the standard library", file, imported)
			}
			for owned, by := range owners {
				if (imported == owned || strings.HasPrefix(imported, owned+"/")) && !ownedElsewhere(imported, owned) && !slices.Contains(by, pkg) {
					t.Errorf("%s: %s imports %s, which belongs to %v", file, pkg, imported, by)
				}
			}
		}
	})
	for pkg := range plan {
		if !seen[pkg] {
			t.Errorf("the plan names %s, which has no Go files", pkg)
		}
	}
}

// ownedElsewhere reports whether a longer entry of owners covers imported.
func ownedElsewhere(imported, owned string) bool {
	for other := range owners {
		if len(other) > len(owned) && (imported == other || strings.HasPrefix(imported, other+"/")) {
			return true
		}
	}
	return false
}

// TestNoEffectsAtImport holds that importing a package does nothing: no init
// functions outside of tests.
func TestNoEffectsAtImport(t *testing.T) {
	t.Parallel()
	walkGo(t, func(file string) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: has an init function", file)
			}
		}
	})
}

// TestFilesStaySmall holds the 700 lines that no file exceeds.
func TestFilesStaySmall(t *testing.T) {
	t.Parallel()
	walkGo(t, func(file string) {
		f, err := os.Open(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for s := bufio.NewScanner(f); s.Scan(); {
			lines++
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if lines > 700 {
			t.Errorf("%s: has %d lines, 700 at most", file, lines)
		}
	})
}

const root = "../.."

// walkGo calls fn with the slash-separated path, from the root, of every Go file.
func walkGo(t *testing.T, fn func(file string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() != ".." && strings.HasPrefix(d.Name(), ".") && p != root) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		fn(filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func importsOf(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}
