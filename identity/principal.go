package identity

import "strings"

// EntityID names one SAML entity (SAML Metadata 2.2.1) or one OIDC issuer. It
// is compared octet for octet (SAML Core 1.3.1), never folded or trimmed.
type EntityID string

// Format is a name identifier format URI (SAML Core 8.3). The empty Format
// means that the other side left the choice to us.
type Format string

// The name identifier formats of SAML Core 8.3 that samlet issues, and Entity
// for issuers.
const (
	FormatUnspecified Format = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
	FormatEmail       Format = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	FormatPersistent  Format = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	FormatTransient   Format = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	FormatEntity      Format = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
	FormatEncrypted   Format = "urn:oasis:names:tc:SAML:2.0:nameid-format:encrypted"
)

// The subject identifier attributes (SAML Subject Identifier Attributes Profile
// 3.3, 3.4). They are no formats of a NameID; stored beside those, the format
// tells them apart.
const (
	FormatSubjectID  Format = "urn:oasis:names:tc:SAML:attribute:subject-id"
	FormatPairwiseID Format = "urn:oasis:names:tc:SAML:attribute:pairwise-id"
)

// Principal names a person as one issuer knows them: (entityID, NameID) or
// (iss, sub). A subject never travels without its issuer.
type Principal struct {
	Issuer  EntityID
	Subject string
	Format  Format
	// NameQualifier and SPNameQualifier are kept as they were received or
	// issued, because a LogoutRequest has to repeat them (SAML Core 2.2.2).
	NameQualifier   string
	SPNameQualifier string
}

// AttributePrincipal names a person by the value of an attribute of issuer, where
// the NameID says nothing that lasts. The attribute is part of the subject, so
// that no NameID of the same text is the same person.
func AttributePrincipal(issuer EntityID, name Name, value string) Principal {
	return Principal{Issuer: issuer, Subject: "{" + string(name) + "}" + value, Format: Format(name)}
}

// ByAttribute returns the attribute and the value of an AttributePrincipal.
func (p Principal) ByAttribute() (name Name, value string, ok bool) {
	value, ok = strings.CutPrefix(p.Subject, "{"+string(p.Format)+"}")
	if !ok || p.Format == "" {
		return "", "", false
	}
	return Name(p.Format), value, true
}

// Anonymous reports whether the issuer named nobody: an assertion without a
// NameID, or with a transient one, cannot be recognised at the next login.
func (p Principal) Anonymous() bool { return p.Subject == "" || p.Format == FormatTransient }
