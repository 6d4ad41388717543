package xmlsec_test

import (
	"bytes"
	"crypto"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// FuzzParse holds what is accepted against etree: both see the same names,
// attributes and text (parser differential, Go XML round trip). The document
// survives being written and read again.
func FuzzParse(f *testing.F) {
	for _, kind := range []string{"accept", "reject"} {
		for _, fix := range fixtures(f, kind) {
			if len(fix.raw) < 16<<10 {
				f.Add(fix.raw)
			}
		}
	}
	f.Add([]byte(typicalRequest))
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := xmlsec.Parse(raw, xmlsec.ResponseLimits())
		if err != nil {
			if identity.KindOf(err) != identity.KindInvalid {
				t.Fatal(err)
			}
			return
		}
		if diff := cmp.Diff(etreeOutline(t, raw), textOutline(doc.Root())); diff != "" {
			t.Errorf("etree and we see different documents (-etree +ours)\n%s", diff)
		}
		once := doc.Root().Raw()
		again, err := xmlsec.Parse(once, xmlsec.MetadataLimits())
		if err != nil {
			t.Fatalf("%v\n%s", err, once)
		}
		if twice := again.Root().Raw(); !bytes.Equal(once, twice) {
			t.Errorf("written first as\n%s\nand then as\n%s", once, twice)
		}
	})
}

// signedElements calls yield with e and everything in it that has a Signature.
func signedElements(e *xmlsec.Element, yield func(*xmlsec.Element)) {
	if e.Child(xmlsec.NSDSig, "Signature") != nil {
		yield(e)
	}
	for _, c := range e.Elements() {
		signedElements(c, yield)
	}
}

// mutation says how to change a signed document: copy or move what stands
// between two tags to a third, put something in there, change one octet.
type mutation struct {
	from, to, at uint16 // counts of '<'
	move         bool
	insert       string
	octet        uint16
	flip         byte
}

func (m mutation) apply(raw []byte) []byte {
	var tags []int
	for i, b := range raw {
		if b == '<' {
			tags = append(tags, i)
		}
	}
	from, to, at := tags[int(m.from)%len(tags)], tags[int(m.to)%len(tags)], tags[int(m.at)%len(tags)]
	if from > to {
		from, to = to, from
	}
	piece, rest := raw[from:to], raw
	if m.move {
		rest = slices.Concat(raw[:from], raw[to:])
		at = min(at, len(rest))
	}
	out := slices.Concat(rest[:at], []byte(m.insert), piece, rest[at:])
	out[int(m.octet)%len(out)] ^= m.flip
	return out
}

// FuzzVerify demands that a mutant of a signed document is refused or yields the
// very content of an original (XSW and all its relatives).
func FuzzVerify(f *testing.F) {
	trust := xmlsec.Trust{Keys: []crypto.PublicKey{testCertificate(f, "rsa").PublicKey, testCertificate(f, "p256").PublicKey}}
	var seeds [][]byte
	originals := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(fixtures(f, "accept"))) {
		fix := acceptedFixture(f, name)
		if len(fix.raw) < 16<<10 && !strings.Contains(fix.lines["do"], "decrypt") {
			seeds = append(seeds, fix.raw)
			for _, content := range verified(f, fix.raw, trust) {
				originals[content] = true
			}
		}
	}
	for i := range seeds {
		f.Add(uint8(i), uint16(0), uint16(0), uint16(0), false, "", uint16(0), byte(0))
		f.Add(uint8(i), uint16(4), uint16(20), uint16(20), true, "", uint16(100), byte(1))
		f.Add(uint8(i), uint16(1), uint16(40), uint16(2), false, `<saml:NameID>admin</saml:NameID>`, uint16(0), byte(0))
		f.Add(uint8(i), uint16(0), uint16(0), uint16(60), false, `<!---->`, uint16(0), byte(0))
	}
	f.Fuzz(func(t *testing.T, seed uint8, from, to, at uint16, move bool, insert string, octet uint16, flip byte) {
		m := mutation{from: from, to: to, at: at, move: move, insert: insert, octet: octet, flip: flip}
		for _, content := range verified(t, m.apply(seeds[int(seed)%len(seeds)]), trust) {
			if !originals[content] {
				t.Errorf("nobody signed this:\n%s", content)
			}
		}
	})
}

// verified returns all that anybody could read of raw as signed.
func verified(t testing.TB, raw []byte, trust xmlsec.Trust) []string {
	t.Helper()
	doc, err := xmlsec.Parse(raw, xmlsec.ResponseLimits())
	if err != nil {
		return nil
	}
	var found []string
	signedElements(doc.Root(), func(e *xmlsec.Element) {
		signed, err := doc.Verify(e, trust)
		switch {
		case err == nil:
			found = append(found, string(signed.Raw()))
		case identity.KindOf(err) != identity.KindInvalid:
			t.Error(err)
		}
	})
	return found
}

// FuzzDecrypt demands one error for everything but an Assertion.
func FuzzDecrypt(f *testing.F) {
	for _, kind := range []string{"accept", "reject"} {
		for _, fix := range fixtures(f, kind) {
			if len(fix.raw) < 16<<10 && strings.Contains(fix.lines["do"], "decrypt") {
				f.Add(fix.raw, fix.lines["allow"] == "cbc")
			}
		}
	}
	keys := []crypto.Decrypter{decrypter(f, "encryption")}
	f.Fuzz(func(t *testing.T, raw []byte, cbc bool) {
		doc, err := xmlsec.Parse(raw, xmlsec.ResponseLimits())
		if err != nil {
			return
		}
		enc := doc.Root().Child(xmlsec.NSAssertion, "EncryptedAssertion")
		opened, err := xmlsec.Decrypt(enc, keys, xmlsec.DecryptPolicy{AllowCBC: cbc}, xmlsec.ResponseLimits())
		switch {
		case err != nil && (identity.CodeOf(err) != "xml.decrypt" || strings.Contains(err.Error(), "xml.panic")):
			t.Error(err)
		case err == nil && !opened.Root().Is(xmlsec.NSAssertion, "Assertion"):
			t.Errorf("opened a %s", opened.Root().Local)
		}
	})
}
