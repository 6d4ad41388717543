package main

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// Duration is a length of time in config.yaml: a number with a unit, one or
// several ("90s", "12h", "1h30m", "7d", "1y"). A day is 24 hours and a year 365
// days. A bare number is refused, because nobody can tell what it means.
type Duration time.Duration

var durationPart = regexp.MustCompile(`^([0-9]+)(ms|s|m|h|d|y)`)

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	units := map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "y": 365 * 24 * time.Hour,
	}
	rest, total := string(text), time.Duration(0)
	for rest != "" {
		m := durationPart.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("%q is no duration: write a number with a unit, such as 90s, 12h or 7d", text)
		}
		n, err := strconv.ParseInt(m[1], 10, 32)
		if err != nil {
			return fmt.Errorf("%q is too long a duration", text)
		}
		total += time.Duration(n) * units[m[2]]
		rest = rest[len(m[0]):]
	}
	if len(text) == 0 || total < 0 {
		return fmt.Errorf("%q is no duration: write a number with a unit, such as 90s, 12h or 7d", text)
	}
	*d = Duration(total)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Size is an amount of memory in bytes, written with a binary unit ("64MiB").
type Size int64

var sizePattern = regexp.MustCompile(`^([0-9]+)(KiB|MiB|GiB)$`)

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	m := sizePattern.FindSubmatch(text)
	if m == nil {
		return fmt.Errorf("%q is no size: write a number with KiB, MiB or GiB, such as 19MiB", text)
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 32)
	if err != nil {
		return fmt.Errorf("%q is too large a size", text)
	}
	shift := map[string]uint{"KiB": 10, "MiB": 20, "GiB": 30}[string(m[2])]
	*s = Size(n << shift)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (s Size) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%dKiB", int64(s)>>10), nil
}

// word is one of a fixed set of words. Among them YAML's words for truth ("off")
// cannot be mistaken for anything else.
type word string

// stringList is a list of strings that may be written as one string.
type stringList []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *stringList) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*s = stringList{n.Value}
		return nil
	}
	var list []string
	if err := n.Decode(&list); err != nil {
		return err
	}
	*s = list
	return nil
}
