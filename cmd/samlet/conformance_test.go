package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	conformanceDoc = "../../docs/conformance.md"
	requirements   = 210
	attackClasses  = 46
)

// TestConformanceTable holds docs/conformance.md to its word: every requirement
// has one result, and whatever test proves one exists.
func TestConformanceTable(t *testing.T) {
	t.Parallel()
	doc, tests := readTables(t, conformanceDoc), newTestNames("../..")
	counts, seen := map[string]int{}, map[int]bool{}
	for _, row := range doc.tables["Requirements"] {
		n, err := strconv.Atoi(row[0])
		if err != nil || n < 1 || n > requirements || seen[n] || len(row) != 6 {
			t.Errorf("row %q: want each number from 1 to %d once, in six columns", row, requirements)
			continue
		}
		seen[n] = true
		counts[row[4]]++
		for _, fault := range tests.judge(row[4], row[5]) {
			t.Errorf("requirement %d: %s", n, fault)
		}
	}
	for n := 1; n <= requirements; n++ {
		if !seen[n] {
			t.Errorf("requirement %d has no row", n)
		}
	}
	doc.checkCounts(t, "requirements", counts)
}

// TestConformanceAttacks does the same for the classes of attack, and for what
// must be accepted.
func TestConformanceAttacks(t *testing.T) {
	t.Parallel()
	doc, tests := readTables(t, conformanceDoc), newTestNames("../..")
	counts, seen := map[string]int{}, map[string]bool{}
	for _, row := range doc.tables["Attacks"] {
		if len(row) != 4 || seen[row[0]] {
			t.Errorf("row %q: want each class once, in four columns", row)
			continue
		}
		seen[row[0]] = true
		counts[row[2]]++
		for _, fault := range tests.judge(row[2], row[3]) {
			t.Errorf("attack %q: %s", row[0], fault)
		}
	}
	if len(seen) != attackClasses {
		t.Errorf("%d classes of attack, want %d", len(seen), attackClasses)
	}
	doc.checkCounts(t, "attacks", counts)
	accepted := doc.tables["What must be accepted"]
	if len(accepted) == 0 {
		t.Error("the table of what must be accepted is empty")
	}
	for _, row := range accepted {
		for _, fault := range tests.judge("PASS", row[len(row)-1]) {
			t.Errorf("legitimate form %q: %s", row[0], fault)
		}
	}
}

// TestPerformanceTable holds that docs/performance.md gives each goal a result,
// and that every benchmark that it names exists. It measures nothing: figures
// depend on the machine.
func TestPerformanceTable(t *testing.T) {
	t.Parallel()
	doc, tests := readTables(t, "../../docs/performance.md"), newTestNames("../..")
	benchmark := regexp.MustCompile("^`([a-z/]+): (Benchmark[A-Za-z0-9]+)`$")
	for section, columns := range map[string]int{"Goals": 5, "Figures": 4} {
		if len(doc.tables[section]) == 0 {
			t.Errorf("the table %s is empty", section)
		}
		for _, row := range doc.tables[section] {
			if len(row) != columns {
				t.Errorf("row %q: want %d columns", row, columns)
				continue
			}
			if section == "Goals" && !slices.Contains([]string{"PASS", "FAIL", "NOT VERIFIED"}, row[3]) {
				t.Errorf("goal %q has the result %q", row[0], row[3])
			}
			m := benchmark.FindStringSubmatch(row[columns-1])
			if m == nil {
				t.Errorf("%q names no benchmark", row[0])
				continue
			}
			if err := tests.find(m[1], m[2], ""); err != nil {
				t.Errorf("%q: %v", row[0], err)
			}
		}
	}
}

// document holds the tables of a document: their rows by second-level
// heading, without the heads of the tables.
type document struct{ tables map[string][][]string }

func readTables(t *testing.T, path string) document {
	t.Helper()
	doc := document{tables: map[string][][]string{}}
	section := ""
	for line := range strings.Lines(readAll(t, path)) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			section = heading
		}
		rows := doc.tables[section]
		switch {
		case strings.HasPrefix(line, "|---"): // the row before was the head
			doc.tables[section] = rows[:len(rows)-1]
		case strings.HasPrefix(line, "|"):
			doc.tables[section] = append(rows, cells(line))
		}
	}
	return doc
}

func cells(line string) []string {
	row := strings.Split(strings.Trim(line, "|"), "|")
	for i, c := range row {
		row[i] = strings.TrimSpace(c)
	}
	return row
}

// checkCounts compares the overview at the top with the tables.
func (d document) checkCounts(t *testing.T, what string, counts map[string]int) {
	t.Helper()
	want := fmt.Sprint([]string{what, strconv.Itoa(counts["PASS"]), strconv.Itoa(counts["FAIL"]), strconv.Itoa(counts["NOT VERIFIED"])})
	for _, row := range d.tables[""] {
		if row[0] == what {
			if got := fmt.Sprint(row); got != want {
				t.Errorf("the overview says %s, the table %s", got, want)
			}
			return
		}
	}
	t.Errorf("the overview has no row for %s", what)
}

// testNames knows the tests of the module below root.
type testNames struct {
	root     string
	packages map[string]map[string]names // package folder, test function
}

// names are the subtests that a test function can have: every string that is
// written in its file or in a conformance suite that the file imports, and every
// file of testdata by its name.
type names map[string]bool

func newTestNames(root string) *testNames {
	return &testNames{root: root, packages: map[string]map[string]names{}}
}

// reference is `package: Test`, or `package: Test/subtest` with * for any
// subtest.
var reference = regexp.MustCompile("`([a-z/]+): ((?:Test|Fuzz)[A-Za-z0-9]+)(/[^`]+)?`")

// judge returns what is wrong with a result and the cell that explains it.
func (n *testNames) judge(result, why string) []error {
	var faults []error
	references := reference.FindAllStringSubmatch(why, -1)
	reason := strings.Trim(reference.ReplaceAllString(why, ""), " ,;:.()")
	switch result {
	case "PASS":
		if len(references) == 0 {
			faults = append(faults, errors.New("PASS without a test"))
		}
		if reason != "" {
			faults = append(faults, fmt.Errorf("PASS with something beside the tests: %q", reason))
		}
	case "FAIL", "NOT VERIFIED":
		if reason == "" {
			faults = append(faults, fmt.Errorf("%s without a reason", result))
		}
	default:
		faults = append(faults, fmt.Errorf("%q is none of PASS, FAIL, NOT VERIFIED", result))
	}
	for _, r := range references {
		if err := n.find(r[1], r[2], r[3]); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

// find looks a test up.
func (n *testNames) find(pkg, function, subtests string) error {
	functions, ok := n.packages[pkg]
	if !ok {
		var err error
		if functions, err = readTests(n.root, pkg); err != nil {
			return fmt.Errorf("reading the tests of %s: %w", pkg, err)
		}
		n.packages[pkg] = functions
	}
	known, ok := functions[function]
	if !ok {
		return fmt.Errorf("there is no %s in %s", function, pkg)
	}
	for name := range strings.SplitSeq(strings.TrimPrefix(subtests, "/"), "/") {
		if name != "" && name != "*" && !known[name] {
			return fmt.Errorf("there is no subtest %q of %s in %s", name, function, pkg)
		}
	}
	return nil
}

// readTests reads the test files of a package.
func readTests(root, pkg string) (map[string]names, error) {
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil {
		return nil, err
	}
	fixtures, err := testdata(filepath.Join(root, pkg, "testdata"))
	if err != nil {
		return nil, err
	}
	functions := map[string]names{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		known := names{}
		if err := known.add(root, file); err != nil {
			return nil, err
		}
		for name := range fixtures {
			known[name] = true
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				functions[f.Name.Name] = known
			}
		}
	}
	return functions, nil
}

// testdata returns the names of all files below dir, without their extensions.
func testdata(dir string) (names, error) {
	found := names{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err == nil && !d.IsDir():
			found[strings.TrimSuffix(d.Name(), filepath.Ext(path))] = true
		}
		return err
	})
	return found, err
}

// suite is the import path of a conformance suite of this module.
var suite = regexp.MustCompile(`^github\.com/samlet-id/samlet/((?:broker/broker|login/login|store/store)test)$`)

// add adds what is written in file, and in the suites that it imports.
func (k names) add(root string, file *ast.File) error {
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				k[s] = true
			}
		}
		return true
	})
	for _, imported := range file.Imports {
		m := suite.FindStringSubmatch(strings.Trim(imported.Path.Value, `"`))
		if m == nil {
			continue
		}
		paths, err := filepath.Glob(filepath.Join(root, m[1], "*.go"))
		if err != nil {
			return err
		}
		for _, path := range paths {
			of, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			if err := k.add(root, of); err != nil {
				return err
			}
		}
	}
	return nil
}
