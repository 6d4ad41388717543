package sp

import (
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// weaknesses remarks on algorithms that were accepted of this IdP although they are
// broken or ageing (IIP-ALG05): SHA-1 in the signatures of the elements, as they
// came, and CBC in an EncryptedAssertion. It looks at what was verified already.
func weaknesses(encrypted *xmlsec.Element, signed ...*xmlsec.Element) []identity.Remark {
	const code = "up.weak_algorithm"
	var remarks []identity.Remark
	content := encrypted.Child(xmlsec.NSXEnc, "EncryptedData").Child(xmlsec.NSXEnc, "EncryptionMethod").Attr("Algorithm")
	if strings.HasSuffix(content, "-cbc") {
		remarks = append(remarks, identity.Remark{Code: code, Detail: "the assertion is encrypted with " + content})
	}
	for _, e := range signed {
		info := e.Child(xmlsec.NSDSig, "Signature").Child(xmlsec.NSDSig, "SignedInfo")
		method := info.Child(xmlsec.NSDSig, "SignatureMethod").Attr("Algorithm")
		digest := info.Child(xmlsec.NSDSig, "Reference").Child(xmlsec.NSDSig, "DigestMethod").Attr("Algorithm")
		for _, alg := range []string{method, digest} {
			if alg == xmlsec.AlgRSASHA1 || alg == xmlsec.AlgSHA1 {
				remarks = append(remarks, identity.Remark{Code: code, Detail: "the " + e.Local + " is signed with " + alg})
				break
			}
		}
	}
	return remarks
}

// groupsLink is what Microsoft Entra ID sends in place of the groups of somebody who has
// more than 150 of them.
const groupsLink identity.Name = "http://schemas.microsoft.com/claims/groups.link"

// overage tells of groups that did not come, which would else look like none.
func overage(a identity.Attributes) []identity.Remark {
	if len(a[groupsLink]) == 0 {
		return nil
	}
	return []identity.Remark{{Code: "up.groups", Detail: "the person has more groups than come in an assertion: a link came in their place; send those that are assigned to the application, or app roles"}}
}
