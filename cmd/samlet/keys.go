package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/certs"
)

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Signing and encryption keys"}
	cmd.AddCommand(keysListCommand(), keysExportCommand(), keysGenerateCommand())
	return cmd
}

// keyRow is one line of `keys list`; its JSON is stable.
type keyRow struct {
	ID          string `json:"id"`
	Use         string `json:"use"`
	State       string `json:"state"`
	Algorithm   string `json:"algorithm"`
	NotAfter    string `json:"not_after"`
	Fingerprint string `json:"sha256"`
}

func keysListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the keys",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, d, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			ring, err := loadKeys(cfg, d)
			if err != nil {
				return err
			}
			var rows []keyRow
			for _, k := range ring.All() {
				rows = append(rows, keyRow{k.ID, k.Use.String(), k.State.String(), k.Algorithm(),
					k.Certificate.NotAfter.UTC().Format("2006-01-02"), k.Fingerprint256()})
			}
			if err := printList(cmd, rows, "ID USE STATE ALGORITHM UNTIL SHA-256", func(r keyRow) []string {
				return []string{r.ID, r.Use, r.State, r.Algorithm, r.NotAfter, r.Fingerprint}
			}); err != nil {
				return err
			}
			if findings := looseModes(cfg, d); len(findings) > 0 {
				return warnings{joinLines(findings)}
			}
			return nil
		},
	}
}

// looseModes tells of key files that others on the machine can read.
func looseModes(cfg *Config, d *decoder) []string {
	var findings []string
	for _, k := range cfg.Keys {
		file, ok := strings.CutPrefix(k.Key, "file:")
		if !ok {
			continue
		}
		// A file that cannot be looked at is a fault of loadKeys.
		if finding, err := certs.CheckMode(beside(filepath.Dir(d.file), file)); err == nil && finding != "" {
			findings = append(findings, finding)
		}
	}
	return findings
}

func keysExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export [ID]",
		Short: "Print a key's certificate as PEM; the active signing key's if no ID is given. Private keys are never printed",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, d, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			ring, err := loadKeys(cfg, d)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				_, err := cmd.OutOrStdout().Write(ring.Signing().PEM())
				return err
			}
			var ids []string
			for _, k := range ring.All() {
				if k.ID == args[0] {
					_, err := cmd.OutOrStdout().Write(k.PEM())
					return err
				}
				ids = append(ids, k.ID)
			}
			return errNoSuch("key", args[0], ids)
		},
	}
}

// loadKeys opens the keys that cfg names. Every key that cannot be used is a
// fault of its own.
func loadKeys(cfg *Config, d *decoder) (*certs.Ring, error) {
	var keys []certs.Key
	for i, k := range cfg.Keys {
		at := fmt.Sprintf("keys[%d]", i)
		key, keyErr := d.reference(k.Key)
		if keyErr != nil {
			d.faultAt(at+".key", "key %s: %v", k.ID, keyErr)
		}
		cert, certErr := d.reference(k.Cert)
		if certErr != nil {
			d.faultAt(at+".cert", "key %s: %v", k.ID, certErr)
		}
		if keyErr != nil || certErr != nil {
			continue
		}
		use, useErr := certs.ParseUse(k.Use)
		state, stateErr := certs.ParseState(k.State)
		if err := errors.Join(useErr, stateErr); err != nil {
			d.faultAt(at, "%v", err)
			continue
		}
		loaded, err := certs.Load(k.ID, use, state, key, cert)
		if err != nil {
			d.faultAt(at, "%s", message(err))
			continue
		}
		keys = append(keys, loaded)
	}
	if len(d.faults) > 0 {
		return nil, &configError{d.sorted()}
	}
	ring, err := certs.NewRing(keys)
	if err != nil {
		d.faultAt("keys", "%s", message(err))
		return nil, &configError{d.sorted()}
	}
	return ring, nil
}
