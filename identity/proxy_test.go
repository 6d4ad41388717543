package identity

import (
	"fmt"
	"testing"
)

func show(p ProxyRestriction) string {
	count := "any"
	if p.Count != nil {
		count = fmt.Sprint(*p.Count)
	}
	return count + " " + fmt.Sprint(p.Audiences)
}

func TestProxyRestriction(t *testing.T) {
	t.Parallel()
	none, one, three := 0, 1, 3
	a, ab, c := []EntityID{"urn:a"}, []EntityID{"urn:a", "urn:b"}, []EntityID{"urn:c"}
	for name, tt := range map[string]struct {
		p, q    ProxyRestriction
		permits bool // p, an assertion to urn:a
		next    string
		and     string
	}{
		"no bound":          {ProxyRestriction{}, ProxyRestriction{}, true, "any []", "any []"},
		"no step left":      {ProxyRestriction{Count: &none}, ProxyRestriction{Count: &three}, false, "0 []", "0 []"},
		"one step left":     {ProxyRestriction{Count: &one}, ProxyRestriction{}, true, "0 []", "1 []"},
		"several":           {ProxyRestriction{Count: &three}, ProxyRestriction{Count: &one}, true, "2 []", "1 []"},
		"listed":            {ProxyRestriction{Audiences: ab}, ProxyRestriction{Audiences: a}, true, "any [urn:a urn:b]", "any [urn:a]"},
		"not listed":        {ProxyRestriction{Audiences: c}, ProxyRestriction{}, false, "any [urn:c]", "any [urn:c]"},
		"nobody on both":    {ProxyRestriction{Audiences: ab}, ProxyRestriction{Audiences: c}, true, "any [urn:a urn:b]", "0 []"},
		"one on either":     {ProxyRestriction{}, ProxyRestriction{Count: &one, Audiences: c}, true, "any []", "1 [urn:c]"},
		"listed, no step":   {ProxyRestriction{Count: &none, Audiences: a}, ProxyRestriction{}, false, "0 [urn:a]", "0 [urn:a]"},
		"the smaller count": {ProxyRestriction{Count: &one}, ProxyRestriction{Count: &none}, true, "0 []", "0 []"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.p.Permits("urn:a"); got != tt.permits {
				t.Errorf("Permits: %t, want %t", got, tt.permits)
			}
			if got := show(tt.p.Next()); got != tt.next {
				t.Errorf("Next: %s, want %s", got, tt.next)
			}
			if got := show(tt.p.And(tt.q)); got != tt.and {
				t.Errorf("And: %s, want %s", got, tt.and)
			}
			if got := tt.p.Given(); got != (show(tt.p) != "any []") {
				t.Errorf("Given: %t", got)
			}
		})
	}
}
