package rp

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/samlet-id/samlet/identity"
)

// protocol lists the claims that say something of a token and nothing of the
// person. They become no attributes, and the UserInfo endpoint has no say in them.
func protocol(claim string) bool {
	return slices.Contains([]string{
		"iss", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash", "s_hash", "auth_time", "sid",
	}, claim)
}

// complete adds to the claims of an ID token what the UserInfo endpoint says of the
// same person (OpenID Connect Core 5.3). What the token says itself stays.
func (c *Connector) complete(ctx context.Context, p *provider, claims object, accessToken string) error {
	if p.userInfo == "" {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.userInfo, nil)
	if err != nil {
		return fmt.Errorf("asking for UserInfo: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	req.Header.Set("Accept", "application/json")
	more, err := c.object(req)
	if err != nil {
		return fmt.Errorf("asking for UserInfo: %w", err)
	}
	// Section 5.3.2: else somebody's token could be answered with another's claims.
	if sub := more.text("sub"); sub == "" || sub != claims.text("sub") {
		return upstream("up.userinfo", identity.KindInvalid, "The parts of your organization's answer do not belong together.", "UserInfo with another sub, or none", "the sub of the ID token")
	}
	for name, v := range more {
		if _, stated := claims[name]; !stated && !protocol(name) && name != "acr" && name != "amr" {
			claims[name] = v
		}
	}
	return nil
}
