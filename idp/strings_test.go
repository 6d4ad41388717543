package idp_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// longest is a string of 256 characters, every one of which is hostile, or far
// from ASCII: as much as every peer has to take (IIP-G02).
var longest = string([]rune(strings.Repeat("<>&\"'\r\n\t]]>🔑\u2028ä\U0010FFFD <!---->", 16))[:256])

// TestEveryStringIsCarried: whatever is an xs:string in our Response holds any
// XML character, 256 of them at least, and comes back as it was.
func TestEveryStringIsCarried(t *testing.T) {
	t.Parallel()
	if n := utf8.RuneCountInString(longest); n != 256 {
		t.Fatalf("%d characters", n)
	}
	w := newWorld(t, nil, nil)
	w.auth.answer.Principal = identity.Principal{Issuer: entityID, Subject: longest, Format: identity.FormatUnspecified, NameQualifier: longest, SPNameQualifier: longest}
	w.auth.answer.Session = identity.SessionID(longest)
	w.auth.answer.Released = []identity.Released{{As: longest, NameFormat: identity.NameFormatBasic, FriendlyName: longest, Values: []string{longest, longest}}}
	raw := w.response(t, nil)
	peer.ValidateXSD(t, raw)
	peer.VerifyXMLSec1(t, raw, w.key.PEM())
	a := w.verified(t, raw).Child(xmlsec.NSAssertion, "Assertion")
	name := a.Child(xmlsec.NSAssertion, "Subject").Child(xmlsec.NSAssertion, "NameID")
	attribute := a.Child(xmlsec.NSAssertion, "AttributeStatement").Child(xmlsec.NSAssertion, "Attribute")
	text := func(e *xmlsec.Element) string {
		s, err := e.Text()
		if err != nil {
			t.Error(err)
		}
		return s
	}
	got := map[string]string{
		"NameID": text(name), "NameQualifier": name.Attr("NameQualifier"), "SPNameQualifier": name.Attr("SPNameQualifier"),
		"SessionIndex": a.Child(xmlsec.NSAssertion, "AuthnStatement").Attr("SessionIndex"),
		"Name":         attribute.Attr("Name"), "FriendlyName": attribute.Attr("FriendlyName"),
		"AttributeValue": text(attribute.Elements()[0]), "second AttributeValue": text(attribute.Elements()[1]),
	}
	for what, s := range got {
		if diff := cmp.Diff(longest, s); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	half := string([]rune(longest)[:128])
	refusal := w.verified(t, w.response(t, &identity.Error{Kind: identity.KindDenied, Code: "x.y", Msg: half}))
	if got := text(refusal.Child(xmlsec.NSProtocol, "Status").Child(xmlsec.NSProtocol, "StatusMessage")); !strings.HasPrefix(got, half) {
		t.Errorf("StatusMessage: got %q", got)
	}
}

// TestStringsAreBounded: nothing that SAML declares a string leaves with more
// than 256 characters (SDP-G02). An identifier is refused, never cut.
func TestStringsAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 257)
	for name, edit := range map[string]func(*identity.Assertion){
		"NameID":       func(a *identity.Assertion) { a.Principal.Subject = long },
		"SessionIndex": func(a *identity.Assertion) { a.Session = identity.SessionID(long) },
		"Name":         func(a *identity.Assertion) { a.Released[0].As = long },
		"FriendlyName": func(a *identity.Assertion) { a.Released[0].FriendlyName = long },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil, nil)
			edit(&w.auth.answer)
			got := w.send(byRedirect(t, authnRequest, "", nil))
			if !strings.Contains(got.message(), "sp.string_length") || strings.Contains(string(got.response), long[:512]) {
				t.Errorf("got %s: %s", got.codes(), got.message())
			}
		})
	}
	t.Run("StatusMessage", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil, nil)
		e := w.verified(t, w.response(t, &identity.Error{Kind: identity.KindDenied, Code: "x.y", Msg: long}))
		got, err := e.Child(xmlsec.NSProtocol, "Status").Child(xmlsec.NSProtocol, "StatusMessage").Text()
		if n := utf8.RuneCountInString(got); err != nil || n != 256 || !strings.HasSuffix(got, "… (x.y)") {
			t.Errorf("got %d characters: %q, %v", n, got, err)
		}
	})
	t.Run("values leave whole", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil, nil)
		w.auth.answer.Released[0].Values = []string{long}
		if got := string(w.response(t, nil)); !strings.Contains(got, long) {
			t.Errorf("the value is not in\n%s", got)
		}
	})
}
