package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func userDisableCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "disable NAME",
		Short: "Keep a person out, at once and on every way in, and tell the applications",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			return withStore(cmd, cfg, func(ctx context.Context, db store.Store) error {
				ids, err := setDisabled(ctx, db, args[0], true)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "Disabled %s\n", args[0])
				if len(ids) == 0 {
					return nil
				}
				// Loaded only now, since a fault in it must keep nobody in: no session
				// of a disabled person counts.
				snap, err := loadSnapshot(configPath(cmd))
				if err != nil {
					return fmt.Errorf("%s cannot sign in any more, but the applications were not told: %w", args[0], err)
				}
				return endSessions(ctx, cmd, snap, db, ids)
			})
		},
	}
}

func userEnableCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "enable NAME",
		Short: "Let a disabled person sign in again",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			return withStore(cmd, cfg, func(ctx context.Context, db store.Store) error {
				if _, err := setDisabled(ctx, db, args[0], false); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "Enabled %s\n", args[0])
				return nil
			})
		},
	}
}

// setDisabled disables or enables the record with the sign-in name or ID. It
// returns the sessions that a disabled record has: they count no more, but have
// yet to end. Whatever is left of them when the record is enabled ends there, so
// that none comes back to life.
func setDisabled(ctx context.Context, db store.Store, name string, disabled bool) ([]identity.SessionID, error) {
	var ids []identity.SessionID
	err := db.Update(ctx, func(tx *store.Tx) error {
		ids = nil
		record, err := findUser(ctx, tx, name)
		if err != nil {
			return err
		}
		sessions, err := tx.Sessions.OfRecord(ctx, record.ID)
		if err != nil {
			return err
		}
		for _, s := range sessions {
			ids = append(ids, s.ID)
			if disabled || !record.Disabled {
				continue
			}
			if err := tx.Sessions.Delete(ctx, s.ID); err != nil {
				return err
			}
		}
		if record.Disabled == disabled {
			return nil
		}
		now := time.Now().UTC().Truncate(time.Microsecond)
		record.Disabled, record.Updated = disabled, now
		if err := tx.Records.Replace(ctx, record); err != nil {
			return err
		}
		state := "enabled"
		if disabled {
			state = "disabled"
		}
		return tx.Events.Append(ctx, identity.Event{At: now, Type: identity.EventRecordState, Record: record.ID, Detail: state + " by the command line"})
	})
	return ids, err
}
