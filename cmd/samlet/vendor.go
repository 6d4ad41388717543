package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/metadata"
	"github.com/samlet-id/samlet/templates"
)

// Our paths for the people who set up an application.
const (
	pathVendor         = "/saml"
	pathCertificate    = "/saml/certificate.pem"
	pathCertificates   = "/saml/certificates.pem"
	pathAttributes     = "/saml/attributes"
	pathAttributesJSON = "/saml/attributes.json"
)

// vendor tells the people who set up an application what to enter there. All of
// it is read from the metadata that is served, so that nothing is told that is
// not published. The pages carry no secret and need no session.
type vendor struct {
	house *house
	web   *web.Web
}

// Mount registers the pages.
func (v *vendor) Mount(mux *http.ServeMux) {
	mux.Handle("GET "+pathVendor, v.web.Handle(v.show))
	mux.Handle("GET "+pathAttributes, v.web.Handle(v.attributes))
	mux.Handle("GET "+pathAttributesJSON, v.web.Handle(v.attributesJSON))
	mux.Handle("GET "+pathCertificate, v.web.Handle(func(w http.ResponseWriter, r *http.Request) error { return v.certificates(w, r, 1) }))
	mux.Handle("GET "+pathCertificates, v.web.Handle(func(w http.ResponseWriter, r *http.Request) error { return v.certificates(w, r, -1) }))
}

// presence is how the application of ?sp=ID knows us, or everybody.
type presence struct {
	entity      *metadata.Entity
	url         string // of its metadata
	application string
	query       string // to hand on
}

func (v *vendor) presence(r *http.Request) (presence, error) {
	p := presence{url: v.house.snapshot.Config.Server.BaseURL + "/saml/metadata"}
	doc, err := v.house.idp.Metadata()
	if id := r.URL.Query().Get("sp"); id != "" {
		i := slices.IndexFunc(v.house.snapshot.Parties, func(p party) bool { return string(p.ID) == id && !p.Disabled })
		if i < 0 {
			return p, &identity.Error{Kind: identity.KindNotFound, Code: "web.not_found", Who: identity.WhoOperator, Msg: "There is no application of that name.", Seen: id}
		}
		known := v.house.snapshot.Parties[i]
		p.application, p.query = known.Name, "?sp="+id
		if p.application == "" {
			p.application = id
		}
		doc, p.url, err = v.house.idp.MetadataFor(known.Party)
	}
	if err != nil {
		return p, err
	}
	p.entity, err = metadata.Parse(doc.Body, metadata.ParseOptions{Now: v.house.now, Want: metadata.RoleIDP, AllowHTTP: true})
	if err != nil {
		return p, fmt.Errorf("reading our own metadata: %w", err)
	}
	return p, nil
}

func (v *vendor) show(w http.ResponseWriter, r *http.Request) error {
	p, err := v.presence(r)
	if err != nil {
		return err
	}
	idp := p.entity.IDP
	page := templates.Vendor{Application: p.application, EntityID: string(p.entity.EntityID), MetadataURL: p.url}
	add := func(service string, endpoints ...metadata.Endpoint) {
		for _, e := range endpoints {
			page.Endpoints = append(page.Endpoints, templates.VendorEndpoint{Service: service, Binding: e.Binding[strings.LastIndexByte(e.Binding, ':')+1:], URL: e.Location})
		}
	}
	add("SingleSignOnService", idp.SSO...)
	add("SingleLogoutService", idp.SLO...)
	for _, e := range idp.ArtifactResolution {
		add("ArtifactResolutionService", e.Endpoint)
	}
	for _, c := range idp.Certificates {
		page.Keys = append(page.Keys, v.key(c.Certificate))
	}
	for _, f := range idp.NameIDFormats {
		page.NameIDFormats = append(page.NameIDFormats, templates.VendorFormat{URI: string(f), Text: formatText(f)})
	}
	page.Links = []templates.Link{
		{Label: "The certificate", URL: pathCertificate + p.query, Text: "The one that is in use for signatures, as a file."},
		{Label: "All certificates", URL: pathCertificates + p.query, Text: "Every one that may sign, the next one too, as a file."},
		{Label: "Attributes", URL: pathAttributes, Text: "What an application can be told of a person."},
	}
	return v.render(w, r, page)
}

// key describes a published certificate by the key of ours that it belongs to.
func (v *vendor) key(c *x509.Certificate) templates.VendorKey {
	k := certs.Key{Certificate: c}
	for _, ours := range v.house.snapshot.Keys.All() {
		if ours.Certificate.Equal(c) {
			k = ours
		}
	}
	text := string(k.PEM())
	_, body, _ := strings.Cut(text, "\n")
	body, _, _ = strings.Cut(body, "-----END")
	return templates.VendorKey{
		Use: k.Use.String(), State: k.State.String(), Algorithm: k.Algorithm(), PEM: text, Base64: body,
		SHA256: k.Fingerprint256(), SHA1: k.Fingerprint1(), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
	}
}

func formatText(f identity.Format) string {
	text, known := map[identity.Format]string{
		identity.FormatPersistent:  "The same at every sign-in, another one for each application",
		identity.FormatTransient:   "Another one for each session",
		identity.FormatEmail:       "The e-mail address",
		identity.FormatUnspecified: "The user name, or what was agreed",
	}[f]
	if !known {
		return "By agreement"
	}
	return text
}

// certificates answers with the first most certificates that may sign, all of
// them if most is negative.
func (v *vendor) certificates(w http.ResponseWriter, r *http.Request, most int) error {
	p, err := v.presence(r)
	if err != nil {
		return err
	}
	var out []byte
	for _, c := range p.entity.IDP.Certificates {
		if c.Use != "encryption" && most != 0 {
			out = append(out, certs.Key{Certificate: c.Certificate}.PEM()...)
			most--
		}
	}
	serveFile(w, r, "application/x-pem-file", out)
	return nil
}

// attributeRow is one attribute of the reference; its JSON is stable.
type attributeRow struct {
	ID           string `json:"id"`
	Label        string `json:"label"`
	Name         string `json:"name"`
	NameFormat   string `json:"name_format"`
	FriendlyName string `json:"friendly_name,omitempty"`
	Example      string `json:"example,omitempty"`
	MultiValued  bool   `json:"multi_valued"`
}

func (v *vendor) rows() []attributeRow {
	rows := []attributeRow{}
	for _, a := range v.house.snapshot.Catalogue.All() {
		if a.SAMLName == "" {
			continue
		}
		rows = append(rows, attributeRow{
			ID: string(a.Name), Label: a.Label, Name: a.SAMLName, NameFormat: string(a.NameFormat), FriendlyName: a.FriendlyName,
			Example: exampleOf(a), MultiValued: a.Type == "string_list",
		})
	}
	return rows
}

// exampleOf returns a value as it could be sent, "" for an attribute of which
// only the operator knows what it holds.
func exampleOf(a identity.Attribute) string {
	if a.Type == "email" {
		return "ada@example.test"
	}
	return map[identity.Name]string{
		identity.GivenName: "Ada", identity.FamilyName: "Example", identity.DisplayName: "Ada Example", identity.Username: "ada",
		identity.Groups: "staff", identity.Phone: "+44 20 7946 0000", identity.Locale: "en",
		identity.Organization: "Example University", identity.HomeOrganization: "example.test",
		identity.PrincipalName: "ada@example.test", identity.Affiliation: "member", identity.ScopedAffiliation: "member@example.test",
		identity.Entitlement: "urn:mace:dir:entitlement:common-lib-terms", identity.Assurance: "https://refeds.org/assurance/ID/unique",
		identity.ORCID: "https://orcid.org/0000-0002-1825-0097",
	}[a.Name]
}

func (v *vendor) attributes(w http.ResponseWriter, r *http.Request) error {
	page := templates.AttributeReference{JSON: pathAttributesJSON}
	for _, a := range v.rows() {
		page.Attributes = append(page.Attributes, templates.VendorAttribute{
			ID: a.ID, Label: a.Label, Name: a.Name, NameFormat: a.NameFormat, FriendlyName: a.FriendlyName, Example: a.Example, Multiple: a.MultiValued,
		})
	}
	return v.render(w, r, page)
}

func (v *vendor) attributesJSON(w http.ResponseWriter, r *http.Request) error {
	body, err := json.MarshalIndent(v.rows(), "", "  ")
	if err != nil {
		return fmt.Errorf("writing the attributes: %w", err)
	}
	serveFile(w, r, "application/json", append(body, '\n'))
	return nil
}

// render answers with a page that caches may keep as long as the metadata, and
// with 304 to who has it already: then the policy is that of the copy, to whose
// nonce the copy's style refers.
func (v *vendor) render(w http.ResponseWriter, r *http.Request, page templates.Page) error {
	content, err := json.Marshal(page)
	if err != nil {
		return fmt.Errorf("comparing a page: %w", err)
	}
	etag := cacheable(w, content)
	if slices.Contains(strings.Split(strings.ReplaceAll(r.Header.Get("If-None-Match"), " ", ""), ","), etag) {
		w.Header().Del("Content-Security-Policy")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return v.web.Render(w, r, http.StatusOK, page, web.RenderOptions{})
}

// serveFile answers with a file, or with 304 to who has it already.
func serveFile(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	cacheable(w, body)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// cacheable sets the headers for caches, as those of metadata are, and returns
// the ETag, which depends on content alone.
func cacheable(w http.ResponseWriter, content []byte) string {
	sum := sha256.Sum256(content)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	h := w.Header()
	h.Set("ETag", etag)
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(metadata.DefaultMaxAge.Seconds())))
	h.Del("Pragma")
	return etag
}
