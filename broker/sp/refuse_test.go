package sp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// TestRefusals holds each check that brokertest does not know, because only
// SAML has it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	stranger, cbc, pkcs1 := gcm(k.other), gcm(k.spEncryption), gcm(k.spEncryption)
	cbc.content = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
	pkcs1.transport = `<xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-1_5"/>`
	allowCBC := func(c *sp.Config) { c.AllowCBC = true }
	later := func(d time.Duration) func(*sp.Config) {
		return func(c *sp.Config) { c.Now = func() time.Time { return noon.Add(d) } }
	}
	const confirmed = `NotOnOrAfter="{SOON}" Recipient="{ACS}" InResponseTo="{ID}"`
	condition := func(xml string) []string { return []string{"</saml:Conditions>", xml + "</saml:Conditions>"} }
	confirmations := func(xml string) []string { return []string{"{CONFIRMATION}", "", confirmationXML, xml} }
	invalid, expired := identity.KindInvalid, identity.KindExpired
	runForms(t, []form{
		{name: "Response signed, but a signed assertion required", sign: "response", cfg: func(c *sp.Config) { c.RequireSignedAssertion = true }, kind: invalid, code: "up.unsigned"},
		{name: "assertion signed, but a signed Response required", cfg: func(c *sp.Config) { c.AllowUnsignedResponse = false }, kind: invalid, code: "up.unsigned"},
		{name: "encrypted to a key that is not ours", encrypt: stranger, kind: invalid, code: "up.encrypted"},
		{name: "encrypted with CBC", encrypt: cbc, sign: "both", kind: invalid, code: "up.encrypted"},
		{name: "encrypted with CBC outside a signed Response (padding oracle)", encrypt: cbc, cfg: allowCBC, kind: invalid, code: "up.encrypted"},
		{name: "key transport by RSA 1.5", encrypt: pkcs1, sign: "both", cfg: allowCBC, kind: invalid, code: "up.encrypted"},
		{name: "an EncryptedID", edits: []string{"<saml:NameID", "<saml:EncryptedID/><saml:NameID"}, kind: invalid, code: "up.encrypted"},

		{name: "signed Response without Destination", sign: "response", edits: []string{` Destination="{ACS}"`, ""}, kind: invalid, code: "up.destination"},
		{name: "signed Response without Issuer", sign: "response", edits: []string{"<saml:Issuer>{IDP}</saml:Issuer>{RESPONSE-SIGNATURE}", "{RESPONSE-SIGNATURE}"}, kind: invalid, code: "up.missing_issuer"},
		{name: "unsigned Response with another Issuer", edits: []string{"<saml:Issuer>{IDP}</saml:Issuer>{RESPONSE-SIGNATURE}", "<saml:Issuer>" + otherID + "</saml:Issuer>"}, kind: invalid, code: "up.issuer"},
		{name: "Issuer of another format", edits: []string{"<saml:Issuer>{IDP}", `<saml:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{IDP}`}, kind: invalid, code: "up.issuer"},
		{name: "Issuer with blanks around it", edits: []string{"<saml:Issuer>{IDP}", "<saml:Issuer> {IDP}"}, kind: invalid, code: "up.issuer"},
		{name: "Response of another version", edits: []string{`ID="_response" Version="2.0"`, `ID="_response" Version="1.1"`}, kind: invalid, code: "up.format"},
		{name: "Assertion of another version", edits: []string{`ID="{ASSERTION-ID}" Version="2.0"`, `ID="{ASSERTION-ID}" Version="1.1"`}, kind: invalid, code: "up.format"},
		{name: "no assertion", sign: "response", edits: []string{"{ASSERTION}", ""}, kind: invalid, code: "up.missing_assertion"},
		{name: "an assertion elsewhere", sign: "response", edits: []string{"{ASSERTION}", "<samlp:Extensions>{ASSERTION}</samlp:Extensions>"}, kind: invalid, code: "up.missing_assertion"},
		{name: "InResponseTo on the Response alone", edits: []string{` Recipient="{ACS}" InResponseTo="{ID}"`, ` Recipient="{ACS}"`}, kind: invalid, code: "up.unsolicited"},
		{name: "another InResponseTo on the confirmation", edits: []string{`Recipient="{ACS}" InResponseTo="{ID}"`, `Recipient="{ACS}" InResponseTo="_other"`}, kind: invalid, code: "up.in_response_to"},

		{name: "no SubjectConfirmation", edits: confirmations(""), kind: invalid, code: "up.confirmation"},
		{name: "another confirmation method alone", edits: confirmations(confirmation("urn:oasis:names:tc:SAML:2.0:cm:sender-vouches", confirmed)), kind: invalid, code: "up.confirmation"},
		{name: "bearer with NotBefore", edits: confirmations(confirmation(bearer, `NotBefore="{NOW}" `+confirmed)), kind: invalid, code: "up.confirmation"},
		{name: "bearer without NotOnOrAfter", edits: confirmations(confirmation(bearer, `Recipient="{ACS}" InResponseTo="{ID}"`)), kind: invalid, code: "up.confirmation"},
		{name: "bearer without data", edits: confirmations(`<saml:SubjectConfirmation Method="` + bearer + `"/>`), kind: invalid, code: "up.confirmation"},
		{name: "bearer without Recipient", edits: confirmations(confirmation(bearer, `NotOnOrAfter="{SOON}" InResponseTo="{ID}"`)), kind: invalid, code: "up.recipient"},
		{name: "halves of a valid confirmation", edits: confirmations(
			confirmation(bearer, `NotOnOrAfter="{SOON}" Recipient="{ACS}" InResponseTo="_other"`) +
				confirmation(bearer, `NotOnOrAfter="{SOON}" Recipient="https://evil.example.test" InResponseTo="{ID}"`)), kind: invalid, code: "up.in_response_to"},
		{name: "confirmation over, conditions not", edits: confirmations(confirmation(bearer, `NotOnOrAfter="`+stamp(-time.Hour)+`" Recipient="{ACS}" InResponseTo="{ID}"`)), kind: expired, code: "up.clock"},

		{name: "no AudienceRestriction", edits: []string{"<saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction>", ""}, kind: invalid, code: "up.audience"},
		{name: "a second AudienceRestriction without us", edits: condition("<saml:AudienceRestriction><saml:Audience>https://elsewhere.example.test</saml:Audience></saml:AudienceRestriction>"), kind: invalid, code: "up.audience"},
		{name: "an empty AudienceRestriction", edits: condition("<saml:AudienceRestriction/>"), kind: invalid, code: "up.audience"},
		{name: "unknown Condition", edits: condition(`<saml:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="urn:x" xsi:type="x:Moonlight"/>`), kind: invalid, code: "up.condition"},
		{name: "ProxyRestriction that leaves us no step", edits: condition(`<saml:ProxyRestriction Count="0"/>`), kind: identity.KindDenied, code: "up.proxy_restriction"},
		{name: "ProxyRestriction with no number", edits: condition(`<saml:ProxyRestriction Count="few"/>`), kind: invalid, code: "up.format"},
		{name: "ProxyRestriction below 0", edits: condition(`<saml:ProxyRestriction Count="-1"/>`), kind: invalid, code: "up.format"},
		{name: "expired to the second", cfg: later(5*time.Minute + sp.DefaultSkew), kind: expired, code: "up.clock"},
		{name: "a session that is over", edits: []string{"{EVENING}", stamp(-sp.DefaultSkew)}, kind: expired, code: "up.clock"},
		{name: "a time that is none", edits: []string{"{EVENING}", "tomorrow"}, kind: invalid, code: "up.format"},

		{name: "no AuthnStatement", edits: []string{"saml:AuthnStatement", "saml:AuthnNote"}, kind: invalid, code: "up.format"},
		{name: "no AuthnInstant", edits: []string{`AuthnInstant="{NOW}" `, ""}, kind: invalid, code: "up.format"},
		{name: "authenticated in the future", edits: []string{`AuthnInstant="{NOW}"`, `AuthnInstant="` + stamp(time.Hour) + `"`}, kind: invalid, code: "up.clock"},
		{
			name: "not authenticated afresh after ForceAuthn", edits: []string{`AuthnInstant="{NOW}"`, `AuthnInstant="` + stamp(-sp.DefaultSkew-time.Second) + `"`},
			req: identity.AuthnRequest{ForceAuthn: true}, kind: expired, code: "up.stale",
		},
		{name: "an Attribute without Name", edits: []string{`<saml:Attribute Name="urn:oid:0.9.2342.19200300.100.1.3">`, "<saml:Attribute>"}, kind: invalid, code: "up.format"},
		{name: "a NameID with a child", edits: []string{"ada.example", "ada.<b/>example"}, kind: invalid, code: "up.format"},
		{name: "an entity in the NameID", edits: []string{"ada.example", "ada.&evil;"}, kind: invalid, code: "up.format", sign: "nothing"},
		{name: "a CDATA section in the NameID", edits: []string{"ada.example", "ada<![CDATA[.]]>example"}, kind: invalid, code: "up.format", sign: "nothing"},
		{name: "a document type", edits: []string{"<samlp:Response ", "<!DOCTYPE x><samlp:Response "}, kind: invalid, code: "up.format", sign: "nothing"},
		{name: "no Response", edits: []string{"samlp:Response", "samlp:ArtifactResponse"}, kind: invalid, code: "up.format", sign: "nothing"},
	})
}

// TestResponseLevelTampering holds that where only the Assertion is signed the
// Response around it is checked all the same.
func TestResponseLevelTampering(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, "assertion")
	tests := []struct {
		name, from, to string
		code           identity.Code
	}{
		{"Status", "status:Success", "status:Requester", "up.status"},
		{"Destination", `Destination="` + ourACS, `Destination="https://evil.example.test`, "up.destination"},
		{"Issuer", "<saml:Issuer>" + idpID + "</saml:Issuer><samlp:Status>", "<saml:Issuer>" + otherID + "</saml:Issuer><samlp:Status>", "up.issuer"},
		{"InResponseTo", `" InResponseTo="`, `" InResponseTo="_x`, "up.in_response_to"},
		{"InResponseTo taken away", `" InResponseTo="`, `" Consent="`, "up.unsolicited"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := try(t, config(t, idpID, u.signer.signer.Public()), identity.AuthnRequest{}, func(q question) string {
				doc := answer{asked: q, issuer: idpID, signer: u.signer, sign: "assertion"}.build(t)
				return strings.Replace(doc, tt.from, tt.to, 1)
			})
			if identity.CodeOf(err) != tt.code {
				t.Errorf("got %v, want %s", err, tt.code)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	const success = `<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>`
	status := func(top, second, message string) string {
		s := `<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:` + top + `">`
		if second != "" {
			s += `<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:` + second + `"/>`
		}
		s += "</samlp:StatusCode>"
		if message != "" {
			s += "<samlp:StatusMessage>" + message + "</samlp:StatusMessage>"
		}
		return "<samlp:Status>" + s + "</samlp:Status>"
	}
	tests := []struct {
		name, status string
		kind         identity.Kind
		code         identity.Code
		seen         string
	}{
		{"passive", status("Responder", "NoPassive", ""), identity.KindNeedsInteraction, "up.status", "Responder/NoPassive"},
		{"context", status("Requester", "NoAuthnContext", ""), identity.KindContextUnmet, "up.status", "Requester/NoAuthnContext"},
		{"too many behind it", status("Responder", "ProxyCountExceeded", ""), identity.KindDenied, "sp.proxy_count", "Responder/ProxyCountExceeded"},
		{"none of the list known there", status("Responder", "NoSupportedIDP", ""), identity.KindDenied, "sp.idp_list", "Responder/NoSupportedIDP"},
		{"none of the list there at present", status("Responder", "NoAvailableIDP", ""), identity.KindDenied, "sp.idp_unavailable", "Responder/NoAvailableIDP"},
		{"failed, with their words", status("Responder", "AuthnFailed", "AADSTS50105:\n user not assigned"), identity.KindDenied, "up.status", "Responder/AuthnFailed: AADSTS50105:  user not assigned"},
		{"denied", status("Responder", "RequestDenied", ""), identity.KindDenied, "up.status", "Responder/RequestDenied"},
		{"responder alone", status("Responder", "", ""), identity.KindDenied, "up.status", "Responder"},
		{"our question was refused", status("Requester", "InvalidNameIDPolicy", "MSIS7070"), identity.KindInvalid, "up.status", "Requester/InvalidNameIDPolicy: MSIS7070"},
		{"Success below a failure", status("Responder", "Success", ""), identity.KindDenied, "up.status", "Responder/Success"},
		{"a code that only begins like Success", status("Successful", "", ""), identity.KindDenied, "up.status", "Successful"},
		{"long words are cut", status("Responder", "", strings.Repeat("é", 300)), identity.KindDenied, "up.status", "Responder: " + strings.Repeat("é", 100) + "…"},
		{"no StatusCode", "<samlp:Status/>", identity.KindInvalid, "up.format", "no StatusCode"},
		{"no Status", "", identity.KindInvalid, "up.format", "no StatusCode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// The good assertion stays in: it must not be read.
			_, err := try(t, config(t, idpID, testKeys(t).idp.signer.Public()), identity.AuthnRequest{}, func(q question) string {
				return answer{asked: q, issuer: idpID, sign: "nothing", edits: []string{success, tt.status}}.build(t)
			})
			e := identity.AsError(err)
			if e == nil {
				t.Fatal("accepted")
			}
			if e.Kind != tt.kind || e.Code != tt.code || e.Seen != tt.seen {
				t.Errorf("got %v %s, seen %q; want %v %s, seen %q", e.Kind, e.Code, e.Seen, tt.kind, tt.code, tt.seen)
			}
		})
	}
}

func TestClockSaysHowFarOff(t *testing.T) {
	t.Parallel()
	cfg := config(t, idpID, testKeys(t).idp.signer.Public())
	cfg.Now = func() time.Time { return noon.Add(20 * time.Minute) }
	cfg.Skew = time.Minute
	_, err := try(t, cfg, identity.AuthnRequest{}, func(q question) string {
		return answer{asked: q, issuer: idpID, signer: testKeys(t).idp, sign: "assertion"}.build(t)
	})
	got := identity.AsError(err)
	if got == nil || got.Seen != "NotOnOrAfter lies 900 s behind our clock" || got.Expected != "60 s at most" {
		t.Errorf("got %v", err)
	}
}

func TestRefusedAnswerIsNotUsedUp(t *testing.T) {
	t.Parallel()
	cfg := config(t, idpID, testKeys(t).idp.signer.Public())
	clock := noon.Add(-time.Hour)
	cfg.Now = func() time.Time { return clock }
	c := connect(t, cfg)
	asked, state, err := c.Begin(t.Context(), identity.AuthnRequest{}, "a-ticket")
	if err != nil {
		t.Fatal(err)
	}
	in := post(answer{asked: readQuestion(t, asked), issuer: idpID, signer: testKeys(t).idp, sign: "assertion"}.build(t))
	if _, err := c.Finish(t.Context(), state, in); identity.CodeOf(err) != "up.clock" {
		t.Fatalf("with a wrong clock: got %v, want up.clock", err)
	}
	clock = noon
	got, err := c.Finish(t.Context(), state, in)
	if err != nil {
		t.Fatalf("with the clock put right: %v", err)
	}
	if diff := cmp.Diff(upstream{}.Says(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*sp.Config)
		want   string
	}{
		{"an IdP without keys (fail open)", func(c *sp.Config) { c.IDP.IDP.Signing = nil }, "up.no_keys"},
		{"an IdP that cannot be asked", func(c *sp.Config) { c.IDP.IDP.SSO = []metadata.Endpoint{{Binding: identity.BindingSOAP}} }, "up.no_sso"},
		{"metadata of a service provider", func(c *sp.Config) { c.IDP.IDP = nil }, "describes no identity provider"},
		{"no metadata", func(c *sp.Config) { c.IDP = nil }, "describes no identity provider"},
		{"a relative AssertionConsumerService", func(c *sp.Config) { c.ACS = "/saml/acs/acme" }, "no absolute URL"},
		{"no store", func(c *sp.Config) { c.Store = nil }, "are required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, idpID, testKeys(t).idp.signer.Public())
			tt.change(&cfg)
			if _, err := sp.New(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}
