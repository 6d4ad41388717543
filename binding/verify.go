package binding

import (
	"crypto"
	"fmt"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// VerifyQuery checks the signature over the query with the sender's signing
// keys, which come from its metadata, made by none of the refused algorithms. A message without such a signature is an
// error with code "sig.missing", without keys "sig.no_keys"; for the others see
// xmlsec.VerifyDetached.
func (m SAML) VerifyQuery(keys []crypto.PublicKey, refused ...string) error {
	if len(m.Signature) == 0 {
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "sig.missing", Who: who(m.Param),
			Msg: "The message must be signed, but it carries no signature.", Expected: "SigAlg and Signature in the query (SAML Bindings 3.4.4.1)",
		}
	}
	if err := xmlsec.VerifyDetached(m.SigAlg, keys, m.Signed, m.Signature, refused...); err != nil {
		return fmt.Errorf("verifying the signature over the query: %w", err)
	}
	return nil
}
