package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// gap returns the identifier by which somebody with the session s can be asked for
// samlet's own proof, where that is all that s lacks to answer req; else "". What
// an upstream is not believed, the person may prove here, if they have the means.
func (a *Authenticator) gap(ctx context.Context, tx *store.Tx, req identity.AuthnRequest, s identity.Session, rec identity.Record, now time.Time) (string, error) {
	if req.IsPassive || !a.fills(req) || req.Context.Satisfied(s.Context) {
		return "", nil
	}
	rest := req
	rest.Context = identity.RequestedContext{}
	if proves(s.Context, a.cfg.Local.Class()) || unmet(rest, s, now) != nil {
		return "", nil
	}
	name, err := a.cfg.Local.Held(ctx, tx, rec)
	if err != nil {
		return "", fmt.Errorf("asking what the person can prove: %w", err)
	}
	return name, nil
}

// fills reports whether samlet's own proof, beside whatever an upstream says, may
// answer what a request demands of the authentication.
func (a *Authenticator) fills(req identity.AuthnRequest) bool {
	return a.cfg.Local != nil && req.Context.Satisfied(provable(a.cfg.Local))
}

func proves(c identity.AuthnContext, class identity.ClassRef) bool {
	return c.Class == class || slices.Contains(c.Also, class)
}

// steppedUp is what somebody has shown by c who has then passed a factor here, too.
// What was known of the first comes first. As the time of the whole counts that of
// the part which is older, so that nobody reads of a fresher authentication than
// there was.
func steppedUp(c, factor identity.AuthnContext) identity.AuthnContext {
	classes := append([]identity.ClassRef{c.Class}, c.Also...)
	for _, class := range append([]identity.ClassRef{factor.Class}, factor.Also...) {
		if !slices.Contains(classes, class) {
			classes = append(classes, class)
		}
	}
	classes = slices.DeleteFunc(classes, func(class identity.ClassRef) bool { return class == "" || class == identity.ClassUnspecified })
	c.Class, c.Also = classes[0], classes[1:]
	c.Methods = slices.Clone(c.Methods)
	for _, m := range factor.Methods {
		if !slices.Contains(c.Methods, m) {
			c.Methods = append(c.Methods, m)
		}
	}
	c.AAL = max(c.AAL, factor.AAL)
	if factor.Instant.Before(c.Instant) {
		c.Instant = factor.Instant
	}
	return c
}

// stepsUp reports whether the guest is asked for the one factor that they lack. A
// person who wants to sign in in another way, or as somebody else, may. A session
// of before does not count where the request wants none to, but that which this
// very transaction made does.
func (t *transaction) stepsUp(g *guest) bool {
	if g == nil || g.gap == "" || t.anew || t.Chosen {
		return false
	}
	if t.Connection != "" && t.Connection != identity.LocalConnection && t.Connection != g.session.Connection {
		return false
	}
	return t.StepUp == g.session.ID || !t.Request.ForceAuthn && !t.Request.Afresh
}

// settle ends the transaction with the session that it has made, unless the
// person can be asked for the factor that is missing.
func (a *Authenticator) settle(ctx context.Context, tx *store.Tx, t *ticket, s identity.Session, rec identity.Record, now time.Time) error {
	if stale(t.transaction, s) == nil && t.StepUp != s.ID {
		name, err := a.gap(ctx, tx, t.Request, s, rec, now)
		if err != nil {
			return err
		}
		if name != "" {
			t.wayless()
			t.StepUp = s.ID
			return nil
		}
	}
	a.end(t, s, now)
	return nil
}

// factorPage is the page that asks for the missing factor.
func (a *Authenticator) factorPage(r *http.Request, t *ticket, d decision, v view) (templates.Page, error) {
	return a.cfg.Local.Challenge(r.Context(), a.factorStep(r, t, d, v))
}

func (a *Authenticator) factorStep(r *http.Request, t *ticket, d decision, v view) Step {
	s := a.stepOf(r, t, v)
	s.Identifier, s.After = d.name, string(d.after)
	if a.cfg.Upstream != nil {
		s.After = a.connection(d.after).Name
	}
	return s
}

// missing says whether an answer is to the page that asks for the missing factor,
// of whom, and in which session.
func (a *Authenticator) missing(r *http.Request, t *ticket, form url.Values) (decision, *live, error) {
	l, err := a.session(r)
	if err != nil || l == nil {
		return decision{}, nil, err
	}
	d, _, err := a.judge(r.Context(), &t.transaction, l)
	about := strings.TrimSpace(form.Get(templates.FieldIdentifier))
	if err != nil || d.step != stepFactor || about != "" && about != d.name {
		return decision{}, nil, err
	}
	return d, l, nil
}

// stepUp takes the answer to that page. The session goes on as what it was, with
// what has been shown beside.
func (a *Authenticator) stepUp(w http.ResponseWriter, r *http.Request, t *ticket, d decision, l *live, form url.Values) error {
	factor, err := a.cfg.Local.Verify(r.Context(), a.factorStep(r, t, d, view{}), form)
	if refused, ok := errors.AsType[*identity.Error](err); ok && refused.Kind != identity.KindInternal {
		return a.wrong(w, r, t, refused)
	}
	if err != nil {
		return err
	}
	if factor.Record != l.record.ID {
		return errStale("This sign-in name has become somebody else's meanwhile.", nil)
	}
	s := l.session
	t.StepUp = s.ID
	return a.establish(w, r, t, arrival{
		record: s.Record, context: steppedUp(s.Context, factor.Context), connection: s.Connection,
		stepsUp: true, upstream: s.Upstream, upstreamIx: s.UpstreamIx, proxy: s.Proxy, notAfter: s.NotAfter, settle: factor.Settle,
	})
}
