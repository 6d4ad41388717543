package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func userNameIDCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "name-id", Short: "The stored identifiers by which applications know people"}
	cmd.AddCommand(nameIDListCommand(), nameIDImportCommand())
	return cmd
}

// nameIDRow is one line of `user name-id list`; its JSON is stable.
type nameIDRow struct {
	SP      string    `json:"sp"`
	Format  string    `json:"format"`
	Value   string    `json:"value"`
	Issuer  string    `json:"issuer"`
	Created time.Time `json:"created"`
}

func nameIDListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list NAME",
		Short: "List the identifiers that are kept of a person",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			var rows []nameIDRow
			err = withStore(cmd, cfg, func(ctx context.Context, db store.Store) error {
				return db.View(ctx, func(tx *store.Tx) error {
					record, err := findUser(ctx, tx, args[0])
					if err != nil {
						return err
					}
					kept, err := tx.NameIDs.OfRecord(ctx, record.ID)
					for _, n := range kept {
						rows = append(rows, nameIDRowOf(n))
					}
					return err
				})
			})
			if err != nil {
				return err
			}
			return printList(cmd, rows, "SP FORMAT VALUE ISSUER CREATED", func(r nameIDRow) []string {
				return []string{r.SP, r.Format, r.Value, r.Issuer, r.Created.Format(time.RFC3339)}
			})
		},
	}
}

// storedFormats are the words for what is stored.
var storedFormats = map[string]identity.Format{
	"persistent": identity.FormatPersistent, "subject-id": identity.FormatSubjectID, "pairwise-id": identity.FormatPairwiseID,
}

func nameIDRowOf(n identity.NameID) nameIDRow {
	p := n.Principal
	row := nameIDRow{SP: p.SPNameQualifier, Format: string(p.Format), Value: p.Subject, Issuer: string(p.Issuer), Created: n.Created}
	for word, f := range storedFormats {
		if f == p.Format {
			row.Format = word
		}
	}
	if p.Format != identity.FormatPersistent {
		row.Value += "@" + string(p.Issuer)
	}
	return row
}

func nameIDImportCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Take over the identifiers by which applications know people from an earlier system",
		Long: `Reads a file with the columns login, sp and value, and format if it is not
persistent everywhere: persistent, subject-id or pairwise-id. login is a sign-in
name or a record ID; sp is the id or the entityID of a service provider, and
empty for subject-id. Either all of the file is taken over or nothing.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			snap, err := loadSnapshot(configPath(cmd))
			if err != nil {
				return err
			}
			raw, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("reading the identifiers: %w", err)
			}
			wanted, err := readNameIDs(snap, raw)
			if err != nil {
				return err
			}
			return withStore(cmd, snap.Config, func(ctx context.Context, db store.Store) error {
				made, err := importNameIDs(ctx, db, wanted, dry)
				if err != nil {
					return err
				}
				verb := "Imported"
				if dry {
					verb = "Would import"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s %s; %d were there already\n", verb, count(made, "identifier", "identifiers"), len(wanted)-made)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "check everything and write nothing")
	return cmd
}

// wantedNameID is one line of the file.
type wantedNameID struct {
	line      int
	login     string
	party     identity.RelyingPartyID
	principal identity.Principal
}

// readNameIDs reads the file and reports everything that is wrong with it at once.
func readNameIDs(snap *snapshot, raw []byte) ([]wantedNameID, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the identifiers: %w", err)
	}
	for _, column := range []string{"login", "sp", "value"} {
		if !slices.Contains(header, column) {
			return nil, fmt.Errorf("reading the identifiers: the first line has no column %s; want login, sp and value", column)
		}
	}
	var wanted []wantedNameID
	var faults []string
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the identifiers: %w", err)
		}
		line, _ := r.FieldPos(0)
		row := map[string]string{}
		for i, column := range header {
			row[column] = strings.TrimSpace(fields[i])
		}
		w := wantedNameID{line: line, login: row["login"]}
		if err := w.aim(snap, row["sp"], row["value"], row["format"]); err != nil {
			faults = append(faults, fmt.Sprintf("line %d: %s", line, message(err)))
			continue
		}
		wanted = append(wanted, w)
	}
	return wanted, joined(faults)
}

// uniqueID is the part of a subject identifier before the '@' (SAML Subject
// Identifier Attributes Profile 3.3.2).
var uniqueID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9=-]{0,126}$`)

// aim fills in whom the identifier is for, by what name and under which key.
func (w *wantedNameID) aim(snap *snapshot, sp, value, format string) error {
	if format == "" {
		format = "persistent"
	}
	f, ok := storedFormats[format]
	if !ok {
		return fmt.Errorf("the format %q is not stored; want persistent, subject-id or pairwise-id", format)
	}
	w.principal = identity.Principal{Issuer: identity.EntityID(snap.Config.IDP.EntityID), Format: f, Subject: value}
	if f == identity.FormatSubjectID {
		if sp != "" {
			return errors.New("a subject-id is the same for every service provider: leave sp empty")
		}
		return w.scope(snap, value)
	}
	p, err := addressed(snap, sp)
	if err != nil {
		return err
	}
	w.party, w.principal.SPNameQualifier = p.ID, string(p.EntityID)
	if f == identity.FormatPairwiseID {
		return w.scope(snap, value)
	}
	if p.Issuer != "" {
		w.principal.Issuer = p.Issuer
	}
	w.principal.NameQualifier = string(w.principal.Issuer)
	if value == "" || utf8.RuneCountInString(value) > 256 || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return fmt.Errorf("%q cannot be an identifier: want 1 to 256 visible characters (SAML Core 8.3.7)", value)
	}
	return nil
}

// addressed finds a service provider by its id or, where one entry alone has it,
// its entityID.
func addressed(snap *snapshot, sp string) (party, error) {
	var found []party
	for _, p := range snap.Parties {
		switch sp {
		case string(p.ID):
			return p, nil
		case string(p.EntityID):
			found = append(found, p)
		}
	}
	if len(found) > 1 {
		return party{}, fmt.Errorf("several service providers have the entityID %s; name one by its id", sp)
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return snap.party(sp)
}

// scope splits a subject identifier, whose case says nothing.
func (w *wantedNameID) scope(snap *snapshot, value string) error {
	ours := strings.ToLower(snap.Config.IDP.Scope)
	unique, scope, ok := strings.Cut(strings.ToLower(value), "@")
	if ours == "" {
		return errors.New("a subject identifier needs idp.scope, such as example.test")
	}
	if !ok || scope != ours || !uniqueID.MatchString(unique) {
		return fmt.Errorf("%q cannot be an identifier: want letters, digits, '=' and '-', and then @%s", value, ours)
	}
	w.principal.Issuer, w.principal.Subject = identity.EntityID(ours), unique
	return nil
}

// errDryRun ends an Update whose writes are not wanted.
var errDryRun = errors.New("nothing is to be written")

// importNameIDs stores all of wanted, or nothing, and returns how many were new.
func importNameIDs(ctx context.Context, db store.Store, wanted []wantedNameID, dry bool) (int, error) {
	var made int
	var faults []string
	err := db.Update(ctx, func(tx *store.Tx) error {
		made, faults = 0, nil
		now := time.Now().UTC().Truncate(time.Microsecond)
		for _, w := range wanted {
			fresh, err := w.store(ctx, tx, now)
			if why := (conflict)(""); errors.As(err, &why) {
				faults = append(faults, fmt.Sprintf("line %d: %s", w.line, why))
				continue
			}
			if err != nil {
				return fmt.Errorf("line %d: %w", w.line, err)
			}
			if fresh {
				made++
			}
		}
		if err := joined(faults); err != nil {
			return err
		}
		if dry {
			return errDryRun
		}
		return nil
	})
	if errors.Is(err, errDryRun) {
		err = nil
	}
	return made, err
}

// conflict says why one line cannot be taken over.
type conflict string

func (c conflict) Error() string { return string(c) }

// store makes one identifier; fresh is false if it is there already.
func (w wantedNameID) store(ctx context.Context, tx *store.Tx, now time.Time) (fresh bool, err error) {
	missing := &identity.Error{Kind: identity.KindNotFound}
	record, err := findUser(ctx, tx, w.login)
	if errors.Is(err, missing) {
		return false, conflict(message(err))
	}
	if err != nil {
		return false, err
	}
	at := w.principal.SPNameQualifier
	if at == "" {
		at = "all applications"
	}
	has, err := tx.NameIDs.Get(ctx, record.ID, w.principal)
	switch {
	case err == nil && has.Principal.Subject == w.principal.Subject:
		return false, nil
	case err == nil:
		return false, conflict(fmt.Sprintf("%s is known to %s as %s already, and an identifier is for ever", w.login, at, has.Principal.Subject))
	case !errors.Is(err, missing):
		return false, err
	}
	switch _, err = tx.NameIDs.BySubject(ctx, w.principal); {
	case err == nil:
		return false, conflict(fmt.Sprintf("somebody else is known to %s as %s", at, w.principal.Subject))
	case !errors.Is(err, missing):
		return false, err
	}
	if err := tx.NameIDs.Create(ctx, identity.NameID{Record: record.ID, Principal: w.principal, Created: now}); err != nil {
		return false, err
	}
	return true, tx.Events.Append(ctx, identity.Event{
		At: now, Type: identity.EventNameIDImported, Record: record.ID, RelyingParty: w.party, Detail: "command line",
	})
}

// joined makes one error of lines, or none of no lines.
func joined(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("nothing was imported:\n%s", joinLines(lines))
}
