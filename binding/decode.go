package binding

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// The limits that hold where Limits or Receive are given none, in bytes.
const (
	DefaultMaxQuery      = 64 << 10
	DefaultMaxRequest    = 64 << 10
	DefaultMaxResponse   = 256 << 10
	DefaultMaxRelayState = 1024
	DefaultMaxBody       = 512 << 10 // a Response in base64 with line breaks, and its RelayState
)

// Limits bounds what is decoded, in bytes; a zero means the default. SAML
// Bindings 3.4.3 grants RelayState 80 bytes, which real senders exceed.
type Limits struct {
	Query      int // the raw query
	Request    int // a SAMLRequest, inflated
	Response   int // a SAMLResponse, inflated
	RelayState int // decoded
}

// SAML is one message as a binding delivered it: XML is neither parsed nor
// believed yet.
type SAML struct {
	XML           []byte
	RelayState    string // octet for octet; opaque
	HasRelayState bool   // tells an empty RelayState from none
	Param         string // ParamRequest or ParamResponse
	Binding       string // identity.BindingRedirect or identity.BindingPOST

	// The signature over the query (SAML Bindings 3.4.4.1), if there is one:
	// never on POST, where a signature can only be inside the XML.
	SigAlg    string
	Signature []byte
	Signed    []byte // the octets that it covers, as they were received
}

// Decode is Limits.Decode with the default limits.
func Decode(in Received, param string) (SAML, error) { return Limits{}.Decode(in, param) }

// Decode takes the message out of what the browser brought. Param is the one
// that may be in it, ParamRequest or ParamResponse; an empty param admits
// either, but not both. Parameters that the binding does not define are ignored.
//
// Errors are of KindInvalid: "binding.missing" and "binding.unexpected" for a
// message that is not there or is of the other kind, "binding.duplicate" for
// whatever could be read in two ways, "binding.encoding", "binding.base64" and
// "binding.deflate" for damage, "binding.too_large" and "binding.relay_state"
// for the limits, "binding.signature" for half a signature.
func (l Limits) Decode(in Received, param string) (SAML, error) {
	if in.Method == http.MethodPost {
		return l.decodePOST(in.Form, param)
	}
	return l.decodeRedirect(in.RawQuery, param)
}

func (l Limits) decodeRedirect(raw, wanted string) (SAML, error) {
	if limit := or(l.Query, DefaultMaxQuery); len(raw) > limit {
		return SAML{}, tooLarge("query", int64(limit), who(wanted))
	}
	q, err := splitQuery(raw)
	if err != nil {
		return SAML{}, err
	}
	name, err := pick(wanted, q.request.present, q.response.present)
	if err != nil {
		return SAML{}, err
	}
	m := SAML{Param: name, Binding: identity.BindingRedirect, HasRelayState: q.relayState.present}
	if m.RelayState, err = q.relayState.text(paramRelayState, who(name)); err != nil {
		return SAML{}, err
	}
	if err := l.checkRelayState(m.RelayState, name); err != nil {
		return SAML{}, err
	}
	if err := checkEncoding(q.encoding, name); err != nil {
		return SAML{}, err
	}
	text, err := q.param(name).base64Text(name, who(name))
	if err != nil {
		return SAML{}, err
	}
	packed, err := fromBase64(name, text, who(name))
	if err != nil {
		return SAML{}, err
	}
	if m.XML, err = inflate(packed, l.of(name)); err != nil {
		return SAML{}, l.inflateError(name, err)
	}
	return m, m.takeSignature(&q)
}

// takeSignature fills in the signature over the query. Half a signature is an
// error: taking it for none would let anybody strip the other half.
func (m *SAML) takeSignature(q *query) error {
	if !q.sigAlg.present && !q.signature.present {
		return nil
	}
	var err error
	if m.SigAlg, err = q.sigAlg.text(paramSigAlg, who(m.Param)); err != nil {
		return err
	}
	text, err := q.signature.base64Text(paramSignature, who(m.Param))
	if err != nil {
		return err
	}
	if m.Signature, err = fromBase64(paramSignature, text, who(m.Param)); err != nil {
		return err
	}
	if m.SigAlg == "" || len(m.Signature) == 0 {
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "binding.signature", Who: who(m.Param),
			Msg: "The message's signature is incomplete.", Expected: "SigAlg and Signature, or neither",
		}
	}
	m.Signed = q.signedOctets(m.Param)
	return nil
}

func (l Limits) decodePOST(form url.Values, wanted string) (SAML, error) {
	for _, name := range []string{ParamRequest, ParamResponse, paramRelayState} {
		if len(form[name]) > 1 {
			return SAML{}, duplicate(name, "the field more than once")
		}
	}
	name, err := pick(wanted, form.Has(ParamRequest), form.Has(ParamResponse))
	if err != nil {
		return SAML{}, err
	}
	m := SAML{Param: name, Binding: identity.BindingPOST, RelayState: form.Get(paramRelayState), HasRelayState: form.Has(paramRelayState)}
	if err := l.checkRelayState(m.RelayState, name); err != nil {
		return SAML{}, err
	}
	octets, err := fromBase64(name, form.Get(name), who(name))
	if err != nil {
		return SAML{}, err
	}
	if !looksLikeXML(octets) {
		// SAML Bindings 3.5.4 knows no compression here, yet two widespread
		// libraries, node-saml and ruby-saml, deflate by default.
		if m.XML, err = inflate(octets, l.of(name)); err != nil {
			return SAML{}, l.inflateError(name, err)
		}
		return m, nil
	}
	if limit := l.of(name); len(octets) > limit {
		return SAML{}, tooLarge(name, int64(limit), who(name))
	}
	m.XML = octets
	return m, nil
}

// pick says which of the two messages it is.
func pick(wanted string, request, response bool) (string, error) {
	switch {
	case request && response:
		return "", duplicate("one message", ParamRequest+" and "+ParamResponse)
	case !request && !response:
		return "", &identity.Error{
			Kind: identity.KindInvalid, Code: "binding.missing", Who: identity.WhoUser,
			Msg:      "This address expects a message from an application; please start again at the application.",
			Expected: or(wanted, ParamRequest+" or "+ParamResponse),
		}
	}
	name := ParamRequest
	if response {
		name = ParamResponse
	}
	if wanted != "" && name != wanted {
		return "", &identity.Error{
			Kind: identity.KindInvalid, Code: "binding.unexpected", Who: who(name),
			Msg: "This address takes another kind of message.", Seen: name, Expected: wanted,
		}
	}
	return name, nil
}

func (l Limits) checkRelayState(s, name string) error {
	limit := or(l.RelayState, DefaultMaxRelayState)
	if len(s) <= limit {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "binding.relay_state", Who: who(name),
		Msg:      "The message's RelayState is longer than is accepted here.",
		Seen:     fmt.Sprintf("%d bytes", len(s)),
		Expected: fmt.Sprintf("80 bytes (SAML Bindings 3.4.3), at most %d", limit),
	}
}

func checkEncoding(p param, name string) error {
	if !p.present {
		return nil
	}
	s, err := p.text(paramEncoding, who(name))
	if err != nil {
		return err
	}
	if s != encodingDeflate {
		return encoding(encodingDeflate, "SAMLEncoding "+s, who(name), nil)
	}
	return nil
}

// of returns the limit of the message that name carries.
func (l Limits) of(name string) int {
	if name == ParamResponse {
		return or(l.Response, DefaultMaxResponse)
	}
	return or(l.Request, DefaultMaxRequest)
}

func (l Limits) inflateError(name string, err error) error {
	if errors.Is(err, errTooLarge) {
		return tooLarge(name, int64(l.of(name)), who(name))
	}
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "binding.deflate", Who: who(name),
		Msg: "The message is damaged and cannot be decompressed.", Expected: "raw DEFLATE (RFC 1951) in base64", Err: err,
	}
}

// fromBase64 decodes base64 of RFC 2045: padded, and blanks or line breaks
// anywhere.
func fromBase64(name, s string, who identity.Who) ([]byte, error) {
	if strings.ContainsAny(s, " \t") {
		s = strings.NewReplacer(" ", "", "\t", "").Replace(s) // the decoder drops line breaks itself
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, &identity.Error{
			Kind: identity.KindInvalid, Code: "binding.base64", Who: who,
			Msg: "The message is damaged and cannot be decoded.", Expected: name + " in base64", Err: err,
		}
	}
	return b, nil
}

// looksLikeXML tells a document from a DEFLATE stream, which may begin with any
// octet, '<' included, but not with the start of a tag.
func looksLikeXML(b []byte) bool {
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(b) < 2 || b[0] != '<' {
		return false
	}
	c := b[1] | 0x20
	return 'a' <= c && c <= 'z' || b[1] == '_' || b[1] == '?' || b[1] == '!'
}

// who says who can repair a message: requests come from applications, responses
// from identity providers.
func who(name string) identity.Who {
	if name == ParamResponse {
		return identity.WhoPartner
	}
	return identity.WhoVendor
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
