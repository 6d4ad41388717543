package peer_test

import (
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

// The real browser does what ours imitates: it keeps the cookies of other sites'
// frames back, and a policy of the page stops a frame.
func TestChromiumBlocksThirdParties(t *testing.T) {
	t.Parallel()
	other := framed(t, nil)
	c := peer.NewChromium(t)
	c.Open(other + "/first")
	c.Open(page(t, "", `<p>there</p><iframe src="`+other+`/framed"></iframe>`))
	c.AwaitText("there")
	c.Open(other + "/last")
	if want := "document none | lax=first; none=first"; c.Text != want {
		t.Errorf("cookies afterwards: got %q, want %q", c.Text, want)
	}
	c.Open(page(t, "frame-src 'self'", `<p>there</p><iframe src="`+other+`/framed"></iframe>`))
	c.AwaitText("there")
	c.Open(other + "/last")
	if !strings.Contains(strings.Join(c.Refused, " "), "frame-src") {
		t.Errorf("refused: got %q, want a frame", c.Refused)
	}
}
