package main

import (
	"bytes"
	"cmp"
	"compress/flate"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// The upstreams of the step-up table: of one nothing is believed, of two something,
// and of these one is asked for what applications demand.
const stepUpConnections = `  - {id: local, type: local, name: Password}
  - {id: plain, type: saml, metadata: {inline: {entity_id: "https://plain.idp.test", sso: ["https://plain.idp.test/sso"], certificates: ["file:IDP.crt"]}}}
  - id: trusted
    type: saml
    metadata: {inline: {entity_id: "https://trusted.idp.test", sso: ["https://trusted.idp.test/sso"], certificates: ["file:IDP.crt"]}}
    authn_context: &table
      trust:
        - {from: "urn:p:two", to: "https://refeds.org/profile/mfa"}
        - {from: "urn:p:secret", to: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"}
  - id: asked
    type: saml
    metadata: {inline: {entity_id: "https://asked.idp.test", sso: ["https://asked.idp.test/sso"], certificates: ["file:IDP.crt"]}}
    authn_context:
      request: demanded
      trust:
        - {from: "urn:p:two", to: "https://refeds.org/profile/mfa"}
        - {from: "urn:p:secret", to: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"}
`

// newStepUp is a samlet with these upstreams and one application.
func newStepUp(t *testing.T) initiated {
	t.Helper()
	w := newInitiated(t, "")
	path := w.path
	text := readAll(t, path)
	from, to := strings.Index(text, "  - {id: local,"), strings.Index(text, "service_providers:")
	connections := strings.NewReplacer("IDP", filepath.Join("certs", "idp"), " &table", "").Replace(stepUpConnections)
	writeFile(t, path, text[:from]+connections+text[to:])
	w.server = openAt(t, path, io.Discard)
	return w
}

// person makes the somebody of a hop, with a password here or without.
func (w initiated) person(t *testing.T, h hop, password identity.Secret) {
	t.Helper()
	connection, subject := h.connection, h.subject
	rec := identity.Record{ID: identity.RecordID(subject), Created: time.Now(), Updated: time.Now()}
	if !password.Empty() {
		rec.Logins = []string{subject}
	}
	err := w.store.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.Records.Create(t.Context(), rec); err != nil {
			return err
		}
		if !password.Empty() {
			if err := tx.Credentials.Put(t.Context(), identity.Credential{ID: subject, Record: rec.ID, Kind: identity.CredentialPassword, Secret: password}); err != nil {
				return err
			}
		}
		return tx.Links.Create(t.Context(), identity.Link{
			Principal: identity.Principal{Issuer: identity.EntityID(cmp.Or(h.issuer, "https://"+connection+".idp.test")), Subject: subject, Format: identity.FormatPersistent},
			Record:    rec.ID, Connection: identity.ConnectionID(connection), Created: time.Now(), LastUsed: time.Now(),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// hop is one sign-in at the application, on whose way an upstream says how the
// person was authenticated there.
type hop struct {
	connection string
	subject    string
	attrs      string // of the AuthnRequest
	demand     string // its RequestedAuthnContext
	says       string // the upstream's class, or its whole refusal
	old        bool   // the upstream authenticated long ago
	issuer     string // of the upstream, if it is not a SAML one of ours
	op         *openID
	conditions string // further conditions of the upstream's assertion
}

// question is what the application sends the browser with.
func (h hop) question(t *testing.T) string {
	t.Helper()
	id, err := identity.NewMessageID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(z, `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="%s" Version="2.0" IssueInstant="%s"%s><saml:Issuer>https://wiki.example.test</saml:Issuer>%s</samlp:AuthnRequest>`,
		id, time.Now().UTC().Format(time.RFC3339), h.attrs, h.demand)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return "http://127.0.0.1:8080/saml/sso?" + url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString(b.Bytes())}, "idp_hint": {h.connection}}.Encode()
}

// answer is what the upstream says to our question.
func (h hop) answer(t *testing.T, w initiated, asked *etree.Element) []byte {
	t.Helper()
	edits := []string{"https://idp.example.test<", "https://" + h.connection + ".idp.test<", ">ada<", ">" + h.subject + "<"}
	switch {
	case strings.HasPrefix(h.says, "No"):
		edits = append(edits, `status:Success"/>`, `status:Responder"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:`+h.says+`"/></samlp:StatusCode>`)
	case h.says != "":
		edits = append(edits, "<saml:AuthnContext/>", "<saml:AuthnContext><saml:AuthnContextClassRef>"+h.says+"</saml:AuthnContextClassRef></saml:AuthnContext>")
	}
	if h.conditions != "" {
		edits = append(edits, "</saml:Conditions>", h.conditions+"</saml:Conditions>")
	}
	if h.old {
		edits = append(edits, `AuthnInstant="{NOW}"`, `AuthnInstant="`+time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)+`"`)
	}
	return weakAnswer{edits: edits}.response(t, asked, w.idp, w.to)
}

var (
	hopTicket = regexp.MustCompile(`name="t" value="([^"]*)"`)
	hopCode   = regexp.MustCompile(`(up|sp|ui|login)\.[a-z_]+`)
)

// signIn walks a browser through a hop. It returns what was asked on the way and
// what the application is told, and the Response itself.
func (v *visitor) signIn(t *testing.T, h hop) (trace string, told *etree.Element) {
	t.Helper()
	var seen []string
	rec := v.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodGet, h.question(t), nil), true)
	for range 12 {
		to, page := rec.Header().Get("Location"), rec.Body.String()
		switch {
		case h.op != nil && strings.HasPrefix(to, h.op.URL):
			u, err := url.Parse(to)
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, askedOpenID(u.Query()))
			rec = v.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodGet, h.op.answer(h, u.Query()), nil), false)
		case strings.HasPrefix(to, "https://"):
			asked := readRequest(t, to)
			seen = append(seen, askedFor(asked))
			u, err := url.Parse(to)
			if err != nil {
				t.Fatal(err)
			}
			rec = v.form(t, pathACS+h.connection, url.Values{
				"SAMLResponse": {base64.StdEncoding.EncodeToString(h.answer(t, v.w, asked))}, "RelayState": {u.Query().Get("RelayState")},
			}, true)
		case to != "":
			rec = v.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:8080"+to, nil), false)
		case strings.Contains(page, `name="SAMLResponse"`):
			outcome, told := outcomeOf(t, page)
			return strings.Join(append(seen, outcome), " > "), told
		case strings.Contains(page, `name="password"`):
			seen = append(seen, "password")
			rec = v.form(t, "/login", url.Values{"t": {hopTicket.FindStringSubmatch(page)[1]}, "identifier": {h.subject}, "password": {demoPassword}}, false)
		case strings.Contains(page, `name="connection"`):
			return strings.Join(append(seen, "choose another"), " > "), nil
		default:
			return strings.Join(append(seen, "page "+hopCode.FindString(page)), " > "), nil
		}
	}
	t.Fatalf("samlet sends the browser in circles: %v", seen)
	return "", nil
}

func (v *visitor) form(t *testing.T, path string, form url.Values, crossSite bool) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:8080"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", map[bool]string{true: "cross-site", false: "same-origin"}[crossSite])
	return v.send(t, r, crossSite)
}

// askedFor says which terms an upstream is asked under.
func askedFor(q *etree.Element) string {
	terms := []string{"upstream"}
	for _, name := range []string{"ForceAuthn", "IsPassive"} {
		if q.SelectAttrValue(name, "") == "true" {
			terms = append(terms, name)
		}
	}
	for _, c := range q.FindElements("./RequestedAuthnContext") {
		terms = append(terms, c.SelectAttrValue("Comparison", ""), texts(c, "./AuthnContextClassRef"))
	}
	return strings.Join(terms, " ")
}

// outcomeOf is the class, or the innermost status, that the application reads.
func outcomeOf(t *testing.T, page string) (string, *etree.Element) {
	t.Helper()
	octets, err := base64.StdEncoding.DecodeString(html.UnescapeString(matrixField.FindStringSubmatch(page)[2]))
	if err != nil {
		t.Fatal(err)
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(octets); err != nil {
		t.Fatal(err)
	}
	value := texts(doc.Root(), "//AuthnContextClassRef")
	if value == "" {
		codes := doc.FindElements("//StatusCode")
		value = codes[len(codes)-1].SelectAttrValue("Value", "")
	}
	return value[strings.LastIndexAny(value, ":/")+1:], doc.Root()
}

func demanding(comparison string, classes ...string) string {
	s := `<samlp:RequestedAuthnContext Comparison="` + comparison + `">`
	for _, c := range classes {
		s += "<saml:AuthnContextClassRef>" + c + "</saml:AuthnContextClassRef>"
	}
	return s + "</samlp:RequestedAuthnContext>"
}

// TestStepUpTable goes through the whole house: what an application demands, what
// the upstream said, and what of that is believed, decide whether the person is
// asked for their password here, and what the application reads of it.
func TestStepUpTable(t *testing.T) {
	t.Parallel()
	const (
		exact, minimum, maximum, better = "exact", "minimum", "maximum", "better"

		ppt, sfa, mfa       = acPPT, refedsSFA, refedsMFA
		unspecified         = acClasses + "unspecified"
		two, secret, other  = "urn:p:two", "urn:p:secret", "urn:p:other"
		force, passive      = ` ForceAuthn="true"`, ` IsPassive="true"`
		has, hasNot         = true, false
		throughPassword     = "upstream > password > PasswordProtectedTransport"
		noContext, straight = "upstream > NoAuthnContext", "NoAuthnContext"
		elsewhere           = "choose another"
	)
	w := newStepUp(t)
	hash, err := passwordParams(w.current().Config).Hash(rand.Reader, demoPassword)
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		name       string
		connection string
		demand     string
		says       string
		password   bool // there is one of the person's here
		attrs      string
		old        bool
		before     string // signed in before, when the upstream said this; "no" class is said by other
		want       string
	}{
		// An upstream of which nothing is believed.
		{"nothing demanded, much claimed", "plain", "", mfa, has, "", false, "", "upstream > unspecified"},
		{"a password demanded and claimed", "plain", demanding(exact, ppt), ppt, has, "", false, "", throughPassword},
		{"a password demanded and claimed, none here", "plain", demanding(exact, ppt), ppt, hasNot, "", false, "", noContext},
		{"a password demanded, nothing said", "plain", demanding(exact, ppt), "", has, "", false, "", throughPassword},
		{"two factors demanded, where others are believed", "plain", demanding(exact, mfa), mfa, has, "", false, "", elsewhere},
		{"at least a password", "plain", demanding(minimum, acPassword), ppt, has, "", false, "", throughPassword},
		{"at least two factors", "plain", demanding(minimum, mfa), mfa, has, "", false, "", elsewhere},
		{"better than a password", "plain", demanding(better, acPassword), ppt, has, "", false, "", throughPassword},
		{"better than a protected password", "plain", demanding(better, ppt), mfa, has, "", false, "", elsewhere},
		{"at most a password, of what is not known", "plain", demanding(maximum, ppt), "", has, "", false, "", throughPassword},
		{"the profile of one factor", "plain", demanding(exact, sfa), "", has, "", false, "", "upstream > password > sfa"},
		{"two factors or a password", "plain", demanding(exact, mfa, ppt), mfa, has, "", false, "", throughPassword},
		{"unspecified demanded", "plain", demanding(exact, unspecified), mfa, has, "", false, "", "upstream > unspecified"},
		{"at least unspecified", "plain", demanding(minimum, unspecified), mfa, has, "", false, "", "upstream > unspecified"},
		{"a class that nobody has", "plain", demanding(exact, acClasses+"Kerberos"), acClasses + "Kerberos", has, "", false, "", straight},

		// An upstream that is believed, and not asked.
		{"nothing demanded, two factors", "trusted", "", two, has, "", false, "", "upstream > mfa"},
		{"nothing demanded, a password", "trusted", "", secret, has, "", false, "", "upstream > PasswordProtectedTransport"},
		{"nothing demanded, what is not in the table", "trusted", "", mfa, has, "", false, "", "upstream > unspecified"},
		{"two factors demanded and there", "trusted", demanding(exact, mfa), two, has, "", false, "", "upstream > mfa"},
		{"two factors demanded, in words that are not theirs", "trusted", demanding(exact, mfa), mfa, has, "", false, "", noContext},
		{"two factors demanded, a password there", "trusted", demanding(exact, mfa), secret, has, "", false, "", noContext},
		{"a password demanded and there", "trusted", demanding(exact, ppt), secret, has, "", false, "", "upstream > PasswordProtectedTransport"},
		{"a password demanded, two factors there", "trusted", demanding(exact, ppt), two, has, "", false, "", throughPassword},
		{"a password demanded, two factors there, none here", "trusted", demanding(exact, ppt), two, hasNot, "", false, "", noContext},
		{"at least a password, two factors there", "trusted", demanding(minimum, ppt), two, has, "", false, "", "upstream > mfa"},
		{"at least a password, something else there", "trusted", demanding(minimum, ppt), other, has, "", false, "", throughPassword},
		{"at least a password, something else there, none here", "trusted", demanding(minimum, ppt), other, hasNot, "", false, "", noContext},
		{"at most a password, two factors there", "trusted", demanding(maximum, ppt), two, has, "", false, "", throughPassword},
		{"better than a password, two factors there", "trusted", demanding(better, ppt), two, has, "", false, "", "upstream > mfa"},
		{"better than a password, which is there", "trusted", demanding(better, ppt), secret, has, "", false, "", noContext},

		// An upstream that is asked for what is demanded.
		{"asked: nothing demanded", "asked", "", two, has, "", false, "", "upstream > mfa"},
		{"asked: two factors, there", "asked", demanding(exact, mfa), two, has, "", false, "", "upstream exact urn:p:two > mfa"},
		{"asked: two factors, ignored", "asked", demanding(exact, mfa), secret, has, "", false, "", "upstream exact urn:p:two > NoAuthnContext"},
		{"asked: two factors, refused", "asked", demanding(exact, mfa), "NoAuthnContext", has, "", false, "", "upstream exact urn:p:two > NoAuthnContext"},
		{"asked: two factors or a password", "asked", demanding(exact, mfa, ppt), secret, has, "", false, "", "upstream exact urn:p:two urn:p:secret > PasswordProtectedTransport"},
		{"asked: at least a password", "asked", demanding(minimum, ppt), two, has, "", false, "", "upstream exact urn:p:secret urn:p:two > mfa"},
		{"asked: at most two factors", "asked", demanding(maximum, mfa), secret, has, "", false, "", "upstream exact urn:p:two urn:p:secret > PasswordProtectedTransport"},
		{"asked: better than a password", "asked", demanding(better, ppt), two, has, "", false, "", "upstream exact urn:p:two > mfa"},
		{"asked: a password, something else there", "asked", demanding(exact, ppt), other, has, "", false, "", "upstream exact urn:p:secret > password > PasswordProtectedTransport"},

		// The other terms.
		{"forced, afresh", "asked", demanding(exact, mfa), two, has, force, false, "", "upstream ForceAuthn exact urn:p:two > mfa"},
		{"forced, which the upstream ignores", "asked", demanding(exact, mfa), two, has, force, true, "", "upstream ForceAuthn exact urn:p:two > page up.stale"},
		{"forced, a password beside", "plain", demanding(exact, ppt), "", has, force, false, "", "upstream ForceAuthn > password > PasswordProtectedTransport"},
		{"passive, and somebody there", "trusted", "", two, has, passive, false, "", "upstream IsPassive > mfa"},
		{"passive, and nobody there", "trusted", "", "NoPassive", has, passive, false, "", "upstream IsPassive > NoPassive"},
		{"passive, and a password lacking", "plain", demanding(exact, ppt), "", has, passive, false, "", "upstream IsPassive > NoAuthnContext"},

		// Somebody who is signed in by the upstream already.
		{"signed in: nothing demanded", "trusted", "", other, has, "", false, two, "mfa"},
		{"signed in: enough", "trusted", demanding(minimum, ppt), other, has, "", false, two, "mfa"},
		{"signed in: a password lacking", "plain", demanding(exact, ppt), other, has, "", false, other, "password > PasswordProtectedTransport"},
		{"signed in: a password lacking, none here", "plain", demanding(exact, ppt), other, hasNot, "", false, other, noContext},
		{"signed in: two factors lacking", "asked", demanding(exact, mfa), two, has, "", false, secret, "upstream exact urn:p:two > mfa"},
		{"signed in: a password lacking, and forced", "plain", demanding(exact, ppt), other, has, force, false, other, "upstream ForceAuthn > password > PasswordProtectedTransport"},
		{"signed in: a password lacking, and passive", "plain", demanding(exact, ppt), other, has, passive, false, other, "upstream IsPassive > NoAuthnContext"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var password identity.Secret
			if tt.password {
				password = hash
			}
			h := hop{connection: tt.connection, subject: fmt.Sprintf("p%d", i), demand: tt.demand, says: tt.says, attrs: tt.attrs, old: tt.old}
			w.person(t, h, password)
			v := w.visitor()
			if tt.before != "" {
				if trace, told := v.signIn(t, hop{connection: h.connection, subject: h.subject, says: tt.before}); told == nil {
					t.Fatalf("before: %s", trace)
				}
			}
			if got, _ := v.signIn(t, h); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestStepUpIsTrue holds what applications read of a sign-in that was completed
// here: all who took part, and no time that is fresher than the older part. Who has
// been asked once is not asked again.
func TestStepUpIsTrue(t *testing.T) {
	t.Parallel()
	w := newStepUp(t)
	hash, err := passwordParams(w.current().Config).Hash(rand.Reader, demoPassword)
	if err != nil {
		t.Fatal(err)
	}
	h := hop{connection: "plain", subject: "ada", demand: demanding("exact", acPPT), old: true}
	w.person(t, h, hash)
	v := w.visitor()
	for _, want := range []string{"upstream > password > PasswordProtectedTransport", "PasswordProtectedTransport"} {
		trace, told := v.signIn(t, h)
		if trace != want {
			t.Fatalf("got %s, want %s", trace, want)
		}
		if got := texts(told, "//AuthenticatingAuthority"); got != "https://plain.idp.test" {
			t.Errorf("AuthenticatingAuthority %q", got)
		}
		at, err := time.Parse(time.RFC3339, told.FindElement("//AuthnStatement").SelectAttrValue("AuthnInstant", ""))
		if age := time.Since(at); err != nil || age < 50*time.Minute {
			t.Errorf("AuthnInstant %v, %v; the upstream's is an hour ago", at, err)
		}
	}
}
