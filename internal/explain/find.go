package explain

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// The bounds of what is looked at, in octets: one input, which may be the log of
// a whole browser session, and one message in it.
const (
	MaxInput   = 16 << 20
	maxMessage = 1 << 20
	maxFound   = 200 // messages
)

// Message is one SAML message that was found in an input. Nothing in it is
// believed.
type Message struct {
	Source   string    // where in the input it stood, in words
	URL      string    // where it was sent, without its query; empty if the input does not tell
	At       time.Time // when, if the input tells
	SAML     binding.SAML
	Artifact *binding.Artifact // what was sent in place of a message
	Err      error             // why it cannot be read, beside others that can
}

// limits are wide: whatever was captured is to be looked at, and what samlet
// would refuse to take is for a check to say.
func limits() binding.Limits {
	return binding.Limits{Query: maxMessage, Request: maxMessage, Response: maxMessage, RelayState: 64 << 10}
}

// Find guesses what input is and returns the messages in it: XML, a SOAP
// envelope, base64 with or without DEFLATE, a URL, a query or a form body with
// SAMLRequest, SAMLResponse or SAMLart, an artifact, or a JSON export (HAR or
// SAML-tracer) with any number of these. Errors are of KindInvalid with code
// "explain.empty", "explain.too_large", "explain.html", "explain.nothing", or
// that of the binding which the input seems to be of.
func Find(input []byte) ([]Message, error) {
	if len(input) > MaxInput {
		return nil, refuse("explain.too_large", "The input is larger than is looked at.", "at most 16 MiB")
	}
	text := strings.Trim(string(bytes.TrimPrefix(input, []byte("\xef\xbb\xbf"))), " \t\r\n\"'")
	lower := strings.ToLower(text[:min(len(text), 64)])
	switch {
	case text == "":
		return nil, refuse("explain.empty", "The input is empty.", "a SAML message")
	case strings.HasPrefix(lower, "<!doctype html"), strings.HasPrefix(lower, "<html"):
		return nil, refuse("explain.html", "This is a web page, not a SAML message; take the value of its field SAMLRequest or SAMLResponse.", "a SAML message")
	case text[0] == '{' || text[0] == '[':
		return findInJSON([]byte(text))
	case text[0] == '<':
		return one(bare([]byte(text)))
	case parameters(text) != "":
		return one(fromText(text))
	}
	return one(fromBase64(text))
}

func one(m Message, err error) ([]Message, error) {
	if err != nil {
		return nil, err
	}
	return []Message{m}, nil
}

func refuse(code identity.Code, msg, expected string) error {
	return &identity.Error{Kind: identity.KindInvalid, Code: code, Who: identity.WhoUser, Msg: msg, Expected: expected}
}

// bare is XML as it stands, in a SOAP envelope or not.
func bare(xml []byte) (Message, error) {
	if len(xml) > maxMessage {
		return Message{}, refuse("explain.too_large", "The message is larger than is looked at.", "at most 1 MiB")
	}
	m := Message{Source: "XML", SAML: binding.SAML{XML: xml}}
	if bytes.Contains(xml[:min(len(xml), 1024)], []byte(xmlsec.NSSOAP11)) {
		m.Source, m.SAML.Binding = "a SOAP envelope", identity.BindingSOAP
	}
	return m, nil
}

// parameters returns the part of text with the parameters of a binding: the word
// that holds one of their names, as a line "Location: https://…" or
// "GET /saml/sso?… HTTP/1.1" has it; or "".
func parameters(text string) string {
	for _, word := range strings.Fields(text) {
		for _, name := range []string{binding.ParamRequest, binding.ParamResponse, "SAMLart"} {
			if i := strings.Index(word, name+"="); i == 0 || i > 0 && (word[i-1] == '?' || word[i-1] == '&' || word[i-1] == '#') {
				return word
			}
		}
	}
	return ""
}

// fromText reads a URL, a path with a query, or a bare query or form body.
func fromText(text string) (Message, error) {
	word := parameters(text)
	if address, query, ok := strings.Cut(word, "?"); ok && !strings.Contains(address, "=") {
		query, _, _ = strings.Cut(query, "#")
		return fromQuery(address, query)
	}
	form, err := url.ParseQuery(word)
	if err != nil || form.Has("SigAlg") || form.Has("Signature") {
		return fromQuery("", word)
	}
	// A query and a form look alike; what is in them tells: a form's message is
	// not deflated, or else both read it alike.
	m, err := fromForm("", form)
	if err == nil && m.Artifact == nil && !isXML(form) {
		return fromQuery("", word)
	}
	return m, err
}

// isXML reports whether the message of a form is XML in base64.
func isXML(form url.Values) bool {
	text := strings.Join(strings.Fields(form.Get(binding.ParamRequest)+form.Get(binding.ParamResponse)), "")
	octets, err := base64.StdEncoding.DecodeString(text)
	return err == nil && bytes.HasPrefix(bytes.TrimLeft(octets, " \t\r\n\xef\xbb\xbf"), []byte("<"))
}

func fromQuery(address, query string) (Message, error) {
	m := Message{Source: "a query (HTTP-Redirect)", URL: address}
	return m.decode(binding.Received{Method: http.MethodGet, RawQuery: query}, strings.Contains("&"+query, "&SAMLart="))
}

func fromForm(address string, form url.Values) (Message, error) {
	m := Message{Source: "a form (HTTP-POST)", URL: address}
	return m.decode(binding.Received{Method: http.MethodPost, Form: form}, form.Has("SAMLart"))
}

// decode takes the message, or the artifact, out of what a browser carried.
func (m Message) decode(in binding.Received, artifact bool) (Message, error) {
	if artifact {
		got, err := limits().DecodeArtifact(in)
		if err != nil {
			return m, err
		}
		m.Artifact = &got.Artifact
		m.SAML = binding.SAML{Binding: identity.BindingArtifact, RelayState: got.RelayState, HasRelayState: got.HasRelayState}
		return m, nil
	}
	var err error
	m.SAML, err = limits().Decode(in, "")
	return m, err
}

// fromBase64 reads a message, or an artifact, without the parameter that it came
// in. It may still be percent-encoded, or in the alphabet for URLs.
func fromBase64(text string) (Message, error) {
	for range 2 {
		if plain, err := url.PathUnescape(text); err == nil && strings.Contains(text, "%") {
			text = plain
		}
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.Join(strings.Fields(text), ""))
	if n := len(text) % 4; n > 0 && !strings.HasSuffix(text, "=") {
		text += strings.Repeat("=", 4-n)
	}
	if strings.HasPrefix(text, "<") {
		return bare([]byte(text))
	}
	if a, err := binding.ParseArtifact(text); err == nil {
		return Message{Source: "an artifact", SAML: binding.SAML{Binding: identity.BindingArtifact}, Artifact: &a}, nil
	}
	m := Message{Source: "base64"}
	m, err := m.decode(binding.Received{Method: http.MethodPost, Form: url.Values{binding.ParamResponse: {text}}}, false)
	if err != nil {
		return m, &identity.Error{
			Kind: identity.KindInvalid, Code: "explain.nothing", Who: identity.WhoUser, Err: err,
			Msg:      "No SAML message was found in the input.",
			Expected: "XML, base64, a URL or form with SAMLRequest, SAMLResponse or SAMLart, SOAP, or a HAR or SAML-tracer export",
		}
	}
	// How it travelled is not known: base64 alone does not tell.
	m.SAML.Param, m.SAML.Binding = "", ""
	return m, nil
}
