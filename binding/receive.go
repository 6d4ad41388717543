package binding

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/samlet-id/samlet/identity"
)

// Message is what the browser is to carry away: a redirect to URL, or, if Form
// is not nil, a form to be submitted to URL by POST.
type Message struct {
	URL  string
	Form url.Values
}

// Received is what the browser brought, undecoded. It marshals to JSON, so that
// it can be parked in a ticket until the browser comes back with its cookies.
type Received struct {
	Method   string     `json:"method"`
	Path     string     `json:"path"`
	RawQuery string     `json:"query,omitempty"` // of a GET, octet for octet
	Form     url.Values `json:"form,omitempty"`  // of a POST: its body alone, never the query
}

// formType is the one content type of the POST binding (SAML Bindings 3.5.4).
const formType = "application/x-www-form-urlencoded"

// Receive takes the query of a GET or the form of a POST of at most maxBytes;
// maxBytes of zero or less means DefaultMaxBody. Errors are of KindInvalid with
// code "binding.method", "binding.content_type", "binding.too_large" or
// "binding.form".
func Receive(w http.ResponseWriter, r *http.Request, maxBytes int64) (Received, error) {
	in := Received{Method: r.Method, Path: r.URL.Path}
	switch r.Method {
	case http.MethodGet:
		in.RawQuery = r.URL.RawQuery
		return in, nil
	case http.MethodPost:
	default:
		return Received{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "binding.method", Who: identity.WhoVendor,
			Msg: "This address takes messages by GET and POST only.", Seen: r.Method, Expected: "GET or POST",
		}
	}
	seen := r.Header.Get("Content-Type")
	if kind, _, err := mime.ParseMediaType(seen); err != nil || kind != formType {
		return Received{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "binding.content_type", Who: identity.WhoVendor,
			Msg: "This address takes messages from a form only.", Seen: seen, Expected: formType, Err: err,
		}
	}
	if maxBytes <= 0 {
		maxBytes = DefaultMaxBody
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBytes))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return Received{}, tooLarge("form", maxBytes, identity.WhoVendor)
	}
	if err != nil {
		return Received{}, malformedForm(fmt.Errorf("reading the body: %w", err))
	}
	if in.Form, err = url.ParseQuery(string(body)); err != nil {
		return Received{}, malformedForm(err)
	}
	return in, nil
}

func malformedForm(err error) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "binding.form", Who: identity.WhoVendor,
		Msg: "The form that brought the message is damaged.", Err: err,
	}
}

func tooLarge(what string, limit int64, who identity.Who) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "binding.too_large", Who: who,
		Msg: "The message is larger than is accepted here.", Seen: "a " + what + " over the limit",
		Expected: fmt.Sprintf("at most %d bytes", limit),
	}
}
