package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func spTestCommand() *cobra.Command {
	var user, connection string
	var raw bool
	cmd := &cobra.Command{
		Use:   "test ID --user LOGIN",
		Short: "Show exactly what an application would be told of a person, without sending or keeping anything",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if user == "" {
				return usageError{errors.New("--user is missing: the sign-in name or the ID of a person")}
			}
			r, _, err := rehearseUser(cmd, args[0], user, identity.ConnectionID(connection))
			if err != nil {
				return err
			}
			return printRehearsal(cmd, r, raw)
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "the sign-in `name` or ID of the person")
	cmd.Flags().StringVar(&connection, "connection", "", "the `connection` that the person comes in by; their usual one if left out")
	cmd.Flags().BoolVar(&raw, "raw", false, "print the message itself")
	return cmd
}

// rehearseUser shows what the party id would be told of somebody in the store.
func rehearseUser(cmd *cobra.Command, id, user string, via identity.ConnectionID) (r rehearsal, who identity.Record, err error) {
	snap, err := loadSnapshot(configPath(cmd))
	if err != nil {
		return r, who, err
	}
	if via != "" && snap.connection(string(via)) == nil {
		return r, who, usageError{errNoSuch("connection", string(via), snap.connectionIDs())}
	}
	s, err := openStage(cmd.Context(), stageConfig{Snapshot: snap})
	if err != nil {
		return r, who, err
	}
	err = withStore(cmd, snap.Config, func(ctx context.Context, db store.Store) error {
		if who, err = s.invite(ctx, db, user); err != nil {
			return err
		}
		r, err = s.rehearse(ctx, id, who, via)
		return err
	})
	return r, who, errors.Join(err, s.Close(cmd.Context()))
}

// invite borrows the person with that sign-in name or ID.
func (s *stage) invite(ctx context.Context, db store.Store, user string) (who identity.Record, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		who, err = findUser(ctx, tx, user)
		return err
	})
	if err != nil {
		return identity.Record{}, err
	}
	return who, s.borrow(ctx, db, who.ID)
}

func printRehearsal(cmd *cobra.Command, r rehearsal, raw bool) error {
	out := cmd.OutOrStdout()
	switch {
	case wantsJSON(cmd):
		return printJSON(out, r)
	case raw && r.Refused == nil:
		if r.Encrypted != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "The assertion is sent encrypted; it is shown in clear.")
		}
		_, err := fmt.Fprintln(out, r.XML)
		return err
	}
	if err := r.print(out); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// print writes what a person reads of a rehearsal.
func (r rehearsal) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	row := func(label, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", label, value)
		}
	}
	fmt.Fprintf(w, "If %s signed in to %s now, it would be told:\n", r.Person, r.SP)
	if r.Refused != nil {
		row("Access", "refused: "+r.Refused.Message+" ["+r.Refused.Code+"]")
		return w.Flush()
	}
	row("Access", "granted")
	row("Consent", map[string]string{"never": "not asked", "asked": "the person would be asked first", "given": "given before"}[r.Consent])
	row("Issuer", r.Issuer)
	row("Audience", r.Audience)
	row("Destination", r.Destination)
	r.printName(row)
	row("Class", r.Context.Class)
	row("Authorities", strings.Join(r.Context.Authorities, " "))
	row("Session ends", r.SessionUntil)
	row("Response", cmp.Or(signedBy(r.Signed.Response), "not signed"))
	row("Assertion", cmp.Or(signedBy(r.Signed.Assertion), "not signed"))
	if e := r.Encrypted; e != nil {
		row("Encrypted", "with "+short(e.Content)+", the key by "+short(e.KeyTransport))
	} else {
		row("Encrypted", "no")
	}
	row("Missing", strings.Join(r.Missing, ", "))
	if len(r.Attributes) == 0 {
		row("Attributes", "none")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return r.printAttributes(out)
}

func (r rehearsal) printName(row func(label, value string)) {
	if r.NameID == nil {
		row("NameID", "none")
		return
	}
	value := r.NameID.Value
	if r.NameID.New {
		value += " (made at the sign-in; it would be another one)"
	}
	row("NameID", value)
	row("  Format", r.NameID.Format)
	row("  NameQualifier", r.NameID.NameQualifier)
	row("  SPNameQualifier", r.NameID.SPNameQualifier)
}

func (r rehearsal) printAttributes(out io.Writer) error {
	if len(r.Attributes) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nATTRIBUTE\tFRIENDLYNAME\tNAMEFORMAT\tVALUE\tSOURCE")
	for _, a := range r.Attributes {
		for _, v := range a.Values {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Name, cmp.Or(a.FriendlyName, "-"), short(a.NameFormat), v.Value, strings.Join(v.Sources, ","))
		}
	}
	return w.Flush()
}

func signedBy(algorithm string) string {
	if algorithm == "" {
		return ""
	}
	return "signed with " + short(algorithm)
}

// short is the part of an identifier that tells it from its siblings.
func short(uri string) string { return uri[strings.LastIndexAny(uri, "#:")+1:] }
