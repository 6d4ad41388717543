package binding

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// Redirect puts a message into a redirect to location (SAML Bindings 3.4), with
// a signature over the query if key is not nil. The XML must carry no signature
// of its own (3.4.4.1). A query that location has already is kept, in front and
// unsigned. An empty relayState is left out.
func Redirect(location, param string, xml []byte, relayState string, key *certs.Key) (Message, error) {
	packed, err := deflate(xml)
	if err != nil {
		return Message{}, err
	}
	var q strings.Builder
	q.WriteString(param + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(packed)))
	if relayState != "" {
		q.WriteString("&" + paramRelayState + "=" + url.QueryEscape(relayState))
	}
	if key != nil {
		alg, err := xmlsec.SignatureAlgorithm(*key)
		if err != nil {
			return Message{}, fmt.Errorf("signing the query: %w", err)
		}
		q.WriteString("&" + paramSigAlg + "=" + url.QueryEscape(alg))
		_, sig, err := xmlsec.SignDetached(*key, []byte(q.String()))
		if err != nil {
			return Message{}, fmt.Errorf("signing the query: %w", err)
		}
		q.WriteString("&" + paramSignature + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(sig)))
	}
	return redirect(location, q.String())
}

// redirect returns a redirect to location with query behind the one that it has.
func redirect(location, query string) (Message, error) {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return Message{}, fmt.Errorf("redirecting to %q: not an http or https URL", location)
	}
	if u.RawQuery != "" {
		u.RawQuery = strings.TrimSuffix(u.RawQuery, "&") + "&"
	}
	u.RawQuery += query
	u.Fragment, u.RawFragment = "", ""
	return Message{URL: u.String()}, nil
}

// Post puts a message into a form to be submitted to location (SAML Bindings
// 3.5). An empty relayState is left out.
func Post(location, param string, xml []byte, relayState string) Message {
	form := url.Values{param: {inBase64(xml)}}
	if relayState != "" {
		form.Set(paramRelayState, relayState)
	}
	return Message{URL: location, Form: form}
}

// inBase64 is base64's EncodeToString without the second copy of what may be a
// large message.
func inBase64(octets []byte) string {
	var text strings.Builder
	text.Grow(base64.StdEncoding.EncodedLen(len(octets)))
	var chunk [1024]byte
	for len(octets) > 0 {
		n := min(len(octets), len(chunk)/4*3)
		base64.StdEncoding.Encode(chunk[:], octets[:n])
		text.Write(chunk[:base64.StdEncoding.EncodedLen(n)])
		octets = octets[n:]
	}
	return text.String()
}
