package main

import (
	"cmp"
	"compress/flate"
	"crypto"
	"encoding/base64"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml/xmlenc"
	gocmp "github.com/google/go-cmp/cmp"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
)

const weakConnection = `  - id: fed
    type: saml
    metadata: {inline: {entity_id: "https://idp.example.test", sso: ["https://idp.example.test/sso"], certificates: ["file:IDP.crt"]}}
    require: {weak_algorithms: [WEAK]}
`

// TestWeakAlgorithms holds that require.weak_algorithms lets one connection, and
// for each algorithm by its own name, do what is refused else, and that a
// warning says so at every start.
func TestWeakAlgorithms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		weak      string
		sha1, cbc identity.Code // of the refusals; empty: accepted
		warnings  []string
	}{
		{"", "up.signature", "up.encrypted", nil},
		{"sha1", "", "up.encrypted", []string{"sha1 is accepted of fed"}},
		{"aes-cbc", "up.signature", "", []string{"aes-cbc is accepted of fed"}},
		{"sha1, aes-cbc", "", "", []string{"sha1 is accepted of fed", "aes-cbc is accepted of fed"}},
	} {
		t.Run("allowed: "+c.weak, func(t *testing.T) {
			t.Parallel()
			var log logBuffer
			s, idp := weakWorld(t, c.weak, &log)
			if got := strings.Count(log.String(), "weak_algorithms"); got != len(c.warnings) {
				t.Errorf("%d warnings, want %d:\n%s", got, len(c.warnings), log.String())
			}
			for _, w := range c.warnings {
				if !strings.Contains(log.String(), w) {
					t.Errorf("no warning %q:\n%s", w, log.String())
				}
			}
			connector := s.house.connectors["fed"]
			for name, answer := range map[string]struct {
				how  weakAnswer
				want identity.Code
			}{
				"RSA-SHA256":         {weakAnswer{}, ""},
				"SHA-1":              {weakAnswer{sha1: true}, c.sha1},
				"AES-CBC":            {weakAnswer{cbc: true}, c.cbc},
				"AES-CBC with SHA-1": {weakAnswer{sha1: true, cbc: true}, cmp.Or(c.sha1, c.cbc)},
			} {
				remarks, err := answer.how.finish(t, connector, idp, s.current().Keys.Encryption()[0])
				if got := codeOf(err); got != answer.want {
					t.Errorf("%s: got %v, want code %q", name, err, answer.want)
				}
				var want []identity.Code // a remark for each use
				if answer.how.sha1 && err == nil {
					want = append(want, "up.weak_algorithm")
				}
				if answer.how.cbc && err == nil {
					want = append(want, "up.weak_algorithm")
				}
				var got []identity.Code
				for _, r := range remarks {
					got = append(got, r.Code)
				}
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("%s: remarks (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// codeOf is the code of a refusal, or empty for none.
func codeOf(err error) identity.Code {
	if err == nil {
		return ""
	}
	return identity.CodeOf(err)
}

// weakWorld is a samlet with the connection fed, and the key of that upstream.
func weakWorld(t *testing.T, weak string, log io.Writer) (*server, certs.Key) {
	t.Helper()
	path, err := initialise(t.Context(), filepath.Join(t.TempDir(), "samlet"), "http://127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	if err := makeKey(filepath.Dir(path), certs.Signing, "idp", "idp.example.test"); err != nil {
		t.Fatal(err)
	}
	idp := filepath.Join("certs", "idp")
	const local = "  - {id: local, type: local, name: Password}\n"
	added := strings.NewReplacer("WEAK", weak, "IDP", idp).Replace(weakConnection)
	if err := replaceFile(path, []byte(strings.Replace(readAll(t, path), local, local+added, 1))); err != nil {
		t.Fatal(err)
	}
	var files [2][]byte
	for i, end := range []string{".key", ".crt"} {
		if files[i], err = os.ReadFile(filepath.Join(filepath.Dir(path), idp+end)); err != nil {
			t.Fatal(err)
		}
	}
	key, err := certs.Load("idp", certs.Signing, certs.Active, files[0], files[1])
	if err != nil {
		t.Fatal(err)
	}
	return openAt(t, path, log), key
}

// weakAnswer is a signed Response of the upstream, made by other software.
type weakAnswer struct {
	sha1, cbc, unsolicited bool
	edits                  []string // old, new, … before it is signed
}

// finish lets connector ask, and take the answer, and returns its remarks.
func (a weakAnswer) finish(t *testing.T, connector *sp.Connector, idp, to certs.Key) ([]identity.Remark, error) {
	t.Helper()
	asked, state, err := connector.Begin(t.Context(), identity.AuthnRequest{}, "a-ticket")
	if err != nil {
		t.Fatal(err)
	}
	got, err := connector.Finish(t.Context(), state, binding.Received{
		Method: "POST", Path: pathACS + "fed",
		Form: url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(a.response(t, readRequest(t, asked.URL), idp, to))}, "RelayState": {"a-ticket"}},
	})
	return got.Remarks, err
}

// readRequest returns the AuthnRequest in a URL.
func readRequest(t *testing.T, address string) *etree.Element {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	doc := etree.NewDocument()
	raw := flate.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(u.Query().Get("SAMLRequest"))))
	if _, err := doc.ReadFrom(raw); err != nil {
		t.Fatal(err)
	}
	return doc.Root()
}

func (a weakAnswer) response(t *testing.T, asked *etree.Element, idp, to certs.Key) []byte {
	t.Helper()
	id, acs := asked.SelectAttrValue("ID", ""), asked.SelectAttrValue("AssertionConsumerServiceURL", "")
	fill := strings.NewReplacer(
		"{ID}", id, "{ACS}", acs, "{SP}", asked.SelectElement("Issuer").Text(), "{UNIQUE}", strings.TrimPrefix(id, "_"),
		"{NOW}", time.Now().UTC().Format(time.RFC3339), "{SOON}", time.Now().Add(time.Minute).UTC().Format(time.RFC3339),
	)
	edit := strings.NewReplacer(a.edits...)
	assertion := fill.Replace(edit.Replace(`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a{UNIQUE}" Version="2.0" IssueInstant="{NOW}"><saml:Issuer>https://idp.example.test</saml:Issuer><saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ada</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{SOON}" Recipient="{ACS}" InResponseTo="{ID}"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions><saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{NOW}"><saml:AuthnContext/></saml:AuthnStatement></saml:Assertion>`))
	doc := etree.NewDocument()
	message := fill.Replace(edit.Replace(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r{UNIQUE}" Version="2.0" IssueInstant="{NOW}" Destination="{ACS}" InResponseTo="{ID}"><saml:Issuer>https://idp.example.test</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>`) + assertion + `</samlp:Response>`)
	if a.unsolicited {
		message = strings.ReplaceAll(message, ` InResponseTo="`+id+`"`, "")
	}
	if err := doc.ReadFromString(message); err != nil {
		t.Fatal(err)
	}
	root := doc.Root()
	if a.cbc {
		oaep := xmlenc.OAEP()
		oaep.BlockCipher, oaep.DigestMethod = xmlenc.AES256CBC, &xmlenc.SHA1
		data, err := oaep.Encrypt(to.Certificate, []byte(assertion), nil)
		if err != nil {
			t.Fatal(err)
		}
		data.CreateAttr("Type", "http://www.w3.org/2001/04/xmlenc#Element")
		root.RemoveChild(root.SelectElement("Assertion"))
		root.CreateElement("saml:EncryptedAssertion").AddChild(data)
	}
	ctx, err := dsig.NewSigningContext(idp.Signer, [][]byte{idp.Certificate.Raw})
	if err != nil {
		t.Fatal(err)
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if a.sha1 {
		ctx.Hash = crypto.SHA1
	}
	signature, err := ctx.ConstructSignature(root, true)
	if err != nil {
		t.Fatal(err)
	}
	root.InsertChildAt(root.SelectElement("Issuer").Index()+1, signature)
	out, err := doc.WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
