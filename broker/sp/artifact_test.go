package sp_test

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/broker/brokertest"
	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

const arsIndex = 7

// resolveXML finds ID and artifact of an ArtifactResolve.
var resolveXML = regexp.MustCompile(`(?s)<samlp:ArtifactResolve [^>]*\bID="([^"]+)".*<samlp:Artifact>([^<]+)</samlp:Artifact>`)

// resolver is the ArtifactResolutionService of the tests' upstream. It answers
// again and again, as one that is broken or hostile does.
type resolver struct {
	*httptest.Server
	mu       sync.Mutex
	kept     map[string]string // Response by artifact
	wrap     func(t testing.TB, id, response string) string
	resolved []string // the requests
}

// newResolver starts one; wrap makes an ArtifactResponse to the request of id, and
// is unsigned if nil.
func newResolver(t testing.TB, wrap func(t testing.TB, id, response string) string) *resolver {
	t.Helper()
	if wrap == nil {
		wrap = func(t testing.TB, id, response string) string { return artifactResponse(t, id, response, nil) }
	}
	r := &resolver{kept: map[string]string{}, wrap: wrap}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, rq *http.Request) {
		raw, err := io.ReadAll(rq.Body)
		if err != nil {
			t.Error(err)
		}
		found := resolveXML.FindSubmatch(raw)
		if found == nil {
			t.Errorf("this is no ArtifactResolve: %s", raw)
			return
		}
		id := string(found[1])
		r.mu.Lock()
		defer r.mu.Unlock()
		r.resolved = append(r.resolved, string(raw))
		w.Header().Set("Content-Type", "text/xml")
		_, err = io.WriteString(w, `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>`+r.wrap(t, id, r.kept[string(found[2])])+`</S:Body></S:Envelope>`)
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// artifactResponse writes one, signed by a party if there is one; edits are made
// before.
func artifactResponse(t testing.TB, id, response string, signer *party, edits ...string) string {
	t.Helper()
	xml := `<samlp:ArtifactResponse xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_ar" Version="2.0" IssueInstant="` + stamp(0) + `" InResponseTo="` + id + `"><saml:Issuer>` + idpID + `</saml:Issuer>{AR-SIGNATURE}<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` + response + `</samlp:ArtifactResponse>`
	for i := 0; i < len(edits); i += 2 {
		xml = strings.Replace(xml, edits[i], edits[i+1], 1)
	}
	if signer != nil {
		return answer{signer: *signer}.signed(t, xml, "{AR-SIGNATURE}")
	}
	return strings.Replace(xml, "{AR-SIGNATURE}", "", 1)
}

// keep has the resolver keep a Response, and returns what the browser brings.
func (r *resolver) keep(t testing.TB, from identity.EntityID, index uint16, response string) binding.Received {
	t.Helper()
	a, err := binding.NewArtifact(from, index, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.kept[a.String()] = response
	r.mu.Unlock()
	return binding.Received{Method: http.MethodGet, Path: "/saml/acs/acme", RawQuery: url.Values{"SAMLart": {a.String()}, "RelayState": {"a-ticket"}}.Encode()}
}

func (r *resolver) takes(cfg *sp.Config) {
	cfg.Artifact, cfg.HTTP = true, r.Client()
	cfg.IDP.IDP.ArtifactResolution = []metadata.IndexedEndpoint{{Endpoint: metadata.Endpoint{Binding: identity.BindingSOAP, Location: r.URL}, Index: arsIndex}}
}

// byArtifact is upstream, but its answers are fetched.
type byArtifact struct {
	upstream
	*resolver
}

func (b byArtifact) open(t testing.TB, id identity.EntityID, p party) broker.Connector {
	cfg := config(t, id, p.signer.Public())
	b.takes(&cfg)
	return connect(t, cfg)
}

func (b byArtifact) Open(t testing.TB) broker.Connector { return b.open(t, idpID, b.signer) }

func (b byArtifact) OpenOther(t testing.TB) broker.Connector { return b.open(t, otherID, b.other) }

func (b byArtifact) Answer(t testing.TB, c brokertest.Case, asked binding.Message) (binding.Received, bool) {
	t.Helper()
	in, ok := b.upstream.Answer(t, c, asked)
	if !ok {
		return in, false
	}
	return b.keep(t, idpID, arsIndex, xmlDeclaration.ReplaceAllString(decoded(t, in), "")), true
}

// TestArtifactConnector runs the suite of all connectors against answers that are
// fetched: they are held to the same.
func TestArtifactConnector(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, byArtifact{newUpstream(t, "both"), newResolver(t, nil)})
}

// TestArtifact holds what protects a fetched Response, and who may have made what
// is fetched.
func TestArtifact(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	by := func(p *party, edits ...string) func(testing.TB, string, string) string {
		return func(t testing.TB, id, response string) string { return artifactResponse(t, id, response, p, edits...) }
	}
	noDestination := []string{` Destination="{ACS}"`, ""}
	tests := []struct {
		name  string
		sign  string // the Response
		edits []string
		wrap  func(testing.TB, string, string) string
		from  identity.EntityID // of the artifact
		index uint16
		cfg   func(*sp.Config)
		code  identity.Code // of the refusal
	}{
		{name: "an unsigned Response in a signed ArtifactResponse", sign: "nothing", wrap: by(&k.idp)},
		{name: "a signed Response in an unsigned one", sign: "response", wrap: by(nil)},
		{name: "no Destination, as it went through no browser", sign: "response", edits: noDestination, wrap: by(nil)},
		{name: "both signed, and the assertion", sign: "both", wrap: by(&k.idp)},
		{name: "nothing signed", sign: "nothing", wrap: by(nil), code: "up.unsigned"},
		{name: "signed by somebody else", sign: "nothing", wrap: by(&k.other), code: "up.signature"},
		{name: "another's Destination", sign: "response", edits: []string{`Destination="{ACS}"`, `Destination="https://elsewhere.test/acs"`}, wrap: by(nil), code: "up.destination"},
		{name: "changed after signing", sign: "nothing", wrap: func(t testing.TB, id, response string) string {
			return strings.Replace(artifactResponse(t, id, response, &k.idp), "ada.example<", "eve.example<", 1)
		}, code: "up.signature"},
		{name: "a second Response beside the signed one", sign: "nothing", wrap: func(t testing.TB, id, response string) string {
			good := artifactResponse(t, id, response, &k.idp)
			return strings.Replace(good, "</samlp:ArtifactResponse>", strings.NewReplacer("_response", "_evil", assertionID, "_evil2").Replace(response)+"</samlp:ArtifactResponse>", 1)
		}, code: "up.several_assertions"},
		{name: "an answer to another request", sign: "both", wrap: func(t testing.TB, _, response string) string { return artifactResponse(t, "_other", response, &k.idp) }, code: "up.artifact"},
		{name: "an answer to no request", sign: "both", wrap: func(t testing.TB, id, response string) string {
			return artifactResponse(t, id, response, nil, ` InResponseTo="`+id+`"`, "")
		}, code: "up.artifact"},
		{name: "of another issuer", sign: "both", wrap: by(nil, "<saml:Issuer>"+idpID, "<saml:Issuer>"+otherID), code: "up.issuer"},
		{name: "a refusal", sign: "both", wrap: by(nil, "status:Success", "status:Requester"), code: "up.artifact"},
		{name: "used before: an empty answer", sign: "both", wrap: func(t testing.TB, id, _ string) string { return artifactResponse(t, id, "", &k.idp) }, code: "up.artifact"},
		{name: "no ArtifactResponse", sign: "both", wrap: func(_ testing.TB, _, response string) string { return response }, code: "up.artifact"},
		{name: "no XML", sign: "both", wrap: func(testing.TB, string, string) string { return "<" }, code: "up.format"},
		{name: "an artifact of another entity (mix-up)", sign: "both", wrap: by(nil), from: otherID, code: "up.artifact"},
		{name: "an unknown endpoint", sign: "both", wrap: by(nil), index: 3, code: "up.artifact"},
		{name: "not agreed on", sign: "both", wrap: by(nil), cfg: func(c *sp.Config) { c.Artifact = false }, code: "up.binding"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newResolver(t, tt.wrap)
			cfg := config(t, idpID, k.idp.signer.Public())
			cfg.AllowUnsignedResponse = false
			r.takes(&cfg)
			if tt.cfg != nil {
				tt.cfg(&cfg)
			}
			c := connect(t, cfg)
			asked, state, err := c.Begin(t.Context(), identity.AuthnRequest{}, "a-ticket")
			if err != nil {
				t.Fatal(err)
			}
			q := readQuestion(t, asked)
			if want := `ProtocolBinding="` + identity.BindingArtifact + `"`; cfg.Artifact && !strings.Contains(q.xml, want) {
				t.Errorf("no %s in %s", want, q.xml)
			}
			from, index := identity.EntityID(idpID), uint16(arsIndex)
			if tt.from != "" {
				from = tt.from
			}
			if tt.index != 0 {
				index = tt.index
			}
			response := answer{asked: q, issuer: idpID, signer: k.idp, sign: tt.sign, edits: tt.edits}.build(t)
			got, err := c.Finish(t.Context(), state, r.keep(t, from, index, response))
			if tt.code != "" {
				if identity.CodeOf(err) != tt.code || got.Principal.Subject != "" {
					t.Errorf("got %q and %v, want %s", got.Principal.Subject, err, tt.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(upstream{}.Says(), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(r.resolved) != 1 || !strings.Contains(r.resolved[0], "<ds:Signature") || !strings.Contains(r.resolved[0], ourID) {
				t.Errorf("the requests are %q, want one that is signed and ours", r.resolved)
			}
		})
	}
}

// An IdP that does not answer costs the person a refusal, and nobody a request that
// hangs.
func TestArtifactUnreachable(t *testing.T) {
	t.Parallel()
	mute := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil { // only then is it noticed that nobody waits
			<-r.Context().Done()
		}
	}))
	t.Cleanup(mute.Close)
	r := newResolver(t, nil)
	cfg := config(t, idpID, testKeys(t).idp.signer.Public())
	r.takes(&cfg)
	cfg.IDP.IDP.ArtifactResolution[0].Location = mute.URL
	c := connect(t, cfg)
	_, state, err := c.Begin(t.Context(), identity.AuthnRequest{}, "a-ticket")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.Finish(ctx, state, r.keep(t, idpID, arsIndex, ""))
	if identity.CodeOf(err) != "up.artifact" || identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("got %v, want up.artifact", err)
	}
}

// TestArtifactIsPublished names the endpoint in our metadata only where answers are
// taken there, and wants to know where to fetch them.
func TestArtifactIsPublished(t *testing.T) {
	t.Parallel()
	r := newResolver(t, nil)
	cfg := config(t, idpID, testKeys(t).idp.signer.Public())
	without, err := connect(t, cfg).Metadata()
	if err != nil {
		t.Fatal(err)
	}
	r.takes(&cfg)
	with, err := connect(t, cfg).Metadata()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(without), identity.BindingArtifact) || strings.Count(string(with), identity.BindingArtifact) != 1 {
		t.Errorf("without artifacts:\n%s\nwith:\n%s", without, with)
	}
	cfg.IDP.IDP.ArtifactResolution = nil
	if _, err := sp.New(cfg); identity.CodeOf(err) != "up.artifact" {
		t.Errorf("without an ArtifactResolutionService: got %v", err)
	}
}
