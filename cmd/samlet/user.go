package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login/password"
	"github.com/samlet-id/samlet/store"
)

func userCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "People who sign in"}
	cmd.AddCommand(userCreateCommand(), userListCommand(), userDisableCommand(), userEnableCommand(), userShowCommand(), userLinkCommand(), userUnlinkCommand(), userNameIDCommand(), userConsentsCommand())
	return cmd
}

func userCreateCommand() *cobra.Command {
	var (
		fromStdin bool
		set       []string
	)
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a person who signs in with a password; works while samlet serves",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			attributes, err := parseSet(cfg, set)
			if err != nil {
				return err
			}
			var pw identity.Secret
			if fromStdin {
				if pw, err = readPassword(cmd.InOrStdin()); err != nil {
					return err
				}
			}
			return withStore(cmd, cfg, func(ctx context.Context, db store.Store) error {
				record, err := createUser(ctx, db, cfg, args[0], pw, attributes)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "Created %s (%s)\n", strings.Join(record.Logins, ", "), record.ID)
				if address := attributes.First(identity.Mail); address != "" && len(record.Logins) == 1 && !strings.EqualFold(address, args[0]) {
					fmt.Fprintf(cmd.ErrOrStderr(), "Somebody else signs in as %s; %s signs in by name alone\n", address, args[0])
				}
				if err := password.Check(pw.Reveal(), args[0]); err != nil && !pw.Empty() {
					fmt.Fprintln(cmd.ErrOrStderr(), "In production this password would be refused: "+message(err))
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input; without it the person has none")
	cmd.Flags().StringArrayVar(&set, "set", nil, "an attribute as `name=value`; repeat it for more values")
	return cmd
}

// parseSet reads the --set flags.
func parseSet(cfg *Config, set []string) (identity.Attributes, error) {
	catalogue, err := catalogueOf(cfg)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, a := range catalogue.All() {
		known = append(known, string(a.Name))
	}
	attributes := identity.Attributes{}
	for _, s := range set {
		name, value, ok := strings.Cut(s, "=")
		if !ok || value == "" {
			return nil, usageError{fmt.Errorf("--set wants name=value, got %q", s)}
		}
		if !slices.Contains(known, name) {
			return nil, usageError{errNoSuch("attribute", name, known)}
		}
		if err := checkValue(catalogue, identity.Name(name), value); err != nil {
			return nil, usageError{fmt.Errorf("--set %s: %w", name, err)}
		}
		attributes[identity.Name(name)] = append(attributes[identity.Name(name)], value)
	}
	return attributes, nil
}

// checkValue refuses what no application could be told, and mail addresses that
// are none.
func checkValue(catalogue *identity.Catalogue, name identity.Name, value string) error {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return fmt.Errorf("the value %q holds characters that cannot be sent", value)
	}
	if a, _ := catalogue.Lookup(name); a.Type == "email" {
		if parsed, err := mail.ParseAddress(value); err != nil || parsed.Address != value {
			return fmt.Errorf("%q is no mail address", value)
		}
	}
	return nil
}

// readPassword reads the password, without the line feed at its end.
func readPassword(r io.Reader) (identity.Secret, error) {
	all, err := io.ReadAll(io.LimitReader(r, 4096))
	if err != nil {
		return identity.Secret{}, fmt.Errorf("reading the password: %w", err)
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(all), "\n"), "\r")
	if strings.ContainsAny(line, "\r\n") {
		return identity.Secret{}, usageError{errors.New("--password-stdin: there is more than one line on standard input")}
	}
	if line == "" {
		return identity.Secret{}, usageError{errors.New("--password-stdin: there is no password on standard input")}
	}
	return identity.NewSecret(line), nil
}

// createUser makes the record of a person who signs in as name and, if nobody
// else does, with the mail address. An empty password makes none.
func createUser(ctx context.Context, db store.Store, cfg *Config, name string, pw identity.Secret, attributes identity.Attributes) (identity.Record, error) {
	login, ok := identity.LoginKey(name)
	if !ok {
		return identity.Record{}, usageError{fmt.Errorf("%q cannot be a sign-in name: want at most 256 visible characters without blanks", name)}
	}
	id, err := identity.NewSubject(rand.Reader)
	if err != nil {
		return identity.Record{}, err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	record := identity.Record{ID: identity.RecordID(id), Logins: []string{login}, Created: now, Updated: now}
	if len(attributes[identity.Username]) == 0 {
		attributes[identity.Username] = []string{name}
	}
	record.Reconcile(identity.SourceOperator, attributes)
	var credential *identity.Credential
	if !pw.Empty() {
		if credential, err = passwordCredential(cfg, login, record.ID, pw, now); err != nil {
			return identity.Record{}, err
		}
	}
	address, addressOK := identity.LoginKey(attributes.First(identity.Mail))
	err = db.Update(ctx, func(tx *store.Tx) error {
		r := record
		if addressOK && address != login {
			if _, err := tx.Records.ByLogin(ctx, address); errors.Is(err, &identity.Error{Kind: identity.KindNotFound}) {
				r.Logins = []string{login, address}
			} else if err != nil {
				return err
			}
		}
		if err := tx.Records.Create(ctx, r); err != nil {
			return err
		}
		if credential != nil {
			if err := tx.Credentials.Put(ctx, *credential); err != nil {
				return err
			}
		}
		record = r
		return tx.Events.Append(ctx, identity.Event{At: now, Type: identity.EventRecordCreated, Record: r.ID, Detail: "command line"})
	})
	if errors.Is(err, &identity.Error{Kind: identity.KindExists}) {
		return identity.Record{}, &identity.Error{Kind: identity.KindExists, Code: "user.exists", Who: identity.WhoOperator, Err: err,
			Msg: fmt.Sprintf("somebody signs in as %q already", name)}
	}
	return record, err
}

func passwordCredential(cfg *Config, login string, id identity.RecordID, pw identity.Secret, now time.Time) (*identity.Credential, error) {
	// Development has no real accounts, and scripts that make people to try it.
	short := cfg.development() && len(pw.Reveal()) < password.MinLength
	if err := password.Check(pw.Reveal(), login); err != nil && !short {
		return nil, err
	}
	hash, err := passwordParams(cfg).Hash(rand.Reader, pw.Reveal())
	if err != nil {
		return nil, err
	}
	return &identity.Credential{ID: "password:" + string(id), Record: id, Kind: identity.CredentialPassword, Secret: hash, Created: now, Updated: now}, nil
}

// passwordParams is the cost of new hashes.
func passwordParams(cfg *Config) password.Params {
	params := password.DefaultParams()
	for _, m := range cfg.Authentication.Methods {
		if m.Argon2 != (Argon2Config{}) {
			params = password.Params{Memory: uint32(m.Argon2.Memory >> 10), Time: uint32(m.Argon2.Time), Lanes: uint8(m.Argon2.Lanes)}
		}
	}
	return params
}

// userRow is one line of `user list`; its JSON is stable.
type userRow struct {
	ID       string      `json:"id"`
	Logins   []string    `json:"logins"`
	Disabled bool        `json:"disabled"`
	Values   []userValue `json:"values"`
	Links    []userLink  `json:"links"`
	Created  time.Time   `json:"created"`
	Updated  time.Time   `json:"updated"`
}

type userValue struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

type userLink struct {
	Issuer     string    `json:"issuer"`
	Subject    string    `json:"subject"`
	Attribute  string    `json:"attribute,omitempty"` // whose value the subject is; the NameID or sub's if empty
	Connection string    `json:"connection"`
	Created    time.Time `json:"created"`
	LastUsed   time.Time `json:"last_used"`
}

func userListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the people and where each of their attributes came from",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			var rows []userRow
			err = withStore(cmd, cfg, func(ctx context.Context, db store.Store) error {
				rows, err = userRows(ctx, db)
				return err
			})
			if err != nil {
				return err
			}
			return printList(cmd, rows, "ID SIGN-IN STATE ATTRIBUTES", func(r userRow) []string {
				state := "active"
				if r.Disabled {
					state = "disabled"
				}
				var values []string
				for _, v := range r.Values {
					values = append(values, fmt.Sprintf("%s=%s (%s)", v.Name, v.Value, v.Source))
				}
				return []string{r.ID, strings.Join(r.Logins, ","), state, strings.Join(values, " ")}
			})
		},
	}
}

func userRows(ctx context.Context, db store.Store) ([]userRow, error) {
	const page = 500
	var rows []userRow
	for after := identity.RecordID(""); ; {
		var records []identity.Record
		err := db.View(ctx, func(tx *store.Tx) error {
			var err error
			if records, err = tx.Records.List(ctx, after, page); err != nil {
				return err
			}
			for _, r := range records {
				links, err := tx.Links.OfRecord(ctx, r.ID)
				if err != nil {
					return err
				}
				rows = append(rows, rowOf(r, links))
			}
			return nil
		})
		if err != nil || len(records) < page {
			return rows, err
		}
		after = records[len(records)-1].ID
	}
}

func rowOf(r identity.Record, links []identity.Link) userRow {
	row := userRow{ID: string(r.ID), Logins: r.Logins, Disabled: r.Disabled, Values: []userValue{}, Links: []userLink{}, Created: r.Created, Updated: r.Updated}
	for _, v := range r.Values {
		row.Values = append(row.Values, userValue{string(v.Name), v.Value, string(v.Source)})
	}
	for _, l := range links {
		subject, attribute := plainSubject(l.Principal)
		row.Links = append(row.Links, userLink{string(l.Principal.Issuer), subject, attribute, string(l.Connection), l.Created, l.LastUsed})
	}
	return row
}

// findUser finds by sign-in name, else by record ID: people from upstream have
// no sign-in name.
func findUser(ctx context.Context, tx *store.Tx, name string) (identity.Record, error) {
	if login, ok := identity.LoginKey(name); ok {
		record, err := tx.Records.ByLogin(ctx, login)
		if !errors.Is(err, &identity.Error{Kind: identity.KindNotFound}) {
			return record, err
		}
	}
	record, err := tx.Records.Get(ctx, identity.RecordID(name))
	if errors.Is(err, &identity.Error{Kind: identity.KindNotFound}) {
		return record, errNoSuch("person", name, nil)
	}
	return record, err
}

// withStore opens the store for one command.
func withStore(cmd *cobra.Command, cfg *Config, fn func(context.Context, store.Store) error) error {
	db, err := openStore(cmd.Context(), cfg, configPath(cmd))
	if err != nil {
		return err
	}
	return errors.Join(fn(cmd.Context(), db), db.Close())
}
