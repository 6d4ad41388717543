package main

import (
	"context"
	"crypto/rand"
	_ "embed" // for the template of config.yaml
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store/sqlstore"
)

//go:embed config.yaml.tmpl
var configTemplate string

func initCommand() *cobra.Command {
	var dir, baseURL string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a configuration, keys and a database; asks nothing",
		RunE: func(cmd *cobra.Command, _ []string) error {
			made, err := initialise(cmd.Context(), dir, baseURL)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "Made %s\n\nStart it:      samlet serve --config %s\n", made, made)
			fmt.Fprintf(out, "Add a person:  samlet user create NAME --config %s --password-stdin\n", made)
			fmt.Fprintf(out, "IdP metadata:  %s/saml/metadata\n", strings.TrimSuffix(baseURL, "/"))
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "the `folder` to make it in")
	cmd.Flags().StringVar(&baseURL, "base-url", "http://localhost:8080", "the public `origin`; http is for loopback alone")
	return cmd
}

// initialise makes dir/config.yaml, signing and encryption keys and the
// database, and returns the path of the configuration. It never overwrites:
// where one of the files is there already, nothing at all is made.
func initialise(ctx context.Context, dir, baseURL string) (string, error) {
	u, err := parseBaseURL(baseURL)
	if err != nil {
		return "", usageError{fmt.Errorf("--base-url: %w", err)}
	}
	listen := ":8443"
	if u.Scheme == "http" {
		listen = u.Host
		if u.Port() == "" {
			listen = net.JoinHostPort(u.Hostname(), "80")
		}
	}
	path := filepath.Join(dir, "config.yaml")
	for _, f := range []string{path, filepath.Join(dir, "data", "samlet.db")} {
		_, err := os.Lstat(f)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("looking for earlier files: %w", err)
		}
		if err == nil {
			return "", &identity.Error{Kind: identity.KindExists, Code: "cfg.exists", Who: identity.WhoOperator,
				Msg: fmt.Sprintf("%s is there already; init makes new installations only and overwrites nothing", f)}
		}
	}
	for _, d := range []string{"certs", "data", "metadata"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return "", fmt.Errorf("making the folder: %w", err)
		}
	}
	year := time.Now().UTC().Year()
	for use, name := range map[certs.Use]string{certs.Signing: "sig", certs.Encryption: "enc"} {
		if err := makeKey(dir, use, fmt.Sprintf("%s-%d", name, year), u.Hostname()); err != nil {
			return "", err
		}
	}
	db, err := sqlstore.Open(ctx, sqlstore.Config{Driver: "sqlite", DSN: filepath.Join(dir, "data", "samlet.db")})
	if err != nil {
		return "", fmt.Errorf("making the database: %w", err)
	}
	if err := db.Close(); err != nil {
		return "", fmt.Errorf("making the database: %w", err)
	}
	// The configuration comes last, so that a failed init can be run again.
	if err := writeTemplate(path, map[string]any{"BaseURL": strings.TrimSuffix(baseURL, "/"), "Listen": listen, "Year": year, "TLS": u.Scheme == "https"}); err != nil {
		return "", err
	}
	return path, nil
}

// makeKey makes one key in dir/certs. A pair that an interrupted init left is
// kept.
func makeKey(dir string, use certs.Use, id, host string) error {
	keyPath, certPath := filepath.Join(dir, "certs", id+".key"), filepath.Join(dir, "certs", id+".crt")
	if _, err := certs.LoadFiles(id, use, certs.Active, keyPath, certPath); err == nil {
		return nil
	}
	_, keyPEM, certPEM, err := certs.Generate(certs.GenerateConfig{Use: use, ID: id, CommonName: host, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		return fmt.Errorf("making the %s key: %w", use, err)
	}
	return certs.WriteFiles(keyPath, certPath, keyPEM, certPEM)
}

func writeTemplate(path string, data map[string]any) error {
	t, err := template.New("config.yaml").Parse(configTemplate)
	if err != nil {
		return fmt.Errorf("reading the template: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	if err := errors.Join(t.Execute(f, data), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}
