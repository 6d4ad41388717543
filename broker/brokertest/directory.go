package brokertest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
)

// The cases of a directory. Where it is not said otherwise name and password are those
// of the person whom the good case proves.
const (
	WrongPassword   Case = "wrong password"
	UnknownName     Case = "unknown name"
	EmptyPassword   Case = "empty password" // an anonymous bind, which succeeds (RFC 4513 section 5.1.2)
	EmptyName       Case = "empty name"
	Wildcard        Case = "wildcard for a name"
	FilterInjection Case = "filter injection"
	ZeroOctet       Case = "NUL after the name"
	SeveralPeople   Case = "several people of one name"
	NoLastingID     Case = "no attribute that lasts"
	PasswordExpired Case = "expired password"
	ResetPassword   Case = "password that has to be changed first"
	ExpiredAndWrong Case = "wrong password of one that has expired"
	LockedAccount   Case = "locked account"
	ServerDown      Case = "no server answers"
	Untrusted       Case = "certificate of somebody else"
	OtherName       Case = "certificate for another name"
	WrongAccount    Case = "account that searches is not let in"
)

// Directory is what a login by a directory's password is proved with.
type Directory interface {
	Authenticate(ctx context.Context, name, password string) (identity.Assertion, error)
}

// DirectoryPeer is a directory that the suite can ask in every way. What it answers
// with is made by software that is not ours.
type DirectoryPeer interface {
	// Try returns whom to ask in the way of c, and with what. It reports false for a
	// case that it does not know, which fails the suite.
	Try(t testing.TB, c Case) (d Directory, name, password string, ok bool)
	// Says returns what the good case proves, its time of authentication left out.
	Says() identity.Assertion
}

// RunDirectory asserts that of all tries only the good one yields an assertion, and that
// each other is refused with exactly its Kind and Code.
func RunDirectory(t *testing.T, p DirectoryPeer) {
	t.Run(string(Good), func(t *testing.T) {
		d, name, password, ok := p.Try(t, Good)
		if !ok {
			t.Fatal("the peer does not know the good case")
		}
		got, err := d.Authenticate(t.Context(), name, password)
		if err != nil {
			t.Fatal(err)
		}
		got.Context.Instant = p.Says().Context.Instant
		if diff := cmp.Diff(p.Says(), got); diff != "" {
			t.Errorf("the assertion differs (-want +got):\n%s", diff)
		}
	})
	for _, r := range directoryRefusals() {
		t.Run(string(r.Case), func(t *testing.T) {
			d, name, password, ok := p.Try(t, r.Case)
			if !ok {
				t.Fatalf("the peer does not know the case %q", r.Case)
			}
			got, err := d.Authenticate(t.Context(), name, password)
			if err == nil {
				t.Fatalf("accepted %+v, want refusal %s", got.Principal, r.Code)
			}
			if diff := cmp.Diff(identity.Assertion{}, got); diff != "" {
				t.Errorf("an assertion came with the refusal (-want +got):\n%s", diff)
			}
			if e := identity.AsError(err); e.Kind != r.Kind || e.Code != r.Code || e.Who == "" || e.Msg == "" {
				t.Errorf("got %v %s, want %v %s: %v", e.Kind, e.Code, r.Kind, r.Code, err)
			}
		})
	}
}

// directoryRefusals lists every case of a directory but Good.
func directoryRefusals() []refusal {
	return []refusal{
		{WrongPassword, identity.KindDenied, "login.failed"},
		{UnknownName, identity.KindDenied, "login.failed"},
		{EmptyPassword, identity.KindDenied, "login.failed"},
		{EmptyName, identity.KindDenied, "login.failed"},
		{Wildcard, identity.KindDenied, "login.failed"},
		{FilterInjection, identity.KindDenied, "login.failed"},
		{ZeroOctet, identity.KindDenied, "login.failed"},
		{SeveralPeople, identity.KindDenied, "login.failed"},
		{NoLastingID, identity.KindInvalid, "up.missing_subject"},
		{PasswordExpired, identity.KindDenied, "login.expired"},
		{ResetPassword, identity.KindDenied, "login.expired"},
		{ExpiredAndWrong, identity.KindDenied, "login.failed"},
		{LockedAccount, identity.KindDenied, "login.locked"},
		{ServerDown, identity.KindUnavailable, "up.unreachable"},
		{Untrusted, identity.KindUnavailable, "up.unreachable"},
		{OtherName, identity.KindUnavailable, "up.unreachable"},
		{WrongAccount, identity.KindUnavailable, "up.unreachable"},
	}
}
