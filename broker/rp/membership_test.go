package rp_test

import (
	"testing"

	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/identity"
)

// TestAttackMembershipsWithoutScope holds that people are held to the organizations that
// are wanted whatever scopes are configured: without read:org nobody's are asked for.
func TestAttackMembershipsWithoutScope(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		scopes []string
		asked  string
	}{
		{"another scope", []string{"user:email"}, "user:email read:org"},
		{"no scope", []string{}, "read:org"},
		{"one that tells them", []string{"admin:org"}, "admin:org"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlain(t, rp.VendorGitHub)
			cfg := p.config(t)
			cfg.Scopes, cfg.Memberships = tt.scopes, []string{"other"}
			_, asked, err := p.signIn(t, cfg)
			wantCode(t, tt.name, err, identity.KindDenied, "up.membership")
			if got := asked.Query().Get("scope"); got != tt.asked {
				t.Errorf("asked for scope %q, want %q", got, tt.asked)
			}
		})
	}
}
