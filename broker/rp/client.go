package rp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
	"golang.org/x/oauth2"

	"github.com/samlet-id/samlet/certs"
)

// assertionLife is how long a client assertion counts.
const assertionLife = time.Minute

// assertionType is that of RFC 7523 section 2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// PublicKeys returns the JSON Web Key Set (RFC 7517) of the keys that client
// assertions are signed with, those of the next roll-over included.
func PublicKeys(keys *certs.Ring) ([]byte, error) {
	var set jose.JSONWebKeySet
	for _, k := range keys.Published(certs.Signing) {
		alg, err := algorithmOf(k.Public())
		if err != nil {
			continue // no JWS is signed with it
		}
		id, err := keyID(k)
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: id, Use: "sig", Algorithm: string(alg)})
	}
	out, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("writing the key set: %w", err)
	}
	return out, nil
}

// keyID is the thumbprint of a key (RFC 7638), which is the same everywhere.
func keyID(k certs.Key) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: k.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("naming the key %s: %w", k.ID, err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// algorithmOf returns the JWS algorithm that a key signs with.
func algorithmOf(key crypto.PublicKey) (jose.SignatureAlgorithm, error) {
	switch public := key.(type) {
	case *rsa.PublicKey:
		return jose.RS256, nil
	case ed25519.PublicKey:
		return jose.EdDSA, nil
	case *ecdsa.PublicKey:
		switch public.Curve {
		case elliptic.P256():
			return jose.ES256, nil
		case elliptic.P384():
			return jose.ES384, nil
		case elliptic.P521():
			return jose.ES512, nil
		}
	}
	return "", fmt.Errorf("rp: no algorithm of JSON Web Signature for a %T", key)
}

// authentication returns what a call of the token endpoint needs beside what
// x/oauth2 sends: with private_key_jwt, a signed assertion of who we are (OpenID
// Connect Core 9, RFC 7523 section 3).
func (c *Connector) authentication(p *provider) ([]oauth2.AuthCodeOption, error) {
	if c.cfg.Vendor == VendorApple {
		secret, err := c.appleSecret()
		return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("client_secret", secret)}, err
	}
	if c.cfg.AuthMethod != AuthPrivateKey {
		return nil, nil
	}
	key := c.cfg.Keys.Signing()
	id, err := keyID(key)
	if err != nil {
		return nil, err
	}
	jti, err := c.token()
	if err != nil {
		return nil, err
	}
	now := c.cfg.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": c.cfg.ClientID, "sub": c.cfg.ClientID, "aud": p.token, "jti": jti, "iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return nil, fmt.Errorf("writing the client assertion: %w", err)
	}
	assertion, err := signed(key.Signer, id, claims)
	return []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("client_assertion_type", assertionType), oauth2.SetAuthURLParam("client_assertion", assertion),
	}, err
}

// signed returns claims as a compact JWS by the key that is called id.
func signed(key crypto.Signer, id string, claims []byte) (string, error) {
	alg, err := algorithmOf(key.Public())
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: cryptosigner.Opaque(key), KeyID: id}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("signing for the token endpoint: %w", err)
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("signing for the token endpoint: %w", err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("writing a JWS: %w", err)
	}
	return compact, nil
}
