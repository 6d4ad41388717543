package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func userShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show one person, and by which connections they come in",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			var row userRow
			err = withStore(cmd, cfg, func(ctx context.Context, db store.Store) error {
				return db.View(ctx, func(tx *store.Tx) error {
					record, err := findUser(ctx, tx, args[0])
					if err != nil {
						return err
					}
					links, err := tx.Links.OfRecord(ctx, record.ID)
					row = rowOf(record, links)
					return err
				})
			})
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return printJSON(cmd.OutOrStdout(), row)
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "id        %s\nsign-in   %s\ndisabled  %t\ncreated   %s\n", row.ID, strings.Join(row.Logins, ", "), row.Disabled, row.Created.Format(time.RFC3339))
			for _, v := range row.Values {
				fmt.Fprintf(out, "value     %s=%s (%s)\n", v.Name, v.Value, v.Source)
			}
			for _, l := range row.Links {
				if l.Attribute != "" {
					l.Subject += " (" + l.Attribute + ")"
				}
				fmt.Fprintf(out, "link      %s: %s at %s, since %s, last used %s\n", l.Connection, l.Subject, l.Issuer,
					l.Created.Format(time.RFC3339), l.LastUsed.Format(time.RFC3339))
			}
			return nil
		},
	}
}

// linkFlags name a principal on the command line.
type linkFlags struct{ connection, subject string }

func (f *linkFlags) add(cmd *cobra.Command, subject string) {
	cmd.Flags().StringVar(&f.connection, "connection", "", "the `id` of the connection")
	cmd.Flags().StringVar(&f.subject, "subject", "", subject)
}

func userLinkCommand() *cobra.Command {
	var f linkFlags
	var format string
	cmd := &cobra.Command{
		Use:   "link NAME --connection ID --subject SUBJECT",
		Short: "Say that a connection's subject is a person who is here already",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			snap, err := loadSnapshot(configPath(cmd))
			if err != nil {
				return err
			}
			of, err := knownBy(snap, f.connection, identity.Format(format))
			if err != nil {
				return err
			}
			p := of(f.subject)
			if f.subject == "" || p.Anonymous() {
				return errNoSubject()
			}
			return withStore(cmd, snap.Config, func(ctx context.Context, db store.Store) error {
				if err := makeLink(ctx, db, args[0], identity.ConnectionID(f.connection), p); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "Linked %s to %s of %s\n", args[0], f.subject, f.connection)
				return nil
			})
		},
	}
	f.add(cmd, "the upstream's own `identifier` of the person: NameID, sub, or the value of link.attribute")
	cmd.Flags().StringVar(&format, "format", string(identity.FormatPersistent), "the `URI` of the NameID's format")
	return cmd
}

// makeLink links p to the person of that name, unless p is somebody already.
func makeLink(ctx context.Context, db store.Store, name string, via identity.ConnectionID, p identity.Principal) error {
	now := time.Now().UTC().Truncate(time.Microsecond)
	return db.Update(ctx, func(tx *store.Tx) error {
		record, err := findUser(ctx, tx, name)
		if err != nil {
			return err
		}
		taken, err := tx.Links.Get(ctx, p.Issuer, p.Subject)
		if err == nil {
			return &identity.Error{
				Kind: identity.KindExists, Code: "link.taken", Who: identity.WhoOperator,
				Msg: fmt.Sprintf("this subject of %s is linked to the record %s; samlet user unlink undoes that", via, taken.Record),
			}
		}
		if !errors.Is(err, &identity.Error{Kind: identity.KindNotFound}) {
			return err
		}
		if err := tx.Links.Create(ctx, identity.Link{Principal: p, Record: record.ID, Connection: via, Created: now, LastUsed: now}); err != nil {
			return err
		}
		return tx.Events.Append(ctx, identity.Event{At: now, Type: identity.EventLinkCreated, Record: record.ID, Connection: via, Detail: "command line"})
	})
}

func userUnlinkCommand() *cobra.Command {
	var f linkFlags
	cmd := &cobra.Command{
		Use:   "unlink NAME --connection ID",
		Short: "Undo a link, and end the sessions that came by it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			snap, err := loadSnapshot(configPath(cmd))
			if err != nil {
				return err
			}
			return withStore(cmd, snap.Config, func(ctx context.Context, db store.Store) error {
				gone, sessions, err := removeLinks(ctx, db, args[0], f)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "Removed %s of %s\n", count(gone, "link", "links"), args[0])
				if len(sessions) == 0 {
					return nil
				}
				return endSessions(ctx, cmd, snap, db, sessions)
			})
		},
	}
	f.add(cmd, "only the link of this `identifier`; all of the connection's if left out")
	return cmd
}

// removeLinks removes the links that f names, be the connection configured or
// not, and returns how many they were and which sessions came by them.
func removeLinks(ctx context.Context, db store.Store, name string, f linkFlags) (gone int, sessions []identity.SessionID, err error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	err = db.Update(ctx, func(tx *store.Tx) error {
		gone, sessions = 0, nil
		record, err := findUser(ctx, tx, name)
		if err != nil {
			return err
		}
		links, err := tx.Links.OfRecord(ctx, record.ID)
		if err != nil {
			return err
		}
		all, err := tx.Sessions.OfRecord(ctx, record.ID)
		if err != nil {
			return err
		}
		for _, l := range links {
			p := l.Principal
			subject, attribute := plainSubject(p)
			if string(l.Connection) != f.connection || f.subject != "" && subject != f.subject {
				continue
			}
			gone++
			for _, s := range all {
				if s.Connection == l.Connection && s.Upstream.Issuer == p.Issuer && (attribute != "" || s.Upstream.Subject == p.Subject) {
					sessions = append(sessions, s.ID)
				}
			}
			if err := tx.Links.Delete(ctx, p.Issuer, p.Subject); err != nil {
				return err
			}
			e := identity.Event{At: now, Type: identity.EventLinkRemoved, Record: record.ID, Connection: l.Connection, Detail: "command line"}
			if err := tx.Events.Append(ctx, e); err != nil {
				return err
			}
		}
		if gone == 0 {
			return &identity.Error{
				Kind: identity.KindNotFound, Code: "link.unknown", Who: identity.WhoOperator,
				Msg: fmt.Sprintf("%s has no such link of connection %q; samlet user show lists those there are", name, f.connection),
			}
		}
		return nil
	})
	return gone, sessions, err
}
