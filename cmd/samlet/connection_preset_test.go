package main

import "testing"

// TestUnsignedResponses holds the default against IIP-SP13: whoever wants a
// signed assertion to be enough has to say so, by the key or by a preset.
func TestUnsignedResponses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, yaml string
		want       bool
	}{
		{"nothing said", "", false},
		{"the generic preset", "preset: generic, ", false},
		{"allowed by the key", "require: {signed_response: false}, ", true},
		{"demanded by the key", "require: {signed_response: true}, ", false},
		{"allowed by preset auth0", "preset: auth0, ", true},
		{"allowed by preset google", "preset: google, ", true},
		{"a preset, and the key above it", "preset: google, require: {signed_response: true}, ", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, _, err := readConfig(write(t, minimal+"connections: [{id: a, type: saml, "+tt.yaml+"metadata: {file: a.xml}}]\n"))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Connections[0].allowsUnsignedResponse(); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}
