package expression

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// operators are those that an expression may use.
var operators = []string{
	"==", "!=", "<", "<=", ">", ">=", "and", "&&", "or", "||", "not", "!", "in",
	"contains", "startsWith", "endsWith", "matches", "+", "-", "??",
}

// checker walks the syntax tree of an expression before anything is compiled, and
// refuses what is not on its lists. That bounds what a run can cost: without
// variables, ranges, nested predicates and lists within predicates, time grows at
// most as the length of the lists, and text as that of the expression.
type checker struct {
	source file.Source
	lists  map[string]bool // the names below user; nil where claims are seen in place of a person
	reads  []string        // names below user, or of claims
	authn  bool            // authn.class is read, too
	// Within a predicate, how often text is put together and how often the
	// element itself is used.
	predicate      bool
	sums, elements int
}

// check returns what source looks at; lists are the names below user, nil where
// there are claims instead.
func check(source string, lists map[string]bool) (*checker, error) {
	if n := len([]rune(source)); n > maxSource {
		return nil, &Fault{1, 1, fmt.Sprintf("the expression has %d characters, at most %d are read", n, maxSource)}
	}
	config := conf.CreateNew()
	config.MaxNodes = maxNodes
	tree, err := parser.ParseWithConfig(source, config)
	if err != nil {
		return nil, err
	}
	c := &checker{source: tree.Source, lists: lists}
	if err := c.node(tree.Node); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *checker) fault(n ast.Node, format string, args ...any) error {
	return (&file.Error{Location: n.Location(), Message: fmt.Sprintf(format, args...)}).Bind(c.source)
}

func (c *checker) known(name string) bool {
	_, ok := c.lists[name]
	return ok
}

func (c *checker) all(nodes ...ast.Node) error {
	for _, n := range nodes {
		if n == nil {
			continue
		}
		if err := c.node(n); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) node(n ast.Node) error {
	switch n := n.(type) {
	case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.ConstantNode:
		return nil
	case *ast.IdentifierNode:
		return c.word(n)
	case *ast.MemberNode:
		return c.member(n)
	case *ast.ChainNode:
		return c.node(n.Node)
	case *ast.SliceNode:
		return c.all(n.Node, n.From, n.To)
	case *ast.UnaryNode:
		if !slices.Contains(operators, n.Operator) {
			return c.fault(n, "the operator %s is not to be had", n.Operator)
		}
		return c.node(n.Node)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.all(n.Cond, n.Exp1, n.Exp2)
	case *ast.ArrayNode:
		return c.all(n.Nodes...)
	case *ast.BuiltinNode:
		return c.call(n, n.Name, n.Arguments)
	case *ast.CallNode:
		name, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			return c.fault(n, "only functions can be called")
		}
		return c.call(n, name.Value, n.Arguments)
	case *ast.PredicateNode:
		return c.body(n)
	case *ast.PointerNode:
		if n.Name != "" {
			return c.fault(n, "#%s is not to be had", n.Name)
		}
		c.elements++
		return nil
	}
	return c.fault(n, "this part of the language is not to be had")
}

// word admits the names that stand by themselves.
func (c *checker) word(n *ast.IdentifierNode) error {
	switch {
	case c.lists == nil && slices.Contains(claimWords, n.Value):
		return nil
	case c.lists == nil:
		return c.fault(n, "unknown name %s; there are claims, issuer, subject and connection (a text stands in quotes)", n.Value)
	case n.Value == "sp":
		return nil
	}
	return c.fault(n, "unknown name %s; there are user.NAME, authn.class and sp", n.Value)
}

// member admits user.NAME, authn.class and list[number].
func (c *checker) member(n *ast.MemberNode) error {
	name, named := n.Property.(*ast.StringNode)
	of, plain := n.Node.(*ast.IdentifierNode)
	if c.lists == nil {
		return c.claim(n)
	}
	switch {
	case plain && named && of.Value == "authn" && name.Value == "class":
		c.authn = true
		return nil
	case plain && named && of.Value == "user" && c.known(name.Value):
		if c.predicate && c.lists[name.Value] {
			return c.fault(n.Property, "a list within a predicate is not to be had")
		}
		if !slices.Contains(c.reads, name.Value) {
			c.reads = append(c.reads, name.Value)
		}
		if c.predicate {
			c.elements++
		}
		return nil
	case plain && named && of.Value == "user":
		return c.fault(n.Property, "there is no attribute %s", name.Value)
	case plain && (of.Value == "user" || of.Value == "authn"):
		return c.fault(n, "want %s and a name", of.Value)
	case named:
		return c.fault(n.Property, "there is no %s", name.Value)
	}
	return c.all(n.Node, n.Property)
}

func (c *checker) binary(n *ast.BinaryNode) error {
	if !slices.Contains(operators, n.Operator) {
		return c.fault(n, "the operator %s is not to be had", n.Operator)
	}
	if _, constant := n.Right.(*ast.StringNode); n.Operator == "matches" && !constant {
		return c.fault(n.Right, "matches wants a pattern in quotes")
	}
	if n.Operator == "+" {
		c.sums++
	}
	return c.all(n.Left, n.Right)
}

func (c *checker) call(n ast.Node, name string, arguments []ast.Node) error {
	if _, known := functions[name]; !known && (c.lists != nil || name != has) {
		return c.fault(n, "there is no function %s; there are %v", name, Functions())
	}
	if c.lists == nil && (name == has || name == first && isClaims(arguments)) {
		return c.claims(n, name, arguments)
	}
	// A separator from outside could be long, and stand between many.
	if name == join && len(arguments) > 1 {
		if _, constant := arguments[1].(*ast.StringNode); !constant {
			return c.fault(arguments[1], "join wants a separator in quotes")
		}
	}
	return c.all(arguments...)
}

// body admits a predicate, which is run for every element of a list: none within
// another, and none that puts an element together with itself or with an
// attribute, which could double texts at every turn.
func (c *checker) body(n *ast.PredicateNode) error {
	if c.predicate {
		return c.fault(n, "a predicate within another is not to be had")
	}
	sums, elements := c.sums, c.elements
	c.predicate, c.sums, c.elements = true, 0, 0
	err := c.node(n.Node)
	if err == nil && c.sums > 0 && c.elements > 1 {
		err = c.fault(n, "a predicate with + can use # once, and no attributes")
	}
	c.predicate, c.sums, c.elements = false, sums, elements
	return err
}
