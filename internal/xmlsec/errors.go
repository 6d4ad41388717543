package xmlsec

import (
	"errors"
	"fmt"

	"github.com/samlet-id/samlet/identity"
)

// The codes of everything that can be wrong with a document. They are part of
// the error catalogue and stable.
const (
	codeSize               identity.Code = "xml.size"
	codeEncoding           identity.Code = "xml.encoding"
	codeSyntax             identity.Code = "xml.syntax"
	codeDTD                identity.Code = "xml.dtd"
	codePI                 identity.Code = "xml.pi"
	codeDepth              identity.Code = "xml.depth"
	codeElements           identity.Code = "xml.elements"
	codeAttributes         identity.Code = "xml.attributes"
	codeNamespaces         identity.Code = "xml.namespaces"
	codeNamespace          identity.Code = "xml.namespace"
	codeDuplicateAttribute identity.Code = "xml.duplicate_attribute"
	codeDuplicateID        identity.Code = "xml.duplicate_id"
	codeID                 identity.Code = "xml.id"
	codeSplitText          identity.Code = "xml.split_text"
	codeMixed              identity.Code = "xml.mixed"
	codeTrailing           identity.Code = "xml.trailing"
	codeDecrypt            identity.Code = "xml.decrypt"
	codePanic              identity.Code = "xml.panic"

	codeMissing   identity.Code = "sig.missing"
	codeSeveral   identity.Code = "sig.several"
	codePosition  identity.Code = "sig.position"
	codeShape     identity.Code = "sig.shape"
	codeAlgorithm identity.Code = "sig.algorithm"
	codeTransform identity.Code = "sig.transform"
	codeReference identity.Code = "sig.reference"
	codeCanonical identity.Code = "sig.canonical"
	codeDigest    identity.Code = "sig.digest"
	codeKey       identity.Code = "sig.key"
	codeNoKeys    identity.Code = "sig.no_keys"
)

// refuse returns the error of a document that is the other side's fault. Who
// that is (a vendor, a partner) only the caller knows.
func refuse(code identity.Code, format string, args ...any) error {
	return &identity.Error{Kind: identity.KindInvalid, Code: code, Msg: fmt.Sprintf(format, args...)}
}

// differs is refuse with what was seen and what would have been accepted.
func differs(code identity.Code, msg, seen, expected string) error {
	const most = 200
	if len(seen) > most {
		seen = seen[:most] + "…"
	}
	return &identity.Error{Kind: identity.KindInvalid, Code: code, Msg: msg, Seen: seen, Expected: expected}
}

// rescue turns a panic into an error. No input is known that causes one; it is
// the last net under a parser of outside octets.
func rescue(err *error) {
	if p := recover(); p != nil {
		*err = &identity.Error{
			Kind: identity.KindInternal, Code: codePanic, Msg: "This XML document could not be processed.",
			Who: identity.WhoOperator, Err: errors.New(fmt.Sprint(p)),
		}
	}
}
