package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/store"
)

// consentRow is one line of `user consents`; its JSON is stable.
type consentRow struct {
	SP         string    `json:"sp"`
	Attributes []string  `json:"attributes"`
	At         time.Time `json:"at"`
}

func userConsentsCommand() *cobra.Command {
	var withdraw string
	cmd := &cobra.Command{
		Use:   "consents NAME",
		Short: "List what a person allowed applications to learn, and withdraw it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			if withdraw != "" {
				err := withStore(cmd, cfg, func(ctx context.Context, db store.Store) error {
					return withdrawConsent(ctx, db, args[0], withdraw)
				})
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "Withdrawn; %s is asked again when they next sign in to %s\n", args[0], withdraw)
				}
				return err
			}
			var rows []consentRow
			err = withStore(cmd, cfg, func(ctx context.Context, db store.Store) error {
				rows, err = consentRows(ctx, db, args[0])
				return err
			})
			if err != nil {
				return err
			}
			return printList(cmd, rows, "SP SINCE ATTRIBUTES", func(r consentRow) []string {
				return []string{r.SP, r.At.Format(time.RFC3339), strings.Join(r.Attributes, ", ")}
			})
		},
	}
	cmd.Flags().StringVar(&withdraw, "withdraw", "", "take back what `SP` may learn")
	return cmd
}

func consentRows(ctx context.Context, db store.Store, name string) ([]consentRow, error) {
	var rows []consentRow
	err := db.View(ctx, func(tx *store.Tx) error {
		record, err := findUser(ctx, tx, name)
		if err != nil {
			return err
		}
		given, err := tx.Consents.OfRecord(ctx, record.ID)
		rows = nil
		for _, c := range given {
			rows = append(rows, consentRow{SP: string(c.RelyingParty), Attributes: c.Attributes, At: c.At})
		}
		return err
	})
	return rows, err
}

func withdrawConsent(ctx context.Context, db store.Store, name, sp string) error {
	return db.Update(ctx, func(tx *store.Tx) error {
		record, err := findUser(ctx, tx, name)
		if err != nil {
			return err
		}
		e := identity.Event{
			At: time.Now().UTC().Truncate(time.Microsecond), Type: identity.EventConsentWithdrawn, Record: record.ID, Detail: "command line",
		}
		err = login.Withdraw(ctx, tx, record.ID, identity.RelyingPartyID(sp), e)
		if identity.KindOf(err) == identity.KindNotFound && err != nil {
			return errNoSuch("consent for", sp, nil)
		}
		return err
	})
}
