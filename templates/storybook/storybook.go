// Package storybook shows every page with sample data, among it the worst that
// outside parties can send: for tests that render, scan and photograph each page,
// and for whoever designs an overlay. It owns the samples and knows nothing of
// the rooms that use the pages.
package storybook

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/templates"
)

// Sample is one page with data.
type Sample struct {
	Name string // slug, unique
	Page templates.Page
	Lang string // BCP 47, or "" for the default
}

// Hostile is a value that breaks out of whatever does not escape it.
const Hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}&amp;</style></title></textarea>`

// RightToLeft is a name in Arabic with a Latin word and an override character.
const RightToLeft = "شركة الأمثلة (Example) \u202Eevil"

// Long returns a value of 2,000 characters without a space.
func Long() string { return strings.Repeat("0123456789", 200) }

// Samples returns every page empty, at its usual and at its worst. The empty
// AutoPost and Forward have a URL, without which they are refused.
func Samples() []Sample {
	all := append(usual(), usualAccounts()...)
	all = append(all, empty()...)
	return append(all, worst()...)
}

func usual() []Sample {
	seen, expected := templates.Compare("https://login.example.test/saml/sp/acme", "https://login.example.test/saml/sp/acme-entra/metadata")
	connections := []templates.Connection{{ID: "acme-entra", Name: "Acme"}, {ID: "lake", Name: "Lake University"}}
	return []Sample{
		{Name: "signin", Page: templates.SignIn{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Connections: connections, Cancellable: true}},
		{Name: "signin-problem", Page: templates.SignIn{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Problem: "Type your e-mail address or user name.", Connections: connections}},
		{Name: "signin-remembered", Page: templates.SignIn{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Remembered: &connections[0], Connections: connections[1:], Cancellable: true}},
		{Name: "choose-remembered", Page: templates.Choose{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Remembered: &connections[0], Connections: connections[1:], Cancellable: true}},
		{Name: "password", Page: templates.Password{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Identifier: "ada@example.test", NotYou: "/login?t=t0", Cancellable: true}},
		{Name: "password-problem", Page: templates.Password{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Identifier: "ada@example.test", Problem: "That user name and password do not match.", NotYou: "/login?t=t0"}},
		{Name: "choose", Page: templates.Choose{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Connections: connections, Back: "/login?t=t0", Cancellable: true}},
		{Name: "signin-browse", Page: templates.SignIn{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Browse: "/login?t=t0&choose=1", Cancellable: true}},
		{Name: "choose-many", Page: templates.Choose{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Connections: connections, Search: &templates.Search{Found: 5000}, Back: "/login?t=t0", Cancellable: true}},
		{Name: "choose-found", Page: templates.Choose{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Connections: connections, Search: &templates.Search{Query: "acme", Found: len(connections)}, Back: "/login?t=t0"}},
		{Name: "choose-not-found", Page: templates.Choose{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Search: &templates.Search{Query: "acmee"}, Back: "/login?t=t0"}},
		{Name: "consent", Page: templates.Consent{
			Action: "/login", Ticket: "t0", Digest: "d0", RelyingParty: "Acme App", Account: "ada@example.test", Manage: "/consents",
			Items: []templates.ConsentItem{{Label: "E-mail", Values: []string{"ada@example.test"}, Required: true}, {Label: "Groups", Values: []string{"acme-staff", "acme-admins"}}},
		}},
		{Name: "consents", Page: templates.Consents{
			Action: "/consents", Proof: "p0", SignedIn: true, Account: "ada@example.test", Done: "Wiki", Ways: "/account", Back: "/logout",
			Given: []templates.ConsentGiven{{ID: "acme-app", Name: "Acme App", Labels: []string{"E-mail", "Groups"}, At: time.Date(2026, 11, 23, 18, 30, 0, 0, time.UTC)}},
		}},
		{Name: "join", Page: templates.Join{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Connection: "Lake University", Account: "ada@example.test", Create: true, Cancellable: true}},
		{Name: "join-exists", Page: templates.Join{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Connection: "Lake University", Account: "ada@lake.test", Exists: true, Create: true, Cancellable: true}},
		{Name: "join-closed", Page: templates.Join{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Connection: "Lake University", Account: "ada@lake.test", Cancellable: true}},
		{Name: "signin-proving", Page: templates.SignIn{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Identifier: "ada@example.test", Connections: connections, Proving: &templates.Proving{Connection: "Lake University", Back: "/login?t=t0&join=1"}, Cancellable: true}},
		{Name: "autopost", Page: templates.AutoPost{URL: "https://app.acme.test/saml/acs", Form: url.Values{"SAMLResponse": {"PHNhbWxwOlJlc3BvbnNlLz4="}, "RelayState": {"r1"}}, To: "Acme App"}},
		{Name: "forward", Page: templates.Forward{URL: "https://idp.acme.test/sso?SAMLRequest=fZA%3D&RelayState=t0", To: "Acme"}},
		{Name: "error", Page: templates.Error{
			Title: "We could not continue", Message: "Your organization’s sign-in answered for another application.",
			Advice: "The people who run your organization’s sign-in can put this right. Send them the code and the request ID.",
			Action: templates.Link{Label: "Get help", URL: "mailto:help@example.test"}, Code: "up.audience", Status: 400,
			Seen: seen, Expected: expected, Open: true, Help: "https://idp.acme.test/help?code=IDENTIFICATION_FAILURE", Report: "https://login.example.test/problem/lndp2qk7r4tsvwxy",
		}},
		{Name: "report", Page: templates.Report{
			Connection: "Acme", Issuer: "https://idp.acme.test/metadata", At: time.Date(2026, 11, 23, 18, 30, 0, 0, time.UTC), Code: "up.audience", Request: "lndp2qk7r4tsvwxy",
			Advice: "It has to be changed at the identity provider.", Seen: seen, Expected: expected,
		}},
		{Name: "organization", Page: templates.Organization{Name: "Acme Corp", Applications: []templates.OrganizationLink{{Name: "Wiki", URL: "/saml/idp-initiated?sp=wiki"}, {Name: "Time sheets", URL: "/saml/idp-initiated?sp=time"}}}},
		{Name: "discover", Page: templates.Discover{
			Action: "/saml/discovery", RelyingParty: "Acme App", Remembered: &templates.Authority{Name: "Lake University", URL: "https://app.acme.test/disco?entityID=lake"},
			Authorities: []templates.Authority{{Name: "Acme Corp", URL: "https://app.acme.test/disco?entityID=acme"}, {Name: "Harbour College", URL: "https://app.acme.test/disco?entityID=harbour"}},
			Own:         "https://app.acme.test/disco?entityID=samlet", Cancel: "https://app.acme.test/disco",
		}},
		{Name: "discover-many", Page: templates.Discover{
			Action: "/saml/discovery", Fields: []templates.Field{{Name: "entityID", Value: "https://app.acme.test/"}}, RelyingParty: "Acme App", Search: &templates.Search{Query: "lake", Found: 40},
			Authorities: []templates.Authority{{Name: "Lake University", URL: "https://app.acme.test/disco?entityID=lake"}, {Name: "Lakeside Hospital", URL: "https://app.acme.test/disco?entityID=lakeside"}},
			Cancel:      "https://app.acme.test/disco",
		}},
		{Name: "signout", Page: templates.SignOut{Action: "/logout", Proof: "p0", Account: "ada@example.test", Back: templates.Link{Label: "Stay signed in", URL: "/"}}},
		{Name: "signout-remembered", Page: templates.SignOut{Action: "/logout", Proof: "p0", Account: "ada@example.test", Remembered: "Lake University"}},
		{Name: "signingout", Page: signingOut("Acme App", "Wiki", "Time sheets", "Canteen")},
		{Name: "signedout", Page: templates.SignedOut{Applications: outcomes("Acme App", "Wiki"), Action: templates.Link{Label: "Sign in again", URL: "/login"}}},
		{Name: "signedout-problem", Page: templates.SignedOut{
			Applications: append(outcomes("Acme App", "Wiki", "Time sheets", "Canteen"), templates.LogoutRow{Name: "Partner Ltd", State: identity.LogoutUnsupported, Upstream: true}),
			Continue:     templates.Onward{To: "Acme Mail", URL: "https://mail.acme.test/slo", Form: url.Values{"SAMLResponse": {"PHNhbWxwOkxvZ291dFJlc3BvbnNlLz4="}}},
		}},
		{Name: "heard", Page: templates.Heard{}},
		{Name: "test", Page: usualTest()},
		{Name: "test-problem", Page: templates.Test{SignIn: "/test/login", Problem: "The application refused the answer: its signature did not verify."}},
		{Name: "vendor", Page: usualVendor()},
		{Name: "attributes", Page: usualAttributes()},
		{Name: "home", Page: templates.Home{EntityID: "http://localhost:8080/saml/metadata", Links: []templates.Link{
			{Label: "Try a sign-in", URL: "/test", Text: "A built-in application that shows what it learns about you."},
			{Label: "Metadata", URL: "/saml/metadata", Text: "What an application needs to know about this identity provider."},
		}}},
	}
}

func empty() []Sample {
	return []Sample{
		{Name: "signin-empty", Page: templates.SignIn{}},
		{Name: "password-after", Page: templates.Password{Action: "/login", Ticket: "t0", RelyingParty: "Acme App", Identifier: "ada@example.test", After: "Lake University", NotYou: "/login?t=t0", Cancellable: true}},
		{Name: "password-empty", Page: templates.Password{}},
		{Name: "choose-empty", Page: templates.Choose{}},
		{Name: "consent-empty", Page: templates.Consent{}},
		{Name: "consents-empty", Page: templates.Consents{SignedIn: true}},
		{Name: "consents-nobody", Page: templates.Consents{}},
		{Name: "account-empty", Page: templates.Account{SignedIn: true}},
		{Name: "join-empty", Page: templates.Join{}},
		{Name: "autopost-empty", Page: templates.AutoPost{URL: "https://app.acme.test/"}},
		{Name: "forward-empty", Page: templates.Forward{URL: "https://idp.acme.test/"}},
		{Name: "error-empty", Page: templates.Error{}},
		{Name: "report-empty", Page: templates.Report{}},
		{Name: "discover-empty", Page: templates.Discover{}},
		{Name: "organization-empty", Page: templates.Organization{}},
		{Name: "signout-empty", Page: templates.SignOut{}},
		{Name: "signingout-empty", Page: templates.SigningOut{Refresh: 600}},
		{Name: "signedout-empty", Page: templates.SignedOut{}},
		{Name: "test-empty", Page: templates.Test{}},
		{Name: "test-nothing-released", Page: templates.Test{SignedIn: true}},
		{Name: "home-empty", Page: templates.Home{}},
		{Name: "vendor-empty", Page: templates.Vendor{}},
		{Name: "attributes-empty", Page: templates.AttributeReference{}},
	}
}

// outcomes gives the names the states of a logout, one after the other.
func outcomes(names ...string) []templates.LogoutRow {
	states := [...]identity.LogoutState{identity.LogoutDone, identity.LogoutDone, identity.LogoutFailed, identity.LogoutUnsupported}
	rows := make([]templates.LogoutRow, len(names))
	for i, n := range names {
		rows[i] = templates.LogoutRow{Name: n, State: states[i%len(states)]}
	}
	return rows
}

// signingOut is a logout whose first application has not answered; its frame
// shows a page of the storybook.
func signingOut(names ...string) templates.SigningOut {
	rows := outcomes(names...)
	rows[0].State = identity.LogoutPending
	return templates.SigningOut{
		Applications: rows, Refresh: 600, Here: "/signingout", Skip: "/signedout", Status: "/signingout/status",
		Frames: []templates.LogoutFrame{{URL: "/heard", Name: names[0], ByForm: true}, {URL: "/heard?again", Name: names[0]}},
	}
}

func usualTest() templates.Test {
	return templates.Test{
		SignIn: "/test/login", SignOut: "/logout", SignedIn: true,
		Issuer: "https://login.example.test/saml/metadata",
		NameID: "q4z7n2f6k3m5x7w2c4v6b3n5m7q2w4e6", Format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
		NameQualifier: "https://login.example.test/saml/metadata", SPNameQualifier: "https://login.example.test/test/metadata",
		Attributes: []templates.TestAttribute{
			{Name: "urn:oid:0.9.2342.19200300.100.1.3", NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:uri", FriendlyName: "mail", Values: []string{"ada@example.test"}},
			{Name: "urn:oid:2.16.840.1.113730.3.1.241", NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:uri", FriendlyName: "displayName", Values: []string{"Ada Example"}},
			{Name: "urn:oid:1.3.6.1.4.1.5923.1.5.1.1", NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:uri", FriendlyName: "isMemberOf", Values: []string{"staff", "admins"}},
		},
		Class:   "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
		Instant: time.Date(2026, 11, 23, 18, 30, 0, 0, time.UTC), Authorities: []string{"https://idp.acme.test/metadata"},
		SessionIndex: "s3k5m7", NotAfter: time.Date(2026, 11, 24, 2, 30, 0, 0, time.UTC),
		Checks: []templates.TestCheck{
			{Name: "Signature of the assertion", Detail: "rsa-sha256", Passed: true},
			{Name: "Audience", Passed: true},
			{Name: "Clock", Detail: "1 s ahead", Passed: false},
		},
		XML: "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_1\" IssueInstant=\"2026-11-23T18:30:00Z\" Version=\"2.0\">\n  <saml:Issuer>https://login.example.test/saml/metadata</saml:Issuer>\n  <saml:Subject>\n    <saml:NameID>q4z7n2f6k3m5x7w2c4v6b3n5m7q2w4e6</saml:NameID>\n  </saml:Subject>\n</saml:Assertion>",
	}
}

func worst() []Sample {
	var samples []Sample
	for _, v := range []struct{ name, value string }{{"hostile", Hostile}, {"long", Long()}, {"rtl", RightToLeft}} {
		for _, p := range Filled(v.value) {
			lang := ""
			if v.name == "rtl" {
				lang = "ar"
			}
			samples = append(samples, Sample{Name: p.Name + "-" + v.name, Page: p.Page, Lang: lang})
		}
	}
	return samples
}

// Filled returns every page with s wherever data can stand.
func Filled(s string) []Sample {
	var connections []templates.Connection
	for i := range 30 {
		connections = append(connections, templates.Connection{ID: fmt.Sprintf("c%d%s", i, s), Name: s})
	}
	link := templates.Link{Label: s, URL: "javascript:alert(1)//" + s, Text: s}
	return []Sample{
		{Name: "signin", Page: templates.SignIn{Action: "/login?" + s, Ticket: s, RelyingParty: s, Identifier: s, Problem: s, Remembered: &connections[0], Connections: connections, Browse: "javascript:alert(1)//" + s, Cancellable: true}},
		{Name: "password", Page: templates.Password{Action: "/login?" + s, Ticket: s, RelyingParty: s, Identifier: s, Problem: s, NotYou: "javascript:alert(1)//" + s, Cancellable: true}},
		{Name: "choose", Page: templates.Choose{Action: "/login?" + s, Ticket: s, RelyingParty: s, Problem: s, Remembered: &connections[0], Connections: connections, Search: &templates.Search{Query: s, Found: 9}, Back: "javascript:alert(1)//" + s, Cancellable: true}},
		{Name: "account", Page: filledAccount(s)},
		{Name: "join", Page: templates.Join{Action: "/login?" + s, Ticket: s, RelyingParty: s, Connection: s, Account: s, Exists: true, Create: true, Cancellable: true}},
		{Name: "password-proving", Page: templates.Password{Action: "/login?" + s, Ticket: s, RelyingParty: s, Identifier: s, Proving: &templates.Proving{Connection: s, Back: "javascript:alert(1)//" + s}, Cancellable: true}},
		{Name: "password-after", Page: templates.Password{Action: "/login?" + s, Ticket: s, RelyingParty: s, Identifier: s, After: s, Cancellable: true}},
		{Name: "consent", Page: templates.Consent{
			Action: "/login?" + s, Ticket: s, Digest: s, RelyingParty: s, Account: s, OnChange: true, Manage: "javascript:alert(1)//" + s,
			Items: []templates.ConsentItem{{Label: s, Values: []string{s, s}, Required: true}, {Label: s, Values: []string{s}}},
		}},
		{Name: "consents", Page: templates.Consents{
			Action: "/consents?" + s, Proof: s, SignedIn: true, Account: s, Done: s, Ways: "javascript:alert(1)//" + s, Back: "javascript:alert(1)//" + s,
			Given: []templates.ConsentGiven{{ID: s, Name: s, Labels: []string{s, s}, At: time.Unix(0, 0).UTC()}, {ID: s, Name: s}},
		}},
		{Name: "autopost", Page: templates.AutoPost{URL: "https://app.acme.test/?q=" + s, To: s, Form: url.Values{"SAMLResponse": {s, s}, "RelayState": {s}, s: {s}}}},
		{Name: "forward", Page: templates.Forward{URL: "https://app.acme.test/?q=" + s, To: s}},
		{Name: "error", Page: templates.Error{Title: s, Message: s, Advice: s, Action: link, Code: s, Status: 500, Seen: templates.Marked{Head: s, Differs: s, Tail: s}, Expected: templates.Plain(s), Help: "javascript:alert(1)//" + s, Report: s}},
		{Name: "organization", Page: templates.Organization{Name: s, Applications: []templates.OrganizationLink{{Name: s, URL: "javascript:alert(1)//" + s}}}},
		{Name: "discover", Page: templates.Discover{
			Action: "/saml/discovery?" + s, Fields: []templates.Field{{Name: s, Value: s}}, RelyingParty: s, Search: &templates.Search{Query: s, Found: 9},
			Remembered: &templates.Authority{Name: s, URL: "javascript:alert(1)//" + s}, Authorities: []templates.Authority{{Name: s, URL: "javascript:alert(1)//" + s}},
			Own: "javascript:alert(1)//" + s, Cancel: "javascript:alert(1)//" + s,
		}},
		{Name: "report", Page: templates.Report{Connection: s, Issuer: s, Code: s, Request: s, Advice: s, Seen: templates.Marked{Head: s, Differs: s, Tail: s}, Expected: templates.Plain(s)}},
		{Name: "signout", Page: templates.SignOut{Action: "/logout?" + s, Proof: s, Account: s, Remembered: s, Back: link}},
		{Name: "signingout", Page: signingOut(s, s, s, s)},
		{Name: "signedout", Page: templates.SignedOut{
			Applications: outcomes(s, s, s, s), Action: link,
			Continue: templates.Onward{To: s, URL: "https://app.acme.test/slo?" + s, Form: url.Values{"SAMLResponse": {s}, s: {s}}},
		}},
		{Name: "heard", Page: templates.Heard{Problem: s}},
		{Name: "test", Page: filledTest(s)},
		{Name: "home", Page: templates.Home{EntityID: s, Links: []templates.Link{link, link}}},
		{Name: "vendor", Page: filledVendor(s)},
		{Name: "attributes", Page: filledAttributes(s)},
	}
}

func filledTest(s string) templates.Test {
	t := templates.Test{
		SignIn: "javascript:alert(1)//" + s, SignOut: "javascript:alert(1)//" + s, Problem: s, SignedIn: true,
		Issuer: s, NameID: s, Format: s, NameQualifier: s, SPNameQualifier: s, Class: s, Instant: time.Unix(0, 0).UTC(),
		Authorities: []string{s, s}, SessionIndex: s, NotAfter: time.Unix(0, 0).UTC(),
		Checks: []templates.TestCheck{{Name: s, Detail: s, Passed: true}, {Name: s, Detail: s}}, XML: strings.Repeat(s, 20),
	}
	for i := range 200 {
		t.Attributes = append(t.Attributes, templates.TestAttribute{Name: fmt.Sprint(i, s), NameFormat: s, FriendlyName: s, Values: []string{s, "", s}})
	}
	return t
}
