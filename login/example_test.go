package login_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/login/password"
	"github.com/samlet-id/samlet/store/sqlstore"
	"github.com/samlet-id/samlet/templates"
)

// A protocol asks Start. Nobody is signed in yet, so that the browser has to go
// to a page of login's; a request that may show no page is refused.
func Example() {
	if err := run(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// the browser goes to /login?t=
	// sp.passive: needs_interaction
}

func run() (err error) {
	ctx := context.Background()
	db, err := sqlstore.Open(ctx, sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: sqlstore.Memory})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	pages, err := templates.New(templates.Config{})
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	edge, err := web.New(web.Config{Pages: pages, Log: log, BaseURL: "https://login.example.test", Rand: rand.Reader})
	if err != nil {
		return err
	}
	method, err := password.New(password.Config{Store: db, Protected: true, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		return err
	}
	auth, err := login.New(login.Config{
		Store: db, Web: edge, Local: method, Now: time.Now, Rand: rand.Reader, Log: log,
		RelyingParty: func(id identity.RelyingPartyID) (identity.RelyingParty, bool) {
			return identity.RelyingParty{ID: id, Name: "Wiki"}, id == "wiki"
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, auth.Close(ctx)) }()

	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/saml/sso", nil)
	req := identity.AuthnRequest{RelyingParty: "wiki", Resume: "/saml/sso/resume"}
	out, err := auth.Start(w, r, req)
	if err != nil {
		return err
	}
	fmt.Println("the browser goes to", out.Redirect[:len("/login?t=")])

	req.IsPassive = true
	_, err = auth.Start(w, r, req)
	fmt.Printf("%s: %s\n", identity.CodeOf(err), identity.KindOf(err))
	return nil
}
