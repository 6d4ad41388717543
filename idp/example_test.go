package idp_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store/sqlstore"
	"github.com/samlet-id/samlet/templates"
)

// somebody answers every question without looking at the browser.
type somebody struct{ identity.Assertion }

func (s somebody) Start(http.ResponseWriter, *http.Request, identity.AuthnRequest) (identity.Outcome, error) {
	return identity.Outcome{Assertion: s.Assertion}, nil
}

func (s somebody) Result(http.ResponseWriter, *http.Request) (identity.AuthnRequest, identity.Assertion, error) {
	return identity.AuthnRequest{}, identity.Assertion{}, &identity.Error{Kind: identity.KindExpired, Code: "ui.stale"}
}

func (somebody) Logout(context.Context, identity.Logout) (string, error) { return "", nil }

func (somebody) LogoutDirectly(context.Context, identity.Logout) (bool, error) { return true, nil }

func (somebody) LogoutAnswered(context.Context, string, identity.RelyingPartyID, error) (string, error) {
	return "/", nil
}

// An identity provider serves its metadata and its SingleSignOnService.
func Example() {
	const base = "https://login.example.test"
	key, _, _, err := certs.Generate(certs.GenerateConfig{
		Use: certs.Signing, ID: "sig-1", CommonName: "login.example.test", Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := certs.NewRing([]certs.Key{key})
	if err != nil {
		fmt.Println(err)
		return
	}
	catalogue, err := identity.NewCatalogue(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	pages, err := templates.New(templates.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	db, err := sqlstore.Open(context.Background(), sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: sqlstore.Memory})
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(slog.DiscardHandler)
	w, err := web.New(web.Config{Pages: pages, Log: log, BaseURL: base, Rand: rand.Reader})
	if err != nil {
		fmt.Println(err)
		return
	}
	provider, err := idp.New(idp.Config{
		EntityID: base + "/saml/metadata", BaseURL: base,
		Party: func(context.Context, identity.EntityID) (idp.Party, error) {
			return idp.Party{}, &identity.Error{Kind: identity.KindNotFound, Code: "sp.unknown"}
		},
		PartyByID: func(context.Context, identity.RelyingPartyID) (idp.Party, error) {
			return idp.Party{}, &identity.Error{Kind: identity.KindNotFound, Code: "sp.unknown"}
		},
		Authenticator: somebody{}, Store: db, Keys: keys, Catalogue: catalogue, Web: w, Log: log, Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	provider.Mount(mux)
	server := httptest.NewServer(w.Middleware(mux, provider.CrossSitePosts()))
	defer server.Close()

	resp, err := http.Get(server.URL + "/saml/metadata")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, resp.Header.Get("Content-Type"))
	fmt.Println(provider.CrossSitePosts())
	// Output:
	// 200 OK application/samlmetadata+xml
	// [POST /saml/sso POST /saml/as/{sp}/sso POST /saml/slo POST /saml/as/{sp}/slo POST /saml/artifact]
}
