// Package xmlsec is the one door through which XML enters and leaves samlet. No
// other package parses XML, canonicalises it, or checks, makes, opens or closes
// its signatures and encryptions.
//
// Reading: [Parse] refuses whatever two parsers could see differently (document
// types, processing instructions, odd names, relative namespaces, duplicate
// attributes and IDs, text in several pieces) and builds an immutable tree of
// [Element]. [Document.Verify] returns the one element that a trusted key
// signed, parsed anew from the very octets that were signed; nothing else may
// be believed. [Decrypt] opens an EncryptedAssertion, whose content still has
// to be verified. [VerifyDetached] serves the HTTP-Redirect binding.
//
// Writing: [Writer] appends a message to one buffer already in exclusive
// canonical form, signs it in place and hands out the octets; [Writer.EncryptedData]
// closes an element for one recipient; [SignDetached] serves the HTTP-Redirect binding.
//
// The package knows the namespaces of SAML, XML signature and XML encryption,
// and where a signature may stand in a SAML element (SAML Core 5.4). It does not
// know what messages mean, whose keys to trust, what time it is, or the network:
// nothing that a document refers to is ever fetched.
package xmlsec
