package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

func sessionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "session", Short: "Who is signed in, and ending it"}
	cmd.AddCommand(sessionListCommand(), sessionRevokeCommand())
	return cmd
}

// sessionRow is one line of `session list`; its JSON is stable.
type sessionRow struct {
	ID           string    `json:"id"`
	User         string    `json:"user"`
	Login        string    `json:"login,omitempty"`
	Connection   string    `json:"connection"`
	Class        string    `json:"class"`
	Applications []string  `json:"applications"`
	Created      time.Time `json:"created"`
	NotAfter     time.Time `json:"not_after"`
}

func sessionListCommand() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the sessions and the applications that take part in each",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			var rows []sessionRow
			err = withStore(cmd, cfg, func(ctx context.Context, db store.Store) error {
				rows, err = sessionRows(ctx, db, user)
				return err
			})
			if err != nil {
				return err
			}
			return printList(cmd, rows, "ID USER SINCE UNTIL APPLICATIONS", func(r sessionRow) []string {
				who := r.User
				if r.Login != "" {
					who = r.Login
				}
				return []string{r.ID, who, r.Created.Format(time.RFC3339), r.NotAfter.Format(time.RFC3339), strings.Join(r.Applications, " ")}
			})
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "only those of one person, by `sign-in name` or id")
	return cmd
}

// sessionRows reads the sessions that are not over: of one person, or of all if
// user is empty.
func sessionRows(ctx context.Context, db store.Store, user string) ([]sessionRow, error) {
	if user != "" {
		var rows []sessionRow
		err := db.View(ctx, func(tx *store.Tx) error {
			record, err := findUser(ctx, tx, user)
			if err != nil {
				return err
			}
			all, err := tx.Sessions.OfRecord(ctx, record.ID)
			if err != nil {
				return err
			}
			rows, err = describeSessions(ctx, tx, all)
			return err
		})
		return rows, err
	}
	const page = 500
	var rows []sessionRow
	for after := identity.SessionID(""); ; {
		var all []identity.Session
		err := db.View(ctx, func(tx *store.Tx) error {
			var err error
			if all, err = tx.Sessions.List(ctx, after, page); err != nil {
				return err
			}
			more, err := describeSessions(ctx, tx, all)
			rows = append(rows, more...)
			return err
		})
		if err != nil || len(all) < page {
			return rows, err
		}
		after = all[len(all)-1].ID
	}
}

func describeSessions(ctx context.Context, tx *store.Tx, all []identity.Session) ([]sessionRow, error) {
	var rows []sessionRow
	now := time.Now()
	for _, s := range all {
		if !now.Before(s.NotAfter) {
			continue
		}
		record, err := tx.Records.Get(ctx, s.Record)
		if err != nil {
			return nil, err
		}
		joined, err := tx.Sessions.Participants(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		row := sessionRow{
			ID: string(s.ID), User: string(s.Record), Connection: string(s.Connection), Class: string(s.Context.Class),
			Applications: []string{}, Created: s.Created, NotAfter: s.NotAfter,
		}
		if len(record.Logins) > 0 {
			row.Login = record.Logins[0]
		}
		for _, p := range joined {
			row.Applications = append(row.Applications, string(p.RelyingParty))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func sessionRevokeCommand() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:   "revoke [ID]",
		Short: "End a session, or all of one person, and tell the applications; works while samlet serves",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (user != "") {
				return usageError{errors.New("want the ID of a session or --user, one of the two")}
			}
			return revokeSessions(cmd, strings.Join(args, ""), user)
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "all of one person, by `sign-in name` or id")
	return cmd
}

// revokeSessions ends the sessions and says which applications may still know
// the person.
func revokeSessions(cmd *cobra.Command, id, user string) error {
	snap, err := loadSnapshot(configPath(cmd))
	if err != nil {
		return err
	}
	return withStore(cmd, snap.Config, func(ctx context.Context, db store.Store) error {
		ids, err := sessionsToEnd(ctx, db, identity.SessionID(id), user)
		if err != nil {
			return err
		}
		return endSessions(ctx, cmd, snap, db, ids)
	})
}

// endSessions ends sessions and tells the applications, in the way of the
// server.
func endSessions(ctx context.Context, cmd *cobra.Command, snap *snapshot, db store.Store, ids []identity.SessionID) (err error) {
	pages, err := templates.New(templates.Config{})
	if err != nil {
		return err
	}
	h, err := build(snap, &shared{
		store: db, pages: pages, log: newLogger(cmd.ErrOrStderr(), snap.Config.Log, new(slog.LevelVar)), now: time.Now, rand: rand.Reader,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close(context.WithoutCancel(ctx))) }()
	told, err := h.login.Revoke(ctx, ids...)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Ended %s\n", count(len(ids), "session", "sessions"))
	return report(cmd, told)
}

// sessionsToEnd finds them, so that a mistyped ID is told from one that is over.
func sessionsToEnd(ctx context.Context, db store.Store, id identity.SessionID, user string) ([]identity.SessionID, error) {
	var ids []identity.SessionID
	err := db.View(ctx, func(tx *store.Tx) error {
		if user == "" {
			s, err := tx.Sessions.ByID(ctx, id)
			if errors.Is(err, &identity.Error{Kind: identity.KindNotFound}) {
				return errNoSuch("session", string(id), nil)
			}
			ids = []identity.SessionID{s.ID}
			return err
		}
		record, err := findUser(ctx, tx, user)
		if err != nil {
			return err
		}
		all, err := tx.Sessions.OfRecord(ctx, record.ID)
		for _, s := range all {
			ids = append(ids, s.ID)
		}
		return err
	})
	return ids, err
}

// report names the applications, and makes it a warning if not all have
// confirmed.
func report(cmd *cobra.Command, told []login.Told) error {
	left := 0
	for _, t := range told {
		what := ""
		switch t.State {
		case identity.LogoutDone:
			what = "signed out"
		case identity.LogoutUnsupported:
			what = "has no single logout"
		case identity.LogoutFailed, identity.LogoutPending:
			what = "could not be told (" + string(t.Code) + ")"
			if t.Code == "logout.browser" {
				what = "can only be told through a browser"
			}
		}
		if t.State != identity.LogoutDone {
			left++
		}
		who := string(t.RelyingParty)
		if t.Connection != "" {
			who = "connection " + string(t.Connection)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "  %-24s %s\n", who, what)
	}
	if left > 0 {
		return warnings{count(left, "application or partner", "applications or partners") + " may still know the person, until the session there ends"}
	}
	return nil
}
