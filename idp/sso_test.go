package idp_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// Edits of the request that several cases share.
var (
	noDestination = replace(` Destination="`+ssoURL+`"`, ``)
	noACS         = replace(` AssertionConsumerServiceURL="`+acsURL+`"`, ``)
	noBinding     = replace(` ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"`, ``)
)

func edited(edits ...func(string) string) string {
	xml := authnRequest
	for _, e := range edits {
		xml = e(xml)
	}
	return xml
}

// TestRejectionCorpusOnPage lists requests that cannot be believed, or name no
// endpoint that is registered: they are refused on a page, and nothing goes to
// the service provider.
func TestRejectionCorpusOnPage(t *testing.T) {
	t.Parallel()
	sp, other := loadKey(t, "sp"), loadKey(t, "other")
	post := func(edits ...func(string) string) func(testing.TB) *http.Request {
		return func(t testing.TB) *http.Request { return byPOST(t, edited(edits...), "") }
	}
	redirect := func(key *certs.Key, edits ...func(string) string) func(testing.TB) *http.Request {
		return func(t testing.TB) *http.Request { return byRedirect(t, edited(edits...), "rs", key) }
	}
	tampered := func(edit func(string) string) func(testing.TB) *http.Request {
		return func(t testing.TB) *http.Request {
			q := edit(redirectQuery(t, authnRequest, "rs", &sp))
			return httptest.NewRequestWithContext(t.Context(), http.MethodGet, ssoURL+"?"+q, nil)
		}
	}
	signed := flag("AuthnRequestsSigned")
	cases := map[string]struct {
		request  func(testing.TB) *http.Request
		metadata func(string) string
		code     string
	}{
		"nothing": {request: func(t testing.TB) *http.Request {
			return httptest.NewRequestWithContext(t.Context(), http.MethodGet, ssoURL, nil)
		}, code: "binding.missing"},
		"deflate bomb": {request: func(t testing.TB) *http.Request {
			return byRedirect(t, strings.Repeat(" ", 8<<20), "", nil)
		}, code: "binding.too_large"},
		"two requests in the query": {request: tampered(func(q string) string { return q + "&SAMLRequest=abc" }), code: "binding.duplicate"},
		"DTD": {request: func(t testing.TB) *http.Request {
			return byPOST(t, `<!DOCTYPE a [<!ENTITY b "c">]>`+authnRequest, "")
		}, code: "xml.dtd"},
		"duplicate attribute":     {request: post(attribute(`ID="_x"`)), code: "xml.duplicate_attribute"},
		"duplicate IDs":           {request: post(child(`<samlp:Scoping ID="_request1"/>`)), code: "xml.duplicate_id"},
		"other message":           {request: post(replace("<samlp:AuthnRequest", "<samlp:LogoutRequest"), replace("</samlp:AuthnRequest", "</samlp:LogoutRequest")), code: "sp.request"},
		"other namespace":         {request: post(replace("SAML:2.0:protocol", "SAML:1.0:protocol")), code: "sp.request"},
		"no ID":                   {request: post(replace(` ID="_request1"`, ``)), code: "sp.request"},
		"ID that is no NCName":    {request: post(replace(`_request1`, `1&lt;script>`)), code: "sp.request"},
		"no Version":              {request: post(replace(` Version="2.0"`, ``)), code: "sp.request"},
		"no IssueInstant":         {request: post(replace(` IssueInstant="2026-11-23T12:00:00Z"`, ``)), code: "sp.request"},
		"damaged IssueInstant":    {request: post(replace(`2026-11-23T12`, `2026-11-23T25`)), code: "sp.request"},
		"missing Issuer":          {request: post(replace(`<saml:Issuer>`+spID+`</saml:Issuer>`, ``)), code: "sp.issuer"},
		"empty Issuer":            {request: post(replace(`>`+spID+`<`, `><`)), code: "sp.issuer"},
		"Issuer of odd format":    {request: post(replace(`<saml:Issuer`, `<saml:Issuer Format="urn:x"`)), code: "sp.issuer"},
		"comment in the Issuer":   {request: post(replace(spID, spID+`<!---->.evil.test`)), code: "xml.split_text"},
		"two Issuers":             {request: post(child(`<saml:Issuer>https://evil.test</saml:Issuer>`)), code: "sp.request"},
		"children out of order":   {request: post(child(`<samlp:NameIDPolicy/><saml:Subject><saml:NameID>a</saml:NameID></saml:Subject>`)), code: "sp.request"},
		"unknown child":           {request: post(child(`<samlp:Evil/>`)), code: "sp.request"},
		"ForceAuthn no boolean":   {request: post(attribute(`ForceAuthn="yes"`)), code: "sp.request"},
		"IsPassive no boolean":    {request: post(attribute(`IsPassive=""`)), code: "sp.request"},
		"AllowCreate no boolean":  {request: post(child(`<samlp:NameIDPolicy AllowCreate="maybe"/>`)), code: "sp.request"},
		"index no number":         {request: post(noACS, noBinding, attribute(`AssertionConsumerServiceIndex="-1"`)), code: "sp.request"},
		"URL and index":           {request: post(attribute(`AssertionConsumerServiceIndex="0"`)), code: "sp.request"},
		"binding and index":       {request: post(noACS, attribute(`AssertionConsumerServiceIndex="0"`)), code: "sp.request"},
		"unknown Comparison":      {request: post(child(`<samlp:RequestedAuthnContext Comparison="same"><saml:AuthnContextClassRef>a</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>`)), code: "sp.request"},
		"empty context":           {request: post(child(`<samlp:RequestedAuthnContext/>`)), code: "sp.request"},
		"unknown issuer":          {request: post(replace(spID, spID+"/")), code: "sp.unknown"},
		"issuer of another case":  {request: post(replace(">https://app.example", ">https://APP.example")), code: "sp.unknown"},
		"issuer with blanks":      {request: post(replace(spID, " "+spID)), code: "sp.unknown"},
		"unregistered ACS":        {request: post(replace(acsURL, "https://evil.test/acs")), code: "sp.acs_mismatch"},
		"ACS with a query":        {request: post(replace(acsURL, acsURL+"?a=b")), code: "sp.acs_mismatch"},
		"ACS of a prefix":         {request: post(replace(acsURL, acsURL+".evil.test")), code: "sp.acs_mismatch"},
		"javascript ACS":          {request: post(replace(acsURL, "javascript:alert(1)")), code: "sp.acs_mismatch"},
		"unknown ACS index":       {request: post(noACS, noBinding, attribute(`AssertionConsumerServiceIndex="7"`)), code: "sp.acs_mismatch"},
		"wrong Destination":       {request: post(replace(ssoURL, ssoURL+"/")), code: "sp.destination"},
		"Destination of another":  {request: redirect(nil, replace(ssoURL, "https://other.example.test/saml/sso")), code: "sp.destination"},
		"signed, no Destination":  {request: redirect(&sp, noDestination), code: "sp.destination"},
		"unsigned by Redirect":    {request: redirect(nil), metadata: signed, code: "sp.unsigned"},
		"unsigned by POST":        {request: post(), metadata: signed, code: "sp.unsigned"},
		"query signed by another": {request: redirect(&other), metadata: signed, code: "sp.signature"},
		"bad signature, not demanded": {
			request: redirect(&other), code: "sp.signature",
		},
		"signature stripped": {
			request: tampered(func(q string) string { return q[:strings.Index(q, "&Signature=")] }), metadata: signed, code: "binding.signature",
		},
		"signature and algorithm stripped": {
			request: tampered(func(q string) string { return q[:strings.Index(q, "&SigAlg=")] }), metadata: signed, code: "sp.unsigned",
		},
		"RelayState changed": {request: tampered(replace("RelayState=rs", "RelayState=xx")), code: "sp.signature"},
		"RelayState removed": {request: tampered(replace("&RelayState=rs", "")), code: "sp.signature"},
		"RelayState added":   {request: tampered(func(q string) string { return "RelayState=a&" + strings.Replace(q, "&RelayState=rs", "", 1) }), code: "sp.signature"},
		"SHA-1 claimed":      {request: tampered(replace("rsa-sha256", "rsa-sha1")), code: "sp.signature"},
		"dsa-sha1 claimed": {
			request: tampered(replace(url.QueryEscape(xmlsec.AlgRSASHA256), url.QueryEscape("http://www.w3.org/2000/09/xmldsig#dsa-sha1"))), code: "sp.signature",
		},
		"algorithm none": {request: tampered(replace("rsa-sha256", "none")), code: "sp.signature"},
		"no keys in the metadata": {
			request:  redirect(&sp),
			metadata: withoutKeys,
			code:     "sp.signature",
		},
		"enveloped signature on Redirect is no substitute": {
			request: func(t testing.TB) *http.Request {
				return byRedirect(t, signedBy(t, authnRequest, sp), "", nil)
			}, metadata: signed, code: "sp.unsigned",
		},
		"enveloped signature by another": {
			request: func(t testing.TB) *http.Request { return byPOST(t, signedBy(t, authnRequest, other), "") }, code: "sp.signature",
		},
		"altered after signing": {
			request: func(t testing.TB) *http.Request {
				return byPOST(t, replace(acsURL, acsURL+"2")(signedBy(t, authnRequest, sp)), "")
			}, code: "sp.signature",
		},
		"query signature used for POST": {
			request: func(t testing.TB) *http.Request {
				q, err := url.ParseQuery(redirectQuery(t, authnRequest, "rs", &sp))
				if err != nil {
					t.Fatal(err)
				}
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, ssoURL, strings.NewReader(q.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				return r
			}, metadata: signed, code: "sp.unsigned",
		},
		"signed request wrapped in another (XSW)": {
			request: func(t testing.TB) *http.Request {
				inner := signedBy(t, authnRequest, sp)
				return byPOST(t, edited(replace("_request1", "_evil"), replace(acsURL, acsURL+"2"), child(`<samlp:Extensions>`+inner+`</samlp:Extensions>`)), "")
			}, metadata: signed, code: "sp.unsigned",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.metadata, nil)
			got := w.send(c.request(t))
			if got.response != nil {
				t.Fatalf("a Response was sent to %s:\n%s", got.action, got.response)
			}
			if got.status < 400 || got.status >= 500 || !strings.Contains(got.page, c.code) || !strings.Contains(w.log.String(), "code="+c.code+" ") {
				t.Errorf("got %d %s\nwant a page with %s", got.status, w.log, c.code)
			}
			if w.auth.asked != nil {
				t.Error("somebody was asked to sign in")
			}
		})
	}
}

func withoutKeys(md string) string {
	from, to := strings.Index(md, "<md:KeyDescriptor"), strings.Index(md, "</md:KeyDescriptor>")
	return md[:from] + md[to+len("</md:KeyDescriptor>"):]
}

// TestRejectionCorpusAtACS lists requests of which the endpoint is known: the
// refusal is a signed Response there.
func TestRejectionCorpusAtACS(t *testing.T) {
	t.Parallel()
	policy := func(attrs string) func(string) string { return child(`<samlp:NameIDPolicy ` + attrs + `/>`) }
	context := func(comparison, class string) func(string) string {
		return child(`<samlp:RequestedAuthnContext Comparison="` + comparison + `"><saml:AuthnContextClassRef>` + class + `</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>`)
	}
	issued := func(at time.Time) func(string) string {
		return replace("2026-11-23T12:00:00Z", at.Format(time.RFC3339))
	}
	subject := func(attrs, id string) func(string) string {
		return child(`<saml:Subject><saml:NameID ` + attrs + `>` + id + `</saml:NameID></saml:Subject>`)
	}
	for name, c := range map[string]struct {
		edits []func(string) string
		err   error // of the Authenticator
		code  string
		want  string // status codes
	}{
		"expired":                  {edits: edits(issued(noon.Add(-8*time.Minute - time.Second))), code: "sp.expired", want: "Requester/RequestDenied"},
		"from the future":          {edits: edits(issued(noon.Add(3*time.Minute + time.Second))), code: "sp.future", want: "Requester/RequestDenied"},
		"version 1.1":              {edits: edits(replace(`"2.0"`, `"1.1"`)), code: "sp.version_low", want: "VersionMismatch/RequestVersionTooLow"},
		"version 2.1":              {edits: edits(replace(`"2.0"`, `"2.1"`)), code: "sp.version_high", want: "VersionMismatch/RequestVersionTooHigh"},
		"PAOS wanted":              {edits: edits(noACS, replace("bindings:HTTP-POST", "bindings:PAOS")), code: "sp.binding", want: "Requester/UnsupportedBinding"},
		"Artifact wanted at POST":  {edits: edits(replace("HTTP-POST", "HTTP-Artifact")), code: "sp.binding", want: "Requester/UnsupportedBinding"},
		"Redirect wanted":          {edits: edits(replace("HTTP-POST", "HTTP-Redirect")), code: "sp.binding", want: "Requester/UnsupportedBinding"},
		"unknown attribute index":  {edits: edits(attribute(`AttributeConsumingServiceIndex="9"`)), code: "sp.request", want: "Requester/RequestDenied"},
		"kerberos NameID":          {edits: edits(policy(`Format="urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"`)), code: "sp.nameid_policy", want: "Requester/InvalidNameIDPolicy"},
		"foreign SPNameQualifier":  {edits: edits(policy(`SPNameQualifier="https://affiliation.example.test"`)), code: "sp.nameid_policy", want: "Requester/InvalidNameIDPolicy"},
		"answer of another format": {edits: edits(policy(`Format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient"`)), code: "sp.nameid_policy", want: "Requester/InvalidNameIDPolicy"},
		"context unmet":            {edits: edits(context("exact", "https://refeds.org/profile/mfa")), code: "sp.authn_context", want: "Responder/NoAuthnContext"},
		"better than it was":       {edits: edits(context("better", string(identity.ClassPasswordProtectedTransport))), code: "sp.authn_context", want: "Responder/NoAuthnContext"},
		"declaration wanted": {
			edits: edits(child(`<samlp:RequestedAuthnContext><saml:AuthnContextDeclRef>urn:x</saml:AuthnContextDeclRef></samlp:RequestedAuthnContext>`)),
			code:  "sp.authn_context", want: "Responder/NoAuthnContext",
		},
		"another person":           {edits: edits(subject("", "bob")), code: "sp.subject", want: "Responder/UnknownPrincipal"},
		"right name, other format": {edits: edits(subject(`Format="`+string(identity.FormatTransient)+`"`, alice().Principal.Subject)), code: "sp.subject", want: "Responder/UnknownPrincipal"},
		"right name, other SP":     {edits: edits(subject(`SPNameQualifier="x"`, alice().Principal.Subject)), code: "sp.subject", want: "Responder/UnknownPrincipal"},
		"SubjectConfirmation":      {edits: edits(child(`<saml:Subject><saml:NameID>a</saml:NameID><saml:SubjectConfirmation Method="urn:x"/></saml:Subject>`)), code: "sp.unsupported", want: "Requester/RequestUnsupported"},
		"encrypted subject":        {edits: edits(child(`<saml:Subject><saml:EncryptedID/></saml:Subject>`)), code: "sp.subject", want: "Responder/UnknownPrincipal"},

		"passive":     {err: &identity.Error{Kind: identity.KindNeedsInteraction, Code: "sp.passive", Msg: "m"}, code: "sp.passive", want: "Responder/NoPassive"},
		"denied":      {err: &identity.Error{Kind: identity.KindDenied, Code: "user.not_allowed", Msg: "m"}, code: "user.not_allowed", want: "Responder/AuthnFailed"},
		"no create":   {err: &identity.Error{Kind: identity.KindDenied, Code: "sp.nameid_policy", Msg: "m"}, code: "sp.nameid_policy", want: "Requester/InvalidNameIDPolicy"},
		"unavailable": {err: &identity.Error{Kind: identity.KindUnavailable, Code: "x.y", Msg: "m"}, code: "x.y", want: "Responder/AuthnFailed"},
		"internal":    {err: http.ErrBodyNotAllowed, code: "internal", want: "Responder/AuthnFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil, nil)
			w.auth.err = c.err
			got := w.send(byRedirect(t, edited(c.edits...), "the state", nil))
			if got.response == nil {
				t.Fatalf("no Response, but %d\n%s", got.status, w.log)
			}
			r := w.verified(t, got.response)
			type facts struct{ Codes, Action, Destination, InResponseTo, RelayState string }
			seen := facts{got.codes(), got.action, r.Attr("Destination"), r.Attr("InResponseTo"), got.relayState}
			if diff := cmp.Diff(facts{c.want, acsURL, acsURL, "_request1", "the state"}, seen); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if strings.Contains(string(got.response), "Assertion") {
				t.Errorf("an assertion in a refusal:\n%s", got.response)
			}
			if m := got.message(); !strings.Contains(m, "("+c.code+", request ") || !strings.Contains(w.log.String(), "code="+c.code+" ") {
				t.Errorf("message %q, log %s\nwant %s and the request ID", m, w.log, c.code)
			}
		})
	}
}

func edits(e ...func(string) string) []func(string) string { return e }

// TestLegitimateForms lists what must be accepted, too.
func TestLegitimateForms(t *testing.T) {
	t.Parallel()
	sp := loadKey(t, "sp")
	plain := func(edits ...func(string) string) func(testing.TB) *http.Request {
		return func(t testing.TB) *http.Request { return byRedirect(t, edited(edits...), "", nil) }
	}
	signed := flag("AuthnRequestsSigned")
	for name, c := range map[string]struct {
		request  func(testing.TB) *http.Request
		metadata func(string) string
		acs      string
	}{
		"plain":                {request: plain()},
		"no Destination":       {request: plain(noDestination)},
		"no ACS":               {request: plain(noACS, noBinding)},
		"ACS by index":         {request: plain(noACS, noBinding, attribute(`AssertionConsumerServiceIndex="2"`)), acs: acsURL + "2"},
		"ACS by URL":           {request: plain(replace(acsURL, acsURL+"2")), acs: acsURL + "2"},
		"clock 170 s slow":     {request: plain(replace("12:00:00Z", "11:57:10Z"))},
		"clock 170 s fast":     {request: plain(replace("12:00:00Z", "12:02:50Z"))},
		"fractions":            {request: plain(replace("12:00:00Z", "12:00:00.1234567Z"))},
		"unknown Extensions":   {request: plain(child(`<samlp:Extensions><x:a xmlns:x="urn:x" b="c"><x:d/></x:a></samlp:Extensions>`))},
		"unknown attribute":    {request: plain(attribute(`Consent="urn:oasis:names:tc:SAML:2.0:consent:unspecified" ProviderName="App"`))},
		"Conditions":           {request: plain(child(`<saml:Conditions NotBefore="2026-11-23T12:00:00Z"/>`))},
		"Scoping":              {request: plain(child(`<samlp:Scoping ProxyCount="0"><samlp:IDPList><samlp:IDPEntry ProviderID="urn:x"/></samlp:IDPList><samlp:RequesterID>urn:y</samlp:RequesterID></samlp:Scoping>`))},
		"Format-less policy":   {request: plain(child(`<samlp:NameIDPolicy AllowCreate="1"/>`))},
		"own SPNameQualifier":  {request: plain(child(`<samlp:NameIDPolicy SPNameQualifier="` + spID + `"/>`))},
		"the right person":     {request: plain(child(`<saml:Subject><saml:NameID>` + alice().Principal.Subject + `</saml:NameID></saml:Subject>`))},
		"any context":          {request: plain(child(`<samlp:RequestedAuthnContext Comparison="minimum"><saml:AuthnContextClassRef> ` + string(identity.ClassPassword) + ` </saml:AuthnContextClassRef></samlp:RequestedAuthnContext>`))},
		"POST":                 {request: func(t testing.TB) *http.Request { return byPOST(t, authnRequest, "") }},
		"signed by Redirect":   {request: func(t testing.TB) *http.Request { return byRedirect(t, authnRequest, "a b+c", &sp) }, metadata: signed},
		"signed by POST":       {request: func(t testing.TB) *http.Request { return byPOST(t, signedBy(t, authnRequest, sp), "") }, metadata: signed},
		"signed, not demanded": {request: func(t testing.TB) *http.Request { return byPOST(t, signedBy(t, authnRequest, sp), "") }},
		"second key": {
			request:  func(t testing.TB) *http.Request { return byRedirect(t, authnRequest, "", &sp) },
			metadata: func(md string) string { return signed(anotherKeyFirst(t, md)) },
		},
		"both signatures": {
			request: func(t testing.TB) *http.Request { return byRedirect(t, signedBy(t, authnRequest, sp), "", &sp) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.metadata, nil)
			got := w.send(c.request(t))
			if got.codes() != "Success" {
				t.Fatalf("got %d %s %s\n%s", got.status, got.codes(), got.message(), w.log)
			}
			if want := c.acs; want != "" && got.action != want {
				t.Errorf("sent to %s, want %s", got.action, want)
			}
			w.verified(t, got.response)
		})
	}
}

func anotherKeyFirst(t testing.TB, md string) string {
	t.Helper()
	return replace("<md:KeyDescriptor", `<md:KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>`+
		certBase64(t, "other")+`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:KeyDescriptor`)(md)
}

// TestRelayStateXSS: what a peer sends is text on our pages, and comes back octet
// for octet.
func TestRelayStateXSS(t *testing.T) {
	t.Parallel()
	for _, state := range []string{`"><script>alert(1)</script>`, `javascript:alert(1)`, `a&amp;b'c`, "ä\u2028🔑", strings.Repeat("x", 1000)} {
		w := newWorld(t, nil, nil)
		got := w.send(byRedirect(t, edited(attribute(`ProviderName="&lt;script>alert(2)&lt;/script>"`)), state, nil))
		if got.relayState != state {
			t.Errorf("got %q back, want %q", got.relayState, state)
		}
		if strings.Contains(got.page, "<script>alert") {
			t.Errorf("a script on the page:\n%s", got.page)
		}
	}
	got := newWorld(t, nil, nil).send(byPOST(t, edited(replace(spID, `&lt;script>alert(3)&lt;/script>`)), ""))
	if strings.Contains(got.page, "<script>alert") || !strings.Contains(got.page, "&lt;script&gt;alert(3)") {
		t.Errorf("the entityID on the page:\n%s", got.page)
	}
}

func TestReplayedRequestIsNoError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	for range 2 {
		if got := w.send(byRedirect(t, authnRequest, "", nil)); got.codes() != "Success" {
			t.Fatalf("got %s\n%s", got.codes(), w.log)
		}
	}
}

func TestRequireRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule     identity.Switch
		metadata func(string) string
		config   bool
		want     string
	}{
		"nobody":                     {identity.Auto, nil, false, "Success"},
		"the metadata":               {identity.Auto, flag("AuthnRequestsSigned"), false, ""},
		"the configuration":          {identity.Auto, nil, true, ""},
		"the rule":                   {identity.On, nil, false, ""},
		"the rule overrules the two": {identity.Off, flag("AuthnRequestsSigned"), true, "Success"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.metadata, func(cfg *idp.Config) { cfg.RequireSignedRequests = c.config })
			w.party.Sign.RequireRequests = c.rule
			if got := w.send(byRedirect(t, authnRequest, "", nil)); got.codes() != c.want {
				t.Errorf("got %q, want %q\n%s", got.codes(), c.want, w.log)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	for method, want := range map[string]int{http.MethodHead: http.StatusOK, http.MethodPut: http.StatusMethodNotAllowed, http.MethodDelete: http.StatusMethodNotAllowed} {
		r := byRedirect(t, authnRequest, "", nil)
		r.Method = method
		if got := w.send(r); got.status != want || got.response != nil || w.auth.asked != nil {
			t.Errorf("%s: got %d, want %d and nothing else", method, got.status, want)
		}
	}
}
