package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func connectionRelinkCommand() *cobra.Command {
	var file string
	var yes bool
	cmd := &cobra.Command{
		Use:   "relink ID --map FILE.csv",
		Short: "Move people to the new subjects of a connection that changed them",
		Long: `Reads a file with the columns old and new, each a subject: NameID, sub, or the value
of link.attribute; an old one may still be a NameID then. Without --yes it says what would happen and writes nothing. Either all of the file is
carried out or nothing. Subjects that nobody is linked to are passed over.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			snap, err := loadSnapshot(configPath(cmd))
			if err != nil {
				return err
			}
			of, err := knownBy(snap, args[0], "")
			if err != nil {
				return err
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				return usageError{fmt.Errorf("--map: %w", err)}
			}
			moves, err := readMoves(raw)
			if err != nil {
				return err
			}
			return withStore(cmd, snap.Config, func(ctx context.Context, db store.Store) error {
				moved, err := relink(ctx, db, of, moves, yes)
				if err != nil {
					return err
				}
				verb, after := "Moved", ""
				if !yes {
					verb, after = "Would move", "; nothing was written: --yes does it"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s %s of %s; old subjects that nobody is linked to: %d%s\n",
					verb, count(moved, "link", "links"), args[0], len(moves)-moved, after)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&file, "map", "", "the `file` of old and new subjects")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}

// move is one line of the file.
type move struct {
	line     int
	old, new string
}

// readMoves reads the file and reports everything that is wrong with it at once.
// Subjects are taken as they are, blanks included.
func readMoves(raw []byte) ([]move, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the subjects: %w", err)
	}
	from, to := slices.Index(header, "old"), slices.Index(header, "new")
	if from < 0 || to < 0 {
		return nil, errors.New("reading the subjects: the first line has to name the columns old and new")
	}
	var moves []move
	var faults []string
	olds, news := map[string]int{}, map[string]int{}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			if len(faults) > 0 {
				return nil, fmt.Errorf("nothing is moved:\n%s", joinLines(faults))
			}
			return moves, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the subjects: %w", err)
		}
		line, _ := r.FieldPos(0)
		m := move{line: line, old: fields[from], new: fields[to]}
		switch {
		case m.old == "" || m.new == "":
			faults = append(faults, fmt.Sprintf("line %d: a subject is empty", line))
		case olds[m.old] > 0:
			faults = append(faults, fmt.Sprintf("line %d: the old subject is that of line %d", line, olds[m.old]))
		case news[m.new] > 0:
			faults = append(faults, fmt.Sprintf("line %d: the new subject is that of line %d", line, news[m.new]))
		}
		olds[m.old], news[m.new] = line, line
		moves = append(moves, m)
	}
}

// relink gives the links of a connection's old subjects their new ones, all in one
// Update, and returns how many there were. A new subject that is somebody else
// already, and stays so, is a conflict, and nothing is moved.
func relink(ctx context.Context, db store.Store, of namer, moves []move, yes bool) (int, error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	moved := 0
	work := func(tx *store.Tx) error {
		held, err := held(ctx, tx, of, moves)
		if err != nil {
			return err
		}
		moved = len(held)
		if err := conflicts(ctx, tx, of, moves, held); err != nil || !yes {
			return err
		}
		// All go before the first comes, since one's new subject may be another's
		// old one.
		for _, link := range held {
			if err := tx.Links.Delete(ctx, link.Principal.Issuer, link.Principal.Subject); err != nil {
				return err
			}
		}
		for _, m := range moves {
			link, ok := held[m.old]
			if !ok {
				continue
			}
			link.Principal = renamed(link.Principal, of(m.new))
			if err := tx.Links.Create(ctx, link); err != nil {
				return err
			}
			e := identity.Event{At: now, Type: identity.EventLinkRemoved, Record: link.Record, Connection: link.Connection, Detail: "relinked by the command line"}
			made := e
			made.Type = identity.EventLinkCreated
			if err := tx.Events.Append(ctx, e, made); err != nil {
				return err
			}
		}
		return nil
	}
	if yes {
		return moved, db.Update(ctx, work)
	}
	return moved, db.View(ctx, work)
}

// renamed is p as its upstream names it now. A NameID keeps what else is known of
// it until its next login.
func renamed(p, now identity.Principal) identity.Principal {
	_, _, was := p.ByAttribute()
	_, _, is := now.ByAttribute()
	if was || is {
		return now
	}
	p.Subject = now.Subject
	return p
}

// held finds the links of the old subjects, of which some may have been made when
// the connection's people were still known by their NameID.
func held(ctx context.Context, tx *store.Tx, of namer, moves []move) (map[string]identity.Link, error) {
	links := map[string]identity.Link{}
	for _, m := range moves {
		p := of(m.old)
		link, err := tx.Links.Get(ctx, p.Issuer, p.Subject)
		if errors.Is(err, &identity.Error{Kind: identity.KindNotFound}) && p.Subject != m.old {
			link, err = tx.Links.Get(ctx, p.Issuer, m.old)
		}
		switch {
		case err == nil:
			links[m.old] = link
		case !errors.Is(err, &identity.Error{Kind: identity.KindNotFound}):
			return nil, err
		}
	}
	return links, nil
}

// conflicts reports every line whose new subject is somebody already.
func conflicts(ctx context.Context, tx *store.Tx, of namer, moves []move, held map[string]identity.Link) error {
	leaving := map[string]bool{}
	for _, link := range held {
		leaving[link.Principal.Subject] = true
	}
	var lines []string
	for _, m := range moves {
		link, ok := held[m.old]
		if !ok {
			continue
		}
		p := of(m.new)
		if leaving[p.Subject] {
			continue
		}
		taken, err := tx.Links.Get(ctx, p.Issuer, p.Subject)
		switch {
		case err == nil:
			lines = append(lines, fmt.Sprintf("line %d: %q is linked to the record %s already, and %q to %s", m.line, m.new, taken.Record, m.old, link.Record))
		case !errors.Is(err, &identity.Error{Kind: identity.KindNotFound}):
			return err
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindExists, Code: "link.taken", Who: identity.WhoOperator,
		Msg: "nothing is moved, since subjects would belong to two people; samlet user unlink makes room:\n" + strings.Join(lines, "\n"),
	}
}
