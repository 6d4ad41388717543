package explain

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
)

// capture is what the exports of browsers have in common: a HAR 1.2 file (the
// network log of every browser) or one of the extension SAML-tracer. Everything
// else in them is passed over.
type capture struct {
	Log struct {
		Entries []struct {
			Started time.Time `json:"startedDateTime"`
			Request struct {
				Method   string `json:"method"`
				URL      string `json:"url"`
				PostData struct {
					Text   string      `json:"text"`
					Params []nameValue `json:"params"`
				} `json:"postData"`
			} `json:"request"`
		} `json:"entries"`
	} `json:"log"`
	Requests []struct { // SAML-tracer
		Method string            `json:"method"`
		URL    string            `json:"url"`
		Post   []json.RawMessage `json:"post"` // pairs of name and value
	} `json:"requests"`
	Timestamp time.Time `json:"timestamp"`
}

type nameValue struct{ Name, Value string }

// exchange is one HTTP request of a capture.
type exchange struct {
	method, url string
	form        url.Values
	text        string // the body, where the form was not taken apart
	at          time.Time
}

// findInJSON returns the messages in the requests of a capture, in their order.
// One that cannot be read carries its error and hides no other.
func findInJSON(raw []byte) ([]Message, error) {
	var c capture
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, &identity.Error{
			Kind: identity.KindInvalid, Code: "explain.json", Who: identity.WhoUser, Err: err,
			Msg: "The JSON cannot be read as the export of a browser.", Expected: "a HAR file, or an export of SAML-tracer",
		}
	}
	var found []Message
	for i, x := range c.exchanges() {
		m, ok := x.message()
		if !ok {
			continue
		}
		if len(found) == maxFound {
			return nil, refuse("explain.too_large", "The capture holds more messages than are looked at.", fmt.Sprintf("at most %d", maxFound))
		}
		m.Source, m.At = fmt.Sprintf("request %d: %s %s", i+1, x.method, m.URL), x.at
		found = append(found, m)
	}
	if len(found) == 0 {
		return nil, refuse("explain.nothing", "No request of the capture carries a SAML message; was it exported with its POST data?", "SAMLRequest, SAMLResponse, SAMLart or SOAP in a request")
	}
	return found, nil
}

func (c *capture) exchanges() []exchange {
	var all []exchange
	for _, e := range c.Log.Entries {
		x := exchange{method: e.Request.Method, url: e.Request.URL, at: e.Started, text: e.Request.PostData.Text, form: url.Values{}}
		for _, p := range e.Request.PostData.Params {
			// Browsers disagree whether these are still percent-encoded; the text,
			// where there is one, tells.
			x.form.Add(p.Name, p.Value)
		}
		all = append(all, x)
	}
	for _, r := range c.Requests {
		x := exchange{method: r.Method, url: r.URL, at: c.Timestamp, form: url.Values{}}
		for _, pair := range r.Post {
			var p []string
			if err := json.Unmarshal(pair, &p); err == nil && len(p) == 2 {
				x.form.Add(p[0], p[1])
			}
		}
		all = append(all, x)
	}
	return all
}

// message returns the message that a request carries, with the error that kept
// it from being read, and whether it carries one.
func (x exchange) message() (Message, bool) {
	address, query, _ := strings.Cut(x.url, "?")
	query, _, _ = strings.Cut(query, "#")
	if x.method == http.MethodPost {
		form, err := url.ParseQuery(x.text)
		if err != nil || !carries(form) {
			form = x.form
		}
		if carries(form) {
			return attach(fromForm(address, form)), true
		}
		if strings.Contains(x.text, "Envelope") && strings.HasPrefix(strings.TrimSpace(x.text), "<") {
			m := attach(bare([]byte(x.text)))
			m.URL = address
			return m, true
		}
	}
	if parameters("?"+query) == "" {
		return Message{}, false
	}
	return attach(fromQuery(address, query)), true
}

func carries(v url.Values) bool {
	return v.Has("SAMLRequest") || v.Has("SAMLResponse") || v.Has("SAMLart")
}

// attach keeps the error with the message that it is about.
func attach(m Message, err error) Message {
	m.Err = err
	return m
}
