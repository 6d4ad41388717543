package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/explain"
	"github.com/samlet-id/samlet/store"
)

// trialInput are the flags of `connection test` about one sign-in.
type trialInput struct{ Claims, Response, Subject, At string }

func (in trialInput) given() bool { return in != trialInput{} }

// trial is what would become of somebody of whom an upstream says this. Its JSON
// is stable.
type trial struct {
	Connection string              `json:"connection"`
	Issuer     string              `json:"issuer"`
	Subject    string              `json:"subject"`           // by which the link is found
	Faults     []string            `json:"faults"`            // of the captured Response, for which it would be refused
	Received   []trialClaim        `json:"received"`          // under the upstream's names
	Rules      []trialRule         `json:"rules"`             // of the mapping, in its order
	Outcome    string              `json:"outcome"`           // new, known, linked, asked or refused
	Refused    *trialRefusal       `json:"refused,omitempty"` // where the outcome is refused
	Record     string              `json:"record,omitempty"`  // id of the one that was found
	Values     []trialValue        `json:"values"`            // of the record afterwards, and what it would lose
	Attributes identity.Attributes `json:"attributes"`        // what the connection brings, by our names
}

type trialClaim struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
	Used   bool     `json:"used"` // a rule looks at it
}

type trialRule struct {
	To      string        `json:"to"`
	Origin  string        `json:"origin,omitempty"` // from, value, constant; none, if nothing is filled
	From    string        `json:"from,omitempty"`   // the upstream's name
	Values  []string      `json:"values"`
	Dropped []trialDrop   `json:"dropped"`
	Refused *trialRefusal `json:"refused,omitempty"`
}

// trialDrop is a value that a filter (match, translate, only) did not know.
type trialDrop struct {
	From  string `json:"from,omitempty"`
	Value string `json:"value"`
	By    string `json:"by"`
}

type trialRefusal struct {
	Code     string `json:"code"`
	Message  string `json:"message"`
	Seen     string `json:"seen,omitempty"`
	Expected string `json:"expected,omitempty"`
}

// trialValue is one value of the record. Change is kept, added or removed.
type trialValue struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"`
	Change string `json:"change"`
}

// tryConnection shows what would become of the person whom the input describes.
func tryConnection(cmd *cobra.Command, id string, in trialInput) error {
	if (in.Claims == "") == (in.Response == "") || in.Response != "" && in.Subject != "" || in.Claims != "" && in.At != "" {
		return usageError{errors.New("want --claims, with --subject if need be, or --response, with --at if need be")}
	}
	snap, err := provenSnapshot(cmd)
	if err != nil {
		return err
	}
	c := snap.connection(id)
	if c == nil || c.Type == "local" {
		return errNoSuch("connection", id, snap.connectionIDs())
	}
	said, faults, err := in.read(cmd, snap, c)
	if err != nil {
		return err
	}
	s, err := openStage(cmd.Context(), stageConfig{Snapshot: snap})
	if err != nil {
		return err
	}
	var t trial
	err = withStore(cmd, snap.Config, func(ctx context.Context, db store.Store) error {
		t, err = s.try(ctx, db, c.ID, said)
		return err
	})
	if err = errors.Join(err, s.Close(cmd.Context())); err != nil {
		return err
	}
	t.Faults = append([]string{}, faults...)
	if wantsJSON(cmd) {
		err = printJSON(cmd.OutOrStdout(), t)
	} else {
		err = t.print(cmd.OutOrStdout())
	}
	if err == nil && len(faults) > 0 {
		return warnings{"the Response itself would be refused:\n" + joinLines(faults)}
	}
	return err
}

func (in trialInput) read(cmd *cobra.Command, snap *snapshot, c *connection) (identity.Assertion, []string, error) {
	if in.Claims != "" {
		raw, err := readInput(cmd, []string{in.Claims})
		if err != nil {
			return identity.Assertion{}, nil, err
		}
		said, err := claimsOf(raw, c, in.Subject)
		return said, nil, err
	}
	raw, err := readInput(cmd, []string{in.Response})
	if err != nil {
		return identity.Assertion{}, nil, err
	}
	about, err := (&samlInput{At: in.At, NoConfig: true}).context(cmd)
	if err != nil {
		return identity.Assertion{}, nil, err
	}
	return capture(cmd.Context(), snap, c, raw, about)
}

// capture reads a captured Response, judged by what the configuration knows.
func capture(ctx context.Context, snap *snapshot, c *connection, raw []byte, about explain.Context) (identity.Assertion, []string, error) {
	if err := configured(ctx, snap, true, &about); err != nil {
		return identity.Assertion{}, nil, err
	}
	return capturedClaims(raw, about, c)
}

// try lets the stage's broker accept what an upstream says of somebody, with the
// records that are in question borrowed from db, where nothing is written. Db is
// nil where nobody is known yet.
func (s *stage) try(ctx context.Context, db store.Store, id identity.ConnectionID, said identity.Assertion) (trial, error) {
	for _, c := range s.broker.Connections() {
		if c.ID == id && said.Principal.Issuer == "" {
			said.Principal.Issuer = c.Issuer
		}
	}
	t := trial{Connection: string(id), Issuer: string(said.Principal.Issuer), Subject: said.Principal.Subject, Values: []trialValue{}, Received: []trialClaim{}, Rules: []trialRule{}}
	e, err := s.broker.Explain(id, said)
	if e.Principal.Subject != "" {
		t.Subject = e.Principal.Subject
	}
	t.describe(said, e)
	if err != nil {
		return t.refuse(err)
	}
	var before identity.Record
	if db != nil {
		if before, err = s.borrowCandidates(ctx, db, e); err != nil {
			return trial{}, err
		}
	}
	told, err := s.broker.Accept(ctx, id, said)
	if _, asked := errors.AsType[*identity.Newcomer](err); asked {
		t.Outcome = "asked"
		return t, nil
	}
	if err != nil {
		return t.refuse(err)
	}
	return t, s.store.View(ctx, func(tx *store.Tx) error {
		after, err := tx.Records.Get(ctx, identity.RecordID(told.Principal.Subject))
		if err != nil {
			return err
		}
		events, err := tx.Events.List(ctx, after.ID, 10)
		t.settle(before, after, events)
		return err
	})
}

// borrowCandidates puts everybody on the stage whom the principal could become, and
// returns the one whom it is linked to.
func (s *stage) borrowCandidates(ctx context.Context, db store.Store, e broker.Explanation) (identity.Record, error) {
	var ids []identity.RecordID
	var linked identity.Record
	err := db.View(ctx, func(tx *store.Tx) error {
		link, err := tx.Links.Get(ctx, e.Principal.Issuer, e.Principal.Subject)
		switch {
		case err == nil:
			ids = append(ids, link.Record)
			if linked, err = tx.Records.Get(ctx, link.Record); err != nil {
				return err
			}
		case !errors.Is(err, &identity.Error{Kind: identity.KindNotFound}):
			return err
		}
		for _, key := range e.Vouched {
			records, err := tx.Records.ByMail(ctx, key)
			if err != nil {
				return err
			}
			for _, r := range records {
				if !slices.Contains(ids, r.ID) {
					ids = append(ids, r.ID)
				}
			}
		}
		return nil
	})
	for _, id := range ids {
		if err == nil {
			err = s.borrow(ctx, db, id)
		}
	}
	return linked, err
}

// describe tells what came and what the mapping makes of it.
func (t *trial) describe(said identity.Assertion, e broker.Explanation) {
	for _, n := range said.Attributes.Names() {
		t.Received = append(t.Received, trialClaim{Name: string(n), Values: said.Attributes[n], Used: !slices.Contains(e.Dropped, n)})
	}
	t.Attributes = identity.Attributes{}
	for _, s := range e.Steps {
		if len(s.Values) > 0 {
			t.Attributes[s.To] = s.Values
		}
		row := trialRule{To: string(s.To), Origin: string(s.Origin), From: s.From, Values: append([]string{}, s.Values...), Dropped: []trialDrop{}}
		for _, d := range s.Dropped {
			row.Dropped = append(row.Dropped, trialDrop(d))
		}
		if s.Refused != nil {
			row.Refused = refusalOf(s.Refused)
		}
		t.Rules = append(t.Rules, row)
	}
}

func refusalOf(e *identity.Error) *trialRefusal {
	return &trialRefusal{Code: string(e.Code), Message: e.Msg, Seen: e.Seen, Expected: e.Expected}
}

// refuse turns an error that the person would be shown into a result.
func (t *trial) refuse(err error) (trial, error) {
	e, ok := errors.AsType[*identity.Error](err)
	if !ok || e.Kind == identity.KindInternal {
		return trial{}, err
	}
	t.Outcome, t.Refused = "refused", refusalOf(e)
	return *t, nil
}

// settle compares the record before and after.
func (t *trial) settle(before, after identity.Record, events []identity.Event) {
	happened := func(e identity.EventType) bool {
		return slices.ContainsFunc(events, func(ev identity.Event) bool { return ev.Type == e })
	}
	switch {
	case happened(identity.EventRecordCreated):
		t.Outcome = "new"
	case happened(identity.EventLinkCreated):
		t.Outcome, t.Record = "linked", string(after.ID)
	default:
		t.Outcome, t.Record = "known", string(after.ID)
	}
	row := func(v identity.Value, change string) {
		t.Values = append(t.Values, trialValue{string(v.Name), v.Value, sourceName(v.Source), change})
	}
	for _, v := range after.Values {
		if t.Outcome == "known" && slices.Contains(before.Values, v) || v.Source != identity.Source(t.Connection) {
			row(v, "kept")
		} else {
			row(v, "added")
		}
	}
	for _, v := range before.Values {
		if !slices.Contains(after.Values, v) {
			row(v, "removed")
		}
	}
}
