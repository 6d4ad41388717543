package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/viper"

	"github.com/samlet-id/samlet/identity"
)

// overridable are the scalars that the environment may override, as
// SAMLETD_SERVER_LISTEN for server.listen. Everything else is set in the file
// alone; secrets come in by env: references. The prefix is not SAMLET_, because
// container platforms make up names such as SAMLET_PORT for a service called
// samlet.
func overridable(c *Config) map[string]*string {
	return map[string]*string{
		"server.base_url": &c.Server.BaseURL,
		"server.listen":   &c.Server.Listen,
		"store.driver":    &c.Store.Driver,
		"store.dsn":       &c.Store.DSN,
		"log.level":       &c.Log.Level,
		"log.format":      &c.Log.Format,
	}
}

// readConfig reads, decodes and checks config.yaml. The error is a *configError
// with every fault, or a plain one-sentence error if the file cannot be read.
// The decoder knows where each value stood, for the checks that need more than
// the file.
func readConfig(path string) (*Config, *decoder, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	d := newDecoder(path)
	d.sum.Write(raw)
	cfg := defaultConfig()
	d.decodeStrict(raw, &cfg)
	if len(d.faults) > 0 {
		return nil, d, &configError{d.sorted()}
	}
	if err := overlayEnvironment(raw, &cfg); err != nil {
		return nil, d, err
	}
	cfg.complete()
	d.checkConfig(&cfg)
	if len(d.faults) > 0 {
		return nil, d, &configError{d.sorted()}
	}
	return &cfg, d, nil
}

func unreadable(path string, err error) error {
	if os.IsNotExist(err) {
		return &identity.Error{Kind: identity.KindNotFound, Code: "cfg.missing", Who: identity.WhoOperator,
			Msg: fmt.Sprintf("there is no configuration at %s; `samlet init` makes one", path)}
	}
	return &identity.Error{Kind: identity.KindInvalid, Code: "cfg.unreadable", Who: identity.WhoOperator,
		Msg: "cannot read the configuration: " + err.Error()}
}

// overlayEnvironment lets viper put the environment over the allow-listed
// scalars. Viper sees the same bytes that were decoded strictly before, and
// nothing but those scalars is taken from it.
func overlayEnvironment(raw []byte, cfg *Config) error {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(raw)); err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	for key, field := range overridable(cfg) {
		env := "SAMLETD_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		if err := v.BindEnv(key, env); err != nil {
			return fmt.Errorf("binding %s: %w", env, err)
		}
		v.SetDefault(key, *field)
		*field = v.GetString(key)
	}
	return nil
}

// complete fills in what derives from other settings.
func (c *Config) complete() {
	c.Server.BaseURL = strings.TrimSuffix(c.Server.BaseURL, "/")
	if c.IDP.EntityID == "" {
		c.IDP.EntityID = c.Server.BaseURL + "/saml/metadata"
	}
	c.presentToTenants()
	if c.Server.TestPage == nil {
		on := c.development()
		c.Server.TestPage = &on
	}
	if len(c.Connections) == 0 {
		c.Connections = []ConnectionConfig{{ID: string(identity.LocalConnection), Type: "local", Name: "Password"}}
	}
	for i := range c.Connections {
		if c.Connections[i].Name == "" {
			c.Connections[i].Name = c.Connections[i].ID
		}
	}
	for i := range c.ServiceProviders {
		if c.ServiceProviders[i].Name == "" {
			c.ServiceProviders[i].Name = c.ServiceProviders[i].ID
		}
	}
}

// defaultRefresh is how often metadata is fetched anew where the configuration
// does not say.
const defaultRefresh = 6 * time.Hour

// metadataSources returns where the metadata of every peer comes from.
func (c *Config) metadataSources() []MetadataSource {
	var all []MetadataSource
	for _, p := range c.ServiceProviders {
		all = append(all, p.Metadata)
	}
	for _, conn := range c.Connections {
		all = append(all, conn.Metadata)
	}
	return all
}

// metadataURLs returns the URLs among metadataSources, each once.
func (c *Config) metadataURLs() []string {
	var urls []string
	for _, m := range c.metadataSources() {
		if m.URL != "" && !slices.Contains(urls, m.URL) {
			urls = append(urls, m.URL)
		}
	}
	return urls
}

// refreshEvery is the shortest of the intervals at which metadata is to be
// fetched anew; defaultRefresh if none comes from a URL.
func (c *Config) refreshEvery() time.Duration {
	shortest := defaultRefresh
	for _, m := range c.metadataSources() {
		if m.URL != "" && m.Refresh > 0 {
			shortest = min(shortest, time.Duration(m.Refresh))
		}
	}
	return shortest
}

// development reports whether this is a development configuration: plain http
// on a loopback address.
func (c *Config) development() bool {
	u, err := parseBaseURL(c.Server.BaseURL)
	return err == nil && u.Scheme == "http"
}

// reference resolves a value of config.yaml that names a secret or a file:
// "env:NAME", "file:PATH" (relative to the folder of config.yaml), "cred:NAME"
// (a systemd credential) or "literal:VALUE".
func (d *decoder) reference(ref string) ([]byte, error) {
	scheme, rest, ok := strings.Cut(ref, ":")
	if !ok {
		return nil, fmt.Errorf("%q is no reference; write file:PATH, env:NAME or cred:NAME", ref)
	}
	switch scheme {
	case "env":
		v, ok := os.LookupEnv(rest)
		if !ok {
			return nil, fmt.Errorf("the environment variable %s is not set", rest)
		}
		return []byte(v), nil
	case "file":
		return d.read(beside(filepath.Dir(d.file), rest))
	case "cred":
		base := os.Getenv("CREDENTIALS_DIRECTORY")
		if base == "" || rest != filepath.Base(rest) {
			return nil, fmt.Errorf("there is no systemd credential %q", rest)
		}
		return d.read(filepath.Join(base, rest))
	case "literal":
		return []byte(rest), nil
	}
	return nil, fmt.Errorf("%q is no reference; write file:PATH, env:NAME or cred:NAME", ref)
}

// read returns the file at path and counts it towards the digest of the
// configuration.
func (d *decoder) read(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	switch {
	case os.IsNotExist(err):
		return nil, fmt.Errorf("there is no file %s", path)
	case err != nil:
		return nil, fmt.Errorf("cannot read the file: %w", err)
	}
	d.files = append(d.files, path)
	fmt.Fprintf(d.sum, "%s\x00%d\x00", path, len(b))
	d.sum.Write(b)
	return b, nil
}

// beside returns path, relative to dir unless it is absolute.
func beside(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
