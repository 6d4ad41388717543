package metadata_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

func acs(binding, location string, index int, isDefault identity.Switch) metadata.IndexedEndpoint {
	return metadata.IndexedEndpoint{Endpoint: metadata.Endpoint{Binding: binding, Location: location}, Index: index, IsDefault: isDefault}
}

func TestAssertionConsumerService(t *testing.T) {
	t.Parallel()
	s := &metadata.SP{ACS: []metadata.IndexedEndpoint{
		acs(identity.BindingRedirect, "https://app.example.test/redirect", 0, identity.On),
		acs(identity.BindingPOST, "https://app.example.test/acs", 1, identity.Off),
		acs(identity.BindingArtifact, "https://app.example.test/acs", 2, identity.Auto),
		acs(identity.BindingPOST, "https://app.example.test/other", 3, identity.Auto),
		acs(identity.BindingPOST, "https://app.example.test/unnumbered", -1, identity.Auto),
	}}
	at := func(i int) *int { return &i }
	for _, tc := range []struct {
		name, url string
		index     *int
		binding   string
		want      string
		code      identity.Code
	}{
		{"by URL", "https://app.example.test/acs", nil, "", "https://app.example.test/acs", ""},
		{"by URL and binding", "https://app.example.test/acs", nil, identity.BindingPOST, "https://app.example.test/acs", ""},
		{"by index", "", at(3), "", "https://app.example.test/other", ""},
		{"the default", "", nil, "", "https://app.example.test/other", ""},
		{"the default by POST", "", nil, identity.BindingPOST, "https://app.example.test/other", ""},
		{"an unregistered URL", "https://evil.example.test/acs", nil, "", "", "sp.acs_mismatch"},
		{"a longer URL", "https://app.example.test/acs/", nil, "", "", "sp.acs_mismatch"},
		{"a URL with a query added", "https://app.example.test/acs?x", nil, "", "", "sp.acs_mismatch"},
		{"a URL in other case", "https://APP.example.test/acs", nil, "", "", "sp.acs_mismatch"},
		{"a URL with its port", "https://app.example.test:443/acs", nil, "", "", "sp.acs_mismatch"},
		{"an index that is not there", "", at(7), "", "", "sp.acs_mismatch"},
		{"the index of none", "", at(-1), "", "", "sp.acs_mismatch"},
		{"both", "https://app.example.test/acs", at(1), "", "", "sp.acs_both"},
		{"by Redirect", "", nil, identity.BindingRedirect, "", "sp.binding"},
		{"by Artifact", "https://app.example.test/acs", nil, identity.BindingArtifact, "", "sp.binding"},
		{"the index of Redirect", "", at(0), "", "", "sp.binding"},
		{"the URL of Redirect", "https://app.example.test/redirect", nil, "", "", "sp.binding"},
	} {
		got, err := s.AssertionConsumerService(tc.url, tc.index, tc.binding)
		if got.Location != tc.want || identity.CodeOf(err) != tc.code {
			t.Errorf("%s: got %v, %v; want %q, %q", tc.name, got, err, tc.want, tc.code)
		}
	}
}

// SAML Metadata 2.2.3, for endpoints and for attribute services.
func TestDefaultRule(t *testing.T) {
	t.Parallel()
	const on, off, auto = identity.On, identity.Off, identity.Auto
	for _, tc := range []struct {
		name   string
		states []identity.Switch
		want   int
	}{
		{"the first that is stated", []identity.Switch{auto, off, on, on}, 2},
		{"else the first that is not denied", []identity.Switch{off, auto, auto}, 1},
		{"else the first", []identity.Switch{off, off}, 0},
	} {
		s := &metadata.SP{}
		for i, st := range tc.states {
			s.ACS = append(s.ACS, acs(identity.BindingPOST, "https://app.example.test/"+string(rune('0'+i)), i, st))
			s.AttributeConsumingServices = append(s.AttributeConsumingServices, metadata.AttributeConsumingService{Index: i, IsDefault: st})
		}
		got, err := s.AssertionConsumerService("", nil, "")
		if err != nil || got != s.ACS[tc.want].Endpoint {
			t.Errorf("%s: got %v, %v, want number %d", tc.name, got, err, tc.want)
		}
		if a, ok := s.AttributeConsumingService(nil); !ok || a.Index != tc.want {
			t.Errorf("%s: got service %v, %v, want number %d", tc.name, a, ok, tc.want)
		}
	}
	none := &metadata.SP{}
	if _, err := none.AssertionConsumerService("", nil, ""); identity.CodeOf(err) != "sp.acs_mismatch" {
		t.Errorf("without endpoints: got %v", err)
	}
	zero := 0
	if _, ok := none.AttributeConsumingService(&zero); ok {
		t.Error("found an attribute service where there is none")
	}
}

// discoverable is an SP's file with these DiscoveryResponse elements in its role.
func discoverable(responses string) []byte {
	file := string(sp(oneACS))
	at := strings.Index(file, "<md:SPSSODescriptor")
	at += strings.Index(file[at:], ">") + 1
	return []byte(file[:at] + `<md:Extensions xmlns:idpdisc="` + protocolDiscovery + `">` + responses + "</md:Extensions>" + file[at:])
}

const protocolDiscovery = "urn:oasis:names:tc:SAML:profiles:SSO:idp-discovery-protocol"

func TestDiscoveryLocations(t *testing.T) {
	t.Parallel()
	response := func(binding, location, index, more string) string {
		return `<idpdisc:DiscoveryResponse Binding="` + binding + `" Location="` + location + `" index="` + index + `"` + more + `/>`
	}
	const a, b = "https://app.example.test/a", "https://app.example.test/b?x=1"
	for name, tc := range map[string]struct {
		file []byte
		want []string
	}{
		"none":                            {sp(oneACS), nil},
		"one":                             {discoverable(response(protocolDiscovery, a, "0", "")), []string{a}},
		"default first":                   {discoverable(response(protocolDiscovery, a, "0", "") + response(protocolDiscovery, b, "1", ` isDefault="true"`)), []string{b, a}},
		"not the default":                 {discoverable(response(protocolDiscovery, a, "0", ` isDefault="false"`) + response(protocolDiscovery, b, "1", "")), []string{b, a}},
		"of another binding":              {discoverable(response(identity.BindingPOST, a, "0", "") + response(protocolDiscovery, b, "1", "")), []string{b}},
		"of other bindings alone":         {discoverable(response(identity.BindingPOST, a, "0", "")), nil},
		"of another namespace":            {discoverable(`<md:DiscoveryResponse Binding="` + protocolDiscovery + `" Location="` + a + `" index="0"/>`), nil},
		"merely http":                     {discoverable(response(protocolDiscovery, "http://app.example.test/", "0", "") + response(protocolDiscovery, b, "1", "")), []string{b}},
		"in the entity's, not the role's": {[]byte(spWith(`<idpdisc:DiscoveryResponse xmlns:idpdisc="` + protocolDiscovery + `" Binding="` + protocolDiscovery + `" Location="` + a + `" index="0"/>`)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := parse(tc.file, metadata.RoleSP)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, e.SP.DiscoveryLocations()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, location := range []string{"javascript:alert(1)", "https://app.example.test/&quot;&gt;"} {
		if _, err := parse(discoverable(response(protocolDiscovery, location, "0", "")), metadata.RoleSP); identity.CodeOf(err) != "md.endpoint" {
			t.Errorf("%s: got %v", location, err)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	all := []metadata.Endpoint{
		{Binding: identity.BindingPOST, Location: "https://idp.example.test/post"},
		{Binding: identity.BindingRedirect, Location: "https://idp.example.test/redirect", ResponseLocation: "https://idp.example.test/back"},
	}
	got, ok := metadata.Find(all, identity.BindingSOAP, identity.BindingRedirect, identity.BindingPOST)
	if !ok {
		t.Fatal("found nothing")
	}
	if diff := cmp.Diff(all[1], got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.ResponseURL() != "https://idp.example.test/back" || all[0].ResponseURL() != all[0].Location {
		t.Errorf("ResponseURL: got %q and %q", got.ResponseURL(), all[0].ResponseURL())
	}
	if _, ok := metadata.Find(all, identity.BindingSOAP); ok {
		t.Error("found a binding that is not offered")
	}
}
