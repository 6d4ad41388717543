package login_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/identity"
)

// BenchmarkStart is what login adds to a request that a live session answers:
// one View, the decision, the release and the entry in the journal.
func BenchmarkStart(b *testing.B) {
	for _, format := range []identity.Format{identity.FormatTransient, identity.FormatPersistent} {
		b.Run(string(format[strings.LastIndexByte(string(format), ':')+1:]), func(b *testing.B) {
			w := newWorld(b, setup{})
			w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test", "given_name", "Ada", "groups", "staff")...)
			w.addParty(identity.RelyingParty{
				ID: "wiki", EntityID: "https://wiki.example.test/sp", NameID: identity.NameIDRule{Format: format},
				Release: []identity.ReleaseRule{{Attribute: "mail"}, {Attribute: "given_name"}, {Attribute: "groups"}},
			})
			br := w.newBrowser()
			br.signIn(br.ask(identity.AuthnRequest{}), "ada", goodPass).answer(b)
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/sso", nil)
			r.AddCookie(&http.Cookie{Name: "samlet_session", Value: br.cookie("samlet_session")})
			req := identity.AuthnRequest{Issuer: ourID, RelyingParty: "wiki", Audience: "https://wiki.example.test/sp", Resume: "/sso/resume"}
			rec := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				out, err := w.auth.Start(rec, r, req)
				if err != nil || out.Redirect != "" {
					b.Fatalf("got %+v, %v", out, err)
				}
			}
		})
	}
}
