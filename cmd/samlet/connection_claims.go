package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/explain"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// claimsOf reads what an upstream says of somebody: the JSON of an ID token or of
// UserInfo, or lines NAME: VALUE as in LDIF (RFC 2849). subject names whom it is
// about; left out, the claim sub or NameID does, or the one that a directory's
// people are known by.
func claimsOf(raw []byte, c *connection, subject string) (identity.Assertion, error) {
	read := linesOf
	if trimmed := bytes.TrimSpace(raw); len(trimmed) > 0 && trimmed[0] == '{' {
		read = jsonOf
	}
	said, err := read(raw)
	if err != nil {
		return identity.Assertion{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "cfg.claims", Who: identity.WhoOperator, Err: err,
			Msg: "The claims cannot be read: " + err.Error() + ".", Expected: `{"NAME": "VALUE", "OTHER": ["VALUE", "VALUE"]} or lines NAME: VALUE`,
		}
	}
	known := []identity.Name{"sub", "NameID"}
	if c.directory != nil {
		known = []identity.Name{identity.Name(c.directory.IDAttribute)}
	}
	for _, n := range known {
		if subject == "" {
			subject = said.First(n)
		}
	}
	if len(said["NameID"]) > 0 {
		delete(said, "NameID") // it is the Subject's, and no attribute
	}
	return assertionOf(c, subject, said), nil
}

// assertionOf is what the upstream of c would say, of a subject that stays. Its
// issuer may be left for the broker to know.
func assertionOf(c *connection, subject string, said identity.Attributes) identity.Assertion {
	format := identity.Format("")
	if c.Type == "saml" {
		format = identity.FormatPersistent
	}
	return identity.Assertion{Principal: identity.Principal{Issuer: c.Issuer, Subject: subject, Format: format}, Attributes: said}
}

// jsonOf reads claims as OpenID Connect has them (Core 5.1): texts, numbers, true
// or false, and lists of these. Objects are left out, as no rule could name them.
func jsonOf(raw []byte) (identity.Attributes, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var claims map[string]any
	if err := d.Decode(&claims); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	out := identity.Attributes{}
	for name, v := range claims {
		list, many := v.([]any)
		if !many {
			list = []any{v}
		}
		for _, item := range list {
			switch item := item.(type) {
			case string:
				out[identity.Name(name)] = append(out[identity.Name(name)], item)
			case json.Number, bool:
				out[identity.Name(name)] = append(out[identity.Name(name)], fmt.Sprint(item))
			}
		}
	}
	return out, nil
}

// linesOf reads lines NAME: VALUE, a value after two colons being base64.
func linesOf(raw []byte) (identity.Attributes, error) {
	out := identity.Attributes{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, explain.MaxInput)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), "\r")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := cutClaim(line)
		if !ok || name == "" {
			return nil, fmt.Errorf("line %d is not NAME: VALUE", n)
		}
		if encoded, is := strings.CutPrefix(value, ": "); is {
			octets, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				return nil, fmt.Errorf("line %d has no base64 after the two colons", n)
			}
			value = string(octets)
		}
		out[identity.Name(name)] = append(out[identity.Name(name)], strings.TrimSpace(value))
	}
	return out, lines.Err()
}

// cutClaim parts a line at the first colon that a space or another colon follows:
// SAML names have colons of their own.
func cutClaim(line string) (name, value string, ok bool) {
	if i := strings.Index(line, ": "); i > 0 {
		if line[i-1] == ':' {
			return line[:i-1], ": " + line[i+2:], true
		}
		return line[:i], line[i+2:], true
	}
	return strings.TrimSuffix(line, ":"), "", strings.HasSuffix(line, ":")
}

// capturedClaims reads what a captured Response says, decrypted with our keys, and what
// is wrong with it: the claims are shown even so.
func capturedClaims(raw []byte, context explain.Context, c *connection) (identity.Assertion, []string, error) {
	messages, err := explain.Find(raw)
	if err != nil {
		return identity.Assertion{}, nil, err
	}
	var faults []string
	for _, r := range flatten(explain.Explain(messages, context)) {
		for _, check := range r.Checks {
			if check.Result == explain.Fail {
				faults = append(faults, r.Kind+": "+check.Title+": "+check.Detail)
			}
		}
		if r.Kind != "Assertion" {
			continue
		}
		said, err := readClaims(r.XML(), c)
		return said, faults, err
	}
	return identity.Assertion{}, nil, &identity.Error{
		Kind: identity.KindInvalid, Code: "cfg.claims", Who: identity.WhoOperator,
		Msg: "There is no assertion in what was given, or none that our keys decrypt: " + strings.Join(faults, "; "), Expected: "a Response with an Assertion",
	}
}

// flatten lists reports, those inside of each after it.
func flatten(reports []explain.Report) []explain.Report {
	var all []explain.Report
	for _, r := range reports {
		all = append(append(all, r), flatten(r.Inside)...)
	}
	return all
}

func readClaims(raw []byte, c *connection) (identity.Assertion, error) {
	doc, err := xmlsec.Parse(raw, xmlsec.ResponseLimits())
	if err != nil {
		return identity.Assertion{}, fmt.Errorf("reading the assertion: %w", err)
	}
	said := identity.Attributes{}
	for _, statement := range doc.Root().Children(xmlsec.NSAssertion, "AttributeStatement") {
		for _, e := range statement.Children(xmlsec.NSAssertion, "Attribute") {
			a := readAttribute(e)
			said[identity.Name(a.Name)] = slices.Concat(said[identity.Name(a.Name)], a.values())
		}
	}
	out := assertionOf(c, "", said)
	out.Principal.Issuer = identity.EntityID(textOf(doc.Root().Child(xmlsec.NSAssertion, "Issuer")))
	if id := find(doc.Root(), xmlsec.NSAssertion, "NameID"); id != nil {
		out.Principal.Subject, out.Principal.Format = textOf(id), identity.Format(id.Attr("Format"))
	}
	return out, nil
}
