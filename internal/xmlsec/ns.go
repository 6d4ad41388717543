package xmlsec

// The namespaces of the XML that samlet reads and writes.
const (
	NSAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	NSProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	NSMetadata  = "urn:oasis:names:tc:SAML:2.0:metadata"
	NSDSig      = "http://www.w3.org/2000/09/xmldsig#"
	NSDSig11    = "http://www.w3.org/2009/xmldsig11#"
	NSExcC14N   = "http://www.w3.org/2001/10/xml-exc-c14n#"
	NSXEnc      = "http://www.w3.org/2001/04/xmlenc#"
	NSXEnc11    = "http://www.w3.org/2009/xmlenc11#"
	NSMDUI      = "urn:oasis:names:tc:SAML:metadata:ui"
	NSMDAlg     = "urn:oasis:names:tc:SAML:metadata:algsupport"
	NSMDAttr    = "urn:oasis:names:tc:SAML:metadata:attribute"
	NSMDRPI     = "urn:oasis:names:tc:SAML:metadata:rpi"
	NSShibMD    = "urn:mace:shibboleth:metadata:1.0"
	NSIDPDisco  = "urn:oasis:names:tc:SAML:profiles:SSO:idp-discovery-protocol"
	NSReqInit   = "urn:oasis:names:tc:SAML:profiles:SSO:request-init"
	NSSOAP11    = "http://schemas.xmlsoap.org/soap/envelope/"
	NSPAOS      = "urn:liberty:paos:2003-08"
	NSECP       = "urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp"
	NSSAMLEC    = "urn:ietf:params:xml:ns:samlec"

	NSChannelBinding = "urn:oasis:names:tc:SAML:protocol:ext:channel-binding"
	NSXS             = "http://www.w3.org/2001/XMLSchema"
	NSXSI            = "http://www.w3.org/2001/XMLSchema-instance"
	NSXML            = "http://www.w3.org/XML/1998/namespace"
	NSXMLNS          = "http://www.w3.org/2000/xmlns/"
)

// Signature algorithms (RFC 9231 section 2.3). AlgRSASHA1 is read only where a
// Trust allows it, and never written.
const (
	AlgRSASHA1     = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	AlgRSASHA256   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	AlgRSASHA384   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
	AlgRSASHA512   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
	AlgECDSASHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	AlgECDSASHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
	AlgECDSASHA512 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
	AlgEd25519     = "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"
)

// Digest algorithms (XMLDSig 1.1 section 6.2, XMLEnc 1.1 section 5.8).
const (
	AlgSHA1   = "http://www.w3.org/2000/09/xmldsig#sha1"
	AlgSHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
	AlgSHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
	AlgSHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"
)

// The two transforms that SAML Core 5.4.4 knows; exclusive canonicalisation
// has a second name for the form that keeps comments.
const (
	AlgEnveloped           = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	AlgExcC14N             = "http://www.w3.org/2001/10/xml-exc-c14n#"
	AlgExcC14NWithComments = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"
)

// Block encryption algorithms (XMLEnc 1.1 section 5.2). The CBC ones are read
// only where a DecryptPolicy allows them, and never written.
const (
	AlgAES128GCM = "http://www.w3.org/2009/xmlenc11#aes128-gcm"
	AlgAES192GCM = "http://www.w3.org/2009/xmlenc11#aes192-gcm"
	AlgAES256GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
	AlgAES128CBC = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
	AlgAES192CBC = "http://www.w3.org/2001/04/xmlenc#aes192-cbc"
	AlgAES256CBC = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
)

// Key transport (XMLEnc 1.1 section 5.5). AlgRSAOAEPMGF1P fixes the mask
// generation function to MGF1 with SHA-1; AlgRSAOAEP names it.
const (
	AlgRSAOAEPMGF1P = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
	AlgRSAOAEP      = "http://www.w3.org/2009/xmlenc11#rsa-oaep"
	AlgMGF1SHA1     = "http://www.w3.org/2009/xmlenc11#mgf1sha1"
	AlgMGF1SHA256   = "http://www.w3.org/2009/xmlenc11#mgf1sha256"
	AlgMGF1SHA384   = "http://www.w3.org/2009/xmlenc11#mgf1sha384"
	AlgMGF1SHA512   = "http://www.w3.org/2009/xmlenc11#mgf1sha512"
)

// Values of xenc:EncryptedData/@Type and ds:RetrievalMethod/@Type.
const (
	TypeElement      = "http://www.w3.org/2001/04/xmlenc#Element"
	TypeEncryptedKey = "http://www.w3.org/2001/04/xmlenc#EncryptedKey"
)
