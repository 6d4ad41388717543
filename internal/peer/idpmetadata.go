package peer

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/crewjam/saml"
	"github.com/crewjam/saml/samlsp"
)

// refuseBeyond fails the test when it asks a software for what that cannot do.
func refuseBeyond(t testing.TB, name string, o SPOptions) {
	t.Helper()
	for _, k := range SPs() {
		if k.Name != name {
			continue
		}
		if what := k.CanDo(o); what != "" {
			t.Fatalf("%s cannot do %s; see SPKind", name, what)
		}
	}
}

// fetch reads a document that a peer publishes.
func fetch(t testing.TB, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading %s: %v", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s\n%s", url, resp.Status, b)
	}
	return b
}

// idpFacts are what software that reads no metadata is configured with.
type idpFacts struct {
	EntityID  string             `json:"entityID"`
	Redirect  string             `json:"redirect"`
	POST      string             `json:"post"`
	Logout    map[Binding]string `json:"logout"`
	Artifacts string             `json:"artifacts"`
	Certs     []string           `json:"certs"` // base64 of DER, without armour
}

func readIdP(t testing.TB, metadata []byte) idpFacts {
	t.Helper()
	ed, err := samlsp.ParseMetadata(metadata)
	if err != nil {
		t.Fatalf("reading the identity provider's metadata: %v", err)
	}
	f := idpFacts{EntityID: ed.EntityID, Logout: map[Binding]string{}}
	for _, role := range ed.IDPSSODescriptors {
		for _, s := range role.SingleSignOnServices {
			switch s.Binding {
			case saml.HTTPRedirectBinding:
				f.Redirect = s.Location
			case saml.HTTPPostBinding:
				f.POST = s.Location
			}
		}
		for _, s := range role.SingleLogoutServices {
			f.Logout[Binding(s.Binding)] = s.Location
		}
		for _, s := range role.ArtifactResolutionServices {
			f.Artifacts = s.Location
		}
		for _, k := range role.KeyDescriptors {
			if k.Use == "encryption" {
				continue
			}
			for _, c := range k.KeyInfo.X509Data.X509Certificates {
				f.Certs = append(f.Certs, string(bytes.Join(bytes.Fields([]byte(c.Data)), nil)))
			}
		}
	}
	return f
}

// narrowed is a copy of an identity provider's metadata in which software that
// chooses the binding by itself finds only the one that the options ask for. The
// copy is unsigned; none of them looks.
func (o SPOptions) narrowed(t testing.TB) []byte {
	t.Helper()
	metadata := o.IdPMetadata
	if o.RequestByPOST {
		metadata = only(t, metadata, "SingleSignOnService", POST)
	}
	if o.LogoutBy != "" {
		metadata = only(t, metadata, "SingleLogoutService", o.LogoutBy)
	}
	return signatureElement.ReplaceAll(metadata, nil)
}

// only leaves the endpoints of other bindings out. It works on the text, because
// types that know less than the document would lose the rest of it.
func only(t testing.TB, metadata []byte, service string, b Binding) []byte {
	t.Helper()
	endpoint := regexp.MustCompile(`(?s)<(?:\w+:)?` + service + `\s[^>]*?(?:/>|>\s*</(?:\w+:)?` + service + `>)`)
	found := false
	kept := endpoint.ReplaceAllFunc(metadata, func(e []byte) []byte {
		if !bytes.Contains(e, []byte(`"`+string(b)+`"`)) {
			return nil
		}
		found = true
		return e
	})
	if !found {
		t.Fatalf("the identity provider's metadata has no %s for %s", service, b)
	}
	return kept
}
