// Package sp is the SAML service provider role that samlet plays towards one
// upstream identity provider: it asks with an AuthnRequest and proves that a
// Response answers it (SAML Profiles 4.1).
//
// It owns the order of the checks and what each failure is called. It knows one
// IdP by its metadata and nothing of records, mappings or pages; XML and
// signatures are internal/xmlsec's matter, the browser's messages binding's.
//
// What a Response says is read only from the elements that signature
// verification handed out. Two things are read before: who claims to have
// issued it, so that a mix-up is called by its name, and how many assertions the
// document holds.
//
// On leniency, decided once: an attribute value that is XSI nil or holds child
// elements (eduPersonTargetedID carries a NameID) is skipped, since an attribute
// that nobody maps must not end a login; so is an EncryptedAttribute. Text that
// comments would split is refused wherever it stands. SubjectConfirmationData's
// Address is not compared, as proxies and two address families make honest
// people differ. A ProxyRestriction with a Count of one or more is accepted.
package sp
