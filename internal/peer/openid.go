package peer

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"testing"
)

// OP is a running OpenID Provider.
type OP struct {
	Issuer string

	t          testing.TB
	dir        string
	clients    []OPClient
	generation int
}

// OPClient is a relying party by the names of OpenID Connect Dynamic Client
// Registration 1.0, section 2.
type OPClient struct {
	ID           string   `json:"client_id"`
	Secret       string   `json:"client_secret,omitempty"`
	AuthMethod   string   `json:"token_endpoint_auth_method,omitempty"`
	JWKSURI      string   `json:"jwks_uri,omitempty"`
	RedirectURIs []string `json:"redirect_uris"`
	PostLogout   []string `json:"post_logout_redirect_uris,omitempty"`
	BackChannel  string   `json:"backchannel_logout_uri,omitempty"`
	SidRequired  bool     `json:"backchannel_logout_session_required,omitempty"`
}

// OIDCProvider starts npm's oidc-provider, which knows users as SimpleSAMLphp does:
// their names are their subjects, and they sign in with SignIn. What it says of them
// comes from UserInfo alone.
func OIDCProvider(t testing.TB, users ...User) *OP {
	t.Helper()
	node := nodeModule(t, "oidc-provider")
	if len(users) == 0 {
		users = []User{Ada(), Grace()}
	}
	p := &OP{t: t, dir: tempDir(t)}
	p.SetUsers(users...)
	p.Rotate()
	put(t, p.dir, "clients.json", []byte("[]"))
	p.Issuer, _ = serve(t, hostOIDCProvider, "/.well-known/openid-configuration", func(addr string) command {
		config, err := json.Marshal(map[string]string{"Host": hostOIDCProvider, "Port": portOf(addr), "Dir": p.dir})
		if err != nil {
			t.Fatal(err)
		}
		return command{
			name: "oidc-provider", args: []string{node, testdata(t, "node", "oidc-provider.mjs"), put(t, p.dir, "config.json", config)},
			env: []string{"NODE_ENV=production", "HOME=" + p.dir}, dir: p.dir, log: filepath.Join(p.dir, "log"),
		}
	})
	return p
}

// SetUsers replaces the people. It counts from the next request on.
func (p *OP) SetUsers(users ...User) {
	p.t.Helper()
	type account struct {
		Name     string         `json:"name"`
		Password string         `json:"password"`
		ACR      string         `json:"acr,omitempty"`
		Claims   map[string]any `json:"claims"`
	}
	var accounts []account
	for _, u := range users {
		first := func(name string) string { return append(u.Attributes[name], "")[0] }
		accounts = append(accounts, account{Name: u.Name, Password: u.Password, ACR: first("acr"), Claims: map[string]any{
			"email": first("mail"), "email_verified": true, "given_name": first("givenName"), "family_name": first("sn"),
			"name": first("displayName"), "groups": u.Attributes["isMemberOf"],
		}})
	}
	b, err := json.Marshal(accounts)
	if err != nil {
		p.t.Fatal(err)
	}
	put(p.t, p.dir, "users.json", b)
}

// Register makes a relying party known.
func (p *OP) Register(c OPClient) {
	p.t.Helper()
	p.clients = append(p.clients, c)
	b, err := json.Marshal(p.clients)
	if err != nil {
		p.t.Fatal(err)
	}
	put(p.t, p.dir, "clients.json", b)
}

// Rotate replaces the keys at once, without a time in which both count.
func (p *OP) Rotate() {
	p.t.Helper()
	p.generation++
	put(p.t, p.dir, "generation", []byte(strconv.Itoa(p.generation)))
}
