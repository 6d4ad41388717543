package metadata_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func rsaKeyValue(k *rsa.PublicKey) string {
	return keyInfo("<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>" + b64(k.N.Bytes()) + "</ds:Modulus><ds:Exponent>" +
		b64(big.NewInt(int64(k.E)).Bytes()) + "</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>")
}

func ecKeyValue(t testing.TB, k *ecdsa.PublicKey, curve string) string {
	t.Helper()
	point, err := k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return keyInfo(`<ds:KeyValue><dsig11:ECKeyValue><dsig11:NamedCurve URI="` + curve + `"/><dsig11:PublicKey>` + b64(point) + `</dsig11:PublicKey></dsig11:ECKeyValue></ds:KeyValue>`)
}

func derKeyValue(t testing.TB, k crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return keyInfo("<dsig11:DEREncodedKeyValue>" + b64(der) + "</dsig11:DEREncodedKeyValue>")
}

// small is a key of a size that was good in 2010.
func small(t testing.TB) *rsa.PublicKey {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), 1023)
	return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}
}

// p224 is a self-signed certificate with an EC key below 256 bits.
func p224(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	subject := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: now()}
	der, err := x509.CreateCertificate(rand.Reader, subject, subject, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return keyInfo("<ds:X509Data><ds:X509Certificate>" + b64(der) + "</ds:X509Certificate></ds:X509Data>")
}

// chain returns the texts of a CA's certificate, of one that it issued, and of
// that one's serial number made negative, and its key.
func chain(t testing.TB) (ca, leaf, odd string, k crypto.PublicKey) {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotAfter: now(), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	subject := &x509.Certificate{SerialNumber: big.NewInt(0x7a), Subject: pkix.Name{CommonName: "leaf"}, NotAfter: now()}
	caDER, err := x509.CreateCertificate(rand.Reader, issuer, issuer, &caKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, subject, issuer, &leafKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	// INTEGER 0x7a becomes INTEGER -6, which Go's parser refuses.
	negative := strings.Replace(string(leafDER), "\x02\x01\x7a", "\x02\x01\xfa", 1)
	if _, err := x509.ParseCertificate([]byte(negative)); err == nil {
		t.Fatal("the odd certificate is not odd")
	}
	return b64(caDER), b64(leafDER), b64([]byte(negative)), &leafKey.PublicKey
}

func TestKeys(t *testing.T) {
	t.Parallel()
	signer, next, enc, ec, ed := public("signer"), public("next"), public("encryption"), public("ecdsa"), public("ed25519")
	ca, leaf, odd, leafKey := chain(t)
	x509Text := func(texts ...string) string {
		return keyInfo("<ds:X509Data><ds:X509Certificate>" + strings.Join(texts, "</ds:X509Certificate><ds:X509Certificate>") + "</ds:X509Certificate></ds:X509Data>")
	}
	const signing, encryption, both = ` use="signing"`, ` use="encryption"`, ""
	for _, tc := range []struct {
		name                     string
		keys                     string
		wantSigning, wantEncrypt []crypto.PublicKey
		findings                 int
	}{
		{"one for each use", descriptor(signing, x509Data("signer")) + descriptor(encryption, x509Data("encryption")), keys(signer), keys(enc), 0},
		{"several, an expired certificate among them", descriptor(signing, x509Data("signer")) + descriptor(signing, x509Data("next")), keys(signer, next), nil, 0},
		{"without use: both", descriptor(both, x509Data("signer")), keys(signer), keys(signer), 0},
		{"without use, ECDSA: cannot be encrypted to", descriptor(both, x509Data("ecdsa")), keys(ec), nil, 0},
		{"the same key twice", descriptor(signing, x509Data("signer")) + descriptor(both, x509Data("signer")), keys(signer), keys(signer), 0},
		{"several certificates in one X509Data", descriptor(signing, x509Data("signer", "next")), keys(signer, next), nil, 0},
		{"a chain: its end alone", descriptor(signing, x509Text(leaf, ca)), keys(leafKey), nil, 0},
		{"a certificate with a negative serial number", descriptor(signing, x509Text(odd)), keys(leafKey), nil, 0},
		{"PEM lines within", descriptor(signing, x509Text("\n-----BEGIN CERTIFICATE-----\n"+certText("signer")+"\n-----END CERTIFICATE-----\n")), keys(signer), nil, 0},
		{"a bare RSA key", descriptor(signing, rsaKeyValue(signer.(*rsa.PublicKey))), keys(signer), nil, 0},
		{"a bare ECDSA key", descriptor(signing, ecKeyValue(t, ec.(*ecdsa.PublicKey), "urn:oid:1.2.840.10045.3.1.7")), keys(ec), nil, 0},
		{"a bare key in DER", descriptor(signing, derKeyValue(t, ec)), keys(ec), nil, 0},
		{"Ed25519 in a certificate", descriptor(signing, x509Data("ed25519")), keys(ed), nil, 0},
		{"Ed25519 in DER", descriptor(signing, derKeyValue(t, ed)), keys(ed), nil, 0},
		{"certificate and bare key", descriptor(signing, keyInfo(x509Inner("signer")+strings.TrimSuffix(strings.TrimPrefix(rsaKeyValue(signer.(*rsa.PublicKey)), "<ds:KeyInfo>"), "</ds:KeyInfo>"))), keys(signer), nil, 0},
		{"a name beside a certificate", descriptor(signing, keyInfo("<ds:KeyName>x</ds:KeyName>"+x509Inner("signer"))), keys(signer), nil, 0},
		{"a small one beside a good one", descriptor(signing, rsaKeyValue(small(t))) + descriptor(signing, x509Data("signer")), keys(signer), nil, 1},
		{"a damaged one beside a good one", descriptor(signing, x509Text("AAAA")) + descriptor(signing, x509Data("signer")), keys(signer), nil, 1},
		{"a small one for encryption beside a good one", descriptor(signing, x509Data("signer")) + descriptor(encryption, rsaKeyValue(small(t))) + descriptor(encryption, x509Data("encryption")), keys(signer), keys(enc), 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, err := parse(idp(tc.keys), metadata.RoleIDP)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(der(t, tc.wantSigning), der(t, e.IDP.Signing)); diff != "" {
				t.Errorf("Signing (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(der(t, tc.wantEncrypt), der(t, e.IDP.Encryption)); diff != "" {
				t.Errorf("Encryption (-want +got):\n%s", diff)
			}
			if len(e.Findings) != tc.findings {
				t.Errorf("got findings %q, want %d", e.Findings, tc.findings)
			}
		})
	}
}

func keys(k ...crypto.PublicKey) []crypto.PublicKey { return k }

func der(t testing.TB, keys []crypto.PublicKey) []string {
	t.Helper()
	var out []string
	for _, k := range keys {
		b, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b64(b))
	}
	return out
}

// Threat classes "weak algorithms" and "signature exclusion / fail open": a role
// whose only key is unusable is refused, not taken for one without keys.
func TestKeysRefused(t *testing.T) {
	t.Parallel()
	huge := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 20000), E: 65537}
	even := &rsa.PublicKey{N: public("signer").(*rsa.PublicKey).N, E: 4}
	ecPoint := ecKeyValue(t, public("ecdsa").(*ecdsa.PublicKey), "urn:oid:1.3.132.0.34")
	good := descriptor(` use="signing"`, x509Data("signer"))
	for name, tc := range map[string]struct {
		keys, says string
		code       identity.Code
	}{
		"a small key":                         {descriptor("", rsaKeyValue(small(t))), "1024 bits", "md.key"},
		"a huge key":                          {descriptor("", rsaKeyValue(huge)), "20001 bits", "md.key"},
		"an even exponent":                    {descriptor("", rsaKeyValue(even)), "Exponent", "md.key"},
		"a point of another curve":            {descriptor("", ecPoint), "point", "md.key"},
		"an unknown curve":                    {descriptor("", strings.Replace(ecPoint, "1.3.132.0.34", "1.3.132.0.10", 1)), "curve", "md.key"},
		"a DSA key":                           {descriptor("", keyInfo("<ds:KeyValue><ds:DSAKeyValue/></ds:KeyValue>")), "neither RSA nor ECDSA", "md.key"},
		"a certificate with a P-224 key":      {descriptor("", p224(t)), "P-224", "md.key"},
		"not base64":                          {descriptor("", keyInfo("<ds:X509Data><ds:X509Certificate>!</ds:X509Certificate></ds:X509Data>")), "base64", "md.key"},
		"a small key for encryption":          {good + descriptor(` use="encryption"`, rsaKeyValue(small(t))), "encryption", "md.key"},
		"an ECDSA key for encryption":         {good + descriptor(` use="encryption"`, x509Data("ecdsa")), "only RSA", "md.key"},
		"a use that is none":                  {descriptor(` use="both"`, x509Data("signer")), "use", "md.value"},
		"a name alone":                        {descriptor("", keyInfo("<ds:KeyName>x</ds:KeyName>")), "no key", "md.no_key"},
		"a reference, which is never fetched": {descriptor("", keyInfo(`<ds:RetrievalMethod URI="https://evil.example.test/key"/>`)), "no key", "md.no_key"},
		"an encryption key alone":             {descriptor(` use="encryption"`, x509Data("encryption")), "no key", "md.no_key"},
	} {
		_, err := parse(idp(tc.keys), metadata.RoleIDP)
		e := identity.AsError(err)
		if e == nil || e.Code != tc.code || !strings.Contains(e.Msg, tc.says) {
			t.Errorf("%s: got %v, want %s with %q", name, err, tc.code, tc.says)
		}
	}
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	methods := `<md:EncryptionMethod Algorithm="` + xmlsec.AlgAES256GCM + `"/><md:EncryptionMethod Algorithm="` + xmlsec.AlgRSAOAEP + `"><ds:DigestMethod Algorithm="` +
		xmlsec.AlgSHA256 + `"/><xenc11:MGF xmlns:xenc11="http://www.w3.org/2009/xmlenc11#" Algorithm="` + xmlsec.AlgMGF1SHA256 + `"/></md:EncryptionMethod></md:KeyDescriptor>`
	ext := func(algs ...string) string {
		s := `<md:Extensions xmlns:alg="urn:oasis:names:tc:SAML:metadata:algsupport">`
		for _, a := range algs {
			s += `<alg:SigningMethod Algorithm="` + a + `"/>`
		}
		return s + "</md:Extensions>"
	}
	kd := strings.Replace(descriptor("", x509Data("signer")), "</md:KeyDescriptor>", methods, 1)
	e, err := parse(idp(kd, "<md:IDPSSODescriptor", ext(xmlsec.AlgRSASHA256, xmlsec.AlgRSASHA512)+"<md:IDPSSODescriptor"), metadata.RoleIDP)
	if err != nil {
		t.Fatal(err)
	}
	want := []metadata.EncryptionMethod{{Algorithm: xmlsec.AlgAES256GCM}, {Algorithm: xmlsec.AlgRSAOAEP, DigestMethod: xmlsec.AlgSHA256, MGF: xmlsec.AlgMGF1SHA256}}
	if diff := cmp.Diff(want, e.IDP.EncryptionMethods); diff != "" {
		t.Errorf("EncryptionMethods (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{xmlsec.AlgRSASHA256, xmlsec.AlgRSASHA512}, e.IDP.SigningMethods); diff != "" {
		t.Errorf("SigningMethods of the entity (-want +got):\n%s", diff)
	}
	// The role's own replace those of the entity.
	e, err = parse(idp(ext(xmlsec.AlgECDSASHA256)+kd, "<md:IDPSSODescriptor", ext(xmlsec.AlgRSASHA256)+"<md:IDPSSODescriptor"), metadata.RoleIDP)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{xmlsec.AlgECDSASHA256}, e.IDP.SigningMethods); diff != "" {
		t.Errorf("SigningMethods of the role (-want +got):\n%s", diff)
	}
	if len(e.Extensions) != 1 || len(e.IDP.Extensions) != 1 || len(e.IDP.Certificates) != 1 || e.IDP.Certificates[0].Certificate.NotAfter.Before(now().Add(-time.Hour)) {
		t.Errorf("got extensions %v and %v, certificates %v", e.Extensions, e.IDP.Extensions, e.IDP.Certificates)
	}
}
