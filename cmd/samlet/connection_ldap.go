package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/broker/ldap"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
	dirlogin "github.com/samlet-id/samlet/login/directory"
)

// BindConfig is the account that searches a directory.
type BindConfig struct {
	DN       string `yaml:"dn"`
	Password string `yaml:"password"` // reference
}

// UsersConfig says how people are found in a directory.
type UsersConfig struct {
	Base        string `yaml:"base"`
	Filter      string `yaml:"filter"`       // {login} stands for what was typed
	IDAttribute string `yaml:"id_attribute"` // entryUUID, objectGUID
}

// GroupsConfig says how a person's groups are found in a directory.
type GroupsConfig struct {
	Base   string `yaml:"base"`
	Filter string `yaml:"filter"` // {dn} stands for the person
}

// directory reads the settings of a connection of type ldap. Its faults are at
// the place at.
func (s *sources) directory(at string, c ConnectionConfig) *ldap.Config {
	cfg := ldap.Config{
		Issuer: identity.EntityID("ldap:" + c.ID), URLs: c.URLs, StartTLS: c.StartTLS, BindDN: c.Bind.DN,
		Base: c.Users.Base, Filter: c.Users.Filter, IDAttribute: c.Users.IDAttribute,
		GroupBase: c.Groups.Base, GroupFilter: c.Groups.Filter, Timeout: time.Duration(c.Timeout), MaxConns: c.MaxConnections, TellLocked: c.TellLocked, Now: time.Now,
	}
	for i, address := range c.URLs {
		if !c.StartTLS && !strings.HasPrefix(address, "ldaps://") && !(s.config.development() && onLoopback(address)) {
			s.decoder.faultAt(fmt.Sprintf("%s.urls[%d]", at, i), "want ldaps, or start_tls: passwords do not travel in the clear; got %q", address)
		}
	}
	password, err := s.decoder.reference(c.Bind.Password)
	if err != nil {
		s.decoder.faultAt(at+".bind.password", "%v", err)
		return nil
	}
	cfg.BindPassword = identity.NewSecret(strings.TrimRight(string(password), "\r\n"))
	if c.CA != "" {
		pem, err := s.decoder.reference(c.CA)
		if err != nil {
			s.decoder.faultAt(at+".ca", "%v", err)
			return nil
		}
		if cfg.CAs = x509.NewCertPool(); !cfg.CAs.AppendCertsFromPEM(pem) {
			s.decoder.faultAt(at+".ca", "%s holds no certificate in PEM form", c.CA)
			return nil
		}
	}
	if _, err := ldap.New(cfg); err != nil {
		s.decoder.faultAt(at, "%s", strings.TrimPrefix(err.Error(), "ldap: "))
		return nil
	}
	return &cfg
}

func onLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// linked is a directory whose people are records of ours.
type linked struct {
	directory *ldap.Directory
	broker    *broker.Broker
	id        identity.ConnectionID
}

// Authenticate implements dirlogin.Source.
func (j linked) Authenticate(ctx context.Context, name, password string) (identity.Assertion, error) {
	said, err := j.directory.Authenticate(ctx, name, password)
	if err != nil {
		return identity.Assertion{}, err
	}
	return j.broker.Accept(ctx, j.id, said)
}

// directories makes the login methods of the connections of type ldap.
func (h *house) directories(sh *shared, upstream *broker.Broker) (map[identity.ConnectionID]login.Method, error) {
	methods := map[identity.ConnectionID]login.Method{}
	for _, c := range h.snapshot.Connections {
		if c.directory == nil {
			continue
		}
		cfg := *c.directory
		cfg.Now = sh.now
		d, err := ldap.New(cfg)
		if err != nil {
			return nil, fmt.Errorf("connection %q: %w", c.ID, err)
		}
		m, err := dirlogin.New(dirlogin.Config{
			Store: sh.store, Source: linked{d, upstream, c.ID}, Connection: c.ID, Now: sh.now,
		})
		if err != nil {
			return nil, fmt.Errorf("connection %q: %w", c.ID, err)
		}
		methods[c.ID] = m
		h.closers = append(h.closers, d.Close)
	}
	return methods, nil
}
