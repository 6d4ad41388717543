package xmlsec

import (
	"crypto"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// Trust says whose signature counts. A key in the message itself is never
// looked at: KeyInfo is at most a hint (SAML Core 5.4.5), and none is needed.
type Trust struct {
	Keys      []crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey, from metadata alone; tried in turn
	AllowSHA1 bool               // accept rsa-sha1 and the digest sha1 of a peer that cannot do better
	Refused   []string           // URIs of algorithms that the operator forbids beyond those that are never accepted
}

// canonicalGrowth bounds how much longer than Limits.Bytes a canonical form may
// be. Honest documents stay below twice.
const canonicalGrowth = 4

// HasSignature reports whether e has an enveloped signature, valid or not.
func (*Document) HasSignature(e *Element) bool { return e.Child(NSDSig, "Signature") != nil }

// Verify checks the enveloped signature of e, an element of d, and returns the
// element that was signed: parsed anew from the very octets whose digest the
// signature covers, without the signature. Read only that element; e itself and
// everything else in d stays unproven.
//
// A Response and its Assertion can both be signed. Verify each in d, the
// document that was received: canonicalisation may have dropped from the
// verified Response declarations that the signature of the Assertion lists.
//
// The demands are those of SAML Core 5.4: one signature, a child of e with
// nothing but an Issuer before it; one Reference, to the ID of e; the transforms
// enveloped-signature and exclusive canonicalisation; RSA or ECDSA with SHA-256,
// -384 or -512, or Ed25519. Errors are *identity.Error with codes sig.* and xml.*.
func (d *Document) Verify(e *Element, t Trust) (signed *Element, err error) {
	defer rescue(&err)
	if len(t.Keys) == 0 {
		return nil, refuse(codeNoKeys, "No key is known for the sender, so the signature cannot be checked.")
	}
	if d == nil || e == nil || e.doc != d {
		return nil, refuse(codeMissing, "There is no such signed element.")
	}
	sig, err := d.signature(e)
	if err != nil {
		return nil, err
	}
	info, err := d.signedInfo(sig, t)
	if err != nil {
		return nil, err
	}
	ref, err := readReference(info.Child(NSDSig, "Reference"), e.Attr("ID"), t)
	if err != nil {
		return nil, err
	}
	octets, err := agreed(e, sig.element, ref.prefixes, canonicalGrowth*d.lim.Bytes)
	if err != nil {
		return nil, err
	}
	if len(octets) == 0 || subtle.ConstantTimeCompare(sum(ref.hash, octets), ref.digest) != 1 {
		return nil, refuse(codeDigest, "The content was changed after it was signed.")
	}
	return d.reread(e, octets)
}

// reread parses the verified octets and makes sure that they are the element
// that was asked for.
func (d *Document) reread(e *Element, octets []byte) (*Element, error) {
	doc, err := parse(octets, d.canonicalLimits(), nil)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	if !root.Is(e.Space, e.Local) || root.Attr("ID") != e.Attr("ID") {
		return nil, refuse(codeReference, "The signature covers another element than the one that it stands in.")
	}
	doc.lim = d.lim
	return root, nil
}

func (d *Document) canonicalLimits() Limits {
	lim := d.lim
	lim.Bytes *= canonicalGrowth
	return lim
}

// signature is a ds:Signature whose outer shape has been checked.
type signature struct {
	element, info *Element
	value         []byte
}

// signature finds the one ds:Signature of e. Its parts are only ever looked for
// among the children of their parents, in the order of the schema.
func (d *Document) signature(e *Element) (*signature, error) {
	found := e.Children(NSDSig, "Signature")
	if len(found) == 0 {
		return nil, refuse(codeMissing, "The element %s is not signed.", e.Local)
	}
	if len(found) > 1 {
		return nil, refuse(codeSeveral, "The element %s has %d signatures.", e.Local, len(found))
	}
	for i, c := range e.Elements() {
		if c == found[0] {
			break
		}
		if i > 0 || !c.Is(NSAssertion, "Issuer") {
			return nil, refuse(codePosition, "The signature of %s does not stand directly after its Issuer.", e.Local)
		}
	}
	parts, err := parts(found[0], "SignedInfo", "SignatureValue", "KeyInfo")
	if err != nil {
		return nil, err
	}
	if len(parts) < 2 {
		return nil, refuse(codeShape, "The signature is incomplete.")
	}
	if commented(parts[0]) || commented(parts[1]) {
		return nil, refuse(codeShape, "The signature contains a comment.")
	}
	value, err := octets(parts[1])
	if err != nil {
		return nil, err
	}
	return &signature{element: found[0], info: parts[0], value: value}, nil
}

// parts returns the children of e, which are the ds: elements of these names in
// this order and nothing else. Names at the end may be missing.
func parts(e *Element, names ...string) ([]*Element, error) {
	found := e.Elements()
	for i, c := range found {
		if i >= len(names) || !c.Is(NSDSig, names[i]) {
			return nil, differs(codeShape, "The signature has an element that does not belong there.", c.Local, e.Local+" with "+strings.Join(names, ", "))
		}
	}
	for n := e.firstChild(); n != nil; n = n.next {
		if !blank([]byte(n.text)) {
			return nil, refuse(codeShape, "The signature has text where only elements belong.")
		}
	}
	return found, nil
}

// commented reports whether a comment stood in e or below it.
func commented(e *Element) bool {
	return e.comment || slices.ContainsFunc(e.Elements(), commented)
}

// octets decodes the base64 text of e, in which white space may stand anywhere.
func octets(e *Element) ([]byte, error) {
	text, err := e.Text()
	if err != nil {
		return nil, err
	}
	out, err := base64.StdEncoding.Strict().DecodeString(strings.Join(fields(text), ""))
	if err != nil || len(out) == 0 {
		return nil, refuse(codeShape, "The element %s does not hold base64.", e.Local)
	}
	return out, nil
}

// signedInfo returns the SignedInfo that one of the trusted keys signed, parsed
// from the octets that it signed. What the signature says is read from there
// alone, and only after the key has vouched for it.
func (d *Document) signedInfo(sig *signature, t Trust) (*Element, error) {
	method := sig.info.Child(NSDSig, "CanonicalizationMethod")
	prefixes, ok := exclusive(method)
	if !ok {
		return nil, differs(codeAlgorithm, "The signature uses a canonicalization that is not accepted.", method.Attr("Algorithm"), AlgExcC14N)
	}
	octets, err := agreed(sig.info, nil, prefixes, canonicalGrowth*d.lim.Bytes)
	if err != nil {
		return nil, err
	}
	doc, err := parse(octets, d.canonicalLimits(), nil)
	if err != nil {
		return nil, err
	}
	info := doc.Root()
	p, err := parts(info, "CanonicalizationMethod", "SignatureMethod", "Reference", "Reference")
	if err != nil {
		return nil, err
	}
	if len(p) != 3 {
		return nil, differs(codeReference, "The signature does not have exactly one reference.", strconv.Itoa(len(p)-2), "1")
	}
	alg := p[1].Attr("Algorithm")
	if len(p[1].Elements()) > 0 {
		return nil, refuse(codeAlgorithm, "The signature gives its algorithm parameters that are not accepted.")
	}
	if err := checkSignature(alg, t, octets, sig.value); err != nil {
		return nil, err
	}
	return info, nil
}

// reference is what a ds:Reference says.
type reference struct {
	prefixes []string
	hash     crypto.Hash
	digest   []byte
}

// readReference reads e, which has to refer to id. Any other URI is left
// alone.
func readReference(e *Element, id string, t Trust) (reference, error) {
	if uri := e.Attr("URI"); id == "" || uri != "#"+id {
		return reference{}, differs(codeReference, "The signature does not refer to the element that it stands in.", uri, "#"+id)
	}
	p, err := parts(e, "Transforms", "DigestMethod", "DigestValue")
	if err != nil {
		return reference{}, err
	}
	if len(p) != 3 {
		return reference{}, refuse(codeShape, "The reference of the signature is incomplete.")
	}
	var ref reference
	if ref.prefixes, err = readTransforms(p[0]); err != nil {
		return reference{}, err
	}
	var ok bool
	if ref.hash, ok = digestMethod(p[1], t.AllowSHA1); !ok || slices.Contains(t.Refused, p[1].Attr("Algorithm")) {
		return reference{}, differs(codeAlgorithm, "The signature uses a digest that is not accepted.", p[1].Attr("Algorithm"), AlgSHA256)
	}
	if ref.digest, err = octets(p[2]); err != nil {
		return reference{}, err
	}
	return ref, nil
}

// readTransforms returns the PrefixList. The order is fixed: behind
// canonicalisation there are octets, of which no signature can be taken out.
func readTransforms(e *Element) ([]string, error) {
	p, err := parts(e, "Transform", "Transform")
	if err != nil {
		return nil, refuse(codeTransform, "The signature has transforms that are not accepted.")
	}
	if len(p) == 2 && p[0].Attr("Algorithm") == AlgEnveloped && len(p[0].Elements()) == 0 {
		if prefixes, ok := exclusive(p[1]); ok {
			return prefixes, nil
		}
	}
	var seen []string
	for _, c := range p {
		seen = append(seen, c.Attr("Algorithm"))
	}
	return nil, differs(codeTransform, "The signature has transforms that are not accepted.", strings.Join(seen, ", "), AlgEnveloped+", "+AlgExcC14N)
}

// exclusive reports whether e, a CanonicalizationMethod or a Transform, names
// exclusive canonicalisation, and returns the prefixes of its
// InclusiveNamespaces; "" stands for #default.
func exclusive(e *Element) ([]string, bool) {
	if a := e.Attr("Algorithm"); a != AlgExcC14N && a != AlgExcC14NWithComments {
		return nil, false
	}
	children := e.Elements()
	if len(children) == 0 {
		return nil, true
	}
	if len(children) > 1 || !children[0].Is(NSExcC14N, "InclusiveNamespaces") {
		return nil, false
	}
	prefixes := fields(children[0].Attr("PrefixList"))
	if len(prefixes) > e.doc.lim.Namespaces {
		return nil, false
	}
	for i, p := range prefixes {
		if p == "#default" {
			prefixes[i] = ""
		}
	}
	return prefixes, true
}

func digestMethod(e *Element, allowSHA1 bool) (crypto.Hash, bool) {
	if len(e.Elements()) > 0 {
		return 0, false
	}
	switch e.Attr("Algorithm") {
	case AlgSHA1:
		return crypto.SHA1, allowSHA1
	case AlgSHA256:
		return crypto.SHA256, true
	case AlgSHA384:
		return crypto.SHA384, true
	case AlgSHA512:
		return crypto.SHA512, true
	}
	return 0, false
}

// fields splits s at the white space of XML, which is less than that of Unicode.
func fields(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r < ' ' && isSpace(byte(r)) || r == ' ' })
}

func sum(h crypto.Hash, octets []byte) []byte {
	w := h.New()
	w.Write(octets)
	return w.Sum(nil)
}
