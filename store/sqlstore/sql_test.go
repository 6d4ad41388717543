package sqlstore

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	isSQL       = regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE)\b`)
	placeholder = regexp.MustCompile(`\$(\d+)`)
	noColumns   = regexp.MustCompile(`(?i)SELECT\s+\*|RETURNING\s+\*|INSERT INTO \w+\s+VALUES|\?`)
)

// disorder says what is wrong with the placeholders of statement, or "". SQLite
// binds $n in order of first appearance and PostgreSQL by number: they agree if
// the first appearances are 1, 2, 3 …
func disorder(statement string) string {
	var seen []int
	for _, m := range placeholder.FindAllStringSubmatch(statement, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil || n == 0 {
			return "bad placeholder " + m[0]
		}
		if slices.Contains(seen, n) {
			continue
		}
		if n != len(seen)+1 {
			return m[0] + " appears before $" + strconv.Itoa(len(seen)+1)
		}
		seen = append(seen, n)
	}
	return ""
}

// TestSQL reads the package's own SQL.
func TestSQL(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	statements := 0
	for _, f := range files {
		if path.Ext(f.Name()) != ".go" || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil || !isSQL.MatchString(text) {
				return true
			}
			statements++
			if fault := disorder(text); fault != "" {
				t.Errorf("%s: %s", fset.Position(lit.Pos()), fault)
			}
			if fault := noColumns.FindString(text); fault != "" {
				t.Errorf("%s: %q instead of named columns and $n", fset.Position(lit.Pos()), fault)
			}
			return true
		})
	}
	if statements < 30 {
		t.Errorf("got %d statements, want to have found the package's 30 or more", statements)
	}
}

func TestDisorder(t *testing.T) {
	for statement, want := range map[string]string{
		"SELECT id FROM t":                        "",
		"SELECT id FROM t WHERE a = $1":           "",
		"a = $1 AND b = $2 AND c = $1":            "",
		"a = $2 AND b = $1":                       "$2 appears before $1",
		"a = $1 AND b = $3":                       "$3 appears before $2",
		"UPDATE t SET a = $0":                     "bad placeholder $0",
		"INSERT INTO t (a) " + placeholders(2, 2): "",
	} {
		if got := disorder(statement); got != want {
			t.Errorf("%s: got %q, want %q", statement, got, want)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	for _, c := range []struct {
		rows, width int
		want        string
	}{
		{1, 1, "($1)"},
		{1, 3, "($1, $2, $3)"},
		{2, 2, "($1, $2), ($3, $4)"},
	} {
		if got := placeholders(c.rows, c.width); got != c.want {
			t.Errorf("%d × %d: got %s, want %s", c.rows, c.width, got, c.want)
		}
	}
}

// TestMigrations checks that both databases have the same steps, numbered
// without a gap, and none that goes back.
func TestMigrations(t *testing.T) {
	steps := func(folder string) (names []string) {
		files, err := migrations.ReadDir("migrations/" + folder)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range files {
			names = append(names, f.Name())
			if n, err := strconv.Atoi(f.Name()[:5]); err != nil || n != i+1 {
				t.Errorf("%s/%s: want number %05d", folder, f.Name(), i+1)
			}
			text, err := migrations.ReadFile("migrations/" + folder + "/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "+goose Down") {
				t.Errorf("%s/%s goes back", folder, f.Name())
			}
		}
		return names
	}
	if diff := cmp.Diff(steps("sqlite"), steps("postgres")); diff != "" {
		t.Errorf("SQLite against PostgreSQL:\n%s", diff)
	}
}
