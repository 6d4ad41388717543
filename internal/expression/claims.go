package expression

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"

	"github.com/samlet-id/samlet/identity"
)

// claimWords are the names that stand by themselves where claims are seen.
var claimWords = []string{"issuer", "subject", connection}

// Derivation compiles source, which must be text or a list of texts made of what
// an upstream said. A faulty one is a *Fault.
func Derivation(source string) (identity.Derivation, error) {
	c, err := check(source, nil)
	if err != nil {
		return identity.Derivation{}, located(err)
	}
	claims := types.Map{}
	names := make([]identity.Name, len(c.reads))
	for i, n := range c.reads {
		claims[n], names[i] = types.Array(types.String), identity.Name(n)
	}
	schema := types.Map{"claims": claims}
	for _, w := range claimWords {
		schema[w] = types.String
	}
	code, err := compile(source, schema,
		expr.Function(first, firstOf, new(func(map[string]any, ...string) string), new(func(any) any)),
		expr.Function(has, hasAny, new(func(map[string]any, ...string) bool)))
	if err != nil {
		return identity.Derivation{}, err
	}
	p := &program{code: code, reads: c.reads}
	return identity.Derivation{Names: names, Compute: func(via identity.ConnectionID, said identity.Assertion) ([]string, error) {
		v, err := p.runWith("claims", func(m *machine) error { return p.fillClaims(m, via, said) })
		if err != nil {
			return nil, err
		}
		return texts(v)
	}}, nil
}

// fillClaims puts what the expression reads into the environment, and nothing else.
func (p *program) fillClaims(m *machine, via identity.ConnectionID, said identity.Assertion) error {
	var b budget
	for _, name := range p.reads {
		values := said.Attributes[identity.Name(name)]
		if err := b.spend(name, values); err != nil {
			return err
		}
		if values == nil {
			values = []string{}
		}
		m.user[name] = values
	}
	issuer, subject := string(said.Principal.Issuer), said.Principal.Subject
	if err := b.spend("the subject", []string{issuer, subject}); err != nil {
		return err
	}
	m.env["issuer"], m.env["subject"], m.env[connection] = issuer, subject, string(via)
	return nil
}

// isClaims reports whether the first of arguments is all of the claims.
func isClaims(arguments []ast.Node) bool {
	if len(arguments) == 0 {
		return false
	}
	of, plain := arguments[0].(*ast.IdentifierNode)
	return plain && of.Value == "claims"
}

// claims admits first and has over claims, their names in quotes: what an
// expression looks at is known before it runs.
func (c *checker) claims(n ast.Node, function string, arguments []ast.Node) error {
	if !isClaims(arguments) || len(arguments) < 2 {
		return c.fault(n, `want %s(claims, "NAME") with one name or more`, function)
	}
	for _, a := range arguments[1:] {
		name, constant := a.(*ast.StringNode)
		if !constant {
			return c.fault(a, "want the name of a claim in quotes")
		}
		c.read(name.Value)
	}
	if c.predicate {
		c.elements++
	}
	return nil
}

// claim admits claims["NAME"] and list[number].
func (c *checker) claim(n *ast.MemberNode) error {
	of, plain := n.Node.(*ast.IdentifierNode)
	name, named := n.Property.(*ast.StringNode)
	switch {
	case plain && of.Value == "claims" && !named:
		return c.fault(n, "want the name of a claim in quotes")
	case plain && of.Value == "claims" && c.predicate:
		return c.fault(n.Property, "a list within a predicate is not to be had")
	case plain && of.Value == "claims":
		c.read(name.Value)
		return nil
	case named:
		return c.fault(n.Property, "there is no %s", name.Value)
	}
	return c.all(n.Node, n.Property)
}

func (c *checker) read(name string) {
	if !slices.Contains(c.reads, name) {
		c.reads = append(c.reads, name)
	}
}

// firstOf is the first value of the first claim of those named that has one, ""
// if none has; of a list, its first element.
func firstOf(args ...any) (any, error) {
	switch of := args[0].(type) {
	case map[string]any:
		for _, name := range args[1:] {
			if values := claimOf(of, name); len(values) > 0 {
				return values[0], nil
			}
		}
		return "", nil
	case []string:
		if len(of) > 0 {
			return of[0], nil
		}
		return "", nil
	case []any:
		if len(of) > 0 {
			return of[0], nil
		}
		return "", nil
	}
	return nil, fmt.Errorf("first wants claims or a list, got %T", args[0])
}

// hasAny reports whether a claim of those named has a value.
func hasAny(args ...any) (any, error) {
	of, ok := args[0].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("has wants claims, got %T", args[0])
	}
	return slices.ContainsFunc(args[1:], func(name any) bool { return len(claimOf(of, name)) > 0 }), nil
}

// claimOf returns the values of a claim that are not empty.
func claimOf(claims map[string]any, name any) []string {
	n, _ := name.(string)
	values, _ := claims[n].([]string)
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
}
