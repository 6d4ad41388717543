package explain_test

import (
	"fmt"
	"time"

	"github.com/samlet-id/samlet/internal/explain"
)

func Example() {
	messages, err := explain.Find([]byte(`<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1" Version="2.0" IssueInstant="2026-11-23T17:00:00Z"><saml:Issuer>https://app.example.test/saml</saml:Issuer></samlp:AuthnRequest>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range explain.Explain(messages, explain.Context{Now: time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)}) {
		for _, c := range r.Checks {
			if c.Result == explain.Fail {
				fmt.Printf("%s, %s: %s (%s)\n", r.Kind, c.ID, c.Seen, c.Clause)
			}
		}
	}
	// Output: AuthnRequest, issue_instant: 2026-11-23T17:00:00Z, 1h0m0s ago (SAML Core 3.2.1; Implementation Profile IIP-G01)
}
