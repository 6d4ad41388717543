package main

import (
	"testing"

	"github.com/samlet-id/samlet/identity"
)

// TestNameIDPolicyOfAConnection holds which NameID an upstream is asked for.
func TestNameIDPolicyOfAConnection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ value, want string }{
		{"", "none"},
		{"none", "none"},
		{"any", "AllowCreate true, of no format"},
		{"persistent", "AllowCreate true, " + string(identity.FormatPersistent)},
		{"urn:example:staff-number", "AllowCreate true, urn:example:staff-number"},
	} {
		t.Run("name_id_policy: "+tt.value, func(t *testing.T) {
			t.Parallel()
			more := "[wiki]"
			if tt.value != "" {
				more += "\n    name_id_policy: " + tt.value
			}
			w := newInitiated(t, more)
			msg, _, err := w.house.connectors["fed"].Begin(t.Context(), identity.AuthnRequest{}, "a-ticket")
			if err != nil {
				t.Fatal(err)
			}
			got := "none"
			if p := readRequest(t, msg.URL).SelectElement("NameIDPolicy"); p != nil {
				got = "AllowCreate " + p.SelectAttrValue("AllowCreate", "false") + ", " + p.SelectAttrValue("Format", "of no format")
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
