package metadata

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// keys reads the KeyDescriptors of a role. One without use serves both uses
// (SAML Metadata 2.4.1.1). A key that cannot be used is passed over with a
// finding, unless it leaves its use without any: then going on would mean to
// trust nobody, or to send in the clear what was to be encrypted.
func (r *reader) keys(el *xmlsec.Element, role *Role) error {
	var unusable [3]error // for signing, encryption, both
	for _, kd := range el.Children(xmlsec.NSMetadata, "KeyDescriptor") {
		use := kd.Attr("use")
		slot := map[string]int{"signing": 0, "encryption": 1, "": 2}
		at, ok := slot[use]
		if !ok {
			return badValue(kd, "use", fmt.Errorf("%q is no key use", use))
		}
		carried, errs := keyInfo(kd.Child(xmlsec.NSDSig, "KeyInfo"))
		for _, k := range carried {
			if err := usable(k.public, use); err != nil {
				errs = append(errs, err)
				continue
			}
			role.add(k, use, kd)
		}
		for _, err := range errs {
			unusable[at] = err
			r.finding("A key of %s was passed over: %v.", el.Local, err)
		}
	}
	both := unusable[2]
	if why := errors.Join(unusable[0], both); why != nil && len(role.Signing) == 0 {
		return keyError("signing", why)
	}
	if why := errors.Join(unusable[1], both); why != nil && len(role.Encryption) == 0 {
		return keyError("encryption", why)
	}
	return nil
}

func keyError(use string, why error) error {
	return refuse("md.key", fmt.Sprintf("The metadata's key for %s cannot be used: %v.", use, why))
}

// usable adds to certs.CheckPublic that only RSA keys can be encrypted to.
func usable(k crypto.PublicKey, use string) error {
	if err := certs.CheckPublic(k); err != nil {
		return err
	}
	if _, isRSA := k.(*rsa.PublicKey); use == "encryption" && !isRSA {
		return errors.New("only RSA keys can be encrypted to")
	}
	return nil
}

// add puts a key where its use says, once.
func (role *Role) add(k carriedKey, use string, kd *xmlsec.Element) {
	if use != "encryption" && !contains(role.Signing, k.public) {
		role.Signing = append(role.Signing, k.public)
	}
	_, isRSA := k.public.(*rsa.PublicKey)
	if use != "signing" && isRSA && !contains(role.Encryption, k.public) {
		if len(role.Encryption) == 0 {
			role.EncryptionMethods = encryptionMethods(kd)
		}
		role.Encryption = append(role.Encryption, k.public)
	}
	if k.certificate != nil {
		role.Certificates = append(role.Certificates, Certificate{Use: use, Certificate: k.certificate})
	}
}

func contains(keys []crypto.PublicKey, k crypto.PublicKey) bool {
	for _, have := range keys {
		if e, ok := have.(interface{ Equal(crypto.PublicKey) bool }); ok && e.Equal(k) {
			return true
		}
	}
	return false
}

func encryptionMethods(kd *xmlsec.Element) []EncryptionMethod {
	var found []EncryptionMethod
	for _, m := range kd.Children(xmlsec.NSMetadata, "EncryptionMethod") {
		found = append(found, EncryptionMethod{
			Algorithm:    m.Attr("Algorithm"),
			DigestMethod: m.Child(xmlsec.NSDSig, "DigestMethod").Attr("Algorithm"),
			MGF:          m.Child(xmlsec.NSXEnc11, "MGF").Attr("Algorithm"),
		})
	}
	return found
}

// carriedKey is a public key, with its certificate if it came in one that can
// be read.
type carriedKey struct {
	public      crypto.PublicKey
	certificate *x509.Certificate
}

// keyInfo reads the keys of a KeyInfo: certificates, bare key values and DER.
// Names, references and everything else that would have to be looked up
// elsewhere are never followed.
func keyInfo(el *xmlsec.Element) (found []carriedKey, errs []error) {
	take := func(k carriedKey, err error) {
		if err != nil {
			errs = append(errs, err)
			return
		}
		found = append(found, k)
	}
	for _, c := range el.Elements() {
		switch {
		case c.Is(xmlsec.NSDSig, "X509Data"):
			var data []carriedKey
			for _, cert := range c.Children(xmlsec.NSDSig, "X509Certificate") {
				k, err := certificate(cert)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				data = append(data, k)
			}
			found = append(found, withoutIssuers(data)...)
		case c.Is(xmlsec.NSDSig, "KeyValue"):
			for _, v := range c.Elements() {
				take(keyValue(v))
			}
		case c.Is(xmlsec.NSDSig11, "DEREncodedKeyValue"):
			take(derKeyValue(c))
		}
	}
	return found, errs
}

// withoutIssuers drops from one X509Data each certificate that issued another
// one in it: a chain has one end, and whoever owns the other certificates is not
// the peer.
func withoutIssuers(data []carriedKey) []carriedKey {
	var ends []carriedKey
	for i, k := range data {
		issuer := false
		for j, other := range data {
			issuer = issuer || i != j && issued(k.certificate, other.certificate)
		}
		if !issuer {
			ends = append(ends, k)
		}
	}
	return ends
}

// issued compares names before it checks a signature, since roll-over puts
// several self-signed certificates of one name into one X509Data.
func issued(by, c *x509.Certificate) bool {
	return by != nil && c != nil && bytes.Equal(c.RawIssuer, by.RawSubject) && !bytes.Equal(c.RawSubjectPublicKeyInfo, by.RawSubjectPublicKeyInfo) &&
		by.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// certificate takes the key out of an X509Certificate. It reads only as far as
// the key, so that odd serial numbers, dates and extensions, which mean nothing
// here, do not get in the way.
func certificate(el *xmlsec.Element) (carriedKey, error) {
	der, err := base64Text(el)
	if err != nil {
		return carriedKey{}, fmt.Errorf("its certificate is not base64 (%w)", err)
	}
	var outer struct {
		TBS struct {
			Version                   int `asn1:"explicit,optional,tag:0"`
			Serial                    asn1.RawValue
			Algorithm, Issuer         asn1.RawValue
			Validity, Subject, Public asn1.RawValue
		}
		Algorithm asn1.RawValue
		Signature asn1.RawValue
	}
	cert, parseErr := x509.ParseCertificate(der)
	if parseErr == nil && cert.PublicKey != nil {
		return carriedKey{public: cert.PublicKey, certificate: cert}, nil
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return carriedKey{}, fmt.Errorf("its certificate is damaged (%w)", err)
	}
	public, err := x509.ParsePKIXPublicKey(outer.TBS.Public.FullBytes)
	if err != nil {
		return carriedKey{}, fmt.Errorf("its certificate holds no key that can be read (%w)", err)
	}
	return carriedKey{public: public}, nil
}

// curves are those of ECKeyValue/NamedCurve (RFC 5480 2.1.1.1, NIST P-256, P-384
// and P-521).
func curve(uri string) elliptic.Curve {
	switch uri {
	case "urn:oid:1.2.840.10045.3.1.7":
		return elliptic.P256()
	case "urn:oid:1.3.132.0.34":
		return elliptic.P384()
	case "urn:oid:1.3.132.0.35":
		return elliptic.P521()
	}
	return nil
}

// keyValue reads an RSAKeyValue or ECKeyValue (XMLDSig 1.1 section 4.5.2).
func keyValue(el *xmlsec.Element) (carriedKey, error) {
	switch {
	case el.Is(xmlsec.NSDSig, "RSAKeyValue"):
		modulus, err := base64Text(el.Child(xmlsec.NSDSig, "Modulus"))
		if err != nil {
			return carriedKey{}, fmt.Errorf("its Modulus is not base64 (%w)", err)
		}
		exponent, err := base64Text(el.Child(xmlsec.NSDSig, "Exponent"))
		if err != nil {
			return carriedKey{}, fmt.Errorf("its Exponent is not base64 (%w)", err)
		}
		e := new(big.Int).SetBytes(exponent)
		if e.BitLen() > 31 || e.Bit(0) == 0 || e.Cmp(big.NewInt(3)) < 0 {
			return carriedKey{}, errors.New("its Exponent is out of range")
		}
		return carriedKey{public: &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(e.Int64())}}, nil
	case el.Is(xmlsec.NSDSig11, "ECKeyValue"):
		c := curve(el.Child(xmlsec.NSDSig11, "NamedCurve").Attr("URI"))
		if c == nil {
			return carriedKey{}, errors.New("its curve is none of P-256, P-384, P-521")
		}
		point, err := base64Text(el.Child(xmlsec.NSDSig11, "PublicKey"))
		if err != nil {
			return carriedKey{}, fmt.Errorf("its PublicKey is not base64 (%w)", err)
		}
		k, err := ecdsa.ParseUncompressedPublicKey(c, point)
		if err != nil {
			return carriedKey{}, fmt.Errorf("its point cannot be read (%w)", err)
		}
		return carriedKey{public: k}, nil
	}
	return carriedKey{}, fmt.Errorf("its %s is neither RSA nor ECDSA", el.Local)
}

func derKeyValue(el *xmlsec.Element) (carriedKey, error) {
	der, err := base64Text(el)
	if err != nil {
		return carriedKey{}, fmt.Errorf("its DER is not base64 (%w)", err)
	}
	k, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return carriedKey{}, fmt.Errorf("its DER cannot be read (%w)", err)
	}
	return carriedKey{public: k}, nil
}

// base64Text decodes base64 with blanks anywhere and, as some files have it,
// with the lines of PEM around it.
func base64Text(el *xmlsec.Element) ([]byte, error) {
	s, err := el.TrimText()
	if err != nil {
		return nil, err
	}
	if inner, ok := strings.CutPrefix(s, "-----BEGIN CERTIFICATE-----"); ok {
		s, _, _ = strings.Cut(inner, "-----END")
	}
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
}
