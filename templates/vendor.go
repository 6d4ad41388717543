package templates

import "time"

// Vendor tells the people who set up an application what to enter there. Every
// value can be selected by one click, without JavaScript.
type Vendor struct {
	Application   string // the one application that it is for; empty: every
	EntityID      string
	MetadataURL   string
	Endpoints     []VendorEndpoint
	Keys          []VendorKey
	NameIDFormats []VendorFormat
	Links         []Link // files to take away, and further pages
}

// VendorEndpoint is one address that applications send messages to.
type VendorEndpoint struct {
	Service string // the metadata's word, such as SingleSignOnService
	Binding string // such as HTTP-Redirect
	URL     string
}

// VendorKey is one published certificate.
type VendorKey struct {
	Use       string // "signing" or "encryption"
	State     string // "active", "next" or "retiring"
	Algorithm string
	PEM       string
	Base64    string // the same without its first and last line
	SHA256    string // fingerprints, as pairs of hexadecimal digits
	SHA1      string
	NotBefore time.Time
	NotAfter  time.Time
}

// VendorFormat is one NameID format.
type VendorFormat struct {
	URI  string
	Text string // what it means, in a sentence
}

// AttributeReference lists what can be released to applications.
type AttributeReference struct {
	Attributes []VendorAttribute
	JSON       string // path of the same as JSON
}

// VendorAttribute is one attribute under the names it has on the wire.
type VendorAttribute struct {
	ID           string // canonical name, as config.yaml has it
	Label        string
	Name         string // SAML Name
	NameFormat   string
	FriendlyName string
	Example      string
	Multiple     bool // may have several values
}

func (Vendor) template() string             { return "vendor" }
func (AttributeReference) template() string { return "attributes" }
