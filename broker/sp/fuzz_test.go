package sp_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/broker/brokertest"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// forgetful is a store that takes every write and keeps none, so that one answer
// can be accepted again and again.
type forgetful struct{ store.Store }

func (forgetful) Update(context.Context, func(*store.Tx) error) error { return nil }

// zeros makes every request ID the same, so that the seeds answer each run.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// FuzzResponse holds that no octets make Finish panic, and that whatever it
// accepts says what the upstream signed and nothing else.
func FuzzResponse(f *testing.F) {
	u := newUpstream(f, "assertion")
	cfg := config(f, idpID, u.signer.signer.Public())
	cfg.Store, cfg.Rand = forgetful{cfg.Store}, zeros{}
	c := connect(f, cfg)
	asked, state, err := c.Begin(f.Context(), identity.AuthnRequest{}, "a-ticket")
	if err != nil {
		f.Fatal(err)
	}
	q := readQuestion(f, asked)
	for _, sign := range []string{"assertion", "response", "both", "nothing"} {
		f.Add([]byte(answer{asked: q, issuer: idpID, signer: u.signer, sign: sign}.build(f)))
	}
	f.Add([]byte(answer{asked: q, issuer: idpID, signer: u.signer, sign: "assertion", encrypt: gcm(testKeys(f).spEncryption)}.build(f)))
	for _, attack := range []brokertest.Case{brokertest.SignatureWrapping1, brokertest.SignatureWrapping4, brokertest.SignatureWrapping8} {
		in, _ := u.Answer(f, attack, asked)
		f.Add([]byte(decoded(f, in)))
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		got, err := c.Finish(t.Context(), state, post(string(response)))
		if err != nil {
			if identity.CodeOf(err) == "internal" || identity.CodeOf(err) == "xml.panic" {
				t.Errorf("not a refusal of its own: %v", err)
			}
			return
		}
		if diff := cmp.Diff(u.Says(), got); diff != "" {
			t.Errorf("accepted what was not signed (-want +got):\n%s\n%s", diff, response)
		}
	})
}
