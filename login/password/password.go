package password

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"time"
	"unicode/utf8"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// Config is what New needs.
type Config struct {
	Store store.Store
	// Protected says that browsers reach us over TLS: then the context class is
	// PasswordProtectedTransport, else Password.
	Protected bool
	Params    Params // of new hashes; zero means DefaultParams
	// Workers is how many hashes are computed at once; zero means one less than
	// the processors, at least one. Each takes Params.Memory.
	Workers int
	// Queue is how many may wait for a worker; zero means 64 for each, the last of
	// whom waits some seconds.
	Queue  int
	Limits login.Limits
	Now    func() time.Time
	Rand   io.Reader
}

// Method is the password as a login.Method. It is safe for concurrent use.
type Method struct {
	cfg   Config
	pool  *pool
	dummy phc // checked for names that nobody has
}

// New checks cfg.
func New(cfg Config) (*Method, error) {
	if cfg.Store == nil || cfg.Now == nil || cfg.Rand == nil {
		return nil, errors.New("password: Store, Now and Rand are required")
	}
	if cfg.Params == (Params{}) {
		cfg.Params = DefaultParams()
	}
	if err := cfg.Params.check(); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	if cfg.Workers < 0 || cfg.Queue < 0 {
		return nil, errors.New("password: Workers or Queue is negative")
	}
	if cfg.Workers == 0 {
		cfg.Workers = max(1, runtime.NumCPU()-1)
	}
	if cfg.Queue == 0 {
		cfg.Queue = 64 * cfg.Workers
	}
	var err error
	if cfg.Limits, err = cfg.Limits.WithDefaults(); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	dummy := phc{Params: cfg.Params, salt: make([]byte, saltLen), key: make([]byte, keyLen)}
	for _, b := range [][]byte{dummy.salt, dummy.key} {
		if _, err := io.ReadFull(cfg.Rand, b); err != nil {
			return nil, fmt.Errorf("password: reading randomness: %w", err)
		}
	}
	return &Method{cfg: cfg, pool: newPool(cfg.Workers, cfg.Queue), dummy: dummy}, nil
}

// ID implements login.Method.
func (m *Method) ID() identity.Method { return identity.MethodPassword }

// Class implements login.Method.
func (m *Method) Class() identity.ClassRef {
	if m.cfg.Protected {
		return identity.ClassPasswordProtectedTransport
	}
	return identity.ClassPassword
}

// Also implements login.Method: a password as long as new ones have to be meets
// the REFEDS profile of a single factor, whose other demands (rates, storage,
// transport) the rest of this package meets.
func (m *Method) Also() []identity.ClassRef {
	if m.cfg.Protected {
		return []identity.ClassRef{identity.ClassREFEDSSFA}
	}
	return nil
}

// also returns what the very password that was given proves beside Class. One
// that was set elsewhere may be shorter than those that are set here.
func (m *Method) also(given string) []identity.ClassRef {
	if utf8.RuneCountInString(given) < MinLength {
		return nil
	}
	return m.Also()
}

// Held implements login.Method.
func (m *Method) Held(ctx context.Context, tx *store.Tx, rec identity.Record) (string, error) {
	if len(rec.Logins) == 0 {
		return "", nil
	}
	creds, err := tx.Credentials.OfRecord(ctx, rec.ID, identity.CredentialPassword)
	if err != nil {
		return "", fmt.Errorf("reading credentials: %w", err)
	}
	if len(creds) == 0 {
		return "", nil
	}
	return rec.Logins[0], nil
}

// Challenge implements login.Method. It looks nobody up, so that it cannot tell
// whether the name is known.
func (m *Method) Challenge(_ context.Context, s login.Step) (templates.Page, error) {
	return templates.Password{
		Action: s.Action, Ticket: s.Ticket, RelyingParty: s.RelyingParty, Identifier: s.Identifier,
		Problem: s.Problem, NotYou: s.Again, Proving: s.Proving, After: s.After, Cancellable: s.Cancellable,
	}, nil
}

// Verify implements login.Method. Looking at the count, judging and counting
// happen within one turn of the pool, so that tries in parallel cannot slip
// through in between: at most one for each other worker does. Names that nobody
// has, people without a password and disabled people cost the same counts,
// writes and hash as everybody.
func (m *Method) Verify(ctx context.Context, s login.Step, answer url.Values) (login.Factor, error) {
	given := answer.Get(templates.FieldPassword)
	if given == "" {
		return login.Factor{}, &identity.Error{Kind: identity.KindInvalid, Code: "login.form", Who: identity.WhoUser, Msg: "Enter your password."}
	}
	if err := m.pool.enter(); err != nil {
		return login.Factor{}, err
	}
	defer m.pool.leave()
	var who claimed
	var err error
	turn := m.pool.run(ctx, func() { who, err = m.judge(ctx, s, given) })
	if err := errors.Join(turn, err); err != nil {
		return login.Factor{}, err
	}
	settle, err := m.settle(ctx, s, who, given)
	if err != nil {
		return login.Factor{}, err
	}
	return login.Factor{
		Record: who.record.ID,
		Context: identity.AuthnContext{
			Class: m.Class(), Also: m.also(given), Methods: []identity.Method{identity.MethodPassword}, AAL: identity.AAL1, Instant: m.cfg.Now().UTC(),
		},
		Settle: settle,
	}, nil
}

// judge computes one hash, unless there are no tries left.
func (m *Method) judge(ctx context.Context, s login.Step, given string) (claimed, error) {
	who, err := m.claim(ctx, s)
	if err != nil {
		return claimed{}, err
	}
	right := false
	if len(given) <= MaxLength {
		m.pool.hashes.Add(1)
		right = who.hash.matches(given)
	}
	if code := who.refusal(right); code != "" {
		return claimed{}, m.wrong(ctx, s, who, code)
	}
	return who, nil
}

// claimed is whom a name stands for: the record and credential, or the dummy.
type claimed struct {
	known      bool
	record     identity.Record
	credential identity.Credential
	hash       phc
}

// refusal returns why the person is not let in, or "". It goes into the audit
// trail only.
func (c claimed) refusal(right bool) identity.Code {
	switch {
	case !c.known:
		return "login.unknown"
	case !right:
		return "login.failed"
	case c.record.Disabled:
		return "user.disabled"
	}
	return ""
}

// lookUp finds whom a name stands for.
func (m *Method) lookUp(ctx context.Context, tx *store.Tx, name string) (claimed, error) {
	nobody := claimed{hash: m.dummy}
	key, ok := identity.LoginKey(name)
	if !ok {
		return nobody, nil
	}
	rec, err := tx.Records.ByLogin(ctx, key)
	if err != nil {
		if identity.KindOf(err) == identity.KindNotFound {
			return nobody, nil
		}
		return claimed{}, fmt.Errorf("looking up a sign-in name: %w", err)
	}
	creds, err := tx.Credentials.OfRecord(ctx, rec.ID, identity.CredentialPassword)
	if err != nil {
		return claimed{}, fmt.Errorf("reading credentials: %w", err)
	}
	if len(creds) == 0 {
		return nobody, nil
	}
	c := claimed{known: true, record: rec, credential: creds[len(creds)-1]}
	if c.hash, err = parsePHC(c.credential.Secret.Reveal()); err != nil {
		return claimed{}, fmt.Errorf("reading the stored hash of credential %q: %w", c.credential.ID, err)
	}
	return c, nil
}

// settle returns what to write with the session: the account's wrong answers are
// forgotten, and a hash of other parameters than today's is replaced, unless the
// password was changed meanwhile.
func (m *Method) settle(ctx context.Context, s login.Step, who claimed, given string) (func(context.Context, *store.Tx) error, error) {
	var fresh identity.Secret
	if who.hash.Params != m.cfg.Params {
		var herr error
		err := m.pool.run(ctx, func() { fresh, herr = m.cfg.Params.Hash(m.cfg.Rand, given) })
		if err := errors.Join(err, herr); err != nil {
			return nil, fmt.Errorf("hashing anew: %w", err)
		}
	}
	now := m.cfg.Now().UTC()
	return func(ctx context.Context, tx *store.Tx) error {
		if err := m.cfg.Limits.Forget(ctx, tx, s); err != nil {
			return err
		}
		if fresh.Empty() {
			return nil
		}
		creds, err := tx.Credentials.OfRecord(ctx, who.record.ID, identity.CredentialPassword)
		if err != nil {
			return fmt.Errorf("reading credentials: %w", err)
		}
		for _, c := range creds {
			if c.ID == who.credential.ID && c.Secret.Equal(who.credential.Secret.Reveal()) {
				c.Secret, c.Updated = fresh, now
				if err := tx.Credentials.Put(ctx, c); err != nil {
					return fmt.Errorf("storing the new hash: %w", err)
				}
			}
		}
		return nil
	}, nil
}

func (m *Method) event(s login.Step, rec identity.RecordID, code identity.Code) identity.Event {
	return identity.Event{
		At: m.cfg.Now().UTC(), Type: identity.EventLoginFailed, RequestID: s.RequestID,
		Record: rec, RelyingParty: s.Party, Connection: identity.LocalConnection, Code: code,
	}
}
