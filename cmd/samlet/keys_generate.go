package main

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
)

// keyAlgorithms are the kinds of keys that can be made, by the names that people
// give them.
func keyAlgorithms() map[string]certs.Algorithm {
	return map[string]certs.Algorithm{"rsa": certs.RSA, "ecdsa-p256": certs.ECDSAP256, "ecdsa-p384": certs.ECDSAP384, "ed25519": certs.Ed25519}
}

// keysGenerate is `keys generate`.
type keysGenerate struct{ use, state, algorithm string }

func keysGenerateCommand() *cobra.Command {
	g := &keysGenerate{}
	cmd := &cobra.Command{
		Use:   "generate ID",
		Short: "Make a key and its certificate in certs/, and add them to the configuration",
		Long: "Make a key and its certificate in certs/, and add them to the configuration.\n" +
			"A key in the state next is published and does not sign yet; a dedicated one signs for\n" +
			"the applications alone whose idp.signing_key names it. There may be one active signing\n" +
			"key of each algorithm.",
		Args: cobra.ExactArgs(1),
		RunE: g.run,
	}
	f := cmd.Flags()
	f.StringVar(&g.use, "use", "signing", "signing or encryption")
	f.StringVar(&g.state, "state", "next", "next, active or dedicated")
	f.StringVar(&g.algorithm, "algorithm", "rsa", strings.Join(slices.Sorted(maps.Keys(keyAlgorithms())), ", "))
	return cmd
}

func (g *keysGenerate) run(cmd *cobra.Command, args []string) error {
	id, path := args[0], configPath(cmd)
	cfg, d, err := readConfig(path)
	if err != nil {
		return err
	}
	ring, err := loadKeys(cfg, d)
	if err != nil {
		return err
	}
	key, keyPEM, certPEM, err := g.make(id, cfg.Server.BaseURL)
	if err != nil {
		return err
	}
	if _, err := certs.NewRing(append(ring.All(), key)); err != nil {
		return err // before anything is written
	}
	base := "certs/" + id
	err = editConfig(path, func(text []byte) ([]byte, error) {
		list, err := findList(text, "keys")
		if err != nil {
			return nil, err
		}
		return list.append("keys", fmt.Sprintf("- {id: %s, use: %s, state: %s, key: \"file:%s.key\", cert: \"file:%s.crt\"}\n",
			id, key.Use, key.State, base, base)), nil
	}, func() error {
		dir := filepath.Dir(path)
		return certs.WriteFiles(filepath.Join(dir, base+".key"), filepath.Join(dir, base+".crt"), keyPEM, certPEM)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Added %s\nSHA-256 %s\n", key, key.Fingerprint256())
	return err
}

func (g *keysGenerate) make(id, baseURL string) (key certs.Key, keyPEM, certPEM []byte, err error) {
	algorithm, ok := keyAlgorithms()[g.algorithm]
	use, useErr := certs.ParseUse(g.use)
	state, stateErr := certs.ParseState(g.state)
	switch {
	case !identity.ValidSlug(id):
		err = fmt.Errorf("an id has letters in lower case, digits, - and _, got %q", id)
	case !ok:
		err = errNoSuch("algorithm", g.algorithm, slices.Sorted(maps.Keys(keyAlgorithms())))
	case useErr != nil:
		err = useErr
	case stateErr != nil || state == certs.Retiring || state == certs.Retired:
		err = fmt.Errorf("a new key is next, active or dedicated, got %q", g.state)
	}
	if err != nil {
		return certs.Key{}, nil, nil, err
	}
	u, err := url.Parse(baseURL)
	if err != nil {
		return certs.Key{}, nil, nil, fmt.Errorf("reading base_url: %w", err)
	}
	return certs.Generate(certs.GenerateConfig{
		ID: id, Use: use, State: state, Algorithm: algorithm, CommonName: u.Hostname(), Now: time.Now, Rand: rand.Reader,
	})
}
