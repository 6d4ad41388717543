package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

// docs/applications.md lists the software that these tests try, and what: the
// table is made of the one that the tests are run from.
func TestApplicationsNameTheSoftwareThatIsTried(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "applications.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := triedTable(); !strings.Contains(string(text), want) {
		t.Errorf("docs/applications.md does not have this table:\n%s", want)
	}
}

func triedTable() string {
	var b strings.Builder
	b.WriteString("| software | version | also tried | asks for logout by | is logged out by |\n|---|---|---|---|---|\n")
	for _, k := range peer.SPs() {
		var also []string
		for _, a := range []struct {
			name string
			can  bool
		}{
			{"ForceAuthn", k.ForceAuthn},
			{"IsPassive", k.IsPassive},
			{"requests by POST", k.RequestByPOST},
			{"RequestedAuthnContext", k.AuthnContext},
			{"unsolicited Responses", k.Unsolicited},
			{"artifact", k.Artifact},
			{"ECP", k.ECP},
			{"ECDSA", k.ECDSA},
		} {
			if a.can {
				also = append(also, a.name)
			}
		}
		b.WriteString("| " + strings.Join([]string{k.Name, k.Version, strings.Join(also, ", "), bindings(k.LogoutAsks), bindings(k.LogoutTakes)}, " | ") + " |\n")
	}
	return b.String()
}

func bindings(all []peer.Binding) string {
	if len(all) == 0 {
		return "–"
	}
	var names []string
	for _, b := range all {
		names = append(names, b.Short())
	}
	return strings.Join(names, ", ")
}
