package metadata_test

import (
	"crypto"
	"fmt"
	"time"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

func Example() {
	clock := func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }
	sign := key("signer")
	doc, err := metadata.WriteIDP(metadata.IDPConfig{
		EntityID: "https://login.example.test/saml/metadata",
		SSO:      []metadata.Endpoint{{Binding: identity.BindingRedirect, Location: "https://login.example.test/saml/sso"}},
		Signing:  []certs.Key{sign}, DisplayName: "Example", SignWith: &sign, Now: clock,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A peer that was told our key reads it:
	e, err := metadata.Parse(doc, metadata.ParseOptions{Want: metadata.RoleIDP, Keys: []crypto.PublicKey{sign.Public()}, Now: clock})
	if err != nil {
		fmt.Println(err)
		return
	}
	sso, _ := metadata.Find(e.IDP.SSO, identity.BindingRedirect)
	fmt.Println(e.Name("en"), e.EntityID)
	fmt.Println(sso.Location)
	_, err = metadata.Parse(doc, metadata.ParseOptions{Want: metadata.RoleSP, Now: clock})
	fmt.Println(identity.AsError(err).Msg)
	// Output:
	// Example https://login.example.test/saml/metadata
	// https://login.example.test/saml/sso
	// This is an identity provider's (IdP's) metadata; that of an application (SP) is needed here.
}
