package main

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/internal/peer"
)

// requestsDoc is the published matrix.
const requestsDoc = "../../docs/requests.md"

// row is one form of one part of an AuthnRequest, and what samlet does.
type row struct {
	field   string // "Subject/NameID/@Format", or what the binding carries
	form    string
	changes []change
	session string // "password" unless it is "none", "partner" or "bounded"
	want    string
}

// name is unique among all rows.
func (r row) name() string { return r.field + ": " + r.circumstances() }

func (r row) circumstances() string {
	switch r.session {
	case "none":
		return r.form + " (nobody signed in)"
	case "partner":
		return r.form + " (signed in through an upstream)"
	case "bounded":
		return r.form + " (signed in through an upstream that says Count 2 and two audiences)"
	}
	return r.form
}

// TestRequests sends every part of an AuthnRequest in its legal and illegal forms
// to the whole samlet, and demands the outcome that docs/requests.md publishes:
// what of the answer differs from the plain one, the status codes of a refusal,
// or the code on a page. Run it with -update to write the document anew.
func TestRequests(t *testing.T) {
	m := newMatrix(t)
	plain := m.answer(t, newQuestion(nil), "password")
	if plain["status"] != "Success" {
		t.Fatalf("the plain request: %v\n%s", plain, m.log)
	}
	for _, r := range requestRows() {
		t.Run(r.name(), func(t *testing.T) {
			m.log.Reset()
			if got := told(plain, m.answer(t, newQuestion(r.changes), cmp.Or(r.session, "password"))); got != r.want {
				t.Errorf("got  %s\nwant %s\n%s", got, r.want, m.log.String())
			}
		})
	}
	if *update {
		writeFile(t, requestsDoc, published())
		return
	}
	if diff := gocmp.Diff(published(), readAll(t, requestsDoc)); diff != "" {
		t.Errorf("docs/requests.md is not as these rows are; run with -update (-want +got):\n%s", diff)
	}
}

// facts are what matters of an answer, by name.
type facts map[string]string

// factNames is their order.
func factNames() []string {
	return []string{
		"status", "sent to", "by", "RelayState", "InResponseTo", "NameID", "AuthnContextClassRef", "AuthenticatingAuthority",
		"NotBefore", "NotOnOrAfter", "confirmed until", "OneTimeUse", "ProxyRestriction", "Audience", "attributes", "page", "code", "asked",
	}
}

// told says what differs from the plain answer.
func told(plain, got facts) string {
	switch {
	case got["page"] != "":
		return strings.TrimSpace("page " + got["code"])
	case got["asked"] != "":
		return got["asked"]
	case got["status"] != "" && got["status"] != "Success":
		s := got["status"] + " (" + got["code"] + ")"
		if got["sent to"] != plain["sent to"] {
			s += " to " + got["sent to"]
		}
		return s
	}
	if got["in"] != "" {
		return "answered: in " + got["in"] + ", sent to " + got["sent to"]
	}
	var differences []string
	for _, name := range factNames() {
		if got[name] != plain[name] {
			differences = append(differences, strings.TrimSpace(name+" "+got[name]))
		}
	}
	if len(differences) == 0 {
		return "answered"
	}
	return "answered: " + strings.Join(differences, ", ")
}

var (
	matrixField   = regexp.MustCompile(`name="(SAMLResponse|RelayState)" value="([^"]*)"`)
	matrixAction  = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	matrixCode    = regexp.MustCompile(`code=(\S+)`)
	matrixMessage = regexp.MustCompile(`\((\S+), request [^)]+\)$`)
)

// answer sends q and follows the browser to the first page that is no redirect
// of ours.
func (m *matrix) answer(t *testing.T, q *question, session string) facts {
	t.Helper()
	r := m.request(t, q, session)
	for {
		rec := httptest.NewRecorder()
		m.house.handler.ServeHTTP(rec, r)
		to := rec.Header().Get("Location")
		if !strings.HasPrefix(to, "/login") {
			return m.facts(t, rec)
		}
		next := httptest.NewRequestWithContext(t.Context(), http.MethodGet, matrixBase+to, nil)
		for _, c := range slices.Concat(r.Cookies(), rec.Result().Cookies()) {
			next.AddCookie(c)
		}
		r = next
	}
}

func (m *matrix) facts(t *testing.T, rec *httptest.ResponseRecorder) facts {
	t.Helper()
	page := rec.Body.String()
	if to := rec.Header().Get("Location"); to != "" {
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		if u.Query().Has("SAMLart") {
			return facts{"asked": "answered by artifact to " + strings.TrimSuffix(to, "?"+u.RawQuery)}
		}
		return facts{"asked": "sent to " + u.Host + termsOf(t, u.Query().Get("SAMLRequest"))}
	}
	f := facts{}
	for _, field := range matrixField.FindAllStringSubmatch(page, -1) {
		value := html.UnescapeString(field[2])
		if field[1] == "RelayState" {
			f["RelayState"] = value
			continue
		}
		octets, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			t.Fatal(err)
		}
		peer.ValidateXSD(t, octets)
		f.response(t, octets)
		f["by"] = "POST"
		f["sent to"] = html.UnescapeString(matrixAction.FindStringSubmatch(page)[1])
	}
	switch {
	case f["status"] != "":
	case rec.Code >= http.StatusBadRequest:
		f["page"] = "page"
		if codes := matrixCode.FindAllStringSubmatch(m.log.String(), -1); codes != nil {
			f["code"] = codes[len(codes)-1][1]
		}
	case strings.Contains(page, `name="identifier"`):
		f["asked"] = "the person is asked to sign in"
	case strings.Contains(page, `name="connection"`):
		f["asked"] = "the person is asked to choose an upstream"
	default:
		t.Fatalf("neither a Response nor a page that is known: %d\n%s", rec.Code, page)
	}
	return f
}

// response reads a Response.
func (f facts) response(t *testing.T, octets []byte) {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(octets); err != nil {
		t.Fatal(err)
	}
	root := doc.Root()
	var codes []string
	for _, c := range root.FindElements("//StatusCode") {
		value := c.SelectAttrValue("Value", "")
		codes = append(codes, value[strings.LastIndexByte(value, ':')+1:])
	}
	f["status"] = strings.Join(codes, "/")
	if message := root.FindElement("//StatusMessage"); message != nil {
		if found := matrixMessage.FindStringSubmatch(message.Text()); found != nil {
			f["code"] = found[1]
		} else {
			t.Errorf("the StatusMessage %q carries no code and no request ID", message.Text())
		}
		return
	}
	if root.SelectElement("EncryptedAssertion") != nil {
		f["in"] = "an EncryptedAssertion"
		return
	}
	f["InResponseTo"] = root.SelectAttrValue("InResponseTo", "none")
	if data := root.FindElement("//SubjectConfirmationData"); data != nil {
		if data.SelectAttrValue("InResponseTo", "none") != f["InResponseTo"] {
			t.Error("the confirmation answers another request than the Response")
		}
		f["confirmed until"] = since(t, data.SelectAttrValue("NotOnOrAfter", ""))
	}
	f["NameID"] = nameIDFact(root)
	for name, path := range map[string]string{"AuthnContextClassRef": "//AuthnContextClassRef", "AuthenticatingAuthority": "//AuthenticatingAuthority", "Audience": "//AudienceRestriction/Audience"} {
		f[name] = texts(root, path)
	}
	if c := root.FindElement("//Conditions"); c != nil {
		f["NotBefore"], f["NotOnOrAfter"] = since(t, c.SelectAttrValue("NotBefore", "")), since(t, c.SelectAttrValue("NotOnOrAfter", ""))
		if c.SelectElement("OneTimeUse") != nil {
			f["OneTimeUse"] = "set"
		}
		if p := c.SelectElement("ProxyRestriction"); p != nil {
			f["ProxyRestriction"] = strings.TrimSpace("Count " + p.SelectAttrValue("Count", "unstated") + " " + texts(p, "./Audience"))
		}
	}
	var names []string
	for _, a := range root.FindElements("//Attribute") {
		names = append(names, a.SelectAttrValue("FriendlyName", a.SelectAttrValue("Name", "")))
	}
	f["attributes"] = strings.Join(names, " ")
}

// nameIDFact is a NameID by its format, and by its value where that is not made
// afresh.
func nameIDFact(root *etree.Element) string {
	if root.FindElement("//Subject/EncryptedID") != nil {
		return "encrypted"
	}
	id := root.FindElement("//Subject/NameID")
	if id == nil {
		return "none"
	}
	format := id.SelectAttrValue("Format", "")
	format = format[strings.LastIndexByte(format, ':')+1:]
	if format == "transient" {
		return format
	}
	return format + " " + id.Text()
}

func texts(e *etree.Element, path string) string {
	var all []string
	for _, found := range e.FindElements(path) {
		all = append(all, found.Text())
	}
	return strings.Join(all, " ")
}

// since is a time as its distance from the request's arrival.
func since(t *testing.T, s string) string {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%+ds", int(at.Sub(matrixNow).Seconds()))
}

// termsOf says what the request that goes upstream has of RequestedAuthnContext and
// Scoping.
func termsOf(t *testing.T, message string) string {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(message)
	if err != nil {
		t.Fatal(err)
	}
	octets, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		t.Fatal(err)
	}
	peer.ValidateXSD(t, octets)
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(octets); err != nil {
		t.Fatal(err)
	}
	var terms []string
	add := func(name, value string) { terms = append(terms, name+" "+value) }
	for _, c := range doc.FindElements("//RequestedAuthnContext") {
		if comparison := c.SelectAttrValue("Comparison", ""); comparison != "exact" {
			add("Comparison", comparison)
		}
		add("AuthnContextClassRef", texts(c, "./AuthnContextClassRef"))
	}
	if s := doc.FindElement("//Scoping"); s != nil {
		add("ProxyCount", s.SelectAttrValue("ProxyCount", "unstated"))
		for _, e := range s.FindElements("./IDPList/IDPEntry") {
			add("IDPEntry", e.SelectAttrValue("ProviderID", ""))
		}
		for _, e := range s.SelectElements("RequesterID") {
			add("RequesterID", e.Text())
		}
	}
	if terms == nil {
		return ""
	}
	return " with " + strings.Join(terms, ", ")
}
