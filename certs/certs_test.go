package certs_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
)

func now() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// made is one key of each sort, generated once, since RSA takes its time.
type made struct {
	key          certs.Key
	keyPEM, cert []byte
}

var generated = sync.OnceValue(func() map[string]made {
	all := map[string]made{}
	for name, cfg := range map[string]certs.GenerateConfig{
		"signing":    {Use: certs.Signing},
		"encryption": {Use: certs.Encryption},
		"ecdsa":      {Use: certs.Signing, Algorithm: certs.ECDSAP256},
		"p384":       {Use: certs.Signing, Algorithm: certs.ECDSAP384},
		"ed25519":    {Use: certs.Signing, Algorithm: certs.Ed25519},
	} {
		cfg.ID, cfg.CommonName, cfg.Now, cfg.Rand = name, "login.example.test", now, rand.Reader
		k, keyPEM, cert, err := certs.Generate(cfg)
		if err != nil {
			panic(err)
		}
		all[name] = made{k, keyPEM, cert}
	}
	return all
})

func TestGenerate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, algorithm string
		usage           x509.KeyUsage
	}{
		{"signing", "RSA 2048", x509.KeyUsageDigitalSignature},
		{"encryption", "RSA 2048", x509.KeyUsageKeyEncipherment},
		{"ecdsa", "ECDSA P-256", x509.KeyUsageDigitalSignature},
		{"p384", "ECDSA P-384", x509.KeyUsageDigitalSignature},
		{"ed25519", "Ed25519", x509.KeyUsageDigitalSignature},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			k := generated()[tc.name].key
			if got := k.Algorithm(); got != tc.algorithm {
				t.Errorf("Algorithm: got %q, want %q", got, tc.algorithm)
			}
			c := k.Certificate
			if got, want := c.NotAfter, now().Add(10*365*24*time.Hour); !got.Equal(want) {
				t.Errorf("NotAfter: got %v, want %v", got, want)
			}
			if c.NotBefore.After(now()) {
				t.Errorf("NotBefore: got %v, want not after %v", c.NotBefore, now())
			}
			if got := c.Subject.CommonName; got != "login.example.test" {
				t.Errorf("CommonName: got %q", got)
			}
			if got := c.SerialNumber.BitLen(); got != 127 {
				t.Errorf("serial number: got %d bits, want 127", got)
			}
			if c.KeyUsage != tc.usage {
				t.Errorf("KeyUsage: got %v, want %v", c.KeyUsage, tc.usage)
			}
			if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
				t.Errorf("not self-signed: %v", err)
			}
		})
	}
	if a, b := generated()["signing"].key, generated()["encryption"].key; a.Certificate.SerialNumber.Cmp(b.Certificate.SerialNumber) == 0 {
		t.Error("two certificates have one serial number")
	}
}

func TestGenerateCutsTheCommonName(t *testing.T) {
	t.Parallel()
	k, _, _, err := certs.Generate(certs.GenerateConfig{
		ID: "k", Use: certs.Signing, Algorithm: certs.ECDSAP256, CommonName: strings.Repeat("ä", 80), Now: now, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := k.Certificate.Subject.CommonName, strings.Repeat("ä", 64); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestGenerateRefuses(t *testing.T) {
	t.Parallel()
	good := certs.GenerateConfig{ID: "k", Use: certs.Signing, Algorithm: certs.ECDSAP256, CommonName: "x", Now: now, Rand: rand.Reader}
	for name, change := range map[string]func(*certs.GenerateConfig){
		"no clock":         func(c *certs.GenerateConfig) { c.Now = nil },
		"no randomness":    func(c *certs.GenerateConfig) { c.Rand = nil },
		"no use":           func(c *certs.GenerateConfig) { c.Use = 0 },
		"no name":          func(c *certs.GenerateConfig) { c.CommonName = "" },
		"EC to encrypt to": func(c *certs.GenerateConfig) { c.Use = certs.Encryption },
		"1024 bits":        func(c *certs.GenerateConfig) { c.Algorithm, c.Bits = certs.RSA, 1024 },
	} {
		cfg := good
		change(&cfg)
		if _, _, _, err := certs.Generate(cfg); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// openssl runs the tool that most operators make keys with.
func openssl(t testing.TB, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(peer.Need(t, "openssl", "apt-get install openssl"), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, &stderr)
	}
	return out
}

func TestLoadReadsWhatOpenSSLWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	openssl(t, "genrsa", "-traditional", "-out", path("pkcs1"), "2048")
	openssl(t, "pkcs8", "-topk8", "-nocrypt", "-in", path("pkcs1"), "-out", path("pkcs8"))
	openssl(t, "ecparam", "-name", "prime256v1", "-genkey", "-out", path("sec1")) // with EC PARAMETERS in front
	openssl(t, "genrsa", "-out", path("small"), "1024")
	openssl(t, "genpkey", "-algorithm", "ed25519", "-out", path("ed25519"))
	openssl(t, "genpkey", "-algorithm", "ed448", "-out", path("ed448"))
	openssl(t, "pkcs8", "-topk8", "-passout", "pass:secret", "-in", path("pkcs1"), "-out", path("encrypted"))
	cert := func(key string) []byte {
		return openssl(t, "req", "-x509", "-key", path(key), "-subj", "/CN=x", "-days", "1", "-passin", "pass:secret")
	}
	for _, tc := range []struct {
		key, cert string
		use       certs.Use
		want      string // in the error; empty: loads
	}{
		{"pkcs1", "pkcs1", certs.Signing, ""},
		{"pkcs8", "pkcs1", certs.Encryption, ""},
		{"sec1", "sec1", certs.Signing, ""},
		{"sec1", "sec1", certs.Encryption, "only RSA"},
		{"pkcs8", "sec1", certs.Signing, "another private key"},
		{"small", "small", certs.Signing, "1024 bits"},
		{"ed25519", "ed25519", certs.Signing, ""},
		{"ed25519", "ed25519", certs.Encryption, "only RSA"},
		{"ed448", "ed448", certs.Signing, "cannot be used"},
		{"encrypted", "encrypted", certs.Signing, "passphrase"},
	} {
		keyPEM, err := os.ReadFile(path(tc.key))
		if err != nil {
			t.Fatal(err)
		}
		k, err := certs.Load("k1", tc.use, certs.Active, keyPEM, cert(tc.cert))
		if tc.want == "" {
			if err != nil {
				t.Errorf("%s for %s: %v", tc.key, tc.use, err)
				continue
			}
			proveKey(t, k)
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) || identity.KindOf(err) != identity.KindInvalid {
			t.Errorf("%s with the certificate of %s for %s: got %v, want an invalid key with %q", tc.key, tc.cert, tc.use, err, tc.want)
		}
	}
}

// proveKey uses the private half against the certificate.
func proveKey(t testing.TB, k certs.Key) {
	t.Helper()
	digest := sha256.Sum256([]byte("x"))
	switch pub := k.Certificate.PublicKey.(type) {
	case ed25519.PublicKey:
		sig, err := k.Signer.Sign(rand.Reader, []byte("x"), crypto.Hash(0))
		if err != nil || !ed25519.Verify(pub, []byte("x"), sig) {
			t.Errorf("%v: the signature does not verify (%v)", k, err)
		}
	case *ecdsa.PublicKey:
		sig, err := k.Signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil || !ecdsa.VerifyASN1(pub, digest[:], sig) {
			t.Errorf("%v: the signature does not verify (%v)", k, err)
		}
	case *rsa.PublicKey:
		if k.Use == certs.Signing {
			sig, err := k.Signer.Sign(rand.Reader, digest[:], crypto.SHA256)
			if err != nil || rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig) != nil {
				t.Errorf("%v: the signature does not verify (%v)", k, err)
			}
			return
		}
		c, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, pub, []byte("secret"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Decrypter.Decrypt(rand.Reader, c, &rsa.OAEPOptions{Hash: crypto.SHA256}); string(got) != "secret" {
			t.Errorf("%v: decrypted %q (%v)", k, got, err)
		}
	}
}

func TestLoadRefusesDamage(t *testing.T) {
	t.Parallel()
	m := generated()["ecdsa"]
	broken := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})
	for name, tc := range map[string]struct{ key, cert []byte }{
		"empty key":           {nil, m.cert},
		"key is no PEM":       {[]byte("hello"), m.cert},
		"key is damaged":      {broken, m.cert},
		"certificate missing": {m.keyPEM, nil},
		"swapped":             {m.cert, m.keyPEM},
	} {
		_, err := certs.Load("k1", certs.Signing, certs.Active, tc.key, tc.cert)
		if got := identity.CodeOf(err); got != "key.invalid" {
			t.Errorf("%s: got %v, want code key.invalid", name, err)
		}
	}
}

func TestRing(t *testing.T) {
	t.Parallel()
	key := func(id string, from string, state certs.State) certs.Key {
		k := generated()[from].key
		k.ID, k.State = id, state
		return k
	}
	r, err := certs.NewRing([]certs.Key{
		key("old", "signing", certs.Retiring),
		key("gone", "signing", certs.Retired),
		key("next", "ecdsa", certs.Next),
		key("own", "signing", certs.Dedicated),
		key("ec", "ecdsa", certs.Active),
		key("sig", "signing", certs.Active),
		key("ed", "ed25519", certs.Active),
		key("enc-old", "encryption", certs.Retiring),
		key("enc", "encryption", certs.Active),
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := func(keys []certs.Key) []string {
		var out []string
		for _, k := range keys {
			out = append(out, k.ID)
		}
		return out
	}
	for _, tc := range []struct {
		what      string
		got, want []string
	}{
		{"Signing", []string{r.Signing().ID}, []string{"sig"}},
		{"ActiveSigning", ids(r.ActiveSigning()), []string{"sig", "ec", "ed"}},
		{"Published(Signing): active first, RSA ahead", ids(r.Published(certs.Signing)), []string{"sig", "ec", "ed", "next", "old"}},
		{"Published(Encryption)", ids(r.Published(certs.Encryption)), []string{"enc", "enc-old"}},
		{"Encryption", ids(r.Encryption()), []string{"enc", "enc-old"}},
		{"All", ids(r.All()), []string{"old", "gone", "next", "own", "ec", "sig", "ed", "enc-old", "enc"}},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.what, diff)
		}
	}
	for id, want := range map[string]bool{"own": true, "old": true, "next": true, "sig": true, "gone": false, "enc": false, "none": false} {
		if k, ok := r.Named(id); ok != want || ok && k.ID != id {
			t.Errorf("Named(%q): got %v, %t, want %t", id, k, ok, want)
		}
	}
	alone, err := certs.NewRing([]certs.Key{key("own", "signing", certs.Dedicated), key("ed", "ed25519", certs.Active), key("ec", "ecdsa", certs.Active)})
	if err != nil {
		t.Fatal(err)
	}
	if got := alone.Signing().ID; got != "ed" {
		t.Errorf("Signing of a ring without active RSA: got %q, want the first", got)
	}
	sig := key("sig", "signing", certs.Active)
	for name, keys := range map[string][]certs.Key{
		"no keys":                       nil,
		"no active signing key":         {key("n", "signing", certs.Next)},
		"two active keys of one kind":   {sig, key("b", "ecdsa", certs.Active), key("c", "ecdsa", certs.Active)},
		"only a dedicated key":          {key("own", "signing", certs.Dedicated)},
		"dedicated to encryption":       {sig, key("b", "encryption", certs.Dedicated)},
		"two active encryption keys":    {sig, key("b", "encryption", certs.Active), key("c", "encryption", certs.Active)},
		"no active encryption key":      {sig, key("b", "encryption", certs.Next)},
		"one id twice":                  {sig, key("sig", "encryption", certs.Active)},
		"the zero key":                  {sig, {}},
		"a signer for encryption":       {sig, {ID: "x", Use: certs.Encryption, State: certs.Active, Signer: sig.Signer, Certificate: sig.Certificate}},
		"another key's certificate":     {{ID: "x", Use: certs.Signing, State: certs.Active, Signer: sig.Signer, Certificate: generated()["ecdsa"].key.Certificate}},
		"a key without a certificate":   {{ID: "x", Use: certs.Signing, State: certs.Active, Signer: sig.Signer}},
		"a key below the least size":    {p224(t)},
		"only an active decryption key": {key("b", "encryption", certs.Active)},
	} {
		if _, err := certs.NewRing(keys); identity.KindOf(err) != identity.KindInvalid {
			t.Errorf("%s: got %v, want KindInvalid", name, err)
		}
	}
}

func p224(t testing.TB) certs.Key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certs.Key{ID: "x", Use: certs.Signing, State: certs.Active, Signer: k, Certificate: &x509.Certificate{PublicKey: &k.PublicKey}}
}

// A private exponent must not reach a log, whatever a caller does with the Key.
func TestKeyShowsNothing(t *testing.T) {
	t.Parallel()
	k := generated()["ecdsa"].key
	const want = `signing key "ecdsa" (ECDSA P-256, active)`
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k, "keys", []certs.Key{k})
	inJSON, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	secret := fmt.Sprint(k.Signer.(*ecdsa.PrivateKey).D) //nolint:staticcheck // reading it is the point
	for what, got := range map[string]string{
		"%v": fmt.Sprintf("%v", k), "%+v": fmt.Sprintf("%+v", k), "%#v": fmt.Sprintf("%#v", k), "%v of a slice": fmt.Sprintf("%v", []certs.Key{k}),
		"json": strings.ReplaceAll(string(inJSON), `\"`, `"`), "slog": strings.ReplaceAll(log.String(), `\"`, `"`),
	} {
		if !strings.Contains(got, want) || strings.Contains(got, secret) {
			t.Errorf("%s: got %s, want it to hold only %s", what, got, want)
		}
	}
}

func TestFingerprintsAreOpenSSLs(t *testing.T) {
	t.Parallel()
	m := generated()["signing"]
	path := filepath.Join(t.TempDir(), "sig.crt")
	if err := os.WriteFile(path, m.key.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	for digest, got := range map[string]string{"-sha256": m.key.Fingerprint256(), "-sha1": m.key.Fingerprint1()} {
		out := string(bytes.TrimSpace(openssl(t, "x509", "-in", path, "-noout", "-fingerprint", digest)))
		if _, want, _ := strings.Cut(out, "="); got != want {
			t.Errorf("%s: got %s, want %s", digest, got, want)
		}
	}
}

func TestNamesRoundTrip(t *testing.T) {
	t.Parallel()
	for _, u := range []certs.Use{certs.Signing, certs.Encryption} {
		if got, err := certs.ParseUse(u.String()); got != u || err != nil {
			t.Errorf("ParseUse(%q): got %v, %v", u, got, err)
		}
	}
	for _, s := range []certs.State{certs.Next, certs.Active, certs.Retiring, certs.Retired, certs.Dedicated} {
		if got, err := certs.ParseState(s.String()); got != s || err != nil {
			t.Errorf("ParseState(%q): got %v, %v", s, got, err)
		}
	}
	if _, err := certs.ParseUse("invalid"); err == nil {
		t.Error(`ParseUse("invalid"): got no error`)
	}
	if _, err := certs.ParseState("invalid"); err == nil {
		t.Error(`ParseState("invalid"): got no error`)
	}
}

func Example() {
	clock := func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }
	key, _, _, err := certs.Generate(certs.GenerateConfig{
		ID: "sig-2026", Use: certs.Signing, CommonName: "login.example.test", Now: clock, Rand: rand.Reader,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ring, err := certs.NewRing([]certs.Key{key})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ring.Signing())
	fmt.Println(ring.Signing().Certificate.NotAfter.Year())
	// Output:
	// signing key "sig-2026" (RSA 2048, active)
	// 2036
}
