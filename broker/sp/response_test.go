package sp_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker/brokertest"
	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/identity"
)

// TestConnector runs the suite of all connectors against each way of signing.
func TestConnector(t *testing.T) {
	t.Parallel()
	for _, sign := range []string{"assertion", "response", "both"} {
		t.Run("signs "+sign, func(t *testing.T) {
			t.Parallel()
			brokertest.Run(t, newUpstream(t, sign))
		})
	}
}

// try lets cfg's connector ask, and finish what build makes of the question.
func try(t testing.TB, cfg sp.Config, req identity.AuthnRequest, build func(question) string) (identity.Assertion, error) {
	t.Helper()
	c := connect(t, cfg)
	asked, state, err := c.Begin(t.Context(), req, "a-ticket")
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	return c.Finish(t.Context(), state, post(build(readQuestion(t, asked))))
}

// form is one way to answer: what is edited before signing, and how it is
// signed and encrypted.
type form struct {
	name    string
	sign    string // "assertion" if empty
	signer  string // "idp" if empty
	edits   []string
	encrypt *encryption
	cfg     func(*sp.Config)
	req     identity.AuthnRequest
	check   func(*testing.T, identity.Assertion)
	kind    identity.Kind // of the refusal
	code    identity.Code // of the refusal; empty: accepted
}

func (f form) run(t *testing.T) {
	k := testKeys(t)
	signer := k.idp
	if f.signer == "ecdsa" {
		signer = k.ecdsa
	}
	cfg := config(t, idpID, signer.signer.Public())
	if f.cfg != nil {
		f.cfg(&cfg)
	}
	sign := f.sign
	if sign == "" {
		sign = "assertion"
	}
	got, err := try(t, cfg, f.req, func(q question) string {
		return answer{asked: q, issuer: idpID, signer: signer, sign: sign, edits: f.edits, encrypt: f.encrypt}.build(t)
	})
	if f.code != "" {
		if identity.CodeOf(err) != f.code || identity.KindOf(err) != f.kind {
			t.Fatalf("got %v %v, want %v %s", identity.KindOf(err), err, f.kind, f.code)
		}
		if diff := cmp.Diff(identity.Assertion{}, got); diff != "" {
			t.Errorf("an assertion came with the refusal:\n%s", diff)
		}
		return
	}
	if err != nil {
		t.Fatalf("Finish: %v", err)
	}
	if f.check != nil {
		f.check(t, got)
		return
	}
	if diff := cmp.Diff(upstream{}.Says(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func runForms(t *testing.T, forms []form) {
	t.Helper()
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.run(t)
		})
	}
}

const classXML = `<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef>`

const bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

// confirmation is one SubjectConfirmation whose data has these attributes.
func confirmation(method, data string) string {
	return `<saml:SubjectConfirmation Method="` + method + `"><saml:SubjectConfirmationData ` + data + `/></saml:SubjectConfirmation>`
}

// TestLegitimateForms holds that nothing legitimate is refused (threats.md, fact
// 3).
func TestLegitimateForms(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	var groups strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&groups, "<saml:AttributeValue>cn=group-%04d,ou=groups,dc=partner,dc=example</saml:AttributeValue>", i)
	}
	gcm128 := gcm(k.spEncryption)
	gcm128.sessionKey, gcm128.content = "aes-128", "http://www.w3.org/2009/xmlenc11#aes128-gcm"
	cbc := gcm(k.spEncryption)
	cbc.content = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
	late := func(d time.Duration) func(*sp.Config) {
		return func(c *sp.Config) { c.Now = func() time.Time { return noon.Add(d) } }
	}
	good := confirmation(bearer, `NotOnOrAfter="{SOON}" Recipient="{ACS}" InResponseTo="{ID}"`)
	runForms(t, []form{
		{name: "a clock 170 s behind ours", cfg: late(5*time.Minute + 170*time.Second)},
		{name: "a clock 170 s ahead of ours", cfg: late(-170 * time.Second)},
		{name: "fractions of seconds and no zone", edits: []string{`"{SOON}"`, `"` + noon.Add(time.Minute).Format("2006-01-02T15:04:05.0000000") + `"`}},
		{
			name: "several SubjectConfirmations, one of them ours", edits: []string{
				confirmationXML, confirmation("urn:oasis:names:tc:SAML:2.0:cm:holder-of-key", "") +
					confirmation(bearer, `NotOnOrAfter="{SOON}" Recipient="https://elsewhere.example.test/acs" InResponseTo="{ID}"`) + good,
			},
		},
		{name: "an Address that is not ours to judge", edits: []string{`Recipient="{ACS}"`, `Recipient="{ACS}" Address="203.0.113.7"`}},
		{
			name: "no NameID", edits: []string{`<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" NameQualifier="{IDP}" SPNameQualifier="{SP}">ada.example</saml:NameID>`, ""},
			check: func(t *testing.T, a identity.Assertion) {
				if diff := cmp.Diff(identity.Principal{Issuer: idpID}, a.Principal); diff != "" {
					t.Errorf("principal (-want +got):\n%s", diff)
				}
			},
		},
		{
			name: "2,000 group values", edits: []string{"{ATTRIBUTES}", "", attributesXML, `<saml:AttributeStatement><saml:Attribute Name="memberOf">` + groups.String() + `</saml:Attribute></saml:AttributeStatement>`},
			check: func(t *testing.T, a identity.Assertion) {
				if got := len(a.Attributes["memberOf"]); got != 2000 {
					t.Errorf("got %d groups", got)
				}
			},
		},
		{name: "Response signed, assertion not", sign: "response"},
		{name: "Response signed, as required", sign: "response", cfg: func(c *sp.Config) { c.AllowUnsignedResponse = false }},
		{name: "both signed and a signed assertion required", sign: "both", cfg: func(c *sp.Config) { c.RequireSignedAssertion = true }},
		{name: "Advice", edits: []string{"</saml:Conditions>", `</saml:Conditions><saml:Advice><saml:AssertionIDRef>_other</saml:AssertionIDRef><x:hint xmlns:x="urn:x" x:strength="9">believe me</x:hint></saml:Advice>`}},
		{name: "foreign attributes", edits: []string{"<saml:SubjectConfirmationData ", `<saml:SubjectConfirmationData xmlns:x="urn:x" x:a="b" `, "<saml:Attribute ", `<saml:Attribute xmlns:x="urn:x" x:a="b" `}},
		{name: "ECDSA", signer: "ecdsa"},
		{name: "ECDSA on both", signer: "ecdsa", sign: "both"},
		{name: "one of several keys", cfg: func(c *sp.Config) {
			c.IDP.IDP.Signing = append(c.IDP.IDP.Signing[:0:0], k.other.signer.Public(), k.ecdsa.signer.Public(), k.idp.signer.Public())
		}},
		{name: "encrypted, AES-256-GCM and OAEP", encrypt: gcm(k.spEncryption)},
		{name: "encrypted, AES-128-GCM", encrypt: gcm128},
		{name: "encrypted, OAEP with SHA-256", encrypt: &encryption{to: k.spEncryption, oaepSHA256: true}},
		{name: "encrypted to the second of our keys", encrypt: gcm(k.spNext)},
		{name: "encrypted, signed within and without", encrypt: gcm(k.spEncryption), sign: "both"},
		{name: "encrypted in a signed Response", encrypt: gcm(k.spEncryption), sign: "response"},
		{name: "CBC in a signed Response where it is allowed", encrypt: cbc, sign: "response", cfg: func(c *sp.Config) { c.AllowCBC = true }, check: func(t *testing.T, got identity.Assertion) {
			want := upstream{}.Says()
			want.Remarks = []identity.Remark{{Code: "up.weak_algorithm", Detail: "the assertion is encrypted with " + cbc.content}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}},
		{name: "several AudienceRestrictions that all name us", edits: []string{"</saml:Conditions>", "<saml:AudienceRestriction><saml:Audience>https://elsewhere.example.test</saml:Audience><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"}},
		{name: "blanks around the Audience", edits: []string{"<saml:Audience>{SP}<", "<saml:Audience>\n {SP} \n<"}},
		{name: "OneTimeUse", edits: []string{"</saml:Conditions>", "<saml:OneTimeUse/></saml:Conditions>"}},
		{name: "Conditions without times", edits: []string{` NotBefore="{NOW}" NotOnOrAfter="{SOON}">`, ">"}},
		{name: "an unsigned Response without Issuer and Destination", edits: []string{"<saml:Issuer>{IDP}</saml:Issuer>{RESPONSE-SIGNATURE}", "", ` Destination="{ACS}"`, ""}},
		{name: "Issuer with the format entity", edits: []string{"<saml:Issuer>", `<saml:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity">`}},
		{name: "comments between elements", edits: []string{"<saml:AuthnContext>", "<!-- by the book --><saml:AuthnContext>"}},
		{name: "an authentication after ForceAuthn", req: identity.AuthnRequest{ForceAuthn: true}},
		{name: "ProxyRestriction that leaves us a step", edits: []string{"</saml:Conditions>", `<saml:ProxyRestriction Count=" +2 "><saml:Audience>urn:a</saml:Audience><saml:Audience>urn:b</saml:Audience></saml:ProxyRestriction></saml:Conditions>`}, check: func(t *testing.T, a identity.Assertion) {
			two := 2
			if diff := cmp.Diff(identity.ProxyRestriction{Count: &two, Audiences: []identity.EntityID{"urn:a", "urn:b"}}, a.Proxy); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}},
		{name: "ProxyRestriction that is beyond counting", edits: []string{"</saml:Conditions>", `<saml:ProxyRestriction Count="99999999999999999999"/></saml:Conditions>`}, check: func(t *testing.T, a identity.Assertion) {
			if a.Proxy.Count == nil || *a.Proxy.Count != 1<<31-1 {
				t.Errorf("got %v", a.Proxy.Count)
			}
		}},
		{name: "an old authentication where nothing was forced", edits: []string{`AuthnInstant="{NOW}"`, `AuthnInstant="` + stamp(-9*time.Hour) + `"`}, check: func(*testing.T, identity.Assertion) {}},
		{
			name: "no AuthnContextClassRef", edits: []string{classXML, ""},
			check: func(t *testing.T, a identity.Assertion) {
				if a.Context.Class != "" {
					t.Errorf("class %q, want none", a.Context.Class)
				}
			},
		},
		{name: "the context that was asked for", req: identity.AuthnRequest{Context: identity.RequestedContext{Classes: []identity.ClassRef{identity.ClassPasswordProtectedTransport}}}},
	})
}

// TestAttributeForms holds which values count.
func TestAttributeForms(t *testing.T) {
	t.Parallel()
	const xsi = `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xs="http://www.w3.org/2001/XMLSchema"`
	tests := []struct {
		name, xml string
		want      identity.Attributes
	}{
		{"none at all", "", identity.Attributes{}},
		{"a bare name", `<saml:Attribute Name="mail"><saml:AttributeValue>a</saml:AttributeValue></saml:Attribute>`, identity.Attributes{"mail": {"a"}}},
		{"any NameFormat", `<saml:Attribute Name="mail" NameFormat="urn:example:whatever"><saml:AttributeValue>a</saml:AttributeValue></saml:Attribute>`, identity.Attributes{"mail": {"a"}}},
		{"FriendlyName is no name", `<saml:Attribute Name="urn:x" FriendlyName="mail"><saml:AttributeValue>a</saml:AttributeValue></saml:Attribute>`, identity.Attributes{"urn:x": {"a"}}},
		{"xsi:type", `<saml:Attribute Name="n"><saml:AttributeValue ` + xsi + ` xsi:type="xs:string">a</saml:AttributeValue></saml:Attribute>`, identity.Attributes{"n": {"a"}}},
		{"nil", `<saml:Attribute Name="n"><saml:AttributeValue ` + xsi + ` xsi:nil="true"/><saml:AttributeValue>b</saml:AttributeValue></saml:Attribute>`, identity.Attributes{"n": {"b"}}},
		{"empty", `<saml:Attribute Name="n"><saml:AttributeValue/></saml:Attribute>`, identity.Attributes{"n": {""}}},
		{"no values", `<saml:Attribute Name="n"/>`, identity.Attributes{}},
		{"child elements are skipped", `<saml:Attribute Name="n"><saml:AttributeValue><saml:NameID>x</saml:NameID></saml:AttributeValue><saml:AttributeValue>b</saml:AttributeValue></saml:Attribute>`, identity.Attributes{"n": {"b"}}},
		{"twice", `<saml:Attribute Name="n"><saml:AttributeValue>a</saml:AttributeValue></saml:Attribute><saml:Attribute Name="n"><saml:AttributeValue>b</saml:AttributeValue></saml:Attribute>`, identity.Attributes{"n": {"a", "b"}}},
		{"several statements", `<saml:Attribute Name="n"><saml:AttributeValue>a</saml:AttributeValue></saml:Attribute></saml:AttributeStatement><saml:AttributeStatement><saml:Attribute Name="m"><saml:AttributeValue>b</saml:AttributeValue></saml:Attribute>`, identity.Attributes{"n": {"a"}, "m": {"b"}}},
		{"markup in text", `<saml:Attribute Name="n"><saml:AttributeValue>a &lt;b&gt; &amp; "c"</saml:AttributeValue></saml:Attribute>`, identity.Attributes{"n": {`a <b> & "c"`}}},
		{"blanks are kept", `<saml:Attribute Name="n"><saml:AttributeValue> a </saml:AttributeValue></saml:Attribute>`, identity.Attributes{"n": {" a "}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			statement := ""
			if tt.xml != "" {
				statement = "<saml:AttributeStatement>" + tt.xml + "</saml:AttributeStatement>"
			}
			form{edits: []string{attributesXML, statement}, check: func(t *testing.T, a identity.Assertion) {
				if diff := cmp.Diff(tt.want, a.Attributes); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}}.run(t)
		})
	}
}

// TestResponseByRedirect holds that the binding that the profile forbids for
// Responses is refused.
func TestResponseByRedirect(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, "assertion")
	c := u.Open(t)
	asked, state, err := c.Begin(t.Context(), identity.AuthnRequest{}, "a-ticket")
	if err != nil {
		t.Fatal(err)
	}
	response := answer{asked: readQuestion(t, asked), issuer: idpID, signer: u.signer, sign: "assertion"}.build(t)
	msg, err := binding.Redirect(ourACS, binding.ParamResponse, []byte(response), "a-ticket", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Finish(t.Context(), state, binding.Received{Method: "GET", RawQuery: strings.SplitN(msg.URL, "?", 2)[1]})
	if identity.CodeOf(err) != "up.binding" {
		t.Errorf("got %v, want up.binding", err)
	}
}

// TestReplayAcrossRestart holds that a consumed assertion stays consumed when
// the process ends and another opens the same database.
func TestReplayAcrossRestart(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, "both")
	path := filepath.Join(t.TempDir(), "samlet.db")
	cfg := config(t, idpID, u.signer.signer.Public())
	cfg.Store = openStore(t, path)
	before := connect(t, cfg)
	asked, state, err := before.Begin(t.Context(), identity.AuthnRequest{}, "a-ticket")
	if err != nil {
		t.Fatal(err)
	}
	in, _ := u.Answer(t, brokertest.Good, asked)
	if _, err := before.Finish(t.Context(), state, in); err != nil {
		t.Fatalf("the first time: %v", err)
	}
	if err := cfg.Store.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Store = openStore(t, path)
	for _, after := range []time.Duration{0, 5*time.Minute + sp.DefaultSkew - time.Second} {
		cfg.Now = func() time.Time { return noon.Add(after) }
		if _, err := cfg.Store.Sweep(t.Context(), cfg.Now()); err != nil {
			t.Fatal(err)
		}
		_, err = connect(t, cfg).Finish(t.Context(), state, in)
		if identity.KindOf(err) != identity.KindReplayed || identity.CodeOf(err) != "up.replay" {
			t.Errorf("%v later: got %v, want up.replay", after, err)
		}
	}
}
