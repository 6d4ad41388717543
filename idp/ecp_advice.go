package idp

import (
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// advice is what an assertion for an enhanced client says in its saml:Advice
// (SAML Core 2.6.1), and the header of the answer to the client.
type advice struct {
	bindings []string // the types of channel bindings on which client and service provider agree
	key      string   // of GeneratedKey, in base64; empty for none
}

// write writes the saml:Advice, or nothing if there is none to give.
func (a advice) write(w *xmlsec.Writer) {
	if len(a.bindings) == 0 && a.key == "" {
		return
	}
	w.Open("saml:Advice")
	for _, b := range a.bindings {
		w.Element("cb:ChannelBindings", "", "Type", b)
	}
	if a.key != "" {
		w.Element("samlec:GeneratedKey", a.key)
	}
	w.Close()
}

// advise compares the two views of the channel and makes a key if one is wanted.
func (p *Provider) advise(q ecpRequest) (advice, error) {
	agreed, err := agreedBindings(q)
	if err != nil {
		return advice{}, err
	}
	a := advice{bindings: agreed}
	if q.wantsKey {
		a.key, err = p.generateKey(q)
	}
	return a, err
}

// channelBinding is a cb:ChannelBindings (SAML V2.0 Channel Binding Extensions
// 2.1): what one end sees of the channel that a man in the middle would split.
type channelBinding struct{ kind, value string }

// channelBindingsIn returns the channel bindings among the children of e. One
// that is damaged agrees with none.
func channelBindingsIn(e *xmlsec.Element) []channelBinding {
	var found []channelBinding
	for _, c := range e.Children(xmlsec.NSChannelBinding, "ChannelBindings") {
		found = append(found, parseChannelBinding(c))
	}
	return found
}

func parseChannelBinding(e *xmlsec.Element) channelBinding {
	text, err := e.Text()
	if err != nil {
		text = ""
	}
	return channelBinding{kind: e.Attr("Type"), value: strings.Join(strings.Fields(text), "")}
}

// whole reports whether b says anything.
func (b channelBinding) whole() bool { return b.kind != "" && b.value != "" }

// agreedBindings compares what the client sees of its channel to the service
// provider with what the latter sees, and signed, and returns the types on which
// they agree. Where both speak of a type they have to; where either speaks at
// all they have to on one, else there may be somebody in between. A service
// provider's word counts only if it is signed: else it is that somebody's.
func agreedBindings(q ecpRequest) ([]string, error) {
	theirs := q.ChannelBindings
	if len(theirs) == 0 && len(q.bindings) == 0 {
		return nil, nil
	}
	if !q.signed {
		return nil, badBinding("channel bindings in a request that is not signed", "a signature")
	}
	var agreed []string
	for _, b := range q.bindings {
		for _, t := range theirs {
			if t.kind != b.kind {
				continue
			}
			if t != b || !b.whole() {
				return nil, badBinding("two values of "+b.kind, "the same from both")
			}
			if !slices.Contains(agreed, b.kind) {
				agreed = append(agreed, b.kind)
			}
		}
	}
	if len(agreed) == 0 {
		return nil, badBinding(fmt.Sprintf("%d of the client, %d of the application", len(q.bindings), len(theirs)), "one of a type that both have")
	}
	return agreed, nil
}

func badBinding(seen, expected string) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.channel_binding", Who: identity.WhoVendor,
		Msg: "The client and the application do not see the same connection between them.", Seen: seen, Expected: expected,
	}
}

// generatedKeyLen is as long as the longest key of the encryption types of
// Kerberos, for which it is used (RFC 3962 section 6, RFC 8009 section 3).
const generatedKeyLen = 32

// generateKey makes a key for the client and the service provider to share
// (draft-ietf-kitten-sasl-saml-ec). It must reach nobody else: so the assertion
// that carries it has to be encrypted, and the request signed.
func (p *Provider) generateKey(q ecpRequest) (string, error) {
	sealed, err := q.party.encryption()
	switch {
	case err != nil:
		return "", err
	case sealed == nil, !q.signed:
		return "", &identity.Error{
			Kind: identity.KindInvalid, Code: "sp.session_key", Who: identity.WhoVendor,
			Msg:  "The client asks for a key to share with the application, which cannot be given to the two of them alone.",
			Seen: fmt.Sprintf("encrypted: %t, signed request: %t", sealed != nil, q.signed), Expected: "a signed request, and an encryption key in the application's metadata",
		}
	}
	var key [generatedKeyLen]byte
	if _, err := io.ReadFull(p.cfg.Rand, key[:]); err != nil {
		return "", fmt.Errorf("reading randomness for a key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(key[:]), nil
}
