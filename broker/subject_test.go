package broker_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

const uniqueID = identity.Name("urn:oid:1.3.6.1.4.1.5923.1.1.1.13")

// knownBy is a connection whose people are known by the value of an attribute.
func knownBy(name identity.Name) broker.Upstream {
	u := creating("acme", partner)
	u.LinkBy = name
	return u
}

// sayingOf is an assertion with a NameID, of which the format transient does not
// last and an empty one is none, and with the values of one attribute.
func sayingOf(nameID string, format identity.Format, name identity.Name, values ...string) identity.Assertion {
	a := upstreamAssertion(nameID)
	a.Principal.Format = format
	if values != nil {
		a.Attributes[name] = values
	}
	return a
}

// TestLinkByAttribute finds people by an attribute, whatever the NameID is.
func TestLinkByAttribute(t *testing.T) {
	t.Parallel()
	const general, transient = identity.Name(identity.FormatSubjectID), identity.FormatTransient
	tests := []struct {
		name    string
		by      identity.Name
		says    identity.Assertion
		subject string // of the link
		seen    string // of the refusal
	}{
		{"no NameID", uniqueID, sayingOf("", "", uniqueID, "ada@acme.test"), "ada@acme.test", ""},
		{"a transient NameID", uniqueID, sayingOf("_1", transient, uniqueID, "Ada@acme.test"), "Ada@acme.test", ""},
		{"a persistent NameID, which is nothing beyond itself", uniqueID, sayingOf("p", identity.FormatPersistent, uniqueID, "a b "), "a b ", ""},
		{"subject-id, in whichever case", general, sayingOf("_1", transient, general, "ADA-1@Acme.test"), "ada-1@acme.test", ""},
		{"no such attribute", uniqueID, sayingOf("p", identity.FormatPersistent, ""), "", string(oidMail)},
		{"two values", uniqueID, sayingOf("p", identity.FormatPersistent, uniqueID, "a", "b"), "", "2 values"},
		{"one value twice", uniqueID, sayingOf("p", identity.FormatPersistent, uniqueID, "a", "a"), "", "2 values"},
		{"a blank value", uniqueID, sayingOf("p", identity.FormatPersistent, uniqueID, " "), "", "an empty value"},
		{"no subject-id", general, sayingOf("p", identity.FormatPersistent, general, "ada"), "", "no subject identifier"},
		{"a subject-id with a look-alike", general, sayingOf("p", identity.FormatPersistent, general, "\u0430da@acme.test"), "", "no subject identifier"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			b := open(t, s, noon, knownBy(tt.by))
			got, err := signIn(t, b, "acme", tt.says)
			if tt.seen != "" {
				why := identity.AsError(err)
				if why.Code != "up.missing_subject" || !strings.Contains(why.Seen, tt.seen) {
					t.Errorf("got %v, seen %q; want up.missing_subject and %q", err, why.Seen, tt.seen)
				}
				if k := read(t, s); len(k.Records) != 0 {
					t.Errorf("a record was made: %+v", k.Records)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.says.Principal, got.Upstream); diff != "" {
				t.Errorf("what a logout has to name (-want +got):\n%s", diff)
			}
			links := read(t, s).Links
			if want := identity.AttributePrincipal(partner, tt.by, tt.subject); len(links) != 1 || links[0].Principal != want {
				t.Fatalf("got %+v, want %+v", links, want)
			}
			again := tt.says
			again.Principal.Subject = "_another"
			second, err := signIn(t, b, "acme", again)
			if err != nil || second.Principal != got.Principal {
				t.Errorf("at the second sign-in: %v and %v, want %v", err, second.Principal, got.Principal)
			}
		})
	}
}

// Whoever can choose their NameID at the upstream becomes nobody who is known by
// an attribute there, nor the other way round: neither by the same text nor by
// the text that the link is stored under (takeover).
func TestAttackNameIDSpelledAsAttribute(t *testing.T) {
	t.Parallel()
	key := identity.AttributePrincipal(partner, uniqueID, "ada@acme.test")
	tests := []struct {
		name   string
		victim identity.Principal
		via    broker.Upstream
		says   identity.Assertion
		code   identity.Code
	}{
		{"the same text as NameID", key, creating("acme", partner), sayingOf("ada@acme.test", identity.FormatEmail, ""), ""},
		{"the stored text as NameID", key, creating("acme", partner), sayingOf(key.Subject, identity.FormatEmail, ""), "link.exists"},
		{"the stored text as NameID of that format", key, creating("acme", partner), sayingOf(key.Subject, key.Format, ""), "link.exists"},
		{
			"the NameID of somebody as the value", identity.Principal{Issuer: partner, Subject: "ada@acme.test", Format: identity.FormatEmail},
			knownBy(uniqueID), sayingOf("x", identity.FormatEmail, uniqueID, "ada@acme.test"), "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			update(t, s, func(tx *store.Tx) error {
				if err := tx.Records.Create(t.Context(), identity.Record{ID: victim, Created: noon, Updated: noon}); err != nil {
					return err
				}
				return tx.Links.Create(t.Context(), identity.Link{Principal: tt.victim, Record: victim, Connection: "acme", Created: noon, LastUsed: noon})
			})
			got, err := signIn(t, open(t, s, noon, tt.via), "acme", tt.says)
			if identity.CodeOf(err) != tt.code {
				t.Errorf("got %v, want code %q", err, tt.code)
			}
			if got.Principal.Subject == string(victim) {
				t.Error("the attacker is the victim")
			}
		})
	}
}
