package main

import (
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestErrorURL holds that somebody of whom a required attribute is missing is led to the
// page that the metadata of their identity provider names, and nowhere else.
func TestErrorURL(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		errorURL string
		settings string
		want     string // of which the link is the beginning; none, if empty
	}{
		"filled in": {
			"https://idp.example.test/help?c=ERRORURL_CODE&rp=ERRORURL_RP&t=ERRORURL_TS&r=ERRORURL_TID&x=ERRORURL_CTX", "    map: [{to: mail, from: email, required: true}]\n",
			`^https://idp\.example\.test/help\?c=IDENTIFICATION_FAILURE&rp=http%3A%2F%2F127\.0\.0\.1%3A8080%2Fsaml%2Fsp%2Ffed%2Fmetadata&t=\d{10}&r=[a-z0-9]{16}&x=a\+value\+for\+mail%2C\+from\+email$`,
		},
		"as it is":      {"https://idp.example.test/help", "    map: [{to: mail, from: email, required: true}]\n", `^https://idp\.example\.test/help$`},
		"merely http":   {"http://idp.example.test/help", "    map: [{to: mail, from: email, required: true}]\n", ""},
		"another fault": {"https://idp.example.test/help", "    map: [{to: mail, value: \"claims['x'][7]\"}]\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log logBuffer
			w := newInitiatedWith(t, tc.settings, &log)
			file := `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.test"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol" errorURL="` + html.EscapeString(tc.errorURL) +
				`"><KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` + base64.StdEncoding.EncodeToString(w.idp.Certificate.Raw) + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>` +
				`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.test/sso"/></IDPSSODescriptor></EntityDescriptor>`
			writeFile(t, filepath.Join(filepath.Dir(w.path), "idp.xml"), file)
			inline := regexp.MustCompile(`metadata: \{inline: \{entity_id: "https://idp\.example\.test".*\n`)
			writeFile(t, w.path, inline.ReplaceAllString(readAll(t, w.path), "metadata: {file: idp.xml}\n"))
			if err := w.reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			v := w.visitor()
			question := asked(t, v.goes(t, "/saml/idp-initiated?idp_hint=fed&sp="+url.QueryEscape("https://wiki.example.test")))
			rec := v.posts(t, weakAnswer{}.response(t, readRequest(t, question.String()), w.idp, w.to), question.Query().Get("RelayState"))
			if rec.Code == http.StatusOK {
				t.Fatalf("somebody is signed in:\n%s", rec.Body)
			}
			found := regexp.MustCompile(`href="(https?://idp\.example\.test/help[^"]*)"`).FindStringSubmatch(rec.Body.String())
			switch {
			case tc.want == "" && found != nil:
				t.Errorf("the page leads to %s", found[1])
			case tc.want != "" && (found == nil || !regexp.MustCompile(tc.want).MatchString(html.UnescapeString(found[1]))):
				t.Errorf("the page leads to %q, want %s:\n%s", found, tc.want, strings.SplitAfter(rec.Body.String(), "<main")[1])
			}
		})
	}
}
