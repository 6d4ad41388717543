package binding

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// Envelope is a SOAP 1.1 envelope that was read (SAML Bindings 3.2). Nothing in
// it is proven: a message inside carries its own signature, to be checked with
// Document.Verify(Body, …).
type Envelope struct {
	Document *xmlsec.Document
	Headers  []*xmlsec.Element // the header blocks, in document order
	Body     *xmlsec.Element   // the one child of S:Body
}

// The codes of SOAP messages.
const (
	codeSOAP           identity.Code = "binding.soap"
	codeSOAPVersion    identity.Code = "binding.soap_version"
	codeMustUnderstand identity.Code = "binding.must_understand"
)

// soapTypes are the content types that an envelope comes as. SOAP 1.1 has
// text/xml alone (section 6); widespread libraries send the one of SOAP 1.2 with
// an envelope of 1.1. None is a type that a form of another site can send.
var soapTypes = [...]string{"text/xml", "application/soap+xml", "application/xml"}

// ReceiveSOAP takes the envelope of a POST of at most maxBytes; maxBytes of zero
// or less means DefaultMaxRequest. Errors are of KindInvalid: "binding.method",
// "binding.content_type", "binding.too_large", those of ParseSOAP, and
// "binding.soap" where the body does not arrive whole. [FaultOf] words them for
// the sender.
func ReceiveSOAP(w http.ResponseWriter, r *http.Request, maxBytes int64) (Envelope, error) {
	if r.Method != http.MethodPost {
		return Envelope{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "binding.method", Who: identity.WhoVendor,
			Msg: "This address takes SOAP messages by POST only.", Seen: r.Method, Expected: "POST",
		}
	}
	if err := checkSOAPType(r.Header.Get("Content-Type")); err != nil {
		return Envelope{}, err
	}
	if maxBytes <= 0 {
		maxBytes = DefaultMaxRequest
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBytes))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return Envelope{}, tooLarge("SOAP message", maxBytes, identity.WhoVendor)
	}
	if err != nil {
		return Envelope{}, badEnvelope("half a message", "a whole one", err)
	}
	lim := xmlsec.RequestLimits()
	lim.Bytes = int(maxBytes)
	return parseSOAP(raw, lim)
}

func checkSOAPType(seen string) error {
	kind, params, err := mime.ParseMediaType(seen)
	charset := strings.ToLower(params["charset"])
	if err == nil && slices.Contains(soapTypes[:], kind) && (charset == "" || charset == "utf-8" || charset == "us-ascii") {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "binding.content_type", Who: identity.WhoVendor,
		Msg: "This address takes SOAP messages only.", Seen: seen, Expected: "text/xml in UTF-8", Err: err,
	}
}

// ParseSOAP reads one envelope of SOAP 1.1, within xmlsec.ResponseLimits: an
// optional Header, then a Body with exactly one child. Errors are of KindInvalid
// with code "binding.soap", "binding.soap_version" for another version of SOAP,
// or xml.*.
func ParseSOAP(raw []byte) (Envelope, error) { return parseSOAP(raw, xmlsec.ResponseLimits()) }

func parseSOAP(raw []byte, lim xmlsec.Limits) (Envelope, error) {
	doc, err := xmlsec.Parse(raw, lim)
	if err != nil {
		return Envelope{}, fmt.Errorf("reading a SOAP envelope: %w", err)
	}
	root := doc.Root()
	switch {
	case root.Local != "Envelope":
		return Envelope{}, badEnvelope(root.Local, "S:Envelope", nil)
	case root.Space != xmlsec.NSSOAP11:
		return Envelope{}, &identity.Error{
			Kind: identity.KindInvalid, Code: codeSOAPVersion, Who: identity.WhoVendor,
			Msg: "The message is of another version of SOAP.", Seen: root.Space, Expected: xmlsec.NSSOAP11,
		}
	}
	env, parts := Envelope{Document: doc}, root.Elements()
	if len(parts) > 0 && parts[0].Is(xmlsec.NSSOAP11, "Header") {
		env.Headers, parts = parts[0].Elements(), parts[1:]
	}
	if len(parts) != 1 || !parts[0].Is(xmlsec.NSSOAP11, "Body") {
		return Envelope{}, badEnvelope("other parts", "a Header or none, and a Body", nil)
	}
	content := parts[0].Elements()
	if len(content) != 1 {
		return Envelope{}, badEnvelope(fmt.Sprintf("%d elements in the Body", len(content)), "one", nil)
	}
	env.Body = content[0]
	return env, nil
}

func badEnvelope(seen, expected string, err error) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: codeSOAP, Who: identity.WhoVendor,
		Msg: "The message is no SOAP envelope as SAML wants it.", Seen: seen, Expected: expected, Err: err,
	}
}

// ActorNext is whoever receives the message (SOAP 1.1 section 4.2.2).
const ActorNext = "http://schemas.xmlsoap.org/soap/actor/next"

// Understands returns an error of KindInvalid with code
// "binding.must_understand" if a header block that is meant for us must be
// understood and is none of names, each "{namespace}local" (SOAP 1.1 section
// 4.2.3). It is to be asked before anything is acted upon.
func (e Envelope) Understands(names ...string) error {
	for _, h := range e.Headers {
		actor := h.AttrNS(xmlsec.NSSOAP11, "actor")
		forUs := actor == "" || actor == ActorNext
		must := h.AttrNS(xmlsec.NSSOAP11, "mustUnderstand")
		name := "{" + h.Space + "}" + h.Local
		if !forUs || must == "" || must == "0" || slices.Contains(names, name) {
			continue
		}
		return &identity.Error{
			Kind: identity.KindInvalid, Code: codeMustUnderstand, Who: identity.WhoVendor,
			Msg:  "The message has a header that must be understood, and is not.",
			Seen: name, Expected: strings.Join(names, " "),
		}
	}
	return nil
}

// SOAP returns an envelope with body in it, and with header, which may be empty:
// header blocks one after the other. Both must be self-contained XML without a
// declaration; they are copied octet for octet, so that a signature inside, by
// exclusive canonicalisation, stays valid.
func SOAP(header, body []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(header) + len(body) + 256)
	b.WriteString(`<S:Envelope xmlns:S="` + xmlsec.NSSOAP11 + `">`)
	if len(header) > 0 {
		b.WriteString(`<S:Header>`)
		b.Write(header)
		b.WriteString(`</S:Header>`)
	}
	b.WriteString(`<S:Body>`)
	b.Write(body)
	b.WriteString(`</S:Body></S:Envelope>`)
	return b.Bytes()
}

// SOAPFault returns an envelope with a fault (SOAP 1.1 section 4.4). Code is
// "Client", "Server", "MustUnderstand" or "VersionMismatch". Faults are for what
// keeps a SAML responder from answering at all (SAML Bindings 3.2.3.3); what it
// refuses is a SAML status. Characters that XML cannot carry are replaced.
func SOAPFault(code, message string) []byte {
	var text bytes.Buffer
	escapeText(&text, message)
	return SOAP(nil, []byte(`<S:Fault xmlns:S="`+xmlsec.NSSOAP11+`"><faultcode>S:`+code+`</faultcode><faultstring>`+text.String()+`</faultstring></S:Fault>`))
}

// FaultOf words err as a SOAP fault: our sentence, the code and the request ID
// for whoever looks it up in our log, never the cause.
func FaultOf(err error, requestID string) []byte {
	e := identity.AsError(err)
	code := "Client"
	switch {
	case e.Code == codeMustUnderstand:
		code = "MustUnderstand"
	case e.Code == codeSOAPVersion:
		code = "VersionMismatch"
	case e.Kind == identity.KindInternal || e.Kind == identity.KindUnavailable:
		code = "Server"
	}
	text := e.Msg + " (" + string(e.Code)
	if requestID != "" {
		text += ", request " + requestID
	}
	return SOAPFault(code, text+")")
}

// escapeText appends s as the text of an element.
func escapeText(b *bytes.Buffer, s string) {
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r < ' ' && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF:
			b.WriteRune('\uFFFD')
		default:
			b.WriteRune(r)
		}
	}
}

// WriteSOAP answers with an envelope, which nobody on the way may keep (SAML
// Bindings 3.2.3.2). A fault has status 500 (SOAP 1.1 section 6.2).
func WriteSOAP(w http.ResponseWriter, status int, envelope []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate, private")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(envelope) // fails only when the client has gone
}
