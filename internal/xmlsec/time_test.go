package xmlsec_test

import (
	"testing"
	"time"

	"github.com/samlet-id/samlet/internal/xmlsec"
)

func TestFormatTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 1, 2, 3, 999_999_999, time.FixedZone("", 3600))
	if got, want := xmlsec.FormatTime(at), "2026-11-23T00:02:03Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	whole := time.Date(2026, 11, 23, 0, 2, 3, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"2026-11-23T00:02:03Z":               whole,
		" 2026-11-23T00:02:03Z\n":            whole,
		"2026-11-23T01:02:03+01:00":          whole,
		"2026-11-23T00:02:03":                whole,
		"2026-11-23T00:02:03.25Z":            whole.Add(250 * time.Millisecond),
		"2026-11-23T00:02:03.123456789Z":     whole.Add(123456789),
		"2026-11-23T00:02:03.1234567890123Z": whole.Add(123456789),
	} {
		if got, err := xmlsec.ParseTime(in); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q: got %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "now", "2026-11-23", "2026-11-23T00:02Z", "2026-13-23T00:02:03Z", "2026-11-23T00:02:03 Z", "1763856123"} {
		if got, err := xmlsec.ParseTime(in); err == nil {
			t.Errorf("%q was read as %v", in, got)
		}
	}
}
