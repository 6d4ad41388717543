package idp_test

import (
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/xmlsec"
)

// What the operator refuses is neither accepted nor used (IIP-ALG08), be it what
// everybody uses.
func TestRefusedAlgorithms(t *testing.T) {
	t.Parallel()
	t.Run("a signed request", func(t *testing.T) {
		t.Parallel()
		for _, refused := range []string{"", xmlsec.AlgRSASHA256} {
			w := newWorld(t, nil, nil)
			w.party.Refused = []string{refused}
			w.party.Sign.Algorithm = xmlsec.AlgRSASHA384
			key := loadKey(t, "sp")
			got := w.send(byRedirect(t, authnRequest, "", &key))
			if refused == "" && got.response == nil || refused != "" && !strings.Contains(got.page, "sp.signature") {
				t.Errorf("with %q refused: got %d\n%s", refused, got.status, got.page)
			}
		}
	})
	t.Run("our signature", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil, nil)
		w.party.Refused = []string{xmlsec.AlgRSASHA256}
		if got := w.response(t, nil); !strings.Contains(string(got), xmlsec.AlgRSASHA384) || strings.Contains(string(got), xmlsec.AlgRSASHA256) {
			t.Errorf("got %s, want rsa-sha384", got)
		}
	})
}
