package binding

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// soapAction is what SAML Bindings 3.2.3.1 has in the header field of this name.
const soapAction = `"http://www.oasis-open.org/committees/security"`

// Call sends a SOAP envelope with body in it to url and returns the envelope of
// the answer, of at most DefaultMaxBody bytes. How long it may take, where it may
// go and whether redirects are followed are the client's and ctx's business; it
// is never tried again. An answer that is a fault, no SOAP, or none at all is an
// error of KindUnavailable with code "binding.soap".
func Call(ctx context.Context, client *http.Client, url string, body []byte) (Envelope, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(SOAP(nil, body)))
	if err != nil {
		return Envelope{}, unanswered(url, err.Error(), err)
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	req.Header.Set("SOAPAction", soapAction)
	req.Header.Set("Accept", "text/xml")
	resp, err := client.Do(req)
	if err != nil {
		return Envelope{}, unanswered(url, "no answer", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or is of no use
	raw, err := io.ReadAll(io.LimitReader(resp.Body, DefaultMaxBody+1))
	if err != nil {
		return Envelope{}, unanswered(url, "half an answer", err)
	}
	env, err := ParseSOAP(raw)
	switch {
	case err == nil && env.Body.Is(xmlsec.NSSOAP11, "Fault"):
		return Envelope{}, unanswered(url, faultIn(env.Body), nil)
	case resp.StatusCode != http.StatusOK:
		return Envelope{}, unanswered(url, resp.Status, nil)
	case err != nil:
		return Envelope{}, unanswered(url, "an answer that is no SOAP envelope", err)
	}
	return env, nil
}

// faultIn returns what a fault says, in one line of bounded length.
func faultIn(e *xmlsec.Element) string {
	const most = 200
	said := "a SOAP fault"
	for _, name := range []string{"faultcode", "faultstring"} {
		if text, err := e.Child("", name).TrimText(); err == nil && text != "" {
			said += ": " + text
		}
	}
	said = strings.Join(strings.Fields(said), " ")
	if len(said) > most {
		said = strings.ToValidUTF8(said[:most], "") + "…"
	}
	return said
}

func unanswered(url, seen string, err error) error {
	return fmt.Errorf("calling %s: %w", url, &identity.Error{
		Kind: identity.KindUnavailable, Code: codeSOAP, Who: identity.WhoVendor,
		Msg: "The other side did not answer as SOAP has it.", Seen: seen, Expected: "a SOAP envelope with status 200", Err: err,
	})
}
