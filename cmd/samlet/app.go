package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/metadata"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// app is a small application that signs people in by SAML and shows what it was
// told: the page at /test, and the applications of the demo. It takes the
// service provider role with the same code as the broker, every check included.
type app struct {
	path      string // of its page, such as /test; its endpoints lie below
	connector *sp.Connector
	catalogue *identity.Catalogue
	store     store.Store
	web       *web.Web
	now       func() time.Time
}

// What an app keeps in the store: a sign-in under way, and what came of it.
const (
	purposeAppLogin  store.Purpose = "app-login"
	purposeAppResult store.Purpose = "app-result"
	// Which results a LogoutRequest means: the NameID and SessionIndex of each.
	purposeAppName store.Purpose = "app-name"
)

const (
	appLoginLife  = 30 * time.Minute
	appResultLife = time.Hour
)

// appConfig is what newApp needs.
type appConfig struct {
	BaseURL   string // origin of the application
	Path      string
	Name      string
	IDP       *metadata.Entity
	Keys      *certs.Ring
	Catalogue *identity.Catalogue
	Store     store.Store
	Web       *web.Web
}

func newApp(cfg appConfig) (*app, error) {
	connector, err := sp.New(sp.Config{
		EntityID:    identity.EntityID(cfg.BaseURL + cfg.Path + "/metadata"),
		ACS:         cfg.BaseURL + cfg.Path + "/acs",
		SLO:         cfg.BaseURL + cfg.Path + "/slo",
		IDP:         cfg.IDP,
		Keys:        cfg.Keys,
		Store:       cfg.Store,
		DisplayName: cfg.Name,
		Now:         time.Now,
		Rand:        rand.Reader,
	})
	if err != nil {
		return nil, fmt.Errorf("making the application at %s: %w", cfg.Path, err)
	}
	return &app{path: cfg.Path, connector: connector, catalogue: cfg.Catalogue, store: cfg.Store, web: cfg.Web, now: time.Now}, nil
}

// Mount registers the application's pages and endpoints.
func (a *app) Mount(mux *http.ServeMux) {
	mux.Handle("GET "+a.path, a.web.Handle(a.show))
	mux.Handle("GET "+a.path+"/signin", a.web.Handle(a.signIn))
	mux.Handle("POST "+a.path+"/acs", a.web.Handle(a.assertionConsumerService))
	mux.Handle("GET "+a.path+"/signout", a.web.Handle(a.signOut))
	mux.Handle("GET "+a.path+"/slo", a.web.Handle(a.singleLogoutService))
	mux.Handle("POST "+a.path+"/slo", a.web.Handle(a.singleLogoutService))
	mux.Handle("GET "+a.path+"/metadata", a.web.Handle(a.metadata))
}

// CrossSitePosts are the patterns that take forms from other sites.
func (a *app) CrossSitePosts() []string {
	return []string{"POST " + a.path + "/acs", "POST " + a.path + "/slo"}
}

// appResult is what the application was told.
type appResult struct {
	Assertion identity.Assertion
	XML       string
	Problem   string
}

// show shows what the application was told, or offers to sign in.
func (a *app) show(w http.ResponseWriter, r *http.Request) error {
	page := templates.Test{SignIn: a.path + "/signin", SignOut: a.path + "/signout"}
	if id, ok := a.web.Cookie(r, a.cookie()); ok {
		var result appResult
		err := a.recall(r.Context(), id, &result)
		switch {
		case err == nil:
			page = a.page(result)
		case !errors.Is(err, &identity.Error{Kind: identity.KindNotFound}):
			return err
		}
	}
	return a.web.Render(w, r, http.StatusOK, page, web.RenderOptions{})
}

func (a *app) recall(ctx context.Context, id string, into *appResult) error {
	return a.store.View(ctx, func(tx *store.Tx) error {
		t, err := tx.Tickets.Get(ctx, purposeAppResult, id, a.now())
		if err != nil {
			return err
		}
		return json.Unmarshal(t.Payload, into)
	})
}

// page says what was told in the words of the protocol.
func (a *app) page(r appResult) templates.Test {
	as := r.Assertion
	page := templates.Test{
		SignIn: a.path + "/signin?force=1", SignOut: a.path + "/signout", Problem: r.Problem, SignedIn: r.Problem == "",
		Issuer: string(as.Principal.Issuer), NameID: as.Principal.Subject, Format: string(as.Principal.Format),
		NameQualifier: as.Principal.NameQualifier, SPNameQualifier: as.Principal.SPNameQualifier,
		Class: string(as.Context.Class), Instant: as.Context.Instant, SessionIndex: string(as.Session), NotAfter: as.NotAfter, XML: r.XML,
	}
	for _, authority := range as.Context.Authorities {
		page.Authorities = append(page.Authorities, string(authority))
	}
	for _, n := range as.Attributes.Names() {
		row := templates.TestAttribute{Name: string(n), Values: as.Attributes[n]}
		if known, ok := a.catalogue.BySAMLName(string(n)); ok {
			row.FriendlyName, row.NameFormat = known.FriendlyName, string(known.NameFormat)
		}
		page.Attributes = append(page.Attributes, row)
	}
	return page
}

// signIn sends the browser to the identity provider.
func (a *app) signIn(w http.ResponseWriter, r *http.Request) error {
	relayState, err := identity.NewToken(rand.Reader)
	if err != nil {
		return err
	}
	force := slices.Contains(r.URL.Query()["force"], "1")
	msg, state, err := a.connector.Begin(r.Context(), identity.AuthnRequest{ForceAuthn: force}, relayState)
	if err != nil {
		return err
	}
	now := a.now()
	err = a.store.Update(r.Context(), func(tx *store.Tx) error {
		return tx.Tickets.Put(r.Context(), store.Ticket{Purpose: purposeAppLogin, ID: relayState, Payload: state, Expires: now.Add(appLoginLife)}, now)
	})
	if err != nil {
		return err
	}
	return a.web.Send(w, r, msg.URL, msg.Form)
}

// assertionConsumerService takes the Response. A refusal of the identity
// provider is shown on the application's page like any other result.
func (a *app) assertionConsumerService(w http.ResponseWriter, r *http.Request) error {
	in, err := binding.Receive(w, r, 0)
	if err != nil {
		return err
	}
	msg, err := binding.Decode(in, binding.ParamResponse)
	if err != nil {
		return err
	}
	ctx := r.Context()
	var pending store.Ticket
	err = a.store.Update(ctx, func(tx *store.Tx) error {
		var err error
		pending, err = tx.Tickets.Take(ctx, purposeAppLogin, msg.RelayState, a.now())
		return err
	})
	if err != nil {
		return &identity.Error{Kind: identity.KindReplayed, Code: "ui.stale", Who: identity.WhoUser, Err: err,
			Msg: "This sign-in has been used already, or took too long. Start again from the application."}
	}
	result := appResult{XML: string(msg.XML)}
	if result.Assertion, err = a.connector.Finish(ctx, pending.Payload, in); err != nil {
		var refused *identity.Error
		if !errors.As(err, &refused) || refused.Kind == identity.KindInternal {
			return err
		}
		result.Problem = fmt.Sprintf("%s (%s)", refused.Msg, refused.Code)
		if refused.Seen != "" {
			result.Problem += " " + refused.Seen
		}
	}
	id, err := a.remember(ctx, result)
	if err != nil {
		return err
	}
	a.web.SetCookie(w, a.cookie(), id, appResultLife)
	a.web.Redirect(w, r, a.path)
	return nil
}

func (a *app) remember(ctx context.Context, result appResult) (string, error) {
	id, err := identity.NewToken(rand.Reader)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(result)
	if err != nil {
		return "", fmt.Errorf("keeping the result: %w", err)
	}
	now := a.now()
	return id, a.store.Update(ctx, func(tx *store.Tx) error {
		err := tx.Tickets.Put(ctx, store.Ticket{Purpose: purposeAppResult, ID: id, Payload: payload, Expires: now.Add(appResultLife)}, now)
		if err != nil || result.Assertion.Session == "" {
			return err
		}
		// The latest sign-in of a session takes the place of the one before.
		name := a.nameOf(result.Assertion.Principal, result.Assertion.Session)
		if _, err := tx.Tickets.Take(ctx, purposeAppName, name, now); err != nil && !errors.Is(err, &identity.Error{Kind: identity.KindNotFound}) {
			return err
		}
		return tx.Tickets.Put(ctx, store.Ticket{Purpose: purposeAppName, ID: name, Payload: []byte(id), Expires: now.Add(appResultLife)}, now)
	})
}

func (a *app) metadata(w http.ResponseWriter, _ *http.Request) error {
	doc, err := a.connector.Metadata()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	_, _ = w.Write(doc) // a client that is gone needs no answer
	return nil
}

// cookie is the name of the application's cookie.
func (a *app) cookie() string { return "samlet" + slug(a.path) }

// slug makes a path part of a cookie's name.
func slug(path string) string {
	b := []byte(path)
	for i, c := range b {
		if c == '/' {
			b[i] = '_'
		}
	}
	return string(b)
}
