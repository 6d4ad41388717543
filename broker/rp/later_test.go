package rp_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/identity"
)

// TestLater holds that people whose vendor is asked too often hear when to try again,
// and hear of no time that it did not say.
func TestLater(t *testing.T) {
	t.Parallel()
	epoch := func(d time.Duration) string { return strconv.FormatInt(noon.Add(d).Unix(), 10) }
	for _, tt := range []struct {
		name   string
		status int
		header http.Header
		want   string
	}{
		{"seconds", 429, http.Header{"Retry-After": {"61"}}, "in 2 minutes."},
		{"one second", 403, http.Header{"Retry-After": {"1"}}, "in a minute."},
		{"a date", 503, http.Header{"Retry-After": {noon.Add(10 * time.Minute).Format(http.TimeFormat)}}, "in 10 minutes."},
		{"GitHub's count is used up", 403, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {epoch(time.Hour)}}, "in 60 minutes."},
		{"Retry-After before the count", 403, http.Header{"Retry-After": {"30"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {epoch(time.Hour)}}, "in a minute."},
		{"refused with some left", 403, http.Header{"X-Ratelimit-Remaining": {"7"}, "X-Ratelimit-Reset": {epoch(time.Hour)}}, "at the moment."},
		{"an outage that says no time", 503, nil, "at the moment."},
		{"no refusal of a limit", 500, http.Header{"Retry-After": {"60"}}, "at the moment."},
		{"a date that is past", 429, http.Header{"Retry-After": {noon.Format(http.TimeFormat)}}, "at the moment."},
		{"a negative wait", 429, http.Header{"Retry-After": {"-5"}}, "at the moment."},
		{"years", 429, http.Header{"Retry-After": {"2147483647"}}, "at the moment."},
		{"no number", 429, http.Header{"Retry-After": {"soon"}}, "at the moment."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlain(t, rp.VendorGitHub)
			p.status[p.who], p.header = tt.status, tt.header
			_, _, err := p.signIn(t, p.config(t))
			wantCode(t, tt.name, err, identity.KindUnavailable, "up.unreachable")
			if got := identity.AsError(err).Msg; !strings.HasSuffix(got, tt.want) {
				t.Errorf("got %q, want it to end in %q", got, tt.want)
			}
		})
	}
}
