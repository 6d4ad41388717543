package broker_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// ofOrganization is a connection of an organization that links people by mail.
func ofOrganization(org identity.OrganizationID, id identity.ConnectionID, issuer identity.EntityID) broker.Upstream {
	u := owning(id, "saml", issuer)
	u.Organization, u.EmailDomains = org, nil
	u.Mapping = append(u.Mapping,
		identity.MapRule{To: identity.Username, From: []string{"name"}},
		identity.MapRule{To: identity.PrincipalName, From: []string{"eppn"}},
		identity.MapRule{To: identity.HomeOrganization, From: []string{"home"}})
	return u
}

// twoTenants are acme and beta, each with a connection and a domain, and one
// connection that is nobody's.
func twoTenants(t *testing.T, s store.Store, change func(*broker.Config)) *broker.Broker {
	t.Helper()
	cfg := broker.Config{
		Store: s, EntityID: entityID, Rand: rand.Reader,
		Connections: []broker.Upstream{
			ofOrganization("acme", "acme", partner), ofOrganization("beta", "beta", betaIssuer), owning("gamma", "saml", gammaIssuer),
		},
		Organizations: []identity.Tenant{
			{ID: "acme", Domains: []string{"acme.test"}}, {ID: "beta", Domains: []string{"beta.test"}},
		},
	}
	if change != nil {
		change(&cfg)
	}
	b, err := broker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAttackTenantCrossing lets each organization's identity provider say of its
// people what only another's may say. Ada is of acme; whoever crosses gets neither
// her record nor her address.
func TestAttackTenantCrossing(t *testing.T) {
	t.Parallel()
	adaOf := func(org identity.OrganizationID, source identity.Source, mail string) func(*testing.T, *store.Tx) {
		return func(t *testing.T, tx *store.Tx) {
			has(t, tx, victim, mail, source)
			r, err := tx.Records.Get(t.Context(), victim)
			if r.Organization = org; err == nil {
				err = tx.Records.Replace(t.Context(), r)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	acmes := adaOf("acme", identity.SourceOperator, "ada@acme.test")
	tests := []struct {
		name    string
		prepare func(*testing.T, *store.Tx)
		via     identity.ConnectionID
		says    identity.Assertion
		code    identity.Code
		mine    bool // it is Ada
	}{
		{"her own", acmes, "acme", saysMail(partner, "s1", "ada@acme.test"), "", true},
		{"her mail address", acmes, "beta", saysMail(betaIssuer, "s1", "ada@acme.test"), "up.domain", false},
		{"in capitals", acmes, "beta", saysMail(betaIssuer, "s1", "Ada@ACME.Test"), "up.domain", false},
		{"with a blank and a dot behind", acmes, "beta", saysMail(betaIssuer, "s1", "ada@acme.test. "), "up.domain", false},
		{"behind another address", acmes, "beta", saysMail(betaIssuer, "s1", "x@beta.test@acme.test"), "up.domain", false},
		{"as user name", acmes, "beta", saysMail(betaIssuer, "s1", "x@beta.test", "name", "ada@acme.test"), "up.domain", false},
		{"as principal name", acmes, "beta", saysMail(betaIssuer, "s1", "x@beta.test", "eppn", "ada@acme.test"), "up.domain", false},
		{"as home organization", acmes, "beta", saysMail(betaIssuer, "s1", "x@beta.test", "home", "Acme.test"), "up.domain", false},
		{"from a connection of no organization", acmes, "gamma", saysMail(gammaIssuer, "s1", "ada@acme.test"), "up.domain", false},
		{"her subject at another issuer", func(t *testing.T, tx *store.Tx) {
			acmes(t, tx)
			linked(t, tx, victim, "acme", partner, "s1")
		}, "beta", saysMail(betaIssuer, "s1", "x@beta.test"), "", false},
		{"a domain below hers", acmes, "beta", saysMail(betaIssuer, "s1", "ada@sub.acme.test"), "", false},
		{"an address of theirs that the operator gave her", adaOf("acme", identity.SourceOperator, "ada@beta.test"), "beta", saysMail(betaIssuer, "s1", "ada@beta.test"), "", false},
		{"an address of theirs that she typed", adaOf("acme", identity.SourcePerson, "ada@beta.test"), "beta", saysMail(betaIssuer, "s1", "ada@beta.test"), "", false},
		{"an address of nobody's organization", adaOf("acme", identity.SourceOperator, "ada@gamma.test"), "gamma", saysMail(gammaIssuer, "s1", "ada@gamma.test"), "", false},
		{"a link of the time when beta was acme's", func(t *testing.T, tx *store.Tx) {
			acmes(t, tx)
			linked(t, tx, victim, "beta", betaIssuer, "s1")
		}, "beta", saysMail(betaIssuer, "s1", "x@beta.test"), "link.organization", false},
		{"an account that is nobody's yet", adaOf("", identity.SourceOperator, "ada@beta.test"), "beta", saysMail(betaIssuer, "s1", "ada@beta.test"), "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			update(t, s, func(tx *store.Tx) error { tt.prepare(t, tx); return nil })
			before := waysOf(t, s, victim)
			got, err := signIn(t, twoTenants(t, s, nil), tt.via, tt.says)
			if identity.CodeOf(err) != tt.code {
				t.Errorf("got %v, want code %q", err, tt.code)
			}
			if mine := got.Principal.Subject == string(victim); mine != tt.mine {
				t.Errorf("signed in as %q; want Ada: %t", got.Principal.Subject, tt.mine)
			}
			if !tt.mine {
				if diff := cmp.Diff(before, waysOf(t, s, victim)); diff != "" {
					t.Errorf("Ada's ways in (-want +got):\n%s", diff)
				}
			}
			want := map[identity.ConnectionID]identity.OrganizationID{"acme": "acme", "beta": "beta"}[tt.via]
			for _, r := range read(t, s).Records {
				if r.ID == identity.RecordID(got.Principal.Subject) && r.Organization != want {
					t.Errorf("whoever came by %s belongs to %q, want %q", tt.via, r.Organization, want)
				}
			}
		})
	}
}

// TestDisabledOrganization holds that none of its connections can be used, on any
// way, and that others can.
func TestDisabledOrganization(t *testing.T) {
	t.Parallel()
	b := twoTenants(t, openStore(t), func(cfg *broker.Config) { cfg.Organizations[0].Disabled = true })
	_, _, beginErr := b.Begin(t.Context(), "acme", identity.AuthnRequest{}, "t")
	_, finishErr := b.Finish(t.Context(), "acme", []byte(`{"connection":"acme"}`), saying(t, saysMail(partner, "s1", "ada@acme.test")))
	_, acceptErr := b.Accept(t.Context(), "acme", saysMail(partner, "s1", "ada@acme.test"))
	for what, err := range map[string]error{"Begin": beginErr, "Finish": finishErr, "Accept": acceptErr} {
		if identity.KindOf(err) != identity.KindDenied || identity.CodeOf(err) != "org.disabled" {
			t.Errorf("%s: got %v, want org.disabled", what, err)
		}
	}
	if id, ok := b.Route("ada@acme.test"); ok {
		t.Errorf("an address of it is led to %q", id)
	}
	if slices.ContainsFunc(b.Connections(), func(c identity.Connection) bool { return c.Organization == "acme" }) {
		t.Error("its connections are offered")
	}
	if _, err := signIn(t, b, "beta", saysMail(betaIssuer, "s1", "bob@beta.test")); err != nil {
		t.Errorf("somebody of another organization: %v", err)
	}
}

// TestOrganizationRoutes holds where the addresses of an organization's domains
// lead.
func TestOrganizationRoutes(t *testing.T) {
	t.Parallel()
	b := twoTenants(t, openStore(t), func(cfg *broker.Config) {
		cfg.Organizations[0].Domains = append(cfg.Organizations[0].Domains, "acme-labs.test")
		labs, off := ofOrganization("acme", "labs", "https://idp.labs.test"), ofOrganization("beta", "off", "https://idp.off.test")
		labs.EmailDomains, off.Disabled = []string{"acme-labs.test"}, true
		cfg.Connections = append([]broker.Upstream{off}, append(cfg.Connections, labs)...)
	})
	for address, want := range map[string]identity.ConnectionID{
		"ada@acme.test": "acme", "ada@ACME-labs.test": "labs", "bob@beta.test": "beta", "eve@gamma.test": "gamma", "ada@sub.acme.test": "",
	} {
		if got, _ := b.Route(address); got != want {
			t.Errorf("%s is led to %q, want %q", address, got, want)
		}
	}
}

func TestNewRefusesOrganizations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*broker.Config)
		want   string
	}{
		"no slug":                     {func(c *broker.Config) { c.Organizations[0].ID = "Acme" }, "must be a slug"},
		"one ID twice":                {func(c *broker.Config) { c.Organizations[1].ID = "acme" }, "that no other has"},
		"one domain twice":            {func(c *broker.Config) { c.Organizations[1].Domains = []string{"ACME.test"} }, `"acme.test" already belongs`},
		"no domain":                   {func(c *broker.Config) { c.Organizations[1].Domains = []string{"a@b.test"} }, "is no mail domain"},
		"a connection of nobody":      {func(c *broker.Config) { c.Connections[0].Organization = "nobody" }, `no organization "nobody"`},
		"a domain of another":         {func(c *broker.Config) { c.Connections[1].EmailDomains = []string{"acme.test"} }, "none of its organization"},
		"a domain of an organization": {func(c *broker.Config) { c.Connections[2].EmailDomains = []string{"acme.test"} }, "none of its organization"},
		"a domain that is nobody's":   {func(c *broker.Config) { c.Connections[0].EmailDomains = []string{"free.test"} }, "none of its organization"},
		"the same of a connection off": {func(c *broker.Config) {
			c.Connections[0].EmailDomains, c.Connections[0].Disabled = []string{"free.test"}, true
		}, "none of its organization"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := broker.Config{
				Store: openStore(t), EntityID: entityID, Rand: rand.Reader,
				Connections:   []broker.Upstream{ofOrganization("acme", "acme", partner), ofOrganization("beta", "beta", betaIssuer), owning("gamma", "saml", gammaIssuer)},
				Organizations: []identity.Tenant{{ID: "acme", Domains: []string{"acme.test"}}, {ID: "beta", Domains: []string{"beta.test"}}},
			}
			c.change(&cfg)
			if _, err := broker.New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestAttackJoinAcrossTenants holds that not even the proof of an account joins
// somebody of one organization to a record of another.
func TestAttackJoinAcrossTenants(t *testing.T) {
	t.Parallel()
	for org, want := range map[identity.OrganizationID]identity.Code{"acme": "link.organization", "beta": "", "": ""} {
		t.Run("a record of "+string(org), func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			b := twoTenants(t, s, func(cfg *broker.Config) { cfg.Connections[1].Existing = identity.ExistingAsk })
			_, err := signIn(t, b, "beta", upstreamOf(betaIssuer, "s1"))
			n, asked := errors.AsType[*identity.Newcomer](err)
			if !asked {
				t.Fatalf("got %v, want somebody who is asked", err)
			}
			update(t, s, func(tx *store.Tx) error {
				return tx.Records.Create(t.Context(), identity.Record{ID: victim, Organization: org, Created: noon, Updated: noon})
			})
			err = s.Update(t.Context(), func(tx *store.Tx) error { return b.Join(t.Context(), tx, *n, victim, identity.LocalConnection) })
			if (err != nil) != (want != "") || err != nil && identity.CodeOf(err) != want {
				t.Errorf("got %v, want code %q", err, want)
			}
			if linked := len(waysOf(t, s, victim).Links) > 0; linked != (want == "") {
				t.Errorf("linked: %t", linked)
			}
		})
	}
}

// upstreamOf is the assertion of an issuer about somebody without a mail address.
func upstreamOf(issuer identity.EntityID, subject string) identity.Assertion {
	a := saysMail(issuer, subject, "")
	delete(a.Attributes, "email")
	return a
}
