package rp

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/samlet-id/samlet/identity"
)

// maxWait is the longest wait that people are told of. GitHub counts by the hour;
// what is longer than a day is no limit but an outage, or a mistake.
const maxWait = 24 * time.Hour

// later returns for how long an upstream that limits how often it is asked wants to be
// left alone: by Retry-After (RFC 9110 section 10.2.3), or until GitHub's count begins
// anew ("Rate limits for the REST API"). Zero means that it says no such thing.
func later(resp *http.Response, now time.Time) time.Duration {
	if !slices.Contains([]int{http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable}, resp.StatusCode) {
		return 0
	}
	var wait time.Duration
	after := resp.Header.Get("Retry-After")
	seconds, notSeconds := strconv.ParseInt(after, 10, 32)
	date, notDate := http.ParseTime(after)
	reset, notReset := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64)
	switch {
	case notSeconds == nil:
		wait = time.Duration(seconds) * time.Second
	case notDate == nil:
		wait = date.Sub(now)
	case notReset == nil && resp.Header.Get("X-RateLimit-Remaining") == "0":
		wait = time.Unix(reset, 0).Sub(now)
	}
	if wait <= 0 || wait > maxWait {
		return 0
	}
	return wait
}

// busy tells the person when to try again, in minutes that are over by then.
func busy(seen string, wait time.Duration) *identity.Error {
	in := "a minute"
	if minutes := int64((wait + time.Minute - 1) / time.Minute); minutes > 1 {
		in = fmt.Sprintf("%d minutes", minutes)
	}
	e := unreachable(seen, nil)
	e.Msg = "Your organization's sign-in service is asked too often at the moment. Please try again in " + in + "."
	return e
}
