package identity

import (
	"fmt"
	"testing"
)

func TestRequestedContextSatisfied(t *testing.T) {
	t.Parallel()
	const (
		other = ClassRef("urn:example:other")
		ppt   = ClassPasswordProtectedTransport
	)
	tests := []struct {
		comparison Comparison
		classes    []ClassRef
		got        ClassRef
		want       bool
	}{
		{ComparisonExact, nil, ClassPassword, true},
		{ComparisonExact, []ClassRef{ClassPassword}, ClassPassword, true},
		{ComparisonExact, []ClassRef{ClassPassword}, ppt, false},
		{ComparisonExact, []ClassRef{other, ClassPassword}, ClassPassword, true},
		{ComparisonExact, []ClassRef{ClassUnspecified}, ClassPassword, true},
		{ComparisonExact, []ClassRef{ClassREFEDSMFA}, ppt, false},
		{ComparisonExact, []ClassRef{ClassREFEDSMFA}, ClassMicrosoftMFA, false},
		{ComparisonExact, []ClassRef{ClassREFEDSSFA}, ppt, false},
		{ComparisonMinimum, []ClassRef{ClassPassword}, ppt, true},
		{ComparisonMinimum, []ClassRef{ppt}, ClassPassword, false},
		{ComparisonMinimum, []ClassRef{ppt}, ClassREFEDSSFA, true},
		{ComparisonMinimum, []ClassRef{ppt}, ClassKerberos, true},
		{ComparisonMinimum, []ClassRef{ppt}, ClassTimeSyncToken, true},
		{ComparisonMinimum, []ClassRef{ppt}, ClassREFEDSMFA, true},
		{ComparisonMinimum, []ClassRef{ppt}, ClassMicrosoftMFA, true},
		{ComparisonMinimum, []ClassRef{ClassX509}, ClassTimeSyncToken, true},
		{ComparisonMinimum, []ClassRef{ClassTimeSyncToken}, ppt, false},
		{ComparisonMinimum, []ClassRef{ClassSmartcardPKI}, ClassX509, false},
		// A profile promises more than its level.
		{ComparisonMinimum, []ClassRef{ClassREFEDSSFA}, ppt, false},
		{ComparisonMinimum, []ClassRef{ClassREFEDSSFA}, ClassREFEDSMFA, true},
		{ComparisonMinimum, []ClassRef{ClassREFEDSMFA}, ClassSmartcardPKI, false},
		{ComparisonMinimum, []ClassRef{ClassREFEDSMFA}, ClassMicrosoftMFA, false},
		{ComparisonMinimum, []ClassRef{ClassMicrosoftMFA}, ClassREFEDSMFA, true},
		{ComparisonMinimum, []ClassRef{ClassUnspecified}, other, true},
		{ComparisonMinimum, []ClassRef{other}, other, true},
		{ComparisonMinimum, []ClassRef{other}, ClassREFEDSMFA, false},
		{ComparisonMinimum, []ClassRef{ClassPassword}, other, false},
		{ComparisonMaximum, []ClassRef{ClassPassword}, ppt, false},
		{ComparisonMaximum, []ClassRef{ppt}, ClassPassword, true},
		{ComparisonMaximum, []ClassRef{ppt}, ClassREFEDSMFA, false},
		{ComparisonMaximum, []ClassRef{ppt}, ClassREFEDSSFA, false},
		{ComparisonMaximum, []ClassRef{ClassREFEDSMFA}, ppt, true},
		{ComparisonMaximum, []ClassRef{other}, ClassPassword, false},
		{ComparisonMaximum, []ClassRef{ppt}, other, false},
		{ComparisonBetter, []ClassRef{ClassPassword}, ppt, true},
		{ComparisonBetter, []ClassRef{ClassPassword}, ClassPassword, false},
		{ComparisonBetter, []ClassRef{ClassPassword, ppt}, ppt, false},
		{ComparisonBetter, []ClassRef{ClassPassword, ppt}, ClassSmartcard, true},
		{ComparisonBetter, []ClassRef{ppt}, ClassREFEDSSFA, false},
		{ComparisonBetter, []ClassRef{ClassREFEDSMFA}, ClassSmartcard, false},
		{ComparisonBetter, []ClassRef{other}, ClassREFEDSMFA, false},
		{ComparisonBetter, []ClassRef{ClassUnspecified}, ClassPassword, true},
		// Who says nothing is the weakest (ASVS 6.8.4).
		{ComparisonExact, nil, "", true},
		{ComparisonExact, []ClassRef{ClassUnspecified}, "", true},
		{ComparisonExact, []ClassRef{ClassPassword}, "", false},
		{ComparisonMinimum, []ClassRef{ClassPassword}, "", false},
		{ComparisonMinimum, []ClassRef{other}, "", false},
		{ComparisonBetter, []ClassRef{ClassPassword}, "", false},
		{ComparisonBetter, []ClassRef{ClassUnspecified}, "", false},
		{ComparisonMaximum, []ClassRef{ClassPassword}, "", false},
		{Comparison(9), []ClassRef{ClassPassword}, ppt, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.comparison, tt.classes, tt.got), func(t *testing.T) {
			t.Parallel()
			if got := (RequestedContext{tt.comparison, tt.classes}).Satisfied(AuthnContext{Class: tt.got}); got != tt.want {
				t.Errorf("Satisfied(%s) = %t, want %t", tt.got, got, tt.want)
			}
		})
	}
}

// TestRequestedContextAnswer holds that what is asserted happened, and that of
// several true classes the one that was asked for first is.
func TestRequestedContextAnswer(t *testing.T) {
	t.Parallel()
	const ppt, sfa, mfa = ClassPasswordProtectedTransport, ClassREFEDSSFA, ClassREFEDSMFA
	password := AuthnContext{Class: ppt, Also: []ClassRef{sfa}}
	for name, tt := range map[string]struct {
		demand RequestedContext
		got    AuthnContext
		want   ClassRef
	}{
		"nothing demanded":           {RequestedContext{}, password, ppt},
		"the usual one":              {RequestedContext{Classes: []ClassRef{ppt}}, password, ppt},
		"the other one":              {RequestedContext{Classes: []ClassRef{sfa}}, password, sfa},
		"both, in its order":         {RequestedContext{Classes: []ClassRef{mfa, sfa, ppt}}, password, sfa},
		"both, the other way":        {RequestedContext{Classes: []ClassRef{ppt, sfa}}, password, ppt},
		"minimum, one of them":       {RequestedContext{ComparisonMinimum, []ClassRef{sfa}}, password, sfa},
		"minimum, something weaker":  {RequestedContext{ComparisonMinimum, []ClassRef{ClassPassword}}, password, ppt},
		"maximum, something higher":  {RequestedContext{ComparisonMaximum, []ClassRef{mfa}}, password, ppt},
		"better than a password":     {RequestedContext{ComparisonBetter, []ClassRef{ClassPassword}}, password, ppt},
		"what nobody said":           {RequestedContext{Classes: []ClassRef{mfa}}, password, ""},
		"more than was done":         {RequestedContext{ComparisonMinimum, []ClassRef{mfa}}, password, ""},
		"unspecified in its words":   {RequestedContext{Classes: []ClassRef{ClassUnspecified}}, password, ClassUnspecified},
		"unspecified at least":       {RequestedContext{ComparisonMinimum, []ClassRef{ClassUnspecified}}, password, ppt},
		"two factors to Microsoft":   {RequestedContext{Classes: []ClassRef{ClassMicrosoftMFA}}, AuthnContext{Class: mfa}, ClassMicrosoftMFA},
		"Microsoft's are no profile": {RequestedContext{Classes: []ClassRef{mfa}}, AuthnContext{Class: ClassMicrosoftMFA}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, met := tt.demand.Answer(tt.got)
			if got != tt.want || met != (tt.want != "") {
				t.Errorf("got %q, %t, want %q", got, met, tt.want)
			}
		})
	}
}

func TestScoping(t *testing.T) {
	t.Parallel()
	none, one := 0, 1
	for name, tt := range map[string]struct {
		scoping             Scoping
		lists, direct, once bool
	}{
		"nothing said":   {Scoping{}, true, true, true},
		"no proxy":       {Scoping{ProxyCount: &none}, true, true, false},
		"one proxy":      {Scoping{ProxyCount: &one}, true, true, true},
		"it is listed":   {Scoping{IDPList: []EntityID{"urn:other", "urn:it"}}, true, true, true},
		"another listed": {Scoping{IDPList: []EntityID{"urn:other"}}, false, true, true},
	} {
		if got := tt.scoping.Lists("urn:x", "urn:it"); got != tt.lists {
			t.Errorf("%s: Lists = %t, want %t", name, got, tt.lists)
		}
		if direct, once := tt.scoping.Proxies(0), tt.scoping.Proxies(1); direct != tt.direct || once != tt.once {
			t.Errorf("%s: Proxies = %t and %t, want %t and %t", name, direct, once, tt.direct, tt.once)
		}
	}
}
