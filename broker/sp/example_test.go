package sp_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
	"github.com/samlet-id/samlet/store/sqlstore"
)

// The service provider role asks one identity provider, which it knows by its
// metadata.
func Example() {
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: sqlstore.Memory})
	if err != nil {
		fmt.Println(err)
		return
	}
	key, _, _, err := certs.Generate(certs.GenerateConfig{
		ID: "sign", Use: certs.Signing, CommonName: "login.example.test", Algorithm: certs.ECDSAP256, Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ring, err := certs.NewRing([]certs.Key{key})
	if err != nil {
		fmt.Println(err)
		return
	}
	// metadata.Parse makes this of the partner's file.
	partner := &metadata.Entity{EntityID: "https://idp.example.test", IDP: &metadata.IDP{
		Role: metadata.Role{Signing: []crypto.PublicKey{key.Public()}},
		SSO:  []metadata.Endpoint{{Binding: identity.BindingRedirect, Location: "https://idp.example.test/sso"}},
	}}
	connector, err := sp.New(sp.Config{
		EntityID: "https://login.example.test/saml/sp/acme/metadata", ACS: "https://login.example.test/saml/acs/acme",
		IDP: partner, Keys: ring, Store: store, Rand: rand.Reader,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	message, _, err := connector.Begin(ctx, identity.AuthnRequest{ForceAuthn: true}, "a-ticket")
	if err != nil {
		fmt.Println(err)
		return
	}
	where, _, _ := strings.Cut(message.URL, "?")
	fmt.Println(where)
	fmt.Println(store.Close())
	// Output:
	// https://idp.example.test/sso
	// <nil>
}
