package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// Connector speaks to one upstream on behalf of one connection. It is safe for
// concurrent use, keeps no state in the process that an answer depends on, and
// returns identity.Errors wherever the other side is at fault.
type Connector interface {
	// Issuer is the one upstream whose principals this connector vouches for.
	Issuer() identity.EntityID
	// Begin returns the message that takes the browser upstream and the state
	// that Finish needs to recognise the answer. The state is kept on our side;
	// relayState goes with the message and comes back with the answer. The classes
	// of req.Context are the upstream's own, each good enough, best first.
	Begin(ctx context.Context, req identity.AuthnRequest, relayState string) (binding.Message, []byte, error)
	// Finish proves that in answers the question of state, and returns what the
	// upstream said under the upstream's own attribute names. An answer is
	// accepted once.
	Finish(ctx context.Context, state []byte, in binding.Received) (identity.Assertion, error)
}

// Upstream is one configured connection and who speaks for it.
type Upstream struct {
	identity.Connection
	// Connector is nil where no browser is sent away, because the proof is asked
	// for here (a directory): then Connection.Issuer says whose principals come,
	// and Accept takes them.
	Connector Connector
}

func (u Upstream) issuer() identity.EntityID {
	if u.Connector == nil {
		return u.Issuer
	}
	return u.Connector.Issuer()
}

// Config is what a Broker is made of.
type Config struct {
	Store       store.Store
	EntityID    identity.EntityID   // ours: the issuer of the principals that Finish returns
	Catalogue   *identity.Catalogue // nil means the built-in one
	Connections []Upstream          // in the order in which people are to see them
	// Organizations are those that connections belong to.
	Organizations []identity.Tenant
	Now           func() time.Time             // nil means time.Now
	Rand          io.Reader                    // source of record IDs; safe for concurrent use
	RequestID     func(context.Context) string // what events call the request; nil leaves it out
	// End ends the session of whoever a record is taken away from, within tx, with
	// its event. What it returns is called once tx is through, and tells those who
	// took part in the session. Nil deletes the session and tells nobody.
	End func(ctx context.Context, tx *store.Tx, id identity.SessionID, why string) (tell func(context.Context), err error)
	Log *slog.Logger // nil discards
}

// Broker answers for all upstream connections. It is immutable and safe for
// concurrent use; a changed configuration makes a new one.
type Broker struct {
	store     store.Store
	entityID  identity.EntityID
	now       func() time.Time
	rand      io.Reader
	requestID func(context.Context) string
	end       func(context.Context, *store.Tx, identity.SessionID, string) (func(context.Context), error)
	log       *slog.Logger
	upstreams []upstream
	choices   []identity.Connection // the enabled ones of upstreams
	byID      map[identity.ConnectionID]int
	byDomain  map[string]identity.ConnectionID
	tenants   tenants
}

type upstream struct {
	Upstream
	mapping Mapping
	tenant  *tenant  // nil: nobody's
	out     SignsOut // nil: its Connector speaks of no logout
}

// New checks cfg and returns its Broker. All faults are reported together: two
// connections with one ID, one mail domain or one upstream issuer, and rules
// that map to undeclared attributes.
func New(cfg Config) (*Broker, error) {
	if cfg.Store == nil || cfg.Rand == nil || cfg.EntityID == "" {
		return nil, errors.New("broker: store, entity ID and randomness are required")
	}
	b := &Broker{
		store: cfg.Store, entityID: cfg.EntityID, now: cfg.Now, rand: cfg.Rand, requestID: cfg.RequestID, end: cfg.End, log: cfg.Log,
		byID: map[identity.ConnectionID]int{}, byDomain: map[string]identity.ConnectionID{},
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.requestID == nil {
		b.requestID = func(context.Context) string { return "" }
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	catalogue := cfg.Catalogue
	if catalogue == nil {
		var err error
		if catalogue, err = identity.NewCatalogue(nil); err != nil {
			return nil, fmt.Errorf("broker: %w", err)
		}
	}
	// There may be thousands of connections, most of them with these rules.
	usual, err := NewMapping(nil, catalogue)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if b.tenants, err = newTenants(cfg.Organizations); err != nil {
		return nil, err
	}
	issuers := map[identity.EntityID]identity.ConnectionID{}
	var faults []error
	for _, u := range b.tenants.spread(cfg.Connections) {
		mapping, err := usual, error(nil)
		if len(u.Mapping) > 0 {
			mapping, err = NewMapping(u.Mapping, catalogue)
		}
		if err := errors.Join(err, b.add(u, mapping, issuers)); err != nil {
			faults = append(faults, fmt.Errorf("connection %q: %w", u.ID, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *Broker) add(u Upstream, mapping Mapping, issuers map[identity.EntityID]identity.ConnectionID) error {
	if !identity.ValidSlug(string(u.ID)) || u.ID == identity.LocalConnection {
		return errors.New("the ID must be a slug other than that of local sign-in")
	}
	if _, taken := b.byID[u.ID]; taken {
		return errors.New("another connection has this ID")
	}
	if u.issuer() == "" {
		return errors.New("it has no connector, or one without an issuer")
	}
	// Were two connections to speak for one issuer, whoever holds the keys of
	// the one could sign people of the other in.
	if other, taken := issuers[u.issuer()]; taken {
		return fmt.Errorf("connection %q already speaks for %q", other, u.issuer())
	}
	owner, err := b.tenants.of(u.Connection)
	if err != nil {
		return err
	}
	off := u.Disabled || owner != nil && owner.Disabled
	for _, d := range u.EmailDomains {
		if err := b.addDomain(u, owner, d, off); err != nil {
			return err
		}
	}
	u.Issuer = u.issuer()
	issuers[u.Issuer] = u.ID
	b.byID[u.ID] = len(b.upstreams)
	out, _ := u.Connector.(SignsOut) // what a connector can do never changes
	b.upstreams = append(b.upstreams, upstream{Upstream: u, mapping: mapping, tenant: owner, out: out})
	if !off {
		b.choices = append(b.choices, u.Connection)
	}
	return nil
}

// addDomain lets people of a mail domain be routed to u, unless the domain belongs
// to an organization that is not u's. A connection that is off keeps no domain
// occupied.
func (b *Broker) addDomain(u Upstream, owner *tenant, domain string, off bool) error {
	key, ok := domainKey(domain)
	if !ok {
		return fmt.Errorf("%q is no mail domain", domain)
	}
	if other := b.tenants.byDomain[key]; other != owner && (other != nil || owner != nil) {
		return fmt.Errorf("mail domain %q is none of its organization", key)
	}
	if off {
		return nil
	}
	if other, taken := b.byDomain[key]; taken {
		return fmt.Errorf("mail domain %q already belongs to connection %q", key, other)
	}
	b.byDomain[key] = u.ID
	return nil
}

// Connections returns the connections that a person may choose, in their
// configured order. The list is the same each time, and not to be changed: there
// may be thousands.
func (b *Broker) Connections() []identity.Connection { return b.choices }

// Knows reports whether a connection speaks for issuer, be it disabled.
func (b *Broker) Knows(issuer identity.EntityID) bool {
	return slices.ContainsFunc(b.upstreams, func(u upstream) bool { return u.Issuer == issuer })
}

// Route returns the connection that serves the mail domain of identifier. The
// domain has to be the very one that is configured: neither a sub-domain nor a
// parent of it counts, and only ASCII letters are folded.
func (b *Broker) Route(identifier string) (identity.ConnectionID, bool) {
	domain, ok := mailDomain(identifier)
	if !ok {
		return "", false
	}
	id, ok := b.byDomain[domain]
	return id, ok
}

// mailDomain returns what follows the last '@' with ASCII letters in lower
// case. Unlike strings.ToLower, LoginKey lets no look-alike (U+212A, the kelvin
// sign) become an ASCII letter.
func mailDomain(identifier string) (string, bool) {
	key, ok := identity.LoginKey(identifier)
	if !ok {
		return "", false
	}
	at := strings.LastIndexByte(key, '@')
	if at <= 0 || at == len(key)-1 {
		return "", false
	}
	return key[at+1:], true
}

// pending is the state between Begin and Finish. That it names the connection
// is what makes an answer count only where its question was asked (mix-up).
type pending struct {
	Connection identity.ConnectionID `json:"connection"`
	State      []byte                `json:"state"`
	KnownOnly  bool                  `json:"known_only,omitempty"`
}

// Begin asks the upstream of connection id to authenticate the person. It
// returns the message for the browser and the state for Finish, which stays on
// our side. It fails with KindNotFound or KindDenied if there is no such
// connection or it is disabled.
func (b *Broker) Begin(ctx context.Context, id identity.ConnectionID, req identity.AuthnRequest, relayState string) (binding.Message, []byte, error) {
	u, err := b.remote(id)
	if err != nil {
		return binding.Message{}, nil, err
	}
	req.Context = asks(u.Connection, req.Context)
	msg, inner, err := u.Connector.Begin(ctx, req, relayState)
	if err != nil {
		return binding.Message{}, nil, fmt.Errorf("asking connection %q: %w", id, err)
	}
	state, err := json.Marshal(pending{Connection: id, State: inner, KnownOnly: req.KnownOnly})
	if err != nil {
		return binding.Message{}, nil, fmt.Errorf("keeping the state of connection %q: %w", id, err)
	}
	return msg, state, nil
}

// Finish takes what came back through connection id as the answer to the
// question of state. The assertion it returns speaks of the local record: the
// issuer is our entityID, the subject the record's ID, the attributes are the
// record's. When the person was authenticated, until when, and under which
// session index is what the upstream said; how, as far as the connection trusts it; the upstream is the first of
// the Authorities. Somebody who is not known is an identity.Newcomer where the
// connection asks, or the question was of the known alone.
func (b *Broker) Finish(ctx context.Context, id identity.ConnectionID, state []byte, in binding.Received) (identity.Assertion, error) {
	u, err := b.remote(id)
	if err != nil {
		return identity.Assertion{}, err
	}
	var p pending
	if err := json.Unmarshal(state, &p); err != nil {
		return identity.Assertion{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "up.unsolicited", Who: identity.WhoUser,
			Msg: "This answer belongs to no sign-in that was started here. Please start again from the application.", Err: err,
		}
	}
	if p.Connection != id {
		return identity.Assertion{}, mixedUp(string(id), string(p.Connection))
	}
	said, err := u.Connector.Finish(ctx, p.State, in)
	if err != nil {
		return identity.Assertion{}, fmt.Errorf("finishing at connection %q: %w", id, err)
	}
	unknown := asConfigured
	if p.KnownOnly {
		unknown = stranger
	}
	return b.accept(ctx, id, said, unknown)
}

// Accept takes what the issuer of connection id said of a person who has proved
// to be that person, maps it, and links it to the local record, of which the
// assertion that it returns speaks as that of Finish does.
func (b *Broker) Accept(ctx context.Context, id identity.ConnectionID, said identity.Assertion) (identity.Assertion, error) {
	return b.accept(ctx, id, said, asConfigured)
}

func (b *Broker) accept(ctx context.Context, id identity.ConnectionID, said identity.Assertion, unknown unknown) (identity.Assertion, error) {
	u, err := b.upstream(id)
	if err != nil {
		return identity.Assertion{}, err
	}
	if said.Principal.Issuer != u.Issuer {
		return identity.Assertion{}, mixedUp(string(said.Principal.Issuer), string(u.Issuer))
	}
	b.warn(ctx, id, said.Remarks)
	who, err := u.subject(said)
	if err != nil {
		return identity.Assertion{}, err
	}
	if err := required(u.Connection, said.Context); err != nil {
		return identity.Assertion{}, err
	}
	said.Context = believe(said.Context, u.Trust)
	mapped, err := u.mapping.Apply(id, said)
	if e, ok := errors.AsType[*identity.Error](err); ok && e.Code == codeMissingAttribute {
		e.Help = helpFor(u.ErrorURL, e.Expected, b.now())
	}
	if err != nil {
		return identity.Assertion{}, fmt.Errorf("mapping what connection %q said: %w", id, err)
	}
	if dropped := u.mapping.Dropped(said); len(dropped) > 0 {
		b.log.DebugContext(ctx, "attributes that no rule maps were dropped", "connection", id, "names", dropped)
	}
	if why := b.trespass(u, mapped); why != nil {
		return identity.Assertion{}, why
	}
	// Nearest first (SAML Core 2.7.2.2): whom we asked, then whom they asked.
	mapped.Context.Authorities = slices.Concat([]identity.EntityID{u.Issuer}, said.Context.Authorities)
	return b.link(ctx, linking{connection: u.Connection, who: who, said: mapped, vouched: u.vouched(said, mapped), unknown: unknown})
}

func mixedUp(seen, expected string) *identity.Error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "up.mix_up", Who: identity.WhoUser, Seen: seen, Expected: expected,
		Msg: "The answer came from another identity provider than the one that was asked. Please start again from the application.",
	}
}

// remote finds an enabled connection that a browser can be sent to.
func (b *Broker) remote(id identity.ConnectionID) (upstream, error) {
	u, err := b.upstream(id)
	if err == nil && u.Connector == nil {
		return upstream{}, errUnknown(id)
	}
	return u, err
}

func errUnknown(id identity.ConnectionID) *identity.Error {
	return &identity.Error{
		Kind: identity.KindNotFound, Code: "up.unknown", Who: identity.WhoOperator, Seen: string(id),
		Msg: "There is no such way to sign in.",
	}
}

// upstream finds an enabled connection.
func (b *Broker) upstream(id identity.ConnectionID) (upstream, error) {
	i, ok := b.byID[id]
	if !ok {
		return upstream{}, errUnknown(id)
	}
	if b.upstreams[i].Disabled {
		return upstream{}, &identity.Error{
			Kind: identity.KindDenied, Code: "up.disabled", Who: identity.WhoOperator, Seen: string(id),
			Msg: "This way to sign in is switched off at present.",
		}
	}
	if why := b.upstreams[i].barred(); why != nil {
		return upstream{}, why
	}
	return b.upstreams[i], nil
}
