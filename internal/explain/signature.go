package explain

import (
	"crypto"
	"crypto/sha1" //nolint:gosec // fingerprints for people to compare, nothing relies on them
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// Signature is what is to be said of one signature. Its JSON is stable.
type Signature struct {
	Covers   string        `json:"covers"` // the element, or "query"
	ID       string        `json:"id,omitempty"`
	Valid    bool          `json:"valid"`
	Method   string        `json:"method,omitempty"`
	Digest   string        `json:"digest,omitempty"`
	By       *Key          `json:"by,omitempty"`    // the known key that made it
	Tried    []Key         `json:"tried,omitempty"` // the known keys, where none did
	Enclosed *Key          `json:"enclosed,omitempty"`
	Code     identity.Code `json:"code,omitempty"` // why it is not valid
	Problem  string        `json:"problem,omitempty"`
}

// Key describes a public key by its certificate. Enclosed ones, out of a KeyInfo,
// prove nothing: anybody can enclose theirs.
type Key struct {
	Entity    string `json:"entity,omitempty"`
	Algorithm string `json:"algorithm"`
	Subject   string `json:"subject,omitempty"`
	SHA256    string `json:"sha256,omitempty"` // fingerprint of the certificate; empty for a bare key
	SHA1      string `json:"sha1,omitempty"`
	NotBefore string `json:"not_before,omitempty"`
	NotAfter  string `json:"not_after,omitempty"`

	public crypto.PublicKey
}

// String names the key as people compare it.
func (k Key) String() string {
	if k.SHA256 == "" {
		return k.Algorithm + " key without certificate"
	}
	return fmt.Sprintf("%s, SHA-256 %s, SHA-1 %s, %s to %s", k.Algorithm, k.SHA256, k.SHA1, k.NotBefore, k.NotAfter)
}

func describe(public crypto.PublicKey, cert *x509.Certificate, entity string) Key {
	k := Key{Entity: entity, public: public, Algorithm: algorithmOf(public)}
	if cert == nil {
		return k
	}
	long, short := sha256.Sum256(cert.Raw), sha1.Sum(cert.Raw) //nolint:gosec // see the import
	k.SHA256, k.SHA1 = colons(long[:]), colons(short[:])
	k.Subject = cert.Subject.String()
	k.NotBefore, k.NotAfter = xmlsec.FormatTime(cert.NotBefore), xmlsec.FormatTime(cert.NotAfter)
	return k
}

func colons(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% X", b), " ", ":") }

// signingKeys returns the keys that may have signed for e in its role.
func signingKeys(e *Entity, role *metadata.Role) []Key {
	if role == nil {
		return nil
	}
	var keys []Key
	for _, public := range role.Signing {
		keys = append(keys, describe(public, certificateOf(role, public), string(e.EntityID)))
	}
	return keys
}

func certificateOf(role *metadata.Role, public crypto.PublicKey) *x509.Certificate {
	for _, c := range role.Certificates {
		if k, ok := c.Certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); ok && k.Equal(public) {
			return c.Certificate
		}
	}
	return nil
}

// verify judges the signature of e, an element of the document it came in, by the
// keys of sender alone. It returns the element to read on: the one that was
// signed if the signature is valid, else e, of which nothing is proven.
func (j *judge) verify(r *Report, e *xmlsec.Element, sender *Entity, idp bool) (read *xmlsec.Element, valid bool) {
	doc := e.Document()
	if !doc.HasSignature(e) {
		return e, false
	}
	info := e.Child(xmlsec.NSDSig, "Signature").Child(xmlsec.NSDSig, "SignedInfo")
	s := Signature{
		Covers: e.Local, ID: e.Attr("ID"), Enclosed: enclosed(e),
		Method: info.Child(xmlsec.NSDSig, "SignatureMethod").Attr("Algorithm"),
		Digest: info.Child(xmlsec.NSDSig, "Reference").Child(xmlsec.NSDSig, "DigestMethod").Attr("Algorithm"),
	}
	keys := signingKeys(sender, sender.role(idp))
	var err error
	for _, k := range keys {
		var signed *xmlsec.Element
		if signed, err = doc.Verify(e, xmlsec.Trust{Keys: []crypto.PublicKey{k.public}, AllowSHA1: sender.AllowSHA1}); err == nil {
			s.By, s.Valid, read = &k, true, signed
			break
		}
		if identity.CodeOf(err) == "sig.digest" {
			s.By = &k // its key made the signature, over something else
			break
		}
	}
	if len(keys) == 0 {
		_, err = doc.Verify(e, xmlsec.Trust{})
	}
	if s.Valid {
		j.judged(r, s, nil, idp, sender)
		return read, true
	}
	if s.Enclosed != nil && identity.CodeOf(err) != "sig.digest" {
		_, ownErr := doc.Verify(e, xmlsec.Trust{Keys: []crypto.PublicKey{s.Enclosed.public}, AllowSHA1: true})
		err = byEnclosed(err, ownErr, s.Enclosed)
	}
	s.Tried = keys
	j.judged(r, s, err, idp, sender)
	return e, false
}

// byEnclosed says of a signature that no known key made whether the certificate
// in the message made it: then somebody has to be told of a new key; else the
// message was changed, or nobody can tell.
func byEnclosed(err, own error, k *Key) error {
	e := *identity.AsError(err)
	if e.Code != "sig.key" && e.Code != "sig.no_keys" {
		return err
	}
	if own == nil {
		e.Msg += " It is whole, and was made by the key of the certificate that the message encloses."
		e.Seen = "signed with " + k.String()
		return &e
	}
	e.Msg += " The certificate that the message encloses did not make it either."
	e.Seen = "encloses " + k.String()
	return &e
}

// verifyQuery judges the signature over the query (SAML Bindings 3.4.4.1).
func (j *judge) verifyQuery(r *Report, sender *Entity, idp bool) (valid bool) {
	m := j.message.SAML
	if len(m.Signature) == 0 {
		return false
	}
	s := Signature{Covers: "query", Method: m.SigAlg}
	keys := signingKeys(sender, sender.role(idp))
	err := m.VerifyQuery(nil)
	for _, k := range keys {
		if err = m.VerifyQuery([]crypto.PublicKey{k.public}); err == nil {
			s.By, s.Valid = &k, true
			break
		}
	}
	if !s.Valid {
		s.Tried = keys
	}
	j.judged(r, s, err, idp, sender)
	return s.Valid
}

// judged notes a signature and its two checks.
func (j *judge) judged(r *Report, s Signature, err error, idp bool, sender *Entity) {
	what := s.Covers
	if s.Valid {
		r.Signatures = append(r.Signatures, s)
		r.pass("algorithm", "%s, digest %s", short(s.Method), orDash(short(s.Digest)))
		r.pass("signature", "The signature of the %s was made by a key of %s: %s.", what, s.By.Entity, s.By)
		return
	}
	e := identity.AsError(err)
	s.Code, s.Problem = e.Code, e.Msg
	r.Signatures = append(r.Signatures, s)
	switch e.Code {
	case "sig.algorithm", "sig.transform":
		r.fail(Check{ID: "algorithm", Detail: e.Msg, Seen: e.Seen, Expected: e.Expected, Who: whose(sender, idp), Code: codeOf("signature", idp)})
		r.skip("signature", "The signature of the %s was made in a way that is not accepted, so it was not checked.", what)
	case "sig.no_keys":
		r.skip("signature", "No key of the sender is known; give its metadata. %s", strings.TrimPrefix(e.Msg, "No key is known for the sender, so the signature cannot be checked. "))
	default:
		c := Check{ID: "signature", Detail: fmt.Sprintf("The signature of the %s is not valid. %s", what, e.Msg), Seen: e.Seen, Expected: e.Expected, Who: whose(sender, idp), Code: codeOf("signature", idp)}
		if s.By != nil {
			c.Seen = "made by " + s.By.String()
		} else if c.Expected == "" {
			c.Expected = tried(s.Tried)
		}
		r.fail(c)
	}
}

// tried lists the keys of the metadata that did not make a signature.
func tried(keys []Key) string {
	var names []string
	for _, k := range keys {
		names = append(names, k.String())
	}
	return strings.Join(names, "; or ")
}

// whose says who can put a message of that sender right.
func whose(sender *Entity, idp bool) identity.Who {
	switch {
	case sender != nil && sender.Ours:
		return identity.WhoOperator
	case idp:
		return identity.WhoPartner
	}
	return identity.WhoVendor
}

// codeOf is the code with which samlet refuses the message: what comes from
// identity providers is up.*, what comes from service providers sp.*.
func codeOf(slug string, idp bool) identity.Code {
	if idp {
		return identity.Code("up." + slug)
	}
	return identity.Code("sp." + slug)
}

// enclosed returns the key of the first certificate in the KeyInfo of e's
// signature.
func enclosed(e *xmlsec.Element) *Key {
	data := e.Child(xmlsec.NSDSig, "Signature").Child(xmlsec.NSDSig, "KeyInfo").Child(xmlsec.NSDSig, "X509Data")
	s, err := data.Child(xmlsec.NSDSig, "X509Certificate").Text()
	if err != nil {
		return nil
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		return nil
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	k := describe(cert.PublicKey, cert, "")
	return &k
}
