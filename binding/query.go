package binding

import (
	"net/url"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// The parameters of SAML Bindings 3.4.4.1 and 3.5.4.
const (
	ParamRequest    = "SAMLRequest"
	ParamResponse   = "SAMLResponse"
	paramRelayState = "RelayState"
	paramSigAlg     = "SigAlg"
	paramSignature  = "Signature"
	paramEncoding   = "SAMLEncoding"
)

// encodingDeflate is the one SAMLEncoding there is (SAML Bindings 3.4.4.1).
const encodingDeflate = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"

// param is one parameter as it stands in the query.
type param struct {
	present bool
	raw     string // the value's octets, still percent-encoded
}

// query holds the parameters that the binding defines; all others are dropped
// when the query is read, once, so that nothing later can see them differently
// (CVE-2025-27773).
type query struct {
	request, response, relayState, sigAlg, signature, encoding param
}

func (q *query) param(name string) *param {
	switch name {
	case ParamRequest:
		return &q.request
	case ParamResponse:
		return &q.response
	case paramRelayState:
		return &q.relayState
	case paramSigAlg:
		return &q.sigAlg
	case paramSignature:
		return &q.signature
	case paramEncoding:
		return &q.encoding
	}
	return nil
}

// splitQuery reads a raw query octet for octet. A parameter of the binding that
// comes twice, or whose name is percent-encoded, is refused: another reader of
// the same query might take the other one.
func splitQuery(raw string) (query, error) {
	var q query
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		p := q.param(name)
		if p == nil {
			if plain, err := url.QueryUnescape(name); err == nil && plain != name && q.param(plain) != nil {
				return query{}, duplicate(plain, "the parameter under an encoded name")
			}
			continue
		}
		if p.present {
			return query{}, duplicate(name, "the parameter twice")
		}
		*p = param{present: true, raw: value}
	}
	return q, nil
}

func duplicate(name, seen string) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "binding.duplicate", Who: identity.WhoVendor,
		Msg:  "The message came in a form that could be read in two ways.",
		Seen: seen, Expected: name + " once",
	}
}

// signedOctets returns what a signature over the query covers: the parameters
// as they were received, in the order of SAML Bindings 3.4.4.1. RelayState is
// part of it if and only if it is there, so that one added or taken away breaks
// the signature.
func (q *query) signedOctets(name string) []byte {
	message := q.param(name)
	b := make([]byte, 0, len(name)+len(message.raw)+len(q.relayState.raw)+len(q.sigAlg.raw)+32)
	b = append(append(append(b, name...), '='), message.raw...)
	if q.relayState.present {
		b = append(append(b, "&"+paramRelayState+"="...), q.relayState.raw...)
	}
	return append(append(b, "&"+paramSigAlg+"="...), q.sigAlg.raw...)
}

// text undoes the percent-encoding of a value of the query.
func (p param) text(name string, who identity.Who) (string, error) {
	s, err := url.QueryUnescape(p.raw)
	if err != nil {
		return "", encoding(name, "broken percent-encoding", who, err)
	}
	return s, nil
}

// base64Text is text for values in base64: in these a bare '+' can only be the
// base64 digit that the sender forgot to encode, never a blank.
func (p param) base64Text(name string, who identity.Who) (string, error) {
	s, err := url.PathUnescape(p.raw)
	if err != nil {
		return "", encoding(name, "broken percent-encoding", who, err)
	}
	return s, nil
}

func encoding(name, seen string, who identity.Who, err error) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "binding.encoding", Who: who,
		Msg: "The message is damaged and cannot be decoded.", Seen: seen, Expected: name + " as SAML Bindings encodes it", Err: err,
	}
}
