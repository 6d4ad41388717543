package login

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
)

// Downstream is the protocols below, as a logout needs them. It is safe for
// concurrent use.
type Downstream interface {
	// Reach says how the relying party of p can be told that the session ended.
	Reach(ctx context.Context, p identity.Participant) identity.Reach
	// Tell tells it directly, and returns nil once it has confirmed. It gives up
	// when ctx ends.
	Tell(ctx context.Context, p identity.Participant, why identity.LogoutReason) error
	// Lead returns the message that tells it through the browser, and the ID by
	// which LogoutAnswered will know its answer.
	Lead(ctx context.Context, p identity.Participant, why identity.LogoutReason) (msg binding.Message, id string, err error)
	// AnswerLogout returns the message by which the browser takes the answer to
	// whoever asked. State is that of identity.Logout; complete says that
	// everybody who took part has confirmed.
	AnswerLogout(ctx context.Context, state []byte, complete bool) (binding.Message, error)
}

const (
	// patience is how long a browser waits for those who are told directly
	// before it is shown a page; most answer sooner, and whoever fails sooner can
	// still be told through the browser.
	patience = 700 * time.Millisecond
	// walkLife is how long the page can be looked at again, and answers count.
	walkLife = 10 * time.Minute
)

// part is one relying party that took part in a session that ended, or the
// upstream that the session came from.
type part struct {
	Participant identity.Participant
	Connection  identity.ConnectionID `json:",omitempty"` // the upstream's; there is no RelyingParty then
	Hint        string                `json:",omitempty"` // what the upstream wants to be shown
	Record      identity.RecordID
	Reach       identity.Reach
	State       identity.LogoutState
	Code        identity.Code `json:",omitempty"` // why it failed
	// The message that tells it through the browser, if it is told so.
	URL  string     `json:",omitempty"`
	Form url.Values `json:",omitempty"`
	Led  bool       `json:",omitempty"` // an upstream's: the browser was sent there
}

// upstream is what the upstream of p knows of the session.
func (p *part) upstream() identity.UpstreamSession {
	return identity.UpstreamSession{Connection: p.Connection, Principal: p.Participant.Principal, Index: p.Participant.Index, Hint: p.Hint}
}

// last reports whether the browser goes to p itself once everybody else has been
// told. An upstream knows its own session by a cookie, which no frame of another
// site's page brings: told in a frame, it would confirm and end nothing.
func (p *part) last() bool { return p.Connection != "" && p.URL != "" }

// walk is a logout that goes round those who took part: the payload of a ticket.
// Each is told on its own, so that one who is dead or mute costs the others
// nothing. The upstream that a person came from is one more to tell.
type walk struct {
	Deadline time.Time
	Asker    identity.RelyingPartyID `json:",omitempty"` // with AskerConnection, empty: the person, or the operator
	// AskerConnection is the upstream that asked.
	AskerConnection identity.ConnectionID `json:",omitempty"`
	State           []byte                `json:",omitempty"` // what the asker's protocol wants back; nil: nobody waits
	Parts           []part

	id     string
	reason identity.LogoutReason
}

func (a *Authenticator) newWalk(parts []part, why identity.LogoutReason) *walk {
	return &walk{Deadline: a.now().Add(a.cfg.LogoutTimeout), Parts: parts, reason: why}
}

func (w *walk) pending() bool {
	for _, p := range w.Parts {
		if p.State == identity.LogoutPending {
			return true
		}
	}
	return false
}

// waits reports whether anybody has yet to be told, or to answer, before the
// browser goes on.
func (w *walk) waits() bool {
	for i := range w.Parts {
		if p := &w.Parts[i]; p.State == identity.LogoutPending && !p.last() {
			return true
		}
	}
	return false
}

func (w *walk) complete() bool {
	for _, p := range w.Parts {
		if p.State != identity.LogoutDone {
			return false
		}
	}
	return true
}

// downstream returns the protocols below; nil where there are none.
func (a *Authenticator) downstream() Downstream {
	if a.cfg.Downstream == nil {
		return nil
	}
	return a.cfg.Downstream()
}

// outcome is what came of telling one part directly.
type outcome struct {
	at  int
	err error
}

// call begins to tell everybody who can be told directly, all at once. As many
// outcomes as it returns will come, at the deadline at the latest, whoever reads
// them.
func (a *Authenticator) call(ctx context.Context, w *walk) (outcomes chan outcome, n int) {
	outcomes = make(chan outcome, len(w.Parts)) // nobody who tells waits for a reader
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.LogoutTimeout)
	var calls sync.WaitGroup
	for i := range w.Parts {
		p := &w.Parts[i]
		p.Reach = a.reachOf(ctx, p)
		if !p.Reach.Direct {
			continue
		}
		n++
		told := *p
		calls.Go(func() { outcomes <- outcome{i, a.tellPart(ctx, &told, w.reason)} })
	}
	a.background.Go(func() {
		calls.Wait()
		cancel()
	})
	return outcomes, n
}

// reachOf says how p can be told.
func (a *Authenticator) reachOf(ctx context.Context, p *part) identity.Reach {
	below := a.downstream()
	switch {
	case p.Connection != "" && a.cfg.Upstream != nil && p.Participant.Principal.Subject != "":
		return a.cfg.Upstream.Reach(p.upstream())
	case p.Connection == "" && below != nil:
		return below.Reach(ctx, p.Participant)
	}
	return identity.Reach{}
}

func (a *Authenticator) tellPart(ctx context.Context, p *part, why identity.LogoutReason) error {
	if p.Connection != "" {
		return a.cfg.Upstream.Tell(ctx, p.upstream(), why)
	}
	return a.downstream().Tell(ctx, p.Participant, why)
}

func (a *Authenticator) leadTo(ctx context.Context, p *part, why identity.LogoutReason) (binding.Message, string, error) {
	if p.Connection != "" {
		return a.cfg.Upstream.Lead(ctx, p.upstream(), why)
	}
	return a.downstream().Lead(ctx, p.Participant, why)
}

// settle notes what came of telling one part.
func (p *part) settle(err error) {
	p.State, p.Code = identity.LogoutDone, ""
	if err != nil {
		p.State, p.Code = identity.LogoutFailed, identity.CodeOf(err)
	}
}

// warn tells the log who did not confirm, and why.
func (a *Authenticator) warn(ctx context.Context, p part, err error) {
	if err == nil {
		return
	}
	a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "a relying party did not confirm a logout",
		slog.String("request_id", web.RequestID(ctx)), slog.String("relying_party", string(p.Participant.RelyingParty)),
		slog.String("connection", string(p.Connection)),
		slog.String("code", string(identity.CodeOf(err))), slog.String("err", err.Error()))
}

// take notes what came of telling one part directly.
func (a *Authenticator) take(ctx context.Context, w *walk, o outcome) {
	p := &w.Parts[o.at]
	p.settle(o.err)
	a.warn(ctx, *p, o.err)
}

// tellDirectly tells everybody without a browser and waits for all of them.
func (a *Authenticator) tellDirectly(ctx context.Context, w *walk) error {
	outcomes, n := a.call(ctx, w)
	for range n {
		a.take(ctx, w, <-outcomes)
	}
	for i := range w.Parts {
		switch p := &w.Parts[i]; {
		case p.Reach.Direct:
		case p.Reach.Browser:
			p.State, p.Code = identity.LogoutFailed, "logout.browser"
		default:
			p.State = identity.LogoutUnsupported
		}
	}
	return a.cfg.Store.Update(ctx, func(tx *store.Tx) error { return a.recordTold(ctx, tx, w.Parts...) })
}

// tellThroughBrowser tells everybody, directly where that is possible, and makes
// the ticket of the page that leads the browser to the others. It gives those
// who answer at once the time to.
func (a *Authenticator) tellThroughBrowser(ctx context.Context, w *walk) error {
	outcomes, open := a.call(ctx, w)
	enough := time.NewTimer(min(patience, a.cfg.LogoutTimeout))
	defer enough.Stop()
	for waiting := true; waiting && open > 0; {
		select {
		case o := <-outcomes:
			a.take(ctx, w, o)
			open--
		case <-enough.C:
			waiting = false
		}
	}
	messages := a.lead(ctx, w)
	if err := a.openWalk(ctx, w, messages); err != nil {
		return err
	}
	if open > 0 {
		late := context.WithoutCancel(ctx)
		a.background.Go(func() { a.collect(late, w.id, outcomes, open) })
	}
	return nil
}

// lead makes the messages that the browser will carry, by their IDs: to everybody
// who cannot be told directly, or could not just now.
func (a *Authenticator) lead(ctx context.Context, w *walk) map[string]int {
	messages := map[string]int{}
	for i := range w.Parts {
		p := &w.Parts[i]
		switch {
		case !p.Reach.Direct && !p.Reach.Browser:
			p.State = identity.LogoutUnsupported
			continue
		case !p.Reach.Browser, p.Reach.Direct && p.State != identity.LogoutFailed:
			continue
		}
		msg, id, err := a.leadTo(ctx, p, w.reason)
		if err != nil {
			p.settle(err)
			a.warn(ctx, *p, err)
			continue
		}
		p.State, p.Code, p.URL, p.Form = identity.LogoutPending, "", msg.URL, msg.Form
		messages[id] = i
	}
	return messages
}

// sent is what a message's ticket remembers: whose answer is awaited.
type sent struct {
	Walk string
	At   int
}

// openWalk stores the walk, and a ticket for each message whose answer will come.
func (a *Authenticator) openWalk(ctx context.Context, w *walk, messages map[string]int) error {
	id, err := identity.NewToken(a.cfg.Rand)
	if err != nil {
		return err
	}
	w.id = id
	payload, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encoding a logout: %w", err)
	}
	now := a.now()
	tickets := []store.Ticket{{Purpose: store.PurposeLogout, ID: id, Payload: payload, Expires: now.Add(walkLife)}}
	for message, at := range messages {
		payload, err := json.Marshal(sent{Walk: id, At: at})
		if err != nil {
			return fmt.Errorf("encoding a logout: %w", err)
		}
		tickets = append(tickets, store.Ticket{Purpose: store.PurposeTold, ID: message, Payload: payload, Expires: now.Add(walkLife)})
	}
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		for _, t := range tickets {
			if err := tx.Tickets.Put(ctx, t, now); err != nil {
				return err
			}
		}
		return a.recordTold(ctx, tx, w.Parts...)
	})
	if err != nil {
		return fmt.Errorf("keeping a logout: %w", err)
	}
	return nil
}

// recordTold writes the audit trail of parts that are settled.
func (a *Authenticator) recordTold(ctx context.Context, tx *store.Tx, parts ...part) error {
	var events []identity.Event
	for _, p := range parts {
		if p.State == identity.LogoutPending {
			continue
		}
		events = append(events, identity.Event{
			At: a.now(), Type: identity.EventLogoutTold, RequestID: web.RequestID(ctx), Record: p.Record,
			Session: p.Participant.Session, RelyingParty: p.Participant.RelyingParty, Connection: p.Connection, Code: p.Code, Detail: p.State.String(),
		})
	}
	if err := tx.Events.Append(ctx, events...); err != nil {
		return fmt.Errorf("recording who was told of a logout: %w", err)
	}
	return nil
}

// collect notes the outcomes that come after the page was shown.
func (a *Authenticator) collect(ctx context.Context, id string, outcomes <-chan outcome, n int) {
	for range n {
		o := <-outcomes
		var p part
		err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
			return a.change(ctx, tx, id, func(w *walk) ([]part, error) {
				w.Parts[o.at].settle(o.err)
				p = w.Parts[o.at]
				return []part{p}, nil
			})
		})
		a.warn(ctx, p, o.err)
		if err != nil {
			a.cfg.Log.LogAttrs(ctx, slog.LevelError, "noting the outcome of a logout failed",
				slog.String("request_id", web.RequestID(ctx)), slog.String("err", err.Error()))
		}
	}
}

// change reads the walk, lets fn change it, and writes it back, with what fn
// settled into the audit trail.
func (a *Authenticator) change(ctx context.Context, tx *store.Tx, id string, fn func(*walk) ([]part, error)) error {
	raw, err := tx.Tickets.Get(ctx, store.PurposeLogout, id, a.now())
	if err != nil {
		return fmt.Errorf("reading a logout: %w", err)
	}
	w, err := decodeWalk(id, raw)
	if err != nil {
		return err
	}
	settled, err := fn(w)
	if err != nil || len(settled) == 0 {
		return err
	}
	payload, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encoding a logout: %w", err)
	}
	if err := tx.Tickets.Replace(ctx, raw, payload, a.now()); err != nil {
		return fmt.Errorf("writing a logout: %w", err)
	}
	return a.recordTold(ctx, tx, settled...)
}

func decodeWalk(id string, raw store.Ticket) (*walk, error) {
	w := &walk{id: id}
	if err := json.Unmarshal(raw.Payload, w); err != nil {
		return nil, fmt.Errorf("decoding a logout: %w", err)
	}
	return w, nil
}
