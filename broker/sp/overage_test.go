package sp_test

import (
	"testing"

	"github.com/samlet-id/samlet/identity"
)

// TestOverage holds that a link in place of groups, which Entra ID sends to somebody
// with too many, is told of, and that nothing else is taken for one.
func TestOverage(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"http://schemas.microsoft.com/claims/groups.link": 1, "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups": 0} {
		u := newUpstream(t, "response")
		c := u.Open(t)
		msg, state, err := c.Begin(t.Context(), identity.AuthnRequest{}, "a-ticket")
		if err != nil {
			t.Fatal(err)
		}
		a := answer{asked: readQuestion(t, msg), issuer: idpID, signer: u.signer, sign: "response", edits: []string{"urn:oid:0.9.2342.19200300.100.1.3", name}}
		got, err := c.Finish(t.Context(), state, post(a.build(t)))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Remarks) != want || want == 1 && got.Remarks[0].Code != "up.groups" {
			t.Errorf("%s: remarks %+v, want %d", name, got.Remarks, want)
		}
	}
}
