package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"

	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/identity"
)

// vendorIssuers are the presets of types oidc and oauth, and the issuer of each that has
// one for everybody.
func vendorIssuers() map[string]string {
	return map[string]string{
		"generic": "", "apple": "https://appleid.apple.com", "google": "https://accounts.google.com", "gitlab": "https://gitlab.com",
		"github": "https://github.com", "facebook": "https://www.facebook.com", "linkedin": "https://www.linkedin.com/oauth", "microsoft": "https://login.microsoftonline.com/common/v2.0",
	}
}

// vendor is the preset as the connector knows it.
func (c ConnectionConfig) vendor() rp.Vendor {
	if c.Preset == "generic" {
		return ""
	}
	return rp.Vendor(c.Preset)
}

// once lists what a vendor says at the first sign-in alone.
func (c ConnectionConfig) once() []identity.Name {
	if c.Type == "oidc" && c.Preset == "apple" {
		return []identity.Name{identity.GivenName, identity.FamilyName}
	}
	return nil
}

// checkVendor judges the preset of the connection at, and what belongs to some
// presets alone.
func (d *decoder) checkVendor(at string, c ConnectionConfig) {
	var presets []string
	for p := range vendorIssuers() {
		if rp.Vendor(p).Plain() == (c.Type == "oauth") {
			presets = append(presets, p)
		}
	}
	slices.Sort(presets)
	if c.Type == "oidc" {
		presets = append(presets, "")
	}
	d.oneOf(at+".preset", c.Preset, presets...)
	for _, k := range []struct {
		key, preset string
		given       bool
	}{
		{"hosted_domains", "google", len(c.HostedDomains) > 0},
		{"tenants", "microsoft", len(c.Tenants) > 0},
		{"memberships", "github", len(c.Memberships) > 0},
		{"team_id", "apple", c.TeamID != ""},
		{"key_id", "apple", c.KeyID != ""},
		{"private_key", "apple", c.PrivateKey != ""},
	} {
		if k.given && c.Preset != k.preset {
			d.faultAt(at+"."+k.key, "it belongs to preset: %s alone", k.preset)
		}
	}
	if c.Preset == "apple" && (c.TeamID == "" || c.KeyID == "" || c.PrivateKey == "" || c.ClientSecret != "" || c.TokenEndpointAuthMethod != "") {
		d.faultAt(at, "preset: apple needs team_id, key_id and private_key, of which each client secret is made, in place of client_secret")
	}
}

// appleKey resolves the key of connection i that signs client secrets for Apple.
func (s *sources) appleKey(i int, c ConnectionConfig) *rp.AppleKey {
	at := fmt.Sprintf("connections[%d].private_key", i)
	raw, err := s.decoder.reference(c.PrivateKey)
	if err != nil {
		s.decoder.faultAt(at, "%v", err)
		return nil
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		s.decoder.faultAt(at, "want the .p8 file of Apple, a private key in PEM form")
		return nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		s.decoder.faultAt(at, "want the .p8 file of Apple, a private key in PKCS #8 form: %v", err)
		return nil
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok || signer.Curve != elliptic.P256() {
		s.decoder.faultAt(at, "want a key on the curve P-256, got a %T", key)
		return nil
	}
	return &rp.AppleKey{TeamID: c.TeamID, KeyID: c.KeyID, Signer: signer}
}
