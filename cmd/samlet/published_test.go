package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"
)

// TestPublishedEndpointsAreServed calls every address in every metadata file
// that samlet serves, and demands that a page of its own answers: nothing is
// advertised that is not served (SDP-MD04).
func TestPublishedEndpointsAreServed(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	for path, want := range map[string][]string{
		"/saml/metadata": {
			"ArtifactResolutionService SOAP", "SingleLogoutService HTTP-Redirect", "SingleLogoutService HTTP-POST", "SingleLogoutService SOAP",
			"SingleSignOnService HTTP-Redirect", "SingleSignOnService HTTP-POST"},
		"/saml/sp/partner/metadata": {"SingleLogoutService HTTP-Redirect", "SingleLogoutService HTTP-POST", "SingleLogoutService SOAP", "AssertionConsumerService HTTP-POST"},
		"/test/metadata":            {"SingleLogoutService HTTP-Redirect", "SingleLogoutService HTTP-POST", "AssertionConsumerService HTTP-POST"},
	} {
		status, body := call(t, http.MethodGet, world.Samlet+path, "")
		doc := etree.NewDocument()
		if err := doc.ReadFromString(body); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d, %v", path, status, err)
		}
		var got []string
		for _, e := range doc.FindElements("//*[@Location]") {
			name := e.SelectAttrValue("Binding", "")
			name = name[strings.LastIndexByte(name, ':')+1:]
			got = append(got, e.Tag+" "+name)
			method, kind, want := http.MethodGet, "", http.StatusBadRequest
			switch name {
			case "HTTP-POST":
				method, kind = http.MethodPost, "application/x-www-form-urlencoded"
			case "SOAP":
				method, kind, want = http.MethodPost, "text/xml", http.StatusInternalServerError // a fault, by SOAP 1.1
			}
			// There is no message in it, which is for the endpoint to say.
			status, body := call(t, method, e.SelectAttrValue("Location", ""), kind)
			if status != want || strings.Contains(body, "web.") || name == "SOAP" && !strings.Contains(body, "Fault") {
				t.Errorf("%s: %s answers %d:\n%s", path, got[len(got)-1], status, body)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s publishes (-want +got):\n%s", path, diff)
		}
	}
}

func call(t *testing.T, method, address, kind string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(url.Values{}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	var body strings.Builder
	if err := resp.Write(&body); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(body.String(), "\r\n\r\n")
	return resp.StatusCode, text
}
