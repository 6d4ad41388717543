package metadata

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The lengths that stand in for units of no fixed length.
const (
	day   = 24 * time.Hour
	month = 30 * day
	year  = 365 * day
)

// parseDuration reads an xs:duration (XML Schema Part 2, 3.2.6) that is not
// negative. A year counts 365 days and a month 30, since there is no date to
// count from. What is longer than a time.Duration can hold becomes the longest.
func parseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no xs:duration", s)
	rest, ok := strings.CutPrefix(s, "P")
	if !ok || rest == "" {
		return 0, bad
	}
	date, clock, hasClock := strings.Cut(rest, "T")
	if hasClock && clock == "" {
		return 0, bad
	}
	total := 0.0
	for _, part := range []struct {
		text  string
		units string
		each  []time.Duration
	}{
		{date, "YMD", []time.Duration{year, month, day}},
		{clock, "HMS", []time.Duration{time.Hour, time.Minute, time.Second}},
	} {
		next := 0 // units come in order, each at most once
		for text := part.text; text != ""; {
			end := strings.IndexAny(text, part.units)
			if end <= 0 {
				return 0, bad
			}
			unit := strings.IndexByte(part.units, text[end])
			if unit < next {
				return 0, bad
			}
			n, err := parseNumber(text[:end], text[end] == 'S')
			if err != nil {
				return 0, bad
			}
			total += n * float64(part.each[unit])
			next, text = unit+1, text[end+1:]
		}
	}
	if total >= math.MaxInt64 {
		return math.MaxInt64, nil
	}
	return time.Duration(total), nil
}

// parseNumber admits digits only, and a fraction where fraction is true.
func parseNumber(s string, fraction bool) (float64, error) {
	if strings.Trim(s, "0123456789.") != "" || !fraction && strings.Contains(s, ".") {
		return 0, fmt.Errorf("%q is no number", s)
	}
	return strconv.ParseFloat(s, 64)
}

// formatDuration writes an xs:duration of whole seconds in hours where that is
// exact, as people read it best.
func formatDuration(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("PT%dH", d/time.Hour)
	}
	return fmt.Sprintf("PT%dS", d/time.Second)
}
