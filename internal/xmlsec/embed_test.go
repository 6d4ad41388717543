package xmlsec_test

import (
	"crypto"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// A signed message within a signed message: both signatures verify, here and
// with xmlsec1, although the inner one is written without what is declared
// around it.
func TestEmbed(t *testing.T) {
	t.Parallel()
	key := signingKeys()["RSA"]
	w := xmlsec.NewWriter()
	w.Open("samlp:Response", "ID", "_inner")
	w.Element("saml:Issuer", "a & b")
	w.SignatureSlot()
	w.Close()
	inner, err := w.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := xmlsec.Parse(inner, xmlsec.ResponseLimits())
	if err != nil {
		t.Fatal(err)
	}
	w = xmlsec.NewWriter()
	w.Open("samlp:ArtifactResponse", "ID", "_outer")
	w.Element("saml:Issuer", "b")
	w.SignatureSlot()
	w.Embed(doc.Root())
	w.Close()
	whole, err := w.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(whole), "xmlns:samlp"); n != 1 {
		t.Errorf("samlp is declared %d times in %s", n, whole)
	}
	if doc, err = xmlsec.Parse(whole, xmlsec.ResponseLimits()); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*xmlsec.Element{doc.Root(), doc.Root().Child(xmlsec.NSProtocol, "Response")} {
		if _, err := doc.Verify(e, xmlsec.Trust{Keys: []crypto.PublicKey{key.Public()}}); err != nil {
			t.Errorf("%s: %v", e.Local, err)
		}
	}
	peer.VerifyXMLSec1(t, whole, key.PEM())
}

func TestEmbedRefuses(t *testing.T) {
	t.Parallel()
	doc, err := xmlsec.Parse([]byte(`<a xmlns="urn:a"/>`), xmlsec.RequestLimits())
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(*xmlsec.Writer){
		"as the root": func(w *xmlsec.Writer) { w.Embed(doc.Root()) },
		"nothing":     func(w *xmlsec.Writer) { w.Open("samlp:Response"); w.Embed(nil); w.Close() },
		"in a signed one that is not the root": func(w *xmlsec.Writer) {
			w.Open("samlp:Response", "ID", "_a")
			w.Open("saml:Assertion", "ID", "_b")
			w.SignatureSlot()
			w.Embed(doc.Root())
			w.Close()
			w.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := xmlsec.NewWriter()
			write(w)
			if got, err := w.Sign(signingKeys()["RSA"]); err == nil {
				t.Errorf("wrote %s", got)
			}
		})
	}
}
