package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// verdict is how one contract came out; its JSON is stable.
type verdict struct {
	Name     string   `json:"name"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Kept     bool     `json:"kept"`
	Breaches []string `json:"breaches"` // "-": missing; "+": too much
}

// judge runs the contracts. people is the store that those with a user need; it
// is opened at the first of them, so that made-up people need no database.
func judge(ctx context.Context, snap *snapshot, contracts []contract, people func() (store.Store, error)) ([]verdict, error) {
	var verdicts []verdict
	for _, c := range contracts {
		lines, err := c.run(ctx, snap, people)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %s: %w", c.file, c.line, c.Name, err)
		}
		verdicts = append(verdicts, verdict{Name: c.Name, File: c.file, Line: c.line, Kept: len(lines) == 0, Breaches: lines})
	}
	return verdicts, nil
}

// run returns the breaches of one contract. Each has a stage of its own, so that
// none can see what another did.
func (c contract) run(ctx context.Context, snap *snapshot, people func() (store.Store, error)) (lines []string, err error) {
	s, err := openStage(ctx, stageConfig{Snapshot: snap})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	if c.Claims != nil {
		return c.runMapping(ctx, s)
	}
	who, err := c.person(ctx, s, people)
	if err != nil {
		return nil, err
	}
	r, err := s.rehearse(ctx, c.SP, who, identity.ConnectionID(c.Connection))
	if err != nil {
		return nil, err
	}
	return c.breaches(r), nil
}

// person puts the person of the contract on the stage.
func (c contract) person(ctx context.Context, s *stage, people func() (store.Store, error)) (identity.Record, error) {
	if c.User != "" {
		db, err := people()
		if err != nil {
			return identity.Record{}, err
		}
		return s.invite(ctx, db, c.User)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	who := identity.Record{ID: "contract", Logins: []string{"contract"}, Created: now, Updated: now}
	for _, a := range c.Attributes {
		source := identity.SourceOperator
		if a.Source != "" {
			source = sourceOf(a.Source)
		}
		for _, v := range a.Value {
			who.Values = append(who.Values, identity.Value{Name: identity.Name(a.Name), Value: v, Source: source})
		}
	}
	return who, s.store.Update(ctx, func(tx *store.Tx) error { return tx.Records.Create(ctx, who) })
}

// standIns returns the keys of cfg; for those that cannot be opened, as where
// contracts run without secrets, throw-away ones: what leaves does not hang on
// who signs it.
func standIns(cfg *Config, d *decoder) (*certs.Ring, error) {
	before := len(d.faults)
	if ring, err := loadKeys(cfg, d); err == nil {
		return ring, nil
	}
	d.faults = d.faults[:before]
	var keys []certs.Key
	for _, k := range cfg.Keys {
		use, useErr := certs.ParseUse(k.Use)
		state, stateErr := certs.ParseState(k.State)
		if err := errors.Join(useErr, stateErr); err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(keys, func(other certs.Key) bool { return other.Use == use }); i >= 0 {
			twin := keys[i]
			twin.ID, twin.State = k.ID, state
			keys = append(keys, twin)
			continue
		}
		made, _, _, err := certs.Generate(certs.GenerateConfig{
			ID: k.ID, Use: use, State: state, CommonName: "samlet test", Now: time.Now, Rand: rand.Reader,
		})
		if err != nil {
			return nil, err
		}
		keys = append(keys, made)
	}
	return certs.NewRing(keys)
}
