package main

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// injected is something that is wrong at an upstream, and what its witnesses say of it.
type injected struct {
	name     string
	settings string   // lines more of the connection
	edits    []string // old, new, … before the Response is signed
	answer   weakAnswer
	by       func(w initiated) certs.Key                      // who signs; nil: the upstream
	breaks   func(t *testing.T, w initiated, r []byte) []byte // what becomes of it then
	code     identity.Code
	seen     string // a part of it
	expected string
}

const (
	faultSP   = "http://127.0.0.1:8080/saml/sp/fed/metadata"
	faultACS  = "http://127.0.0.1:8080/saml/acs/fed"
	evilIDP   = "https://idp.evil.test"
	anyStatus = `<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>`
)

// samlFaults are those of a SAML upstream.
func samlFaults() []injected {
	text := func(old, by string) func(*testing.T, initiated, []byte) []byte {
		return func(t *testing.T, _ initiated, r []byte) []byte {
			t.Helper()
			if !strings.Contains(string(r), old) {
				t.Fatalf("the Response has no %q:\n%s", old, r)
			}
			return []byte(strings.ReplaceAll(string(r), old, by))
		}
	}
	status := func(codes string) []string { return []string{anyStatus, codes} }
	conditions := func(attrs string) []string { return []string{"<saml:Conditions>", "<saml:Conditions " + attrs + ">"} }
	within := func(xml string) []string { return []string{"<saml:Conditions>", "<saml:Conditions>" + xml} }
	const confirmed = `<saml:SubjectConfirmationData NotOnOrAfter="{SOON}" Recipient="{ACS}" InResponseTo="{ID}"/>`
	return []injected{
		{name: "signed with another key", by: func(w initiated) certs.Key { return w.other }, code: "up.signature", seen: "certificate ", expected: "a key of the metadata"},
		{name: "changed after it was signed", breaks: text(">ada<", ">eve<"), code: "up.signature", seen: "sig.digest", expected: "a signature by a key"},
		{name: "signed with SHA-1", answer: weakAnswer{sha1: true}, code: "up.signature", seen: "sig.algorithm", expected: "a signature by a key"},
		{name: "not signed", breaks: func(_ *testing.T, _ initiated, r []byte) []byte {
			before, rest, _ := strings.Cut(string(r), "<ds:Signature")
			_, after, _ := strings.Cut(rest, "</ds:Signature>")
			return []byte(before + after)
		}, code: "up.unsigned", expected: "sign"},
		{name: "another audience", edits: []string{"<saml:Audience>{SP}<", "<saml:Audience>https://other.test<"}, code: "up.audience", seen: "https://other.test", expected: faultSP},
		{name: "no audience", edits: []string{"<saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction>", ""}, code: "up.audience", expected: faultSP},
		{name: "another recipient", edits: []string{`Recipient="{ACS}"`, `Recipient="https://other.test/acs"`}, code: "up.recipient", seen: "https://other.test/acs", expected: faultACS},
		{name: "another destination", edits: []string{`Destination="{ACS}"`, `Destination="https://other.test/acs"`}, code: "up.destination", seen: "https://other.test/acs", expected: faultACS},
		{name: "no destination", edits: []string{` Destination="{ACS}"`, ""}, code: "up.destination", expected: faultACS},
		{name: "clock behind: confirmed until yesterday", edits: []string{confirmed, strings.Replace(confirmed, "{SOON}", "2026-01-01T00:00:00Z", 1)}, code: "up.clock", seen: "NotOnOrAfter", expected: "180 s"},
		{name: "clock behind: valid until yesterday", edits: conditions(`NotOnOrAfter="2026-01-01T00:00:00Z"`), code: "up.clock", seen: "NotOnOrAfter", expected: "180 s"},
		{name: "clock ahead: valid from tomorrow", edits: conditions(`NotBefore="2099-01-01T00:00:00Z"`), code: "up.clock", seen: "NotBefore", expected: "180 s"},
		{name: "clock ahead: signed in tomorrow", edits: []string{`AuthnInstant="{NOW}"`, `AuthnInstant="2099-01-01T00:00:00Z"`}, code: "up.clock", seen: "AuthnInstant", expected: "180 s"},
		{name: "a session that is over", edits: []string{`<saml:AuthnStatement `, `<saml:AuthnStatement SessionNotOnOrAfter="2026-01-01T00:00:00Z" `}, code: "up.clock", seen: "SessionNotOnOrAfter", expected: "180 s"},
		{name: "Response of another issuer", edits: []string{"<saml:Issuer>https://idp.example.test</saml:Issuer><samlp:Status>", "<saml:Issuer>" + evilIDP + "</saml:Issuer><samlp:Status>"}, code: "up.issuer", seen: evilIDP, expected: "https://idp.example.test"},
		{name: "assertion of another issuer", edits: []string{"<saml:Issuer>https://idp.example.test</saml:Issuer><saml:Subject>", "<saml:Issuer>" + evilIDP + "</saml:Issuer><saml:Subject>"}, code: "up.issuer", seen: evilIDP, expected: "https://idp.example.test"},
		{name: "assertion of nobody", edits: []string{"<saml:Issuer>https://idp.example.test</saml:Issuer><saml:Subject>", "<saml:Subject>"}, code: "up.missing_issuer", expected: "Issuer"},
		{name: "no NameID", edits: []string{`<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ada</saml:NameID>`, ""}, code: "up.missing_subject", seen: "no NameID", expected: "link: {by: attribute}"},
		{name: "a transient NameID", edits: []string{"nameid-format:persistent", "nameid-format:transient"}, code: "up.missing_subject", seen: "transient", expected: "not transient"},
		{name: "no Subject", edits: []string{"<saml:Subject>", "<!--", "</saml:Subject>", "-->"}, code: "up.missing_subject", expected: "Subject"},
		{name: "no Conditions", edits: []string{"<saml:Conditions>", "<!--", "</saml:Conditions>", "-->"}, code: "up.missing_conditions", expected: "Conditions"},
		{name: "no SubjectConfirmation", edits: []string{`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">` + confirmed + `</saml:SubjectConfirmation>`, ""}, code: "up.confirmation", seen: "no bearer", expected: "one"},
		{name: "confirmed by a key", edits: []string{"cm:bearer", "cm:holder-of-key"}, code: "up.confirmation", seen: "no bearer", expected: "one"},
		{name: "answers another question", edits: []string{`InResponseTo="{ID}"><saml:Issuer>`, `InResponseTo="_another"><saml:Issuer>`}, code: "up.in_response_to", seen: "_another", expected: "_"},
		{name: "confirmed for another question", edits: []string{confirmed, strings.Replace(confirmed, "{ID}", "_another", 1)}, code: "up.in_response_to", seen: "_another", expected: "_"},
		{name: "answers nobody", answer: weakAnswer{unsolicited: true}, code: "up.unsolicited", seen: "no request", expected: "a request of ours"},
		{name: "refused: AuthnFailed", edits: status(`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"/></samlp:StatusCode>`), code: "up.status", seen: "AuthnFailed", expected: "Success"},
		{name: "refused: NoPassive", edits: status(`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:NoPassive"/></samlp:StatusCode>`), code: "up.status", seen: "NoPassive", expected: "Success"},
		{name: "refused: NoAuthnContext", edits: status(`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext"/></samlp:StatusCode>`), code: "up.status", seen: "NoAuthnContext", expected: "Success"},
		{name: "refused: not assigned at Entra ID", edits: status(`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"/><samlp:StatusMessage>AADSTS50105: The signed in user is not assigned to a role for the application.</samlp:StatusMessage>`), code: "up.status", seen: "AADSTS50105", expected: "Users and groups"},
		{name: "refused: InvalidNameIDPolicy", edits: status(`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Requester"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:InvalidNameIDPolicy"/></samlp:StatusCode>`), code: "up.status", seen: "InvalidNameIDPolicy", expected: "name_id_policy"},
		{name: "refused: Requester", edits: status(`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Requester"/>`), code: "up.status", seen: "Requester", expected: "our metadata loaded anew"},
		{name: "a status that nobody knows", edits: status(`<samlp:StatusCode Value="urn:vendor:broken"/><samlp:StatusMessage>E 4711</samlp:StatusMessage>`), code: "up.status", seen: "E 4711", expected: "Success"},
		{name: "two assertions", breaks: text("</samlp:Response>", `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_x" Version="2.0"/></samlp:Response>`), code: "up.several_assertions", seen: "2", expected: "one"},
		{name: "no assertion", edits: []string{"<saml:Assertion ", "<!-- ", "</saml:Assertion>", " -->"}, code: "up.missing_assertion", expected: "one"},
		{name: "a condition that nobody knows", edits: within(`<saml:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="x:Lunar" xmlns:x="urn:x"/>`), code: "up.condition", seen: "Condition"},
		{name: "not to be passed on", edits: []string{"</saml:Conditions>", `<saml:ProxyRestriction Count="0"/></saml:Conditions>`}, code: "up.proxy_restriction", seen: "Count", expected: "Count"},
		{name: "another class than the one that is demanded", settings: "    authn_context: {require: [\"urn:vendor:mfa\"]}\n", code: "up.context", expected: "urn:vendor:mfa"},
		{name: "an attribute that is missing", settings: "    map: [{to: mail, from: email, required: true}]\n", code: "up.missing_attribute", expected: "email"},
		{name: "a value that cannot be computed", settings: "    map: [{to: mail, value: \"claims['x'][7]\"}]\n", code: "up.mapping"},
		{name: "encrypted with AES-CBC", answer: weakAnswer{cbc: true}, code: "up.encrypted", seen: "EncryptedAssertion", expected: "AES-GCM"},
		{name: "another version", edits: []string{`Version="2.0" IssueInstant="{NOW}" Destination`, `Version="1.1" IssueInstant="{NOW}" Destination`}, code: "up.format", seen: "1.1", expected: "2.0"},
		{name: "no XML", breaks: func(*testing.T, initiated, []byte) []byte { return []byte("<html>Service unavailable") }, code: "up.format"},
		{name: "a document type", breaks: func(_ *testing.T, _ initiated, r []byte) []byte { return append([]byte("<!DOCTYPE x []>"), r...) }, code: "up.format"},
		{name: "a message of another kind", breaks: text("samlp:Response", "samlp:LogoutResponse"), code: "up.format", seen: "LogoutResponse", expected: "Response"},
	}
}

// TestInjectedFaults holds, of each thing that can be wrong at a SAML upstream, that it
// signs nobody in and has its code, with what came and what was expected, in the page,
// or the message that the application gets, in the log and in the audit trail.
func TestInjectedFaults(t *testing.T) {
	t.Parallel()
	for _, f := range samlFaults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			var log logBuffer
			w := newInitiatedWith(t, f.settings, &log)
			v := w.visitor()
			question := asked(t, v.goes(t, "/saml/idp-initiated?idp_hint=fed&sp="+url.QueryEscape("https://wiki.example.test")))
			f.answer.edits = f.edits
			signer := w.idp
			if f.by != nil {
				signer = f.by(w)
			}
			response := f.answer.response(t, readRequest(t, question.String()), signer, w.to)
			if f.breaks != nil {
				response = f.breaks(t, w, response)
			}
			rec := v.posts(t, response, question.Query().Get("RelayState"))
			if v.cookies[sessionCookieName] != "" {
				t.Error("somebody is signed in")
			}
			wantWitnesses(t, w.server, rec, &log, f.code, f.seen, f.expected)
		})
	}
}

// goes opens a path of ours, and follows redirects as posts does.
func (v *visitor) goes(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	rec := v.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:8080"+path, nil), false)
	return v.follow(t, rec)
}

// wantWitnesses demands that page, log and audit trail tell the same of a refusal.
func wantWitnesses(t *testing.T, s *server, rec *httptest.ResponseRecorder, log *logBuffer, code identity.Code, seen, expected string) {
	t.Helper()
	_, page, _ := strings.Cut(rec.Body.String(), "<main") // what differs is marked within the values
	page = strings.Join(strings.Fields(html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, ""))), " ")
	if response := handed(t, rec, wikiACS); response != "" {
		// What was seen is between the upstream and us: an application is told the code.
		page = strings.Join([]string{response, seen, expected}, "\n")
	}
	line := ""
	for l := range strings.Lines(log.String()) {
		if strings.Contains(l, "code="+string(code)+" ") {
			line = strings.ReplaceAll(l, `\"`, `"`)
		}
	}
	event := failed(t, s)
	for where, text := range map[string]string{"page": page, "log": line, "event": strings.Join([]string{string(event.Code), event.Seen, event.Expected}, " ")} {
		for _, want := range []string{string(code), seen, expected} {
			if !strings.Contains(text, want) {
				t.Errorf("the %s does not say %q:\n%s", where, want, text)
			}
		}
	}
	if seen == "" && expected == "" && event.Seen+event.Expected == "" {
		t.Error("neither what was seen nor what was expected is told")
	}
}

// failed is the one login that failed, in the audit trail.
func failed(t *testing.T, s *server) identity.Event {
	t.Helper()
	var found []identity.Event
	err := s.store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.Events.List(t.Context(), "", 100)
		for _, e := range events {
			if e.Type == identity.EventLoginFailed {
				found = append(found, e)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 {
		t.Fatalf("%d failed logins in the audit trail, want one: %+v", len(found), found)
	}
	return found[0]
}
