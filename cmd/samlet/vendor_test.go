package main

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
)

// get asks the house for a path.
func (m *matrix) get(t *testing.T, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, matrixBase+path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	m.house.handler.ServeHTTP(rec, r)
	return rec
}

// TestVendorPage holds that the page for vendors shows whatever the metadata
// publishes, in every form that consoles ask for, and is linked from the home
// page.
func TestVendorPage(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	rec := m.get(t, "/saml")
	page := html.UnescapeString(rec.Body.String())
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(m.get(t, "/saml/metadata").Body.Bytes()); err != nil {
		t.Fatal(err)
	}
	want := []string{string(m.issuer()), matrixBase + "/saml/metadata", `<code class="copy"`}
	for _, e := range doc.FindElements("//*[@Location]") {
		name := e.SelectAttrValue("Binding", "")
		want = append(want, e.SelectAttrValue("Location", ""), name[strings.LastIndexByte(name, ':')+1:], e.Tag)
	}
	for _, e := range doc.FindElements("//NameIDFormat") {
		want = append(want, e.Text())
	}
	if n := len(doc.FindElements("//X509Certificate")); n < 2 || len(want) < 15 {
		t.Fatalf("the metadata holds %d certificates and too little else: %q", n, want)
	}
	for _, k := range slices.Concat(m.house.snapshot.Keys.Published(certs.Signing), m.house.snapshot.Keys.Published(certs.Encryption)) {
		text := string(k.PEM())
		bare := strings.TrimSuffix(strings.TrimPrefix(text, "-----BEGIN CERTIFICATE-----\n"), "-----END CERTIFICATE-----\n")
		want = append(want, text, ">"+bare+"<", k.Fingerprint1(), k.Fingerprint256(), k.Certificate.NotAfter.UTC().Format("2006-01-02"), k.Algorithm())
	}
	for _, w := range want {
		if !strings.Contains(page, w) {
			t.Errorf("the page lacks %q", w)
		}
	}
	if strings.Contains(page, "PRIVATE KEY") || strings.Contains(page, "<script") {
		t.Error("the page holds a private key or a script")
	}
	if home := m.get(t, "/").Body.String(); !strings.Contains(home, `href="/saml"`) {
		t.Error("the home page does not link to it")
	}
}

// TestVendorPageIsCached holds that caches may keep these pages as they keep the
// metadata, and that a copy stays usable: 304 brings no policy whose nonce is not
// the copy's.
func TestVendorPageIsCached(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	for _, path := range []string{"/saml", "/saml/attributes", "/saml/attributes.json", "/saml/certificate.pem", "/saml/certificates.pem"} {
		first := m.get(t, path)
		etag := first.Header().Get("ETag")
		if first.Code != http.StatusOK || etag == "" || first.Header().Get("Cache-Control") != "public, max-age=600" || first.Header().Get("Pragma") != "" {
			t.Errorf("%s: %d %v", path, first.Code, first.Header())
		}
		if again := m.get(t, path).Header().Get("ETag"); again != etag {
			t.Errorf("%s: the ETag changes from %s to %s", path, etag, again)
		}
		second := m.get(t, path, "If-None-Match", `"other", `+etag)
		if second.Code != http.StatusNotModified || second.Body.Len() > 0 {
			t.Errorf("%s: %d with If-None-Match, want 304", path, second.Code)
		}
		policy := second.Header().Get("Content-Security-Policy")
		if page := strings.HasPrefix(first.Header().Get("Content-Type"), "text/html"); page && policy != "" {
			t.Errorf("%s: 304 brings the policy %q", path, policy)
		}
	}
}

// TestVendorCertificates holds that the first file has the active certificate
// alone and the second every one that may sign, the active one first.
func TestVendorCertificates(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	if diff := cmp.Diff(string(m.house.snapshot.Keys.Signing().PEM()), m.get(t, "/saml/certificate.pem").Body.String()); diff != "" {
		t.Errorf("certificate.pem (-want +got):\n%s", diff)
	}
	var all string
	for _, k := range m.house.snapshot.Keys.Published(certs.Signing) {
		all += string(k.PEM())
	}
	if diff := cmp.Diff(all, m.get(t, "/saml/certificates.pem").Body.String()); diff != "" {
		t.Errorf("certificates.pem (-want +got):\n%s", diff)
	}
}

// TestVendorPageOfOneApplication holds that ?sp= shows the name by which that
// application alone knows us, and where its metadata is.
func TestVendorPageOfOneApplication(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	for i := range m.house.snapshot.Parties {
		if p := &m.house.snapshot.Parties[i]; p.ID == "lax" {
			p.Issuer = "https://login.example.test/as/lax"
		}
	}
	page := m.get(t, "/saml?sp=lax").Body.String()
	for _, want := range []string{"https://login.example.test/as/lax<", matrixBase + "/saml/metadata/lax", "/saml/certificate.pem?sp=lax"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of lax lacks %q", want)
		}
	}
	if page := m.get(t, "/saml?sp=app").Body.String(); !strings.Contains(page, string(m.issuer())) {
		t.Error("the page of app lacks our entityID")
	}
	if rec := m.get(t, "/saml?sp=nobody"); rec.Code != http.StatusNotFound {
		t.Errorf("of an unknown application: %d", rec.Code)
	}
}

// TestAttributeReference holds that the page and its JSON twin list the whole
// catalogue alike.
func TestAttributeReference(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	var rows []attributeRow
	if err := json.Unmarshal(m.get(t, "/saml/attributes.json").Body.Bytes(), &rows); err != nil {
		t.Fatal(err)
	}
	page := html.UnescapeString(m.get(t, "/saml/attributes").Body.String())
	if len(rows) != len(m.house.snapshot.Catalogue.All()) {
		t.Errorf("got %d attributes, want %d", len(rows), len(m.house.snapshot.Catalogue.All()))
	}
	for _, r := range rows {
		for _, s := range []string{r.Name, r.NameFormat, r.FriendlyName, r.Label, r.Example} {
			if s == "" || !strings.Contains(page, s) {
				t.Errorf("%s: the page lacks %q", r.ID, s)
			}
		}
		if row, _ := m.house.snapshot.Catalogue.Lookup(identity.Name(r.ID)); r.MultiValued != (row.Type == "string_list") {
			t.Errorf("%s: multi_valued is %t", r.ID, r.MultiValued)
		}
	}
}
