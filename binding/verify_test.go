package binding_test

import (
	"crypto"
	"encoding/base64"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// signed returns the query of a signed request whose signature openssl made.
func signed(t testing.TB, unsigned string) (query string, key crypto.PublicKey) {
	t.Helper()
	tool := peer.Need(t, "openssl", "apt-get install openssl")
	dir := t.TempDir()
	keyFile, in := filepath.Join(dir, "key.pem"), filepath.Join(dir, "in")
	run := func(args ...string) []byte {
		out, err := exec.Command(tool, args...).Output()
		if err != nil {
			t.Fatalf("openssl %v: %v", args, err)
		}
		return out
	}
	run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", keyFile)
	if err := os.WriteFile(in, []byte(unsigned), 0o600); err != nil {
		t.Fatal(err)
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	cert := run("req", "-x509", "-key", keyFile, "-subj", "/CN=app.example.test", "-days", "1")
	k, err := certs.Load("peer", certs.Signing, certs.Active, keyPEM, cert)
	if err != nil {
		t.Fatal(err)
	}
	return unsigned + "&Signature=" + url.QueryEscape(b64(run("dgst", "-sha256", "-sign", keyFile, in))), k.Public()
}

// Threat class "Redirect signature confusion" (CVE-2025-27773): whatever is not
// exactly the octets that were signed fails, and what cannot be part of them
// changes nothing.
func TestRedirectSignatureConfusion(t *testing.T) {
	t.Parallel()
	evil := deflated(t, []byte(strings.Replace(request, "app.example", "evil.example", 1)))
	// The peer escapes in lower case and leaves ':' alone, as ADFS does.
	unsigned := "SAMLRequest=" + deflated(t, []byte(request)) + "&RelayState=a%2fb:c&SigAlg=http%3a%2f%2fwww.w3.org%2f2001%2f04%2fxmldsig-more%23rsa-sha256"
	query, key := signed(t, unsigned)
	request, rest, _ := strings.Cut(query, "&")
	relayState, algAndSignature, _ := strings.Cut(rest, "&")
	alg, signature, _ := strings.Cut(algAndSignature, "&")
	for _, tc := range []struct {
		name, query string
		want        identity.Code // empty: verifies
	}{
		{"as it was sent", query, ""},
		{"in another order", signature + "&" + relayState + "&" + alg + "&" + request, ""},
		{"foreign parameters around it", "a=b&" + query + "&utm_source=mail", ""},
		{"an unsigned request in front", "SAMLRequest=" + evil + "&" + query, "binding.duplicate"},
		{"an unsigned request behind", query + "&SAMLRequest=" + evil, "binding.duplicate"},
		{"an unsigned response beside", query + "&SAMLResponse=" + evil, "binding.duplicate"},
		{"an unsigned request under an encoded name", query + "&SAML%52equest=" + evil, "binding.duplicate"},
		{"a second RelayState", query + "&RelayState=x", "binding.duplicate"},
		{"a second SigAlg", query + "&SigAlg=x", "binding.duplicate"},
		{"a second Signature", query + "&Signature=x", "binding.duplicate"},
		{"another request", "SAMLRequest=" + evil + "&" + rest, "sig.key"},
		{"called a response", "SAMLResponse=" + strings.TrimPrefix(request, "SAMLRequest=") + "&" + rest, "sig.key"},
		{"RelayState changed", request + "&RelayState=x&" + algAndSignature, "sig.key"},
		{"RelayState emptied", request + "&RelayState=&" + algAndSignature, "sig.key"},
		{"RelayState taken away", request + "&" + algAndSignature, "sig.key"},
		{"RelayState escaped in another way", strings.Replace(query, "%2f", "%2F", 1), "sig.key"},
		{"another algorithm", strings.Replace(query, "rsa-sha256", "rsa-sha512", 1), "sig.algorithm or sig.key"},
		{"SHA-1", strings.Replace(query, alg, "SigAlg="+url.QueryEscape(xmlsec.AlgRSASHA1), 1), "sig.algorithm"},
		{"the signature stripped", request + "&" + relayState, "sig.missing"},
		{"half of it stripped", request + "&" + relayState + "&" + alg, "binding.signature"},
		{"the other half stripped", request + "&" + relayState + "&" + signature, "binding.signature"},
		{"the signature emptied", request + "&" + relayState + "&" + alg + "&Signature=", "binding.signature"},
		{"the signature is not base64", request + "&" + alg + "&Signature=!", "binding.base64"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m, err := binding.Decode(get(tc.query), "")
			if err == nil {
				err = m.VerifyQuery([]crypto.PublicKey{keys()["ecdsa"].Public(), key})
			}
			got := identity.CodeOf(err)
			if tc.want == "" && err != nil || tc.want != "" && (got == "" || !strings.Contains(string(tc.want), string(got))) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// RelayState added to a signed message without one breaks the signature, even
// an empty one (SAML Bindings 3.4.4.1).
func TestRelayStateAdded(t *testing.T) {
	t.Parallel()
	query, key := signed(t, "SAMLRequest="+deflated(t, []byte(request))+"&SigAlg="+url.QueryEscape(xmlsec.AlgRSASHA256))
	for add, want := range map[string]identity.Code{"": "", "&RelayState=x": "sig.key", "&RelayState=": "sig.key", "&RelayState": "sig.key"} {
		m, err := binding.Decode(get(query+add), "")
		if err == nil {
			err = m.VerifyQuery([]crypto.PublicKey{key})
		}
		if got := identity.CodeOf(err); got != want {
			t.Errorf("with %q: got %v, want %q", add, err, want)
		}
	}
}

// Threat class "signature exclusion / fail open": no keys, no acceptance.
func TestVerifyQueryWithoutKeys(t *testing.T) {
	t.Parallel()
	query, _ := signed(t, "SAMLRequest="+deflated(t, []byte(request))+"&SigAlg="+url.QueryEscape(xmlsec.AlgRSASHA256))
	m, err := binding.Decode(get(query), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.VerifyQuery(nil); identity.CodeOf(err) != "sig.no_keys" {
		t.Errorf("got %v, want sig.no_keys", err)
	}
}

// What we sign has to verify elsewhere: openssl reads the RSA signature over
// the octets of our query.
func TestRedirectSignatureByOpenSSL(t *testing.T) {
	t.Parallel()
	tool := peer.Need(t, "openssl", "apt-get install openssl")
	key := keys()["rsa"]
	m, err := binding.Redirect("https://idp.example.test/sso", binding.ParamRequest, []byte(request), "relay", &key)
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(m.URL, "?")
	octets, sig, _ := strings.Cut(query, "&Signature=")
	sig, err = url.QueryUnescape(sig)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(sig)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string][]byte{"in": []byte(octets), "sig": raw, "crt": key.PEM()} {
		if err := os.WriteFile(path(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	public, err := exec.Command(tool, "x509", "-in", path("crt"), "-noout", "-pubkey").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("pub"), public, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "dgst", "-sha256", "-verify", path("pub"), "-signature", path("sig"), path("in")).CombinedOutput(); err != nil {
		t.Errorf("openssl: %v: %s", err, out)
	}
}
