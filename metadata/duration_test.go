package metadata

import (
	"math"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{
		"PT6H":                   6 * time.Hour,
		"P1D":                    24 * time.Hour,
		"P1Y2M3DT4H5M6.5S":       (365+60+3)*24*time.Hour + 4*time.Hour + 5*time.Minute + 6500*time.Millisecond,
		"P1M":                    30 * 24 * time.Hour,
		"PT1M":                   time.Minute,
		"PT0S":                   0,
		"PT604800S":              7 * 24 * time.Hour,
		"P99999999999999999999Y": math.MaxInt64,
	} {
		if got, err := parseDuration(s); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "P", "PT", "6H", "P6H", "PT6D", "-P1D", "P-1D", "P1.5D", "PT1S1H", "P1D1D", "PT1", "PTS", "PT.S", "PT1.2.3S", "P1DT", "P1e3D", "PT0x1S", "PTInfS"} {
		if got, err := parseDuration(s); err == nil {
			t.Errorf("%q: got %v, want an error", s, got)
		}
	}
	for d, want := range map[time.Duration]string{6 * time.Hour: "PT6H", 90 * time.Second: "PT90S", 7 * 24 * time.Hour: "PT168H"} {
		got := formatDuration(d)
		if back, err := parseDuration(got); got != want || back != d || err != nil {
			t.Errorf("%v: got %q, read back as %v, %v; want %q", d, got, back, err, want)
		}
	}
}
