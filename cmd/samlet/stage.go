package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
	"github.com/samlet-id/samlet/templates"
)

// stage is a house that serves nobody: commands ask it what samlet would do. Its
// store is in memory and its own, so that nothing it does is ever kept.
type stage struct {
	*house
	store store.Store
	rand  io.Reader
}

// stageConfig is what openStage needs.
type stageConfig struct {
	Snapshot *snapshot
	Now      func() time.Time // nil: time.Now
	Rand     io.Reader        // nil: crypto/rand.Reader
}

func openStage(ctx context.Context, cfg stageConfig) (*stage, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	pages, err := templates.New(templates.Config{})
	if err != nil {
		return nil, err
	}
	db, err := sqlstore.Open(ctx, sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: sqlstore.Memory})
	if err != nil {
		return nil, err
	}
	s := &stage{store: db, rand: cfg.Rand}
	sh := &shared{store: db, pages: pages, log: slog.New(slog.DiscardHandler), now: cfg.Now, rand: cfg.Rand}
	if s.house, err = build(cfg.Snapshot, sh); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Close frees what the stage holds.
func (s *stage) Close(ctx context.Context) error {
	return errors.Join(s.house.Close(ctx), s.store.Close())
}

// borrow copies into the stage what another store knows of a person.
func (s *stage) borrow(ctx context.Context, from store.Store, id identity.RecordID) error {
	var (
		record   identity.Record
		links    []identity.Link
		names    []identity.NameID
		consents []identity.Consent
	)
	err := from.View(ctx, func(tx *store.Tx) (err error) {
		if record, err = tx.Records.Get(ctx, id); err != nil {
			return err
		}
		if links, err = tx.Links.OfRecord(ctx, id); err != nil {
			return err
		}
		if names, err = tx.NameIDs.OfRecord(ctx, id); err != nil {
			return err
		}
		consents, err = tx.Consents.OfRecord(ctx, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("reading what is known of the person: %w", err)
	}
	return s.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Records.Create(ctx, record); err != nil {
			return err
		}
		for _, l := range links {
			if err := tx.Links.Create(ctx, l); err != nil {
				return err
			}
		}
		for _, n := range names {
			if err := tx.NameIDs.Create(ctx, n); err != nil {
				return err
			}
		}
		for _, c := range consents {
			if err := tx.Consents.Put(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
}
