package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// pasteWords are the values of ours that a recipe can ask to be entered at the
// vendor's side, in words. Beside them, attribute:NAME is the name of an attribute
// that we send, and text:WORDS is itself.
func pasteWords() map[string]string {
	return map[string]string{
		"entity_id": "our entityID", "metadata_url": "the address of our metadata",
		"sso_url_redirect": "our SingleSignOnService, HTTP-Redirect", "sso_url_post": "our SingleSignOnService, HTTP-POST",
		"slo_url_redirect": "our SingleLogoutService, HTTP-Redirect", "slo_url_post": "our SingleLogoutService, HTTP-POST",
		"logout_url": "our sign-out page", "certificate_pem": "our certificate, PEM",
		"certificate_base64": "our certificate, base64 without header lines",
		"fingerprint_sha1":   "the SHA-1 fingerprint of our certificate", "fingerprint_sha256": "the SHA-256 fingerprint of our certificate",
		"signature_method": "the algorithm of our signatures", "digest_method": "the hash of our signatures",
		"name_id_format": "the NameID format", "sp_entity_id": "the entityID of the application, as above",
		"acs": "the AssertionConsumerService of the application, as above",
	}
}

// pasted is one thing to enter at the vendor's side, filled in; its JSON is
// stable.
type pasted struct {
	To    string `json:"to"`
	Value string `json:"value"`
}

// paste fills in what to enter at the vendor's side for the party p. What
// samlet does not offer, such as single logout, is left out.
func (r recipe) paste(h *house, p party) ([]pasted, error) {
	values, err := h.pasteValues(p)
	if err != nil {
		return nil, err
	}
	var lines []pasted
	for _, line := range r.Paste {
		value, ok := values[line.Value]
		if word, literal := literalPaste(line.Value); literal {
			value, ok = word, true
		}
		if ok && value != "" {
			lines = append(lines, pasted{To: line.To, Value: value})
		}
	}
	return lines, nil
}

// literalPaste returns what a paste value says itself.
func literalPaste(value string) (string, bool) {
	kind, word, ok := strings.Cut(value, ":")
	return word, ok && (kind == "attribute" || kind == "text")
}

// pasteValues are the values of ours, as our metadata for p has them.
func (h *house) pasteValues(p party) (map[string]string, error) {
	doc, address, err := h.idp.MetadataFor(p.Party)
	if err != nil {
		return nil, err
	}
	own, err := metadata.Parse(doc.Body, metadata.ParseOptions{Now: h.now, Want: metadata.RoleIDP, AllowHTTP: true})
	if err != nil {
		return nil, fmt.Errorf("reading our own metadata: %w", err)
	}
	key := certs.Key{Certificate: own.IDP.Certificates[0].Certificate} // the key that signs is the first
	values := map[string]string{
		"entity_id":          string(own.EntityID),
		"metadata_url":       address,
		"logout_url":         h.snapshot.Config.Server.BaseURL + "/logout",
		"certificate_pem":    string(key.PEM()),
		"certificate_base64": base64.StdEncoding.EncodeToString(key.Certificate.Raw),
		"fingerprint_sha1":   key.Fingerprint1(),
		"fingerprint_sha256": key.Fingerprint256(),
		"signature_method":   key.Certificate.PublicKeyAlgorithm.String() + "-SHA256",
		"digest_method":      "SHA256",
		"name_id_format":     string(p.NameID.Format),
		"sp_entity_id":       string(p.EntityID),
	}
	if acs := p.Metadata.SP.ACS; len(acs) > 0 {
		values["acs"] = acs[0].Location
	}
	for name, list := range map[string][]metadata.Endpoint{"sso_url": own.IDP.SSO, "slo_url": own.IDP.SLO} {
		for _, e := range list {
			switch e.Binding {
			case identity.BindingRedirect:
				values[name+"_redirect"] = e.Location
			case identity.BindingPOST:
				values[name+"_post"] = e.Location
			}
		}
	}
	return values, nil
}

// printPaste prints what to enter: short values in a table, long ones below it.
func printPaste(w io.Writer, title string, lines []pasted) error {
	fmt.Fprintf(w, "\nEnter at %s:\n", title)
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, l := range lines {
		if !long(l.Value) {
			fmt.Fprintf(table, "  %s\t%s\n", l.To, l.Value)
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	for _, l := range lines {
		if long(l.Value) {
			fmt.Fprintf(w, "\n  %s\n%s\n", l.To, strings.TrimRight(l.Value, "\n"))
		}
	}
	return nil
}

func long(value string) bool { return len(value) > 200 || strings.Contains(value, "\n") }
