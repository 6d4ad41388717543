package idp_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

const (
	ecpURL  = "https://login.example.test/saml/ecp"
	paosACS = acsURL + "/paos"
)

// direct is a DirectAuthenticator that knows the answer already.
type direct struct {
	answer identity.Assertion
	err    error

	mu    sync.Mutex
	asked []string // names and passwords
}

func (d *direct) Authenticate(_ context.Context, _ *http.Request, _ identity.AuthnRequest, name, password string) (identity.Assertion, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, name+":"+password)
	return d.answer, d.err
}

// ecpRequest is what an enhanced client forwards unless a case changes it.
var ecpRequestXML = replace(` ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"`, ` ProtocolBinding="`+identity.BindingPAOS+`"`)(
	replace(acsURL, paosACS)(noDestination(authnRequest)))

const (
	soapAttrs   = ` xmlns:S="` + xmlsec.NSSOAP11 + `" S:mustUnderstand="1" S:actor="http://schemas.xmlsoap.org/soap/actor/next"`
	cbPoint     = "urn:x-channel:server-end-point"
	cbUnique    = "urn:x-channel:unique"
	sessionKey  = `<samlec:SessionKey xmlns:samlec="urn:ietf:params:xml:ns:samlec"` + soapAttrs + `><samlec:EncType>18</samlec:EncType></samlec:SessionKey>`
	extensionOf = `</saml:Issuer>`
)

// channel is a cb:ChannelBindings, as a header or as an extension.
func channel(kind, value, attrs string) string {
	return `<cb:ChannelBindings xmlns:cb="` + xmlsec.NSChannelBinding + `" Type="` + kind + `"` + attrs + `>` + value + `</cb:ChannelBindings>`
}

// extended puts channel bindings into the request's Extensions.
func extended(xml string) func(string) string {
	return replace(extensionOf, extensionOf+`<samlp:Extensions>`+xml+`</samlp:Extensions>`)
}

func newECPWorld(t testing.TB, edit func(string) string, with *direct) *world {
	t.Helper()
	if with.answer.Session == "" {
		with.answer = alice()
	}
	w := newWorld(t, func(md string) string {
		md = replace(`<md:AttributeConsumingService`, `<md:AssertionConsumerService Binding="`+identity.BindingPAOS+`" Location="`+paosACS+`" index="4"/><md:AttributeConsumingService`)(md)
		if edit != nil {
			md = edit(md)
		}
		return md
	}, func(cfg *idp.Config) { cfg.Direct = with })
	w.party.ECP = true
	return w
}

// ecpAnswer is what a client receives.
type ecpAnswer struct {
	status  int
	fault   string
	codes   string
	headers []string // names of header blocks, with what they say
	body    *xmlsec.Element
	octets  []byte
	header  http.Header
}

func (a ecpAnswer) String() string {
	if a.fault != "" {
		return a.fault
	}
	return a.codes
}

// client sends a request with a header to the ECP endpoint as alice. Each edit
// may change the HTTP request.
func (w *world) client(t testing.TB, header, message string, edits ...func(*http.Request)) ecpAnswer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, ecpURL, strings.NewReader(string(binding.SOAP([]byte(header), []byte(message)))))
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	r.SetBasicAuth("älice", "pässword: x")
	for _, e := range edits {
		e(r)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	a := ecpAnswer{status: rec.Code, octets: rec.Body.Bytes(), header: rec.Header()}
	env, err := binding.ParseSOAP(a.octets)
	if err != nil {
		t.Fatalf("%d: %v\n%s", rec.Code, err, rec.Body)
	}
	if env.Body.Is(xmlsec.NSSOAP11, "Fault") {
		text, err := env.Body.Child("", "faultstring").Text()
		if err != nil {
			t.Fatal(err)
		}
		_, code, _ := strings.Cut(text, "(")
		a.fault, _, _ = strings.Cut(code, ",")
		return a
	}
	for _, h := range env.Headers {
		if h.AttrNS(xmlsec.NSSOAP11, "actor") != binding.ActorNext {
			t.Errorf("the actor of %s is %q", h.Local, h.AttrNS(xmlsec.NSSOAP11, "actor"))
		}
		a.headers = append(a.headers, strings.TrimSpace(h.Local+" "+h.Attr("AssertionConsumerServiceURL")+h.Attr("Type")+" "+h.AttrNS(xmlsec.NSSOAP11, "mustUnderstand")))
	}
	a.body, err = env.Document.Verify(env.Body, xmlsec.Trust{Keys: []crypto.PublicKey{w.key.Public()}})
	if err != nil {
		t.Fatalf("the Response's signature: %v\n%s", err, a.octets)
	}
	a.codes = answer{response: a.body.Raw()}.codes()
	peer.ValidateXSD(t, a.octets)
	return a
}

func TestECP(t *testing.T) {
	t.Parallel()
	key := loadKey(t, "sp")
	unsigned := func(_ testing.TB, xml string) string { return xml }
	signed := func(t testing.TB, xml string) string { return signedBy(t, xml, key) }
	response := "Response " + paosACS + " 1"
	for name, c := range map[string]struct {
		header  string
		edit    func(string) string // of the request
		sign    func(testing.TB, string) string
		want    string
		headers []string
	}{
		"as it comes":   {want: "Success", headers: []string{response}},
		"signed":        {sign: signed, want: "Success", headers: []string{response, "RequestAuthenticated"}},
		"signed, to us": {sign: signed, edit: attribute(`Destination="` + ecpURL + `"`), want: "Success", headers: []string{response, "RequestAuthenticated"}},
		"the index of an endpoint": {edit: func(s string) string {
			return replace(`AssertionConsumerServiceURL="`+paosACS+`" ProtocolBinding="`+identity.BindingPAOS+`"`, `AssertionConsumerServiceIndex="4"`)(s)
		}, want: "Success", headers: []string{response}},
		"no endpoint named": {edit: replace(` AssertionConsumerServiceURL="`+paosACS+`"`, ``), want: "Success", headers: []string{response}},
		"a header for somebody else": {header: `<x:y xmlns:x="urn:x" xmlns:S="` + xmlsec.NSSOAP11 + `" S:mustUnderstand="1" S:actor="urn:somebody"/>`,
			want: "Success", headers: []string{response}},
		"channels agree": {header: channel(cbPoint, "YWJj", soapAttrs), edit: extended(channel(cbPoint, "YW\n Jj", "")), sign: signed,
			want: "Success", headers: []string{response, "RequestAuthenticated", "ChannelBindings " + cbPoint + " 1"}},
		"channels agree on one type": {header: channel(cbUnique, "eA==", soapAttrs) + channel(cbPoint, "YWJj", soapAttrs), edit: extended(channel(cbPoint, "YWJj", "")), sign: signed,
			want: "Success", headers: []string{response, "RequestAuthenticated", "ChannelBindings " + cbPoint + " 1"}},
		"channels differ": {header: channel(cbPoint, "YWJj", soapAttrs), edit: extended(channel(cbPoint, "eHl6", "")), sign: signed,
			want: "Requester/RequestDenied", headers: []string{response, "RequestAuthenticated"}},
		"channels agree on one type and differ on another": {header: channel(cbUnique, "eA==", soapAttrs) + channel(cbPoint, "YWJj", soapAttrs),
			edit: extended(channel(cbPoint, "YWJj", "") + channel(cbUnique, "eQ==", "")), sign: signed,
			want: "Requester/RequestDenied", headers: []string{response, "RequestAuthenticated"}},
		"channels of different types": {header: channel(cbUnique, "YWJj", soapAttrs), edit: extended(channel(cbPoint, "YWJj", "")), sign: signed,
			want: "Requester/RequestDenied", headers: []string{response, "RequestAuthenticated"}},
		"the client's channel alone": {header: channel(cbPoint, "YWJj", soapAttrs), sign: signed,
			want: "Requester/RequestDenied", headers: []string{response, "RequestAuthenticated"}},
		"the application's channel alone": {edit: extended(channel(cbPoint, "YWJj", "")), sign: signed,
			want: "Requester/RequestDenied", headers: []string{response, "RequestAuthenticated"}},
		"empty channels": {header: channel(cbPoint, "", soapAttrs), edit: extended(channel(cbPoint, "", "")), sign: signed,
			want: "Requester/RequestDenied", headers: []string{response, "RequestAuthenticated"}},
		"channels agree, nobody signed": {header: channel(cbPoint, "YWJj", soapAttrs), edit: extended(channel(cbPoint, "YWJj", "")),
			want: "Requester/RequestDenied", headers: []string{response}},
		"a key that cannot be sealed": {header: sessionKey, sign: signed, want: "Requester/RequestDenied", headers: []string{response, "RequestAuthenticated"}},
		"another NameIDPolicy":        {edit: child(`<samlp:NameIDPolicy Format="urn:x"/>`), want: "Requester/InvalidNameIDPolicy", headers: []string{response}},
		"too old":                     {edit: replace("2026-11-23T12", "2026-11-23T11"), want: "Requester/RequestDenied", headers: []string{response}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &direct{}
			w := newECPWorld(t, nil, d)
			xml := ecpRequestXML
			if c.edit != nil {
				xml = c.edit(xml)
			}
			if c.sign == nil {
				c.sign = unsigned
			}
			got := w.client(t, c.header, c.sign(t, xml))
			if got.status != http.StatusOK || got.String() != c.want {
				t.Fatalf("got %d %v, want %s\n%s", got.status, got, c.want, w.log)
			}
			if diff := cmp.Diff(c.headers, got.headers); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			wantAsked := []string{"älice:pässword: x"}
			if c.want != "Success" {
				wantAsked = nil // nobody's password was looked at
			}
			if diff := cmp.Diff(wantAsked, d.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if c.want == "Success" {
				checkECPAssertion(t, got, c.header != "" && strings.Contains(c.header, "ChannelBindings"))
			}
			if to := got.body.Attr("Destination"); to != paosACS || got.body.Attr("InResponseTo") != "_request1" {
				t.Errorf("the Response is for %q %q", to, got.body.Attr("InResponseTo"))
			}
		})
	}
}

// checkECPAssertion wants the assertion to be for the registered endpoint.
func checkECPAssertion(t *testing.T, got ecpAnswer, bound bool) {
	t.Helper()
	a := got.body.Child(xmlsec.NSAssertion, "Assertion")
	confirmation := a.Child(xmlsec.NSAssertion, "Subject").Child(xmlsec.NSAssertion, "SubjectConfirmation")
	if to := confirmation.Child(xmlsec.NSAssertion, "SubjectConfirmationData").Attr("Recipient"); to != paosACS {
		t.Errorf("Recipient is %q", to)
	}
	advised := a.Child(xmlsec.NSAssertion, "Advice").Child(xmlsec.NSChannelBinding, "ChannelBindings").Attr("Type")
	if want := map[bool]string{true: cbPoint}[bound]; advised != want {
		t.Errorf("the Advice names %q, want %q", advised, want)
	}
}

// TestECPGeneratedKey: client and service provider get the same key, and it
// stands in nothing that others can read.
func TestECPGeneratedKey(t *testing.T) {
	t.Parallel()
	key := loadKey(t, "sp")
	d := &direct{}
	w := newECPWorld(t, replace(` use="signing"`, ``), d)
	got := w.client(t, sessionKey, signedBy(t, ecpRequestXML, key))
	if got.codes != "Success" {
		t.Fatalf("got %v\n%s", got, w.log)
	}
	env, err := binding.ParseSOAP(got.octets)
	if err != nil {
		t.Fatal(err)
	}
	last := env.Headers[len(env.Headers)-1]
	ofClient, err := last.Text()
	if err != nil || !last.Is(xmlsec.NSSAMLEC, "GeneratedKey") || len(decoded(t, ofClient)) != 32 {
		t.Fatalf("the client is given %s %q", last.Local, ofClient)
	}
	if n := strings.Count(string(got.octets), ofClient); n != 1 {
		t.Errorf("the key stands in the answer %d times", n)
	}
	doc, err := xmlsec.Decrypt(got.body.Child(xmlsec.NSAssertion, "EncryptedAssertion"), []crypto.Decrypter{key.Signer.(*rsa.PrivateKey)}, xmlsec.DecryptPolicy{}, xmlsec.ResponseLimits())
	if err != nil {
		t.Fatal(err)
	}
	ofSP, err := doc.Root().Child(xmlsec.NSAssertion, "Advice").Child(xmlsec.NSSAMLEC, "GeneratedKey").Text()
	if err != nil || ofSP != ofClient {
		t.Errorf("the application is given another key than the client")
	}
	if got := w.client(t, sessionKey, ecpRequestXML); got.codes != "Requester/RequestDenied" {
		t.Errorf("without a signature: got %v", got)
	}
	if got := w.client(t, "", signedBy(t, ecpRequestXML, key)); strings.Contains(string(got.octets), "GeneratedKey") {
		t.Error("a key that nobody asked for")
	}
}

// TestECPFaults are messages that cannot be believed: no password is looked at.
func TestECPFaults(t *testing.T) {
	t.Parallel()
	key, other := loadKey(t, "sp"), loadKey(t, "other")
	paosRequest := `<paos:Request xmlns:paos="` + xmlsec.NSPAOS + `"` + soapAttrs + ` responseConsumerURL="` + paosACS + `" service="urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp"/>`
	for name, c := range map[string]struct {
		header, message, want string
		metadata              func(string) string
	}{
		"a header left by the application": {header: paosRequest, message: ecpRequestXML, want: "binding.must_understand"},
		"no AuthnRequest":                  {message: strings.ReplaceAll(ecpRequestXML, "AuthnRequest", "LogoutRequest"), want: "sp.request"},
		"unknown application":              {message: replace(spID, "https://nobody.example.test")(ecpRequestXML), want: "sp.unknown"},
		"another's signature":              {message: signedBy(t, ecpRequestXML, other), want: "sp.signature"},
		"unsigned":                         {message: ecpRequestXML, metadata: flag("AuthnRequestsSigned"), want: "sp.unsigned"},
		"meant for another":                {message: signedBy(t, attribute(`Destination="https://idp.elsewhere.test/ecp"`)(ecpRequestXML), key), want: "sp.destination"},
		"meant for browsers":               {message: replace(identity.BindingPAOS, identity.BindingPOST)(replace(paosACS, acsURL)(ecpRequestXML)), want: "sp.binding"},
		"an address of nobody's":           {message: replace(paosACS, "https://evil.test/paos")(ecpRequestXML), want: "sp.acs_mismatch"},
		"no endpoint for clients":          {message: ecpRequestXML, metadata: replace(identity.BindingPAOS, identity.BindingArtifact), want: "sp.binding"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &direct{}
			w := newECPWorld(t, c.metadata, d)
			if got := w.client(t, c.header, c.message); got.status != http.StatusInternalServerError || got.fault != c.want {
				t.Errorf("got %d %v, want %s\n%s", got.status, got, c.want, w.log)
			}
			if d.asked != nil {
				t.Errorf("passwords were looked at: %q", d.asked)
			}
		})
	}
}

// TestECPCredentials: what is wrong with the name and password is HTTP's own
// matter, and the same to the client whatever it was; what is decided of a person
// who proved themselves is SAML's.
func TestECPCredentials(t *testing.T) {
	t.Parallel()
	none := func(r *http.Request) { r.Header.Del("Authorization") }
	set := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", value) }
	}
	failed := &identity.Error{Kind: identity.KindDenied, Code: "login.failed", Msg: "That name and password do not belong together. Try again."}
	as := func(kind identity.Kind, code identity.Code) error {
		return &identity.Error{Kind: kind, Code: code, Msg: "No."}
	}
	for name, c := range map[string]struct {
		err     error
		request func(*http.Request)
		passive bool
		status  int
		want    string
		judged  bool // the password was looked at
	}{
		"wrong":                         {err: failed, status: 401, want: "login.failed", judged: true},
		"empty password":                {err: as(identity.KindInvalid, "login.form"), status: 401, want: "login.failed", judged: true},
		"none":                          {request: none, status: 401, want: "login.failed"},
		"none, and nobody may be asked": {request: none, passive: true, status: 200, want: "Responder/NoPassive"},
		"of another scheme":             {request: set("Bearer abc"), status: 401, want: "login.failed"},
		"no base64":                     {request: set("Basic !"), status: 401, want: "login.failed"},
		"no name":                       {request: set("Basic OnB3"), status: 401, want: "login.failed"},
		"not UTF-8":                     {request: set("Basic 5GxpY2U6eA=="), status: 401, want: "login.failed"},
		"two of them":                   {request: func(r *http.Request) { r.Header.Add("Authorization", "Basic YTpi") }, status: 401, want: "login.failed"},
		"too many tries":                {err: as(identity.KindDenied, "rate.limited"), status: 429, want: "rate.limited", judged: true},
		"busy":                          {err: as(identity.KindUnavailable, "rate.busy"), status: 503, want: "rate.busy", judged: true},
		"broken":                        {err: context.Canceled, status: 500, want: "internal", judged: true},
		"a page is needed":              {err: as(identity.KindNeedsInteraction, "login.page_needed"), status: 200, want: "Responder/NoPassive", judged: true},
		"may not use the application":   {err: as(identity.KindDenied, "user.not_allowed"), status: 200, want: "Responder/AuthnFailed", judged: true},
		"another context":               {err: as(identity.KindContextUnmet, "sp.authn_context"), status: 200, want: "Responder/NoAuthnContext", judged: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &direct{err: c.err}
			w := newECPWorld(t, nil, d)
			xml := ecpRequestXML
			if c.passive {
				xml = attribute(`IsPassive="true"`)(xml)
			}
			edits := []func(*http.Request){}
			if c.request != nil {
				edits = append(edits, c.request)
			}
			got := w.client(t, "", xml, edits...)
			if got.status != c.status || got.String() != c.want {
				t.Errorf("got %d %v, want %d %s\n%s", got.status, got, c.status, c.want, w.log)
			}
			if judged := d.asked != nil; judged != c.judged {
				t.Errorf("looked at %q", d.asked)
			}
			challenge := got.header.Get("WWW-Authenticate")
			if want := map[bool]string{true: `Basic realm="samlet", charset="UTF-8"`}[c.status == 401]; challenge != want {
				t.Errorf("WWW-Authenticate is %q, want %q", challenge, want)
			}
			if c.status == 401 && !strings.Contains(string(got.octets), failed.Msg) {
				t.Errorf("tells more than others: %s", got.octets)
			}
			if again := got.header.Get("Retry-After"); (again != "") != (c.status == 503) {
				t.Errorf("Retry-After is %q", again)
			}
		})
	}
}

// TestECPIsOff: nothing is served or published unless the operator says so, for
// this very application.
func TestECPIsOff(t *testing.T) {
	t.Parallel()
	d := &direct{}
	w := newECPWorld(t, nil, d)
	w.party.ECP = false
	if got := w.client(t, "", ecpRequestXML); got.codes != "Responder/RequestUnsupported" || d.asked != nil {
		t.Errorf("got %v, asked %q", got, d.asked)
	}
	without := newWorld(t, nil, nil)
	if rec := without.soap(t, "/saml/ecp", string(binding.SOAP(nil, []byte(ecpRequestXML)))); rec.Code != http.StatusNotFound {
		t.Errorf("got %d where no application may", rec.Code)
	}
	for name, c := range map[string]struct {
		w    *world
		want bool
	}{"on": {w, true}, "off": {without, false}} {
		doc, err := c.w.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(doc.Body), `<md:SingleSignOnService Binding="`+identity.BindingSOAP+`" Location="`+ecpURL+`">`); got != c.want {
			t.Errorf("%s: published is %t", name, got)
		}
	}
}

// TestAttackECPCrossSite: a browser that remembers the password is of no use to
// another site.
func TestAttackECPCrossSite(t *testing.T) {
	t.Parallel()
	d := &direct{}
	w := newECPWorld(t, nil, d)
	for name, change := range map[string]func(*http.Request){
		"another site":       func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"another origin":     func(r *http.Request) { r.Header.Set("Origin", "https://evil.test") },
		"a form's own types": func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, ecpURL, strings.NewReader(string(binding.SOAP(nil, []byte(ecpRequestXML)))))
		r.Header.Set("Content-Type", "text/xml")
		r.SetBasicAuth("alice", "password")
		change(r)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code == http.StatusOK || d.asked != nil {
			t.Errorf("%s: got %d, asked %q", name, rec.Code, d.asked)
		}
	}
}
