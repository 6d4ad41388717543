package sp

import (
	"crypto/x509"
	"encoding/base64"
	"strings"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// badSignature says by which key e says that it was signed, and which are the IdP's, so
// that a key that was changed shows. E is nil where a query was signed.
func (c *Connector) badSignature(e *xmlsec.Element, cause error) *identity.Error {
	seen, expected := string(identity.CodeOf(cause)), "a signature by a key of the metadata"
	if print := keyHint(e); print != "" {
		seen += ", certificate " + print
	}
	for i, k := range c.idp.Certificates {
		if i == maxPrints {
			expected += ", …"
			break
		}
		expected += []string{": certificate ", ", "}[min(i, 1)] + certs.Key{Certificate: k.Certificate}.Fingerprint256()
	}
	bad := upstream("up.signature", identity.KindInvalid, "The signature of the identity provider is not valid.", seen, expected)
	bad.Err = cause
	return bad
}

// maxPrints is how many fingerprints a message names.
const maxPrints = 4

// keyHint returns the SHA-256 fingerprint of the certificate that a signature of e brings
// along. It is a hint for people (SAML Core 5.4.5): nothing is ever verified by it.
func keyHint(e *xmlsec.Element) string {
	text, err := e.Child(xmlsec.NSDSig, "Signature").Child(xmlsec.NSDSig, "KeyInfo").
		Child(xmlsec.NSDSig, "X509Data").Child(xmlsec.NSDSig, "X509Certificate").Text()
	if err != nil {
		return ""
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return ""
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return ""
	}
	return certs.Key{Certificate: cert}.Fingerprint256()
}
