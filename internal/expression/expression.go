// Package expression compiles the conditions and values that operators write in
// config.yaml. It owns which part of the expression language they may use, the
// names that an expression may look at, and its bounds in time and memory. It
// knows nothing of files, logins or protocols: what it makes are pure functions
// of an identity.Person or, where an upstream's claims become attributes, of an
// identity.Assertion.
//
// An expression about a person sees
//
//	user.NAME        the attribute of the catalogue: a string, or "" if there is
//	                 none; of type string_list, a list
//	user.connection  how the person came in
//	authn.class      the authentication context class that was reached
//	sp               the id of the service provider
//
// and one about what an upstream said
//
//	claims["NAME"]     the values under the upstream's name, a list
//	issuer, subject    who said it, and of whom
//	connection         the id of the connection that it came by
//
// Both may use comparisons, and, or, not, in, contains, startsWith, endsWith,
// matches with a constant pattern, + on text, lists, list[0], ?: and the functions
// in functions. There is no clock, no network and no randomness.
package expression

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"github.com/samlet-id/samlet/identity"
)

// The bounds. They are far beyond what configurations need and keep the dearest
// expression that they admit within milliseconds; TestExpressionBombs holds that.
const (
	maxSource = 1000      // characters
	maxNodes  = 120       // of the syntax tree
	maxMemory = 200_000   // elements of lists that one run may make
	maxValue  = 4 << 10   // bytes of one value that an expression looks at
	maxValues = 256 << 10 // bytes of all of them
	maxCount  = 10_000    // how many they are
)

// functions are those of expr-lang that an expression may call, and whether they
// take a predicate.
var functions = map[string]bool{
	"all": true, "any": true, "none": true, "count": true, "filter": true, "map": true,
	"len": false, "lower": false, "upper": false, "trim": false, "trimPrefix": false, "trimSuffix": false,
	"split": false, first: false, "last": false, "concat": false, join: false, domain: false,
}

// The functions that are ours, or of which the checker knows more than the name.
const (
	first  = "first"
	has    = "has" // of claims alone
	join   = "join"
	domain = "domain"
)

// Functions returns the names of the functions that an expression may call,
// sorted.
func Functions() []string {
	names := make([]string, 0, len(functions))
	for n := range functions {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Fault is what is wrong with an expression, and where in its text.
type Fault struct {
	Line, Column int // both from 1; the column counts characters
	Msg          string
}

// Error implements error.
func (f *Fault) Error() string { return fmt.Sprintf("%s (at %d:%d)", f.Msg, f.Line, f.Column) }

// Compiler compiles against one catalogue of attributes. It is safe for
// concurrent use.
type Compiler struct {
	lists  map[string]bool // the names below user, and which of them are lists
	schema types.Map
}

// New returns a Compiler for the attributes of c.
func New(c *identity.Catalogue) *Compiler {
	k := &Compiler{lists: map[string]bool{}}
	user := types.Map{}
	for _, a := range c.All() {
		n := string(a.Name)
		k.lists[n] = a.Type == "string_list"
		user[n] = types.String
		if k.lists[n] {
			user[n] = types.Array(types.String)
		}
	}
	k.lists[connection], user[connection] = false, types.String
	k.schema = types.Map{"user": user, "authn": types.Map{"class": types.String}, "sp": types.String}
	return k
}

// connection is the one name below user that is no attribute.
const connection = "connection"

// Condition compiles source, which must be true or false. A faulty one is a
// *Fault.
func (k *Compiler) Condition(source string) (identity.Condition, error) {
	p, err := k.compile(source, expr.AsBool(), expr.WarnOnAny())
	if err != nil {
		return nil, err
	}
	return func(who identity.Person) (bool, error) {
		v, err := p.run(who)
		if err != nil {
			return false, err
		}
		ok, isBool := v.(bool)
		if !isBool {
			return false, fmt.Errorf("got %T, want true or false", v)
		}
		return ok, nil
	}, nil
}

// Expression compiles source, which must be text or a list of texts. A faulty one
// is a *Fault.
func (k *Compiler) Expression(source string) (identity.Expression, error) {
	p, err := k.compile(source)
	if err != nil {
		return nil, err
	}
	return func(who identity.Person) ([]string, error) {
		v, err := p.run(who)
		if err != nil {
			return nil, err
		}
		return texts(v)
	}, nil
}

// texts returns a text or a list of texts as a list; nothing, as none.
func texts(v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []string:
		return slices.Clone(v), nil
	case []any:
		out := make([]string, len(v))
		for i, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("got a list with %T in it, want texts", item)
			}
			out[i] = s
		}
		return out, nil
	}
	return nil, fmt.Errorf("got %T, want a text or a list of texts", v)
}

// program is a compiled expression with the attributes that it looks at.
type program struct {
	code  *vm.Program
	reads []string // names below user, or of claims
	authn bool     // and authn.class
	lists map[string]bool

	machines sync.Pool // of *machine
}

func (k *Compiler) compile(source string, want ...expr.Option) (*program, error) {
	c, err := check(source, k.lists)
	if err != nil {
		return nil, located(err)
	}
	code, err := compile(source, k.schema, want...)
	if err != nil {
		return nil, err
	}
	return &program{code: code, reads: c.reads, authn: c.authn, lists: k.lists}, nil
}

func compile(source string, schema types.Map, want ...expr.Option) (*vm.Program, error) {
	options := []expr.Option{
		expr.Env(schema), expr.MaxNodes(maxNodes), expr.DisableAllBuiltins(), expr.Function(domain, domainOf, new(func(string) string)),
	}
	for name := range functions {
		if name != domain {
			options = append(options, expr.EnableBuiltin(name))
		}
	}
	code, err := expr.Compile(source, append(options, want...)...)
	if err != nil {
		return nil, located(err)
	}
	return code, nil
}

// domainOf is what follows the last @ of a mail address, its ASCII letters in
// lower case; "" of anything else.
func domainOf(args ...any) (any, error) {
	mail, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("domain wants a text, got %T", args[0])
	}
	at := strings.LastIndexByte(mail, '@')
	if at <= 0 {
		return "", nil
	}
	folded, ok := identity.LoginKey(mail[at+1:])
	if !ok {
		return "", nil
	}
	return folded, nil
}

// located turns an error of the compiler into a Fault.
func located(err error) error {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	var at *file.Error
	if errors.As(err, &at) {
		return &Fault{at.Line, at.Column + 1, at.Message}
	}
	msg, _, _ := strings.Cut(err.Error(), "\n")
	return &Fault{1, 1, msg}
}

// machine is what one run of a program needs. It is used again by another, since
// a sign-on may run many.
type machine struct {
	vm        vm.VM
	env, user map[string]any
}

// run computes the expression about who.
func (p *program) run(who identity.Person) (any, error) {
	return p.runWith("user", func(m *machine) error { return p.fill(m, who) })
}

// runWith computes the expression with an environment that fill makes; what is
// below the name root is m.user. A panic inside of it is an error (vm.Run).
func (p *program) runWith(root string, fill func(m *machine) error) (any, error) {
	m, ok := p.machines.Get().(*machine)
	if !ok {
		m = &machine{vm: vm.VM{MemoryBudget: maxMemory}, user: make(map[string]any, len(p.reads))}
		m.env = map[string]any{root: m.user}
	}
	defer func() {
		clear(m.user) // nothing of one person is there when another comes
		p.machines.Put(m)
	}()
	if err := fill(m); err != nil {
		return nil, err
	}
	v, err := m.vm.Run(p.code, m.env)
	clear(m.vm.Stack[:cap(m.vm.Stack)])
	if err != nil {
		msg, _, _ := strings.Cut(err.Error(), "\n") // the rest repeats the source
		return nil, errors.New(msg)
	}
	return v, nil
}

// fill puts what the expression reads into the environment, and nothing else.
func (p *program) fill(m *machine, who identity.Person) error {
	var b budget
	for _, name := range p.reads {
		if name == connection {
			m.user[name] = string(who.Connection)
			continue
		}
		values := who.Attributes[identity.Name(name)]
		if err := b.spend(name, values); err != nil {
			return err
		}
		switch {
		case p.lists[name] && values == nil:
			m.user[name] = []string{}
		case p.lists[name]:
			m.user[name] = values
		case len(values) > 0:
			m.user[name] = values[0]
		default:
			m.user[name] = ""
		}
	}
	m.env["sp"] = string(who.RelyingParty)
	if p.authn {
		m.env["authn"] = map[string]any{"class": string(who.Context.Class)}
	}
	return nil
}

// budget bounds what one run looks at.
type budget struct{ total, count int }

func (b *budget) spend(name string, values []string) error {
	for _, v := range values {
		b.total += len(v)
		b.count++
		if len(v) > maxValue || b.total > maxValues || b.count > maxCount {
			return fmt.Errorf("the values of %s are too long or too many to be looked at", name)
		}
	}
	return nil
}
