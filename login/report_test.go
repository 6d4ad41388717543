package login_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

var reportPath = regexp.MustCompile(`/problem/[a-z0-9]+`)

// TestReport holds that whoever is to repair an upstream reads what was seen and expected
// at the address on the error page, in any browser, for a week; and nobody's address.
func TestReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: partner()})
	w.up.fail = &identity.Error{
		Kind: identity.KindInvalid, Code: "up.audience", Who: identity.WhoPartner, Msg: "It was for another.",
		Seen: "https://other.test for ada@partner.test", Expected: "https://login.example.test/sp",
	}
	b := w.newBrowser()
	p := b.arrive("partner", b.leave(t, identity.AuthnRequest{Connection: "partner"}), "ada")
	path := reportPath.FindString(p.body)
	if path == "" {
		t.Fatalf("the page names no report:\n%s", p.body)
	}
	got := w.newBrowser().get(path)
	for _, want := range []string{"up.audience", "other.test", "login.example.test/sp", "Partner Inc.", strings.TrimPrefix(path, "/problem/")} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the report does not say %q:\n%s", want, got.body)
		}
	}
	if got.status != http.StatusOK || strings.Contains(got.body, "ada@") || !strings.Contains(got.body, "…@…") {
		t.Errorf("the report names somebody:\n%s", got.body)
	}
	w.pass(8 * 24 * time.Hour)
	if got := w.newBrowser().get(path); got.status != http.StatusNotFound {
		t.Errorf("a week later: got %d", got.status)
	}
}

// TestAttackReportGuessing holds that no ID but that of a sign-in which failed at an
// upstream tells anything, not that of one that went well, nor of a wrong password.
func TestAttackReportGuessing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: partner()})
	w.addPerson("ada")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", "a wrong password")
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass)
	ids := []string{"", "%20", "../login", "aaaaaaaaaaaaaaaa"}
	w.update(func(ctx context.Context, tx *store.Tx) error {
		events, err := tx.Events.List(ctx, "", 100)
		for _, e := range events {
			ids = append(ids, e.RequestID)
		}
		return err
	})
	if len(ids) < 6 {
		t.Fatalf("requests: %q", ids)
	}
	for _, id := range ids {
		if got := w.newBrowser().get("/problem/" + id); got.status == http.StatusOK && strings.Contains(got.body, "A sign-in that failed") {
			t.Errorf("%q is told of:\n%s", id, got.body)
		}
	}
}
