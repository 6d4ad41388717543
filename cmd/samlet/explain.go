package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
)

// explained is where somebody would be led to sign in; its JSON is stable.
type explained struct {
	SP         string            `json:"sp"`
	Identifier string            `json:"identifier"`
	Rule       string            `json:"rule,omitempty"`       // hint, domain, only, remembered, local or ask
	Connection string            `json:"connection,omitempty"` // empty where the person is asked
	Name       string            `json:"name,omitempty"`       // of the connection
	EntityID   string            `json:"entity_id,omitempty"`  // of the identity provider
	First      string            `json:"first,omitempty"`      // the connection that is offered before all others: the browser remembers it
	Refused    *rehearsedRefusal `json:"refused,omitempty"`
}

func explainCommand() *cobra.Command {
	var sp, hint, remembers string
	cmd := &cobra.Command{
		Use:   "explain ADDRESS --sp ID",
		Short: "Say where somebody who types an address would be led to sign in, and by which rule",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if sp == "" {
				return usageError{errors.New("--sp is missing: the id of the application that they come from")}
			}
			snap, err := provenSnapshot(cmd)
			if err != nil {
				return err
			}
			s, err := openStage(cmd.Context(), stageConfig{Snapshot: snap})
			if err != nil {
				return err
			}
			e, err := s.explain(sp, args[0], hint, remembers)
			if err := errors.Join(err, s.Close(cmd.Context())); err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return printJSON(cmd.OutOrStdout(), e)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), e.sentence())
			return err
		},
	}
	cmd.Flags().StringVar(&sp, "sp", "", "the `id` of the application")
	cmd.Flags().StringVar(&hint, "idp-hint", "", "the `connection` that the application proposes, by its id or entityID")
	cmd.Flags().StringVar(&remembers, "remembers", "", "the `connection` that the browser remembers, by its id")
	return cmd
}

// explain asks the very code that leads people where it would lead somebody from
// the service provider id, with the plainest of its requests.
func (s *stage) explain(id, identifier, hint, remembers string) (explained, error) {
	e := explained{SP: id, Identifier: identifier}
	p, err := s.snapshot.party(id)
	if err != nil {
		return e, err
	}
	req, err := s.idp.Question(p.Party)
	if err != nil {
		return e, err
	}
	req.Hint = hint
	way, err := s.login.Explain(req, identifier, identity.ConnectionID(remembers))
	if refusal, ok := errors.AsType[*identity.Error](err); ok && refusal.Kind != identity.KindInternal {
		e.Refused = &rehearsedRefusal{Code: string(refusal.Code), Message: message(refusal)}
		return e, nil
	}
	if err != nil {
		return e, err
	}
	e.Rule, e.Connection, e.First = string(way.Rule), string(way.Connection), string(way.First)
	if c := s.snapshot.connection(e.Connection); c != nil {
		e.Name = c.Name
		if c.Metadata != nil {
			e.EntityID = string(c.Metadata.EntityID)
		}
	}
	return e, nil
}

// sentence is e for a person.
func (e explained) sentence() string {
	if e.Refused != nil {
		return fmt.Sprintf("A sign-in at %s is refused: %s [%s]", e.SP, e.Refused.Message, e.Refused.Code)
	}
	var why string
	switch login.Rule(e.Rule) {
	case login.RuleHint:
		why = "the request proposes it"
	case login.RuleDomain:
		_, domain, _ := strings.Cut(e.Identifier, "@")
		why = "the mail domain " + domain + " belongs to it"
	case login.RuleOnly:
		why = "it is the only way in"
	case login.RuleRemembered:
		why = "the browser remembers it, and the connection has `remembered: lead`"
	case login.RuleLocal:
		why = "the address belongs to no other connection"
	case login.RuleAsk:
		return fmt.Sprintf("%s comes from %s and is asked to choose a connection: nothing else decides.%s", e.Identifier, e.SP, e.offered())
	}
	to := e.Connection
	if e.EntityID != "" {
		to += " (" + e.Name + ", " + e.EntityID + ")"
	}
	return fmt.Sprintf("%s comes from %s and is led to %s: %s.%s", e.Identifier, e.SP, to, why, e.offered())
}

// offered says what a page offers before anything is typed.
func (e explained) offered() string {
	if e.First == "" {
		return ""
	}
	return fmt.Sprintf(" The page offers %s before all others: the browser remembers it.", e.First)
}
