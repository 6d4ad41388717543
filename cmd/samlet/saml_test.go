package main

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/explain"
)

// TestExplainAgreesWithTheHouse has every request of the matrix judged by
// `saml explain` and by the running house: what the house takes, no check fails,
// and what it refuses by its form fails a check, as a rule with the same code.
func TestExplainAgreesWithTheHouse(t *testing.T) {
	m := newMatrix(t)
	c := explain.Context{Now: matrixNow, Nearest: nearest, RequestForm: idp.CheckForm}
	for _, p := range m.house.snapshot.Parties {
		c.Entities = append(c.Entities, explain.Entity{Entity: p.Metadata, From: string(p.ID), RequireSigned: p.Sign.RequireRequests, NameID: p.NameID})
	}
	if err := ours(m.house, &c); err != nil {
		t.Fatal(err)
	}
	plain := m.answer(t, newQuestion(nil), "password")
	agreed := 0
	for _, r := range requestRows() {
		q := newQuestion(r.changes)
		if q.path != "" {
			continue // no message is sent
		}
		session := r.session
		if session == "" {
			session = "password"
		}
		outcome := told(plain, m.answer(t, newQuestion(r.changes), session))
		failed := failedCodes(t, m.request(t, q, session), c)
		_, code, refused := strings.Cut(strings.NewReplacer("page ", "(", ")", "").Replace(outcome), "(")
		code, _, _ = strings.Cut(code, " ")
		family, _, _ := strings.Cut(code, ".")
		name := r.field + ": " + r.form
		switch {
		case !refused && len(failed) > 0:
			t.Errorf("%s: the house says %q, explain fails %q", name, outcome, failed)
		case refused && family == "sp" && !slices.Contains(ofThePerson, code) && len(failed) == 0:
			t.Errorf("%s: the house says %q, explain fails nothing", name, outcome)
		case refused && slices.Contains(failed, code):
			agreed++
		}
	}
	if agreed < 100 {
		t.Errorf("only %d refusals have the same code in both", agreed)
	}
}

// ofThePerson are the refusals that depend on who signs in and how.
var ofThePerson = []string{"sp.passive", "sp.subject", "sp.authn_context", "sp.nameid_policy", "sp.proxy_count", "sp.idp_list", "sp.idp_unavailable", "sp.conditions"}

// failedCodes are the codes of the checks that fail for the message of r.
func failedCodes(t *testing.T, r *http.Request, c explain.Context) []string {
	t.Helper()
	input := r.URL.String()
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		input = string(body)
	}
	messages, err := explain.Find([]byte(input))
	if err != nil {
		return []string{string(identity.CodeOf(err))}
	}
	var codes []string
	for _, report := range explain.Explain(messages, c) {
		for _, check := range report.Checks {
			if check.Result == explain.Fail {
				codes = append(codes, string(check.Code))
			}
		}
	}
	return codes
}
