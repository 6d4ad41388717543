package idp

import "github.com/samlet-id/samlet/internal/xmlsec"

// CheckForm judges an AuthnRequest by its form alone, as the Provider does before
// it asks who sent it: for tools that look into captured messages. Errors are of
// KindInvalid with code "sp.request" or "sp.issuer".
func CheckForm(request *xmlsec.Element) error {
	_, err := parseAuthnRequest(request)
	return err
}
