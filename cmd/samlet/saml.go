package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/explain"
	"github.com/samlet-id/samlet/metadata"
)

func samlCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "saml",
		Short: "Look into SAML messages: a URL, a form, base64, XML, SOAP, an artifact, a HAR or SAML-tracer export",
	}
	cmd.AddCommand(
		samlVerb("decode", "Show the messages, inflated and decrypted", samlDecode),
		samlVerb("verify", "Check the signatures: which element, by whose certificate; exit code 1 unless all is well", samlVerify),
		samlVerb("explain", "Judge each message in words, a check at a time; exit code 1 if one fails", samlExplain),
	)
	return cmd
}

// samlInput is what the three commands have in common.
type samlInput struct {
	Metadata []string
	Keys     []string
	At       string
	NoConfig bool
}

// samlVerb makes one of the three commands; show prints the reports.
func samlVerb(name, short string, show func(*cobra.Command, []explain.Report) error) *cobra.Command {
	var in samlInput
	cmd := &cobra.Command{
		Use:   name + " [FILE|-]",
		Short: short,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			reports, err := in.reports(cmd, args)
			if err != nil {
				return err
			}
			return show(cmd, reports)
		},
	}
	cmd.Flags().StringArrayVar(&in.Metadata, "metadata", nil, "metadata of a side of the exchange, in the place of the configured peers: a `file`; may be repeated")
	cmd.Flags().StringArrayVar(&in.Keys, "key", nil, "a private key to decrypt with, beside the configured ones: a PEM `file`; may be repeated")
	cmd.Flags().StringVar(&in.At, "at", "", "judge by this `time` (2026-11-23T18:00:00Z); left out, when a capture says it was sent, else now")
	cmd.Flags().BoolVar(&in.NoConfig, "no-config", false, "do without config.yaml")
	return cmd
}

func (in *samlInput) reports(cmd *cobra.Command, args []string) ([]explain.Report, error) {
	raw, err := readInput(cmd, args)
	if err != nil {
		return nil, err
	}
	messages, err := explain.Find(raw)
	if err != nil {
		return nil, err
	}
	c, err := in.context(cmd)
	if err != nil {
		return nil, err
	}
	return explain.Explain(messages, c), nil
}

// readInput reads the file that is named, or what comes by pipe.
func readInput(cmd *cobra.Command, args []string) ([]byte, error) {
	from := cmd.InOrStdin()
	if len(args) > 0 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return nil, fmt.Errorf("reading the input: %w", err)
		}
		defer f.Close()
		from = f
	}
	raw, err := io.ReadAll(io.LimitReader(from, explain.MaxInput+1))
	if err != nil {
		return nil, fmt.Errorf("reading the input: %w", err)
	}
	return raw, nil
}

// context gathers what is known of both sides: from the configuration, unless
// there is none where none was asked for, and from the command line.
func (in *samlInput) context(cmd *cobra.Command) (explain.Context, error) {
	c := explain.Context{Now: time.Now(), Nearest: nearest, RequestForm: idp.CheckForm}
	if in.At != "" {
		at, err := time.Parse(time.RFC3339, in.At)
		if err != nil {
			return c, usageError{fmt.Errorf("--at: want a time such as 2026-11-23T18:00:00Z, got %q", in.At)}
		}
		c.At = at
	}
	for _, file := range in.Metadata {
		e, err := entityOf(file, c)
		if err != nil {
			return c, err
		}
		c.Entities = append(c.Entities, explain.Entity{Entity: e, From: file})
	}
	for _, file := range in.Keys {
		k, err := decrypterOf(file)
		if err != nil {
			return c, err
		}
		c.Decrypters = append(c.Decrypters, k)
	}
	path := configPath(cmd)
	if _, err := os.Stat(path); in.NoConfig || errors.Is(err, os.ErrNotExist) && !cmd.Flag("config").Changed {
		return c, nil
	}
	snap, err := loadSnapshot(path)
	if err != nil {
		return c, err
	}
	return c, configured(cmd.Context(), snap, len(in.Metadata) == 0, &c)
}

// entityOf reads metadata as of the time that is judged by.
func entityOf(file string, c explain.Context) (*metadata.Entity, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	now := func() time.Time {
		if c.At.IsZero() {
			return c.Now
		}
		return c.At
	}
	e, err := metadata.Parse(raw, metadata.ParseOptions{Now: now, AllowHTTP: true})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return e, nil
}

func decrypterOf(file string) (crypto.Decrypter, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	k, err := certs.ParsePrivateKey(raw)
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindInvalid, Code: "key.invalid", Who: identity.WhoOperator, Msg: fmt.Sprintf("The private key %s cannot be used: %v.", file, err)}
	}
	d, ok := k.(crypto.Decrypter)
	if !ok {
		return nil, &identity.Error{Kind: identity.KindInvalid, Code: "key.invalid", Who: identity.WhoOperator, Msg: fmt.Sprintf("The private key %s cannot decrypt: only RSA keys can.", file)}
	}
	return d, nil
}

// configured adds what the configuration knows: what samlet itself publishes,
// read from the very metadata that it serves, its keys, and the peers if these
// are wanted.
func configured(ctx context.Context, snap *snapshot, peers bool, c *explain.Context) (err error) {
	for _, k := range snap.Keys.Encryption() {
		c.Decrypters = append(c.Decrypters, k.Decrypter)
	}
	if peers {
		for _, p := range snap.Parties {
			c.Entities = append(c.Entities, explain.Entity{Entity: p.Metadata, From: "service provider " + string(p.ID), RequireSigned: p.Sign.RequireRequests, NameID: p.NameID})
		}
		for _, conn := range snap.Connections {
			if conn.Metadata != nil {
				c.Entities = append(c.Entities, explain.Entity{Entity: conn.Metadata, From: "connection " + string(conn.ID), AllowSHA1: conn.allowsSHA1()})
			}
		}
	}
	stage, err := openStage(ctx, stageConfig{Snapshot: snap})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close(ctx)) }()
	return ours(stage.house, c)
}

// ours adds what h publishes: the identity provider as everybody knows it and as
// single applications do, and a service provider for each connection.
func ours(h *house, c *explain.Context) error {
	add := func(raw []byte, err error, from string) error {
		if err != nil {
			return err
		}
		e, err := metadata.Parse(raw, metadata.ParseOptions{Now: h.now, AllowHTTP: true})
		if err != nil {
			return fmt.Errorf("reading our own metadata: %w", err)
		}
		c.Entities = append(c.Entities, explain.Entity{Entity: e, From: from, Ours: true})
		return nil
	}
	doc, err := h.idp.Metadata()
	if err := add(doc.Body, err, "this samlet"); err != nil {
		return err
	}
	for _, p := range h.snapshot.Parties {
		if p.Issuer == "" && p.Sign.Key == "" {
			continue
		}
		doc, _, err := h.idp.MetadataFor(p.Party)
		if err := add(doc.Body, err, "this samlet, as "+string(p.ID)+" knows it"); err != nil {
			return err
		}
	}
	for id, connector := range h.connectors {
		raw, err := connector.Metadata()
		if err := add(raw, err, "this samlet, for connection "+string(id)); err != nil {
			return err
		}
	}
	// What upstreams can bring about, they do not publish.
	if len(h.connectors) == 0 && passwordsOn(h.snapshot) {
		c.SignIns = []identity.AuthnContext{{Class: identity.ClassPasswordProtectedTransport}}
	}
	return nil
}
