package storybook

import (
	"time"

	"github.com/samlet-id/samlet/templates"
)

func usualAccounts() []Sample {
	since := time.Date(2026, 11, 23, 18, 30, 0, 0, time.UTC)
	connections := []templates.Connection{{ID: "acme-entra", Name: "Acme"}}
	ways := []templates.AccountWay{{ID: "w0", Name: "Lake University", Since: since, LastUsed: since}, {ID: "w1", Name: "Partner Ltd", Since: since, LastUsed: since, Closed: true}}
	page := templates.Account{
		Action: "/account", Proof: "p0", SignedIn: true, Account: "ada@example.test", Fresh: true, Done: templates.AccountDone{Added: "Lake University"},
		Password: true, Ways: ways, Connections: connections, Consents: "/consents", SignOut: "/logout",
	}
	old, only := page, page
	old.Fresh, old.Done = false, templates.AccountDone{Removed: "Acme"}
	only.Password, only.Done, only.Problem = false, templates.AccountDone{}, "This is the only way in which you can sign in. Add another one first."
	only.Ways, only.Search = []templates.AccountWay{{ID: "w0", Name: "Lake University", Since: since, LastUsed: since, Last: true}}, &templates.Search{Found: 5000}
	return []Sample{{Name: "account", Page: page}, {Name: "account-old", Page: old}, {Name: "account-only", Page: only}, {Name: "account-nobody", Page: templates.Account{Action: "/account"}}}
}

func filledAccount(s string) templates.Account {
	return templates.Account{
		Action: "/account?" + s, Proof: s, SignedIn: true, Account: s, Fresh: true, Done: templates.AccountDone{Added: s, Removed: s}, Problem: s, Password: true,
		Ways: []templates.AccountWay{{ID: s, Name: s, Closed: true}, {ID: s, Name: s, Last: true}}, Connections: []templates.Connection{{ID: s, Name: s}},
		Search: &templates.Search{Query: s, Found: 9}, Consents: "javascript:alert(1)//" + s, SignOut: "javascript:alert(1)//" + s,
	}
}
