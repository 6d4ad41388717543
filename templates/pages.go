package templates

import (
	"net/url"
	"slices"
	"time"

	"github.com/samlet-id/samlet/identity"
)

// Page is one of the page structs of this package; each names its own template.
// The method is unexported so that a page can only be added here, beside its
// template and its sample in the storybook.
type Page interface{ template() string }

// The names of the form fields that pages post. Rooms read them by these names.
const (
	FieldTicket     = "t"          // the login ticket, hidden; the query of GET pages uses the same name
	FieldIdentifier = "identifier" // what the person typed to say who they are
	FieldPassword   = "password"
	FieldConnection = "connection" // the ID of the connection whose button was pressed
	FieldChoose     = "choose"     // in a query: the person wants to see the connections
	FieldSearch     = "q"          // in a query: what the person looks for among them
	FieldForget     = "forget"     // "1" to have the browser forget by which connection somebody signed in
	FieldCancel     = "cancel"     // "1" when the person gave up
	FieldConsent    = "consent"    // "allow" or "deny"
	FieldDigest     = "digest"     // of what the person was shown
	FieldWithdraw   = "withdraw"   // the ID of the application that may learn nothing more
	FieldJoin       = "join"       // "yes" or "no"; in a query: the person wants to see the question again
	FieldUnlink     = "unlink"     // which link is to be undone
	FieldConfirm    = "confirm"    // "1" to sign in again, for a page of ours
	FieldProof      = "proof"      // that the form is one of ours for this session, hidden
)

// Link is one place to go next.
type Link struct {
	Label string // English; passes through the translator
	URL   string // path of ours, http(s) or mailto; anything else is rendered harmless
	Text  string // one sentence on what is there; only Home shows it
}

// Connection is one upstream identity source as a button shows it.
type Connection struct {
	ID   string // value of FieldConnection
	Name string // as the operator named it; not translated
}

// SignIn asks who the person is: an identifier first, or one of the connections
// by its button. Each button is a form of its own, so that Enter in the field
// never presses one. Where an identifier is of no use, the page is Choose.
type SignIn struct {
	Action       string      // path that every form of the page posts to
	Ticket       string      // login ticket
	RelyingParty string      // display name of the application; empty leaves the line out
	Identifier   string      // what was typed before, or the login hint
	Problem      string      // why the last answer did not do, one sentence; empty at first
	Remembered   *Connection // by which somebody signed in with this browser last; none of Connections
	Connections  []Connection
	Proving      *Proving
	Browse       string // path of Choose, where there are more connections than buttons; empty leaves the link out
	Cancellable  bool   // offer to go back to the application without signing in
}

// Password asks for the password of an identifier. It looks the same whether or
// not anybody is known by that name.
type Password struct {
	Action       string
	Ticket       string
	RelyingParty string
	Identifier   string // kept in a read-only field, where password managers look for it
	Problem      string
	NotYou       string // path back to SignIn
	Proving      *Proving
	After        string // display name of where the person has signed in, and this is asked for beside
	Cancellable  bool
}

// Search is the state of looking for one connection among many.
type Search struct {
	Query string // what was looked for; empty at first
	Found int    // how many connections that fits, those on the page among them
}

// Choose lists the connections where nothing else decides between them. Where they
// are many, it lists the first and has a field to look for others.
type Choose struct {
	Action       string
	Ticket       string
	RelyingParty string
	Problem      string
	Remembered   *Connection // as in SignIn
	Connections  []Connection
	Proving      *Proving
	Search       *Search // nil where all are listed
	Back         string  // path back to SignIn; empty leaves the link out
	Cancellable  bool
}

// AutoPost carries a message through the browser by POST (SAML Bindings 3.5, and
// form_post of OIDC): a form of hidden fields that a script with a nonce submits,
// and a visible button for browsers that run no scripts.
type AutoPost struct {
	URL  string     // absolute http(s) URL of the receiver
	Form url.Values // written in sorted order of names
	To   string     // display name of the receiver; empty says the host of URL
}

// Forward leads a browser on with GET where a 303 would be stopped: browsers
// apply the form-action of the page that was submitted to every redirect that
// answers it.
type Forward struct {
	URL string // absolute http(s) URL
	To  string // display name of the receiver; empty says the host of URL
}

// Error says what went wrong in one plain sentence, what to do, and what to quote
// to whoever helps. The request ID comes from Chrome.
type Error struct {
	Title    string
	Message  string // one plain sentence
	Advice   string // one sentence: who can put it right, and what to do
	Action   Link   // where to go next; an empty URL leaves it out
	Code     string // slug of the error catalogue
	Status   int    // HTTP status, shown folded with the details
	Seen     Marked // what came in
	Expected Marked // what should have
	Open     bool   // shows the details unfolded, for whoever is to repair it
	Help     string // https URL of help by whoever is to repair it; empty leaves it out
	Report   string // absolute URL of Report, to be sent to whoever is to repair it; empty leaves it out
}

// Report tells whoever runs an identity provider why a sign-in by it failed. It names
// nobody who signed in.
type Report struct {
	Connection string // display name
	Issuer     string // of the identity provider; empty leaves it out
	At         time.Time
	Code       string
	Request    string // ID of the request that failed
	Advice     string
	Seen       Marked
	Expected   Marked
}

// SignOut asks for confirmation, since a bare GET never ends a session.
type SignOut struct {
	Action  string
	Proof   string // value of FieldProof
	Account string // whom the session is of, as the person knows themselves; may be empty
	// Remembered is the display name of the connection that this browser remembers;
	// empty for none.
	Remembered string
	Back       Link // where to go instead; an empty URL leaves it out
}

// LogoutRow says how far one application is in signing the person out.
type LogoutRow struct {
	Name     string // as the operator named it; not translated
	State    identity.LogoutState
	Upstream bool // it is no application: the person signed in there
}

// LogoutFrame takes the message for one application to it.
type LogoutFrame struct {
	URL    string // absolute http(s) URL, or a path of ours
	Name   string // of the application
	ByForm bool   // there is a button in it for browsers that run no scripts
}

// SigningOut is shown while applications are told that the session has ended. It
// goes on by itself: at Refresh seconds, or as soon as a script with a nonce has
// learnt from Status that all have answered.
type SigningOut struct {
	Applications []LogoutRow
	Frames       []LogoutFrame
	Refresh      int    // seconds
	Here         string // path of this page, which shows the outcome once there is one
	Skip         string // path that waits no longer
	Status       string // path of the state as JSON: {"over": bool, "states": [LogoutState…]}
}

// SignedOut says that the session has ended, and of each application whether it
// has signed the person out, too.
type SignedOut struct {
	Applications []LogoutRow // none leaves the list out
	Continue     Onward      // back to the application that asked; an empty URL leaves it out
	Action       Link        // such as signing in again; an empty URL leaves it out
}

// Everywhere reports whether every application has signed the person out.
func (p SignedOut) Everywhere() bool {
	return !slices.ContainsFunc(p.Applications, func(r LogoutRow) bool { return !r.Upstream && r.State != identity.LogoutDone })
}

// StillAt names the upstreams at which the person has not been signed out.
func (p SignedOut) StillAt() []string {
	var names []string
	for _, r := range p.Applications {
		if r.Upstream && r.State != identity.LogoutDone {
			names = append(names, r.Name)
		}
	}
	return names
}

// Onward carries a message onwards at the press of a button: with GET, or by a
// form of hidden fields.
type Onward struct {
	To   string     // display name of the receiver
	URL  string     // absolute http(s) URL
	Form url.Values // nil: GET
}

// Heard is shown in a frame once an application has answered.
type Heard struct {
	Problem string // what is wrong with the answer; empty: nothing is
}

// Test is the built-in service provider: what an application would have learned.
// With SignedIn false it only offers to sign in.
type Test struct {
	SignIn  string // path; a GET that begins a sign-in, asking afresh (ForceAuthn) once somebody is signed in
	SignOut string // path of the confirmation page
	Problem string // why the last attempt failed, one sentence

	SignedIn        bool
	Issuer          string // entityID that the assertion is from
	NameID          string
	Format          string // SAML Core 8.3
	NameQualifier   string
	SPNameQualifier string
	Attributes      []TestAttribute
	Class           string    // AuthnContextClassRef
	Instant         time.Time // AuthnInstant; UTC
	Authorities     []string  // AuthenticatingAuthority, nearest first
	SessionIndex    string
	NotAfter        time.Time // SessionNotOnOrAfter; zero when absent
	Checks          []TestCheck
	XML             string // the decoded assertion
}

// TestAttribute is one saml:Attribute as it was received.
type TestAttribute struct {
	Name         string
	NameFormat   string
	FriendlyName string
	Values       []string
}

// TestCheck is one thing that the test service provider verified.
type TestCheck struct {
	Name   string
	Detail string
	Passed bool
}

// Home says what is here, for development.
type Home struct {
	EntityID string
	Links    []Link
}

// Organization is where people of one organization begin: the applications that they may
// open.
type Organization struct {
	Name         string
	Applications []OrganizationLink
}

// OrganizationLink begins a sign-in at an application.
type OrganizationLink struct{ Name, URL string }

// Discover lists where somebody may sign in for an application that asked which it is
// (Identity Provider Discovery Service Protocol). It belongs to no sign-in, so that each
// way is a link to the application.
type Discover struct {
	Action       string     // path of the search, a GET
	Fields       []Field    // what the search hands on
	RelyingParty string     // display name of the application
	Remembered   *Authority // by which somebody signed in with this browser last; none of Authorities
	Authorities  []Authority
	Own          string  // absolute URL of samlet itself; empty where nobody signs in with it
	Search       *Search // nil where all are listed
	Cancel       string  // absolute URL back to the application, with no answer
}

// Field is a hidden field of a form.
type Field struct{ Name, Value string }

// Authority is where people sign in.
type Authority struct {
	Name string // as the operator named it; not translated
	URL  string // absolute URL that tells the application of it
}

func (Organization) template() string { return "organization" }

func (SignIn) template() string     { return "signin" }
func (Password) template() string   { return "password" }
func (Choose) template() string     { return "choose" }
func (AutoPost) template() string   { return "autopost" }
func (Forward) template() string    { return "forward" }
func (Error) template() string      { return "error" }
func (Report) template() string     { return "report" }
func (Discover) template() string   { return "discover" }
func (SignOut) template() string    { return "signout" }
func (SigningOut) template() string { return "signingout" }
func (SignedOut) template() string  { return "signedout" }
func (Heard) template() string      { return "heard" }
func (Test) template() string       { return "test" }
func (Home) template() string       { return "home" }
