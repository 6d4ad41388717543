package storybook

import (
	"strings"
	"time"

	"github.com/samlet-id/samlet/templates"
)

func usualVendor() templates.Vendor {
	line := strings.Repeat("MIIC8DCCAdigAwIBAgIQLnXN4Ji", 2) + "qXg0xZ8hk\n"
	key := templates.VendorKey{
		Use: "signing", State: "active", Algorithm: "RSA 2048", Base64: strings.Repeat(line, 12),
		PEM:    "-----BEGIN CERTIFICATE-----\n" + strings.Repeat(line, 12) + "-----END CERTIFICATE-----\n",
		SHA256: strings.TrimSuffix(strings.Repeat("8F:02:", 16), ":"), SHA1: strings.TrimSuffix(strings.Repeat("4A:C1:", 10), ":"),
		NotBefore: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2036, 11, 1, 0, 0, 0, 0, time.UTC),
	}
	next := key
	next.State = "next"
	return templates.Vendor{
		EntityID: "https://login.example.test/saml/metadata", MetadataURL: "https://login.example.test/saml/metadata",
		Endpoints: []templates.VendorEndpoint{
			{Service: "SingleSignOnService", Binding: "HTTP-Redirect", URL: "https://login.example.test/saml/sso"},
			{Service: "SingleSignOnService", Binding: "HTTP-POST", URL: "https://login.example.test/saml/sso"},
			{Service: "SingleLogoutService", Binding: "SOAP", URL: "https://login.example.test/saml/slo/soap"},
		},
		Keys: []templates.VendorKey{key, next},
		NameIDFormats: []templates.VendorFormat{
			{URI: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", Text: "The same at every sign-in"},
			{URI: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress", Text: "The e-mail address"},
		},
		Links: []templates.Link{{Label: "The certificate", URL: "/saml/certificate.pem", Text: "The one that is in use, as a file."}},
	}
}

func usualAttributes() templates.AttributeReference {
	return templates.AttributeReference{JSON: "/saml/attributes.json", Attributes: []templates.VendorAttribute{
		{ID: "mail", Label: "E-mail", Name: "urn:oid:0.9.2342.19200300.100.1.3", NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:uri", FriendlyName: "mail", Example: "ada@example.test"},
		{ID: "groups", Label: "Groups", Name: "urn:oid:1.3.6.1.4.1.5923.1.5.1.1", NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:uri", FriendlyName: "isMemberOf", Example: "staff", Multiple: true},
	}}
}

func filledVendor(s string) templates.Vendor {
	v := templates.Vendor{Application: s, EntityID: s, MetadataURL: s, Links: []templates.Link{{Label: s, URL: "javascript:alert(1)//" + s, Text: s}}}
	for range 20 {
		v.Endpoints = append(v.Endpoints, templates.VendorEndpoint{Service: s, Binding: s, URL: s})
		v.NameIDFormats = append(v.NameIDFormats, templates.VendorFormat{URI: s, Text: s})
	}
	for range 4 {
		v.Keys = append(v.Keys, templates.VendorKey{Use: s, State: s, Algorithm: s, PEM: s, Base64: s, SHA256: s, SHA1: s, NotBefore: time.Unix(0, 0).UTC(), NotAfter: time.Unix(0, 0).UTC()})
	}
	return v
}

func filledAttributes(s string) templates.AttributeReference {
	r := templates.AttributeReference{JSON: "javascript:alert(1)//" + s}
	for range 50 {
		r.Attributes = append(r.Attributes, templates.VendorAttribute{ID: s, Label: s, Name: s, NameFormat: s, FriendlyName: s, Example: s, Multiple: true})
	}
	return r
}
