package main

import (
	"bytes"
	"compress/flate"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const (
	acClasses  = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
	acPassword = acClasses + "Password"
	acPPT      = acClasses + "PasswordProtectedTransport"
	refedsMFA  = "https://refeds.org/profile/mfa"
	refedsSFA  = "https://refeds.org/profile/sfa"
	microsoft  = "http://schemas.microsoft.com/claims/multipleauthn"

	bindingURN = "urn:oasis:names:tc:SAML:2.0:bindings:"
	format2    = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
	persistent = format2 + "persistent"
	aliceMail  = "alice@example.test"
)

// requestRows is the matrix.
func requestRows() []row {
	return slices.Concat(
		messageRows(), attributeRows(), partRows(), subjectRows(), policyRows(), conditionRows(), contextRows(), scopingRows(), unsolicitedRows())
}

func rowsOf(field string, rows ...row) []row {
	for i := range rows {
		rows[i].field = field
	}
	return rows
}

func is(form, want string, changes ...change) row {
	return row{form: form, want: want, changes: changes}
}

// by is is for another browser than that of somebody who has signed in with a
// password.
func by(session, form, want string, changes ...change) row {
	return row{form: form, want: want, changes: changes, session: session}
}

func post(q *question)        { q.by = http.MethodPost }
func signedQuery(q *question) { q.sign = "query" }
func signedXML(q *question)   { q.sign = "xml" }

func relay(s string) change { return func(q *question) { q.relay = s } }

func inQuery(from, to string) change {
	return func(q *question) { q.query = func(s string) string { return strings.Replace(s, from, to, 1) } }
}

func more(query string) change {
	return func(q *question) { q.query = func(s string) string { return s + query } }
}

func body(f func([]byte) []byte) change { return func(q *question) { q.body = f } }

func deflated(b []byte) []byte {
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	if _, err := z.Write(b); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func messageRows() []row {
	return slices.Concat(
		rowsOf("(message)",
			is("by Redirect", "answered"),
			is("by POST", "answered", post),
			is("children out of order", "page sp.request", edit(func(s string) string {
				return strings.Replace(s, "<saml:Issuer>", "<samlp:NameIDPolicy/><saml:Issuer>", 1)
			})),
			is("an unknown child", "page sp.request", element("Scoping", "<samlp:Odd/>")),
			is("an unknown attribute", "answered", attr("Odd", "1")),
			is("another message", "page sp.request", edit(func(s string) string { return strings.ReplaceAll(s, "AuthnRequest", "AuthnQuery") })),
			is("a document type", "page xml.dtd", edit(func(s string) string { return "<!DOCTYPE a []>" + s })),
			is("cut off", "page xml.syntax", edit(func(s string) string { return s[:len(s)-20] })),
		),
		rowsOf("(query)",
			is("a foreign parameter", "answered", more("&utm_source=mail")),
			is("SAMLResponse beside it", "page binding.duplicate", more("&SAMLResponse=PGE+")),
		),
		rowsOf("(SAMLRequest)",
			is("absent", "page binding.missing", func(q *question) { q.path = "/saml/sso" }),
			is("empty", "page binding.deflate", inQuery("SAMLRequest=", "SAMLRequest=&x=")),
			is("twice", "page binding.duplicate", more("&SAMLRequest=abc")),
			is("under an encoded name", "page binding.duplicate", more("&SAML%52equest=abc")),
			is("no base64", "page binding.base64", inQuery("SAMLRequest=", "SAMLRequest=!!!!")),
			is("not deflated, by Redirect", "page binding.deflate", body(func(b []byte) []byte { return b })),
			is("deflated, by POST", "answered", post, body(deflated)),
			is("a megabyte when inflated", "page binding.too_large", body(func([]byte) []byte { return deflated(bytes.Repeat([]byte(" "), 1<<20)) })),
		),
		rowsOf("(RelayState)",
			is("opaque text", `answered: RelayState a "b" <c> &d; ä`, relay(`a "b" <c> &d; ä`)),
			is("a script", `answered: RelayState "><script>alert(1)</script>`, relay(`"><script>alert(1)</script>`)),
			is("81 to 1024 bytes", "answered: RelayState "+strings.Repeat("x", 81), relay(strings.Repeat("x", 81))),
			is("longer", "page binding.relay_state", relay(strings.Repeat("x", 1025))),
			is("twice", "page binding.duplicate", relay("a"), more("&RelayState=b")),
			is("added after signing", "page sp.signature", signedQuery, more("&RelayState=b")),
			is("by POST", "answered: RelayState a b", post, relay("a b")),
		),
		rowsOf("(SigAlg, Signature)",
			is("rsa-sha256 over the query", "answered: RelayState r", signedQuery, relay("r")),
			is("SigAlg alone", "page binding.signature", signedQuery, func(q *question) {
				q.query = func(s string) string { return s[:strings.Index(s, "&Signature=")] }
			}),
			is("another SigAlg than was used", "page sp.signature", signedQuery, inQuery("rsa-sha256", "rsa-sha512")),
			is("rsa-sha1", "page sp.signature", signedQuery, inQuery("2001%2F04%2Fxmldsig-more%23rsa-sha256", "2000%2F09%2Fxmldsig%23rsa-sha1")),
			is("dsa-sha1", "page sp.signature", signedQuery, inQuery("2001%2F04%2Fxmldsig-more%23rsa-sha256", "2000%2F09%2Fxmldsig%23dsa-sha1")),
			is("twice", "page binding.duplicate", signedQuery, more("&SigAlg=x")),
		),
		rowsOf("(SAMLEncoding)",
			is("DEFLATE", "answered", more("&SAMLEncoding=urn%3Aoasis%3Anames%3Atc%3ASAML%3A2.0%3Abindings%3AURL-Encoding%3ADEFLATE")),
			is("another", "page binding.encoding", more("&SAMLEncoding=urn%3Ax")),
		),
	)
}

func attributeRows() []row {
	return slices.Concat(
		rowsOf("@ID",
			is("an NCName", "answered: InResponseTo _other", attr("ID", "_other")),
			is("absent", "page sp.request", drop("ID")),
			is("no NCName", "page xml.id", attr("ID", "1 2")),
			is("used before", "answered"),
		),
		rowsOf("@Version",
			is("absent", "page sp.request", drop("Version")),
			is("no version", "page sp.request", attr("Version", "two")),
			is("1.1", "VersionMismatch/RequestVersionTooLow (sp.version_low)", attr("Version", "1.1")),
			is("2.1", "VersionMismatch/RequestVersionTooHigh (sp.version_high)", attr("Version", "2.1")),
			is("3.0", "VersionMismatch/RequestVersionTooHigh (sp.version_high)", attr("Version", "3.0")),
		),
		rowsOf("@IssueInstant",
			is("absent", "page sp.request", drop("IssueInstant")),
			is("no time", "page sp.request", attr("IssueInstant", "noon")),
			is("a time without zone", "answered", attr("IssueInstant", "2026-11-23T12:00:00")),
			is("fractions of a second", "answered", attr("IssueInstant", "2026-11-23T12:00:00.123Z")),
			is("8 minutes ago", "answered", attr("IssueInstant", "2026-11-23T11:52:00Z")),
			is("longer ago", "Requester/RequestDenied (sp.expired)", attr("IssueInstant", "2026-11-23T11:51:59Z")),
			is("3 minutes ahead", "answered", attr("IssueInstant", "2026-11-23T12:03:00Z")),
			is("further ahead", "Requester/RequestDenied (sp.future)", attr("IssueInstant", "2026-11-23T12:03:01Z")),
		),
		rowsOf("@Destination",
			is("absent", "answered", drop("Destination")),
			is("absent from a signed request", "page sp.destination", drop("Destination"), signedQuery),
			is("blank", "page sp.request", attr("Destination", " ")),
			is("another address", "page sp.destination", attr("Destination", matrixSSO+"/")),
		),
		rowsOf("@Consent",
			is("an absolute URI", "answered", attr("Consent", "urn:oasis:names:tc:SAML:2.0:consent:obtained")),
			is("no absolute URI", "page sp.request", attr("Consent", "yes")),
			is("blank", "page sp.request", attr("Consent", "")),
		),
		rowsOf("@ForceAuthn",
			is("true", "the person is asked to sign in", attr("ForceAuthn", "true")),
			is("1", "the person is asked to sign in", attr("ForceAuthn", "1")),
			is("false", "answered", attr("ForceAuthn", "false")),
			is("0", "answered", attr("ForceAuthn", "0")),
			is("no boolean", "page sp.request", attr("ForceAuthn", "yes")),
			is("true, and IsPassive", "Responder/NoPassive (sp.passive)", attr("ForceAuthn", "true"), attr("IsPassive", "true")),
		),
		rowsOf("@IsPassive",
			is("true", "answered", attr("IsPassive", "true")),
			by("none", "true", "Responder/NoPassive (sp.passive)", attr("IsPassive", "true")),
			by("none", "false", "the person is asked to sign in", attr("IsPassive", "false")),
			is("no boolean", "page sp.request", attr("IsPassive", "TRUE")),
			is("true, and a Subject that is somebody else", "Responder/UnknownPrincipal (sp.subject)", attr("IsPassive", "1"), named("", "bob")),
		),
		rowsOf("@ProtocolBinding",
			is("HTTP-POST", "answered", attr("ProtocolBinding", bindingURN+"HTTP-POST")),
			is("HTTP-Artifact", "answered by artifact to "+appACS+"/artifact", attr("ProtocolBinding", bindingURN+"HTTP-Artifact")),
			is("PAOS, outside of ECP", "Requester/UnsupportedBinding (sp.binding)", attr("ProtocolBinding", bindingURN+"PAOS")),
			is("HTTP-Redirect", "Requester/UnsupportedBinding (sp.binding)", attr("ProtocolBinding", bindingURN+"HTTP-Redirect")),
			is("unknown", "Requester/UnsupportedBinding (sp.binding)", attr("ProtocolBinding", "urn:x")),
			is("blank", "page sp.request", attr("ProtocolBinding", "")),
			is("another than the URL takes", "Requester/UnsupportedBinding (sp.binding)", attr("ProtocolBinding", bindingURN+"HTTP-Artifact"), attr("AssertionConsumerServiceURL", appACS)),
		),
		rowsOf("@AssertionConsumerServiceIndex",
			is("of an endpoint", "answered: sent to "+appACS+"/second", attr("AssertionConsumerServiceIndex", "1")),
			is("of an HTTP-Artifact endpoint", "answered by artifact to "+appACS+"/artifact", attr("AssertionConsumerServiceIndex", "2")),
			is("of a PAOS endpoint", "page sp.binding", attr("AssertionConsumerServiceIndex", "3")),
			is("of none", "page sp.acs_mismatch", attr("AssertionConsumerServiceIndex", "9")),
			is("no number", "page sp.request", attr("AssertionConsumerServiceIndex", "-1")),
			is("65536", "page sp.request", attr("AssertionConsumerServiceIndex", "65536")),
			is("beside AssertionConsumerServiceURL", "page sp.request", attr("AssertionConsumerServiceIndex", "0"), attr("AssertionConsumerServiceURL", appACS)),
			is("beside ProtocolBinding", "page sp.request", attr("AssertionConsumerServiceIndex", "0"), attr("ProtocolBinding", bindingURN+"HTTP-POST")),
		),
		rowsOf("@AssertionConsumerServiceURL",
			is("registered", "answered: sent to "+appACS+"/second", attr("AssertionConsumerServiceURL", appACS+"/second")),
			is("registered, with its binding", "answered", attr("AssertionConsumerServiceURL", appACS), attr("ProtocolBinding", bindingURN+"HTTP-POST")),
			is("of an HTTP-Artifact endpoint", "answered by artifact to "+appACS+"/artifact", attr("AssertionConsumerServiceURL", appACS+"/artifact")),
			is("longer than registered", "page sp.acs_mismatch", attr("AssertionConsumerServiceURL", appACS+"/")),
			is("with a query", "page sp.acs_mismatch", attr("AssertionConsumerServiceURL", appACS+"?a")),
			is("in capitals", "page sp.acs_mismatch", attr("AssertionConsumerServiceURL", "HTTPS"+strings.TrimPrefix(appACS, "https"))),
			is("a script", "page sp.acs_mismatch", attr("AssertionConsumerServiceURL", "javascript:alert(1)")),
			is("blank", "page sp.request", attr("AssertionConsumerServiceURL", "")),
		),
		rowsOf("@AttributeConsumingServiceIndex",
			is("of a service", "answered: attributes givenName", attr("AttributeConsumingServiceIndex", "1")),
			is("of none", "Requester/RequestDenied (sp.request)", attr("AttributeConsumingServiceIndex", "9")),
			is("no number", "page sp.request", attr("AttributeConsumingServiceIndex", "one")),
		),
		rowsOf("@ProviderName",
			is("a name", "answered", attr("ProviderName", "App")),
			is("a script", "answered", attr("ProviderName", "&lt;script>alert(1)&lt;/script>")),
			by("none", "a script, and a page", "the person is asked to sign in", attr("ProviderName", "&lt;script>alert(1)&lt;/script>")),
		),
	)
}

func issuer(attrs, text string) change {
	return element("Issuer", "<saml:Issuer"+attrs+">"+text+"</saml:Issuer>")
}

// hundred is an element with as many attributes.
func hundred() string {
	s := "<x"
	for i := range 100 {
		s += fmt.Sprintf(` a%d=""`, i)
	}
	return s + "/>"
}

func partRows() []row {
	return slices.Concat(
		rowsOf("Issuer",
			is("absent", "page sp.issuer", element("Issuer", "")),
			is("empty", "page sp.issuer", issuer("", "")),
			is("twice", "page sp.request", element("Signature", "<saml:Issuer>"+appID+"</saml:Issuer>")),
			is("nobody we know", "page sp.unknown", issuer("", appID+"/")),
			is("in other case", "page sp.unknown", issuer("", strings.ToUpper(appID))),
			is("with blanks around it", "page sp.unknown", issuer("", " "+appID+" ")),
			is("split by a comment", "page xml.split_text", issuer("", appID+"<!-- -->.evil.test")),
			is("with markup", "page sp.issuer", issuer("", "<a/>"+appID)),
		),
		rowsOf("Issuer/@Format",
			is("entity", "answered", issuer(` Format="`+format2+`entity"`, appID)),
			is("another", "page sp.issuer", issuer(` Format="`+persistent+`"`, appID)),
		),
		rowsOf("Issuer/@NameQualifier", is("any", "page sp.issuer", issuer(` NameQualifier="a"`, appID))),
		rowsOf("Issuer/@SPNameQualifier", is("any", "page sp.issuer", issuer(` SPNameQualifier="a"`, appID))),
		rowsOf("Issuer/@SPProvidedID", is("any", "page sp.issuer", issuer(` SPProvidedID="a"`, appID))),
		rowsOf("Signature",
			is("by POST", "answered", post, signedXML),
			is("by POST, altered afterwards", "page sp.signature", post, signedXML, body(func(b []byte) []byte {
				return bytes.Replace(b, []byte(`ID="_q"`), []byte(`ForceAuthn="true" ID="_q"`), 1)
			})),
			is("on Redirect, where it is no substitute but must verify", "answered", signedXML),
			is("empty", "page sp.signature", post, element("Signature", `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>`)),
		),
		rowsOf("Extensions",
			is("unknown ones", "answered", element("Extensions", `<samlp:Extensions><x:a xmlns:x="urn:x" b="c"><x:d>e</x:d></x:a></samlp:Extensions>`)),
			is("empty", "answered", element("Extensions", "<samlp:Extensions/>")),
			is("another request in it", "answered", element("Extensions", `<samlp:Extensions><samlp:AuthnRequest ID="_r" ForceAuthn="true"/></samlp:Extensions>`)),
			is("nested over 64 deep", "page xml.depth", element("Extensions", "<samlp:Extensions>"+strings.Repeat("<x>", 64)+strings.Repeat("</x>", 64)+"</samlp:Extensions>")),
			is("over 2048 elements", "page xml.elements", element("Extensions", "<samlp:Extensions>"+strings.Repeat("<x/>", 2048)+"</samlp:Extensions>")),
			is("over 3072 attributes", "page xml.attributes", element("Extensions", "<samlp:Extensions>"+strings.Repeat(hundred(), 31)+"</samlp:Extensions>")),
		),
	)
}

func named(attrs, text string) change {
	return element("Subject", "<saml:Subject><saml:NameID"+attrs+">"+text+"</saml:NameID></saml:Subject>")
}

func inFormat(format string) string { return ` Format="` + format + `"` }

// sealed names somebody by an EncryptedID for our key.
func sealed(nameID string) change { return func(q *question) { q.seal = nameID } }

const sealedAlice = `<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Format="` + emailFormat + `">` + aliceMail + `</saml:NameID>`

func subjectRows() []row {
	subject := func(xml string) change { return element("Subject", "<saml:Subject>"+xml+"</saml:Subject>") }
	mailed := "answered: NameID emailAddress " + aliceMail
	return slices.Concat(
		rowsOf("Subject",
			is("empty", "page sp.request", subject("")),
			is("two identifiers", "page sp.request", subject("<saml:NameID>a</saml:NameID><saml:NameID>b</saml:NameID>")),
			is("something else", "page sp.request", subject("<saml:Odd/>")),
		),
		rowsOf("Subject/BaseID", is("any", "Requester/RequestUnsupported (sp.unsupported)", subject(`<saml:BaseID xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="urn:x" xsi:type="x:y"/>`))),
		rowsOf("Subject/NameID",
			is("without text", "page sp.request", subject("<saml:NameID/>")),
			is("of no format, the value that she has there", "answered: NameID persistent "+storedID, named("", storedID), element("NameIDPolicy", `<samlp:NameIDPolicy Format="`+persistent+`"/>`)),
			is("of no format, another value", "Responder/UnknownPrincipal (sp.subject)", named("", "bob")),
			by("none", "somebody", "the person is asked to sign in", named("", "bob")),
		),
		rowsOf("Subject/NameID/@Format",
			is("emailAddress, hers", mailed, named(inFormat(emailFormat), aliceMail)),
			is("emailAddress, another", "Responder/UnknownPrincipal (sp.subject)", named(inFormat(emailFormat), "bob@example.test")),
			is("persistent, hers", "answered: NameID persistent "+storedID, named(inFormat(persistent), storedID)),
			is("persistent, another", "Responder/UnknownPrincipal (sp.subject)", named(inFormat(persistent), "x"+storedID)),
			is("transient, of another session", "Responder/UnknownPrincipal (sp.subject)", named(inFormat(format2+"transient"), "_x")),
			is("unspecified, another value", "Responder/UnknownPrincipal (sp.subject)", named(inFormat("urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"), "bob")),
			is("one that samlet does not issue", "Responder/UnknownPrincipal (sp.subject)", named(inFormat(format2+"kerberos"), "alice@REALM")),
			is("another than NameIDPolicy demands", "Requester/InvalidNameIDPolicy (sp.nameid_policy)", named(inFormat(emailFormat), aliceMail), nameIDPolicy(inFormat(persistent))),
			is("the one that NameIDPolicy demands", mailed, named(inFormat(emailFormat), aliceMail), nameIDPolicy(inFormat(emailFormat))),
		),
		rowsOf("Subject/NameID/@NameQualifier",
			is("our entityID", "answered: NameID persistent "+storedID, named(inFormat(persistent)+` NameQualifier="`+matrixBase+`/saml/metadata"`, storedID)),
			is("another", "Responder/UnknownPrincipal (sp.subject)", named(inFormat(persistent)+` NameQualifier="urn:x"`, storedID)),
		),
		rowsOf("Subject/NameID/@SPNameQualifier",
			is("its own entityID", "answered: NameID persistent "+storedID, named(inFormat(persistent)+` SPNameQualifier="`+appID+`"`, storedID)),
			is("another", "Responder/UnknownPrincipal (sp.subject)", named(inFormat(persistent)+` SPNameQualifier="urn:x"`, storedID)),
		),
		rowsOf("Subject/NameID/@SPProvidedID", is("any; samlet keeps none", "Responder/UnknownPrincipal (sp.subject)", named(inFormat(persistent)+` SPProvidedID="x"`, storedID))),
		rowsOf("Subject/EncryptedID",
			is("for our key, hers", mailed, sealed(sealedAlice)),
			is("for our key, another", "Responder/UnknownPrincipal (sp.subject)", sealed(strings.Replace(sealedAlice, "alice@", "bob@", 1))),
			is("that does not open", "Responder/UnknownPrincipal (sp.subject)", subject("<saml:EncryptedID/>")),
		),
		rowsOf("Subject/SubjectConfirmation",
			is("bearer, which the profile forbids", "Requester/RequestUnsupported (sp.unsupported)", subject(`<saml:NameID>a</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"/>`)),
			is("holder-of-key", "Requester/RequestUnsupported (sp.unsupported)", subject(`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"/>`)),
		),
	)
}

func nameIDPolicy(attrs string) change {
	return element("NameIDPolicy", "<samlp:NameIDPolicy"+attrs+"/>")
}

func policyRows() []row {
	return slices.Concat(
		rowsOf("NameIDPolicy", is("empty", "answered", nameIDPolicy(""))),
		rowsOf("NameIDPolicy/@Format",
			is("persistent", "answered: NameID persistent "+storedID, nameIDPolicy(inFormat(persistent))),
			is("transient", "answered", nameIDPolicy(inFormat(format2+"transient"))),
			is("emailAddress", "answered: NameID emailAddress "+aliceMail, nameIDPolicy(inFormat(emailFormat))),
			is("emailAddress, where mail is not released", "Requester/InvalidNameIDPolicy (sp.nameid_policy) to https://named.example.test/acs", from(namedID), nameIDPolicy(inFormat(emailFormat))),
			is("unspecified", "answered", nameIDPolicy(inFormat("urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"))),
			is("encrypted", "answered: in an EncryptedAssertion, sent to https://sealed.example.test/acs", from(sealedID), nameIDPolicy(inFormat(format2+"encrypted"))),
			is("encrypted, where encryption is off", "Requester/InvalidNameIDPolicy (sp.nameid_policy)", nameIDPolicy(inFormat(format2+"encrypted"))),
			is("one that is configured for the application", "answered: sent to https://named.example.test/acs, NameID staff-number alice, Audience "+namedID+", attributes", from(namedID), nameIDPolicy(inFormat(nameIDOwn))),
			is("one that is configured for another", "Requester/InvalidNameIDPolicy (sp.nameid_policy)", nameIDPolicy(inFormat(nameIDOwn))),
			is("kerberos", "Requester/InvalidNameIDPolicy (sp.nameid_policy)", nameIDPolicy(inFormat(format2+"kerberos"))),
			is("entity", "Requester/InvalidNameIDPolicy (sp.nameid_policy)", nameIDPolicy(inFormat(format2+"entity"))),
			is("blank", "answered", nameIDPolicy(inFormat(""))),
		),
		rowsOf("NameIDPolicy/@SPNameQualifier",
			is("its own entityID", "answered", nameIDPolicy(` SPNameQualifier="`+appID+`"`)),
			is("another", "Requester/InvalidNameIDPolicy (sp.nameid_policy)", nameIDPolicy(` SPNameQualifier="urn:affiliation"`)),
		),
		rowsOf("NameIDPolicy/@AllowCreate",
			is("true", "answered", nameIDPolicy(` AllowCreate="true"`)),
			is("false, and she has an identifier there", "answered: NameID persistent "+storedID, nameIDPolicy(inFormat(persistent)+` AllowCreate="false"`)),
			is("false, and she has none there", "Requester/InvalidNameIDPolicy (sp.nameid_policy) to https://lax.example.test/acs", from(laxID), nameIDPolicy(inFormat(persistent)+` AllowCreate="0"`)),
			is("no boolean", "page sp.request", nameIDPolicy(` AllowCreate="maybe"`)),
		),
	)
}

func conditions(attrs, children string) change {
	return element("Conditions", "<saml:Conditions"+attrs+">"+children+"</saml:Conditions>")
}

func audience(ids ...string) string {
	s := ""
	for _, id := range ids {
		s += "<saml:Audience>" + id + "</saml:Audience>"
	}
	return s
}

func conditionRows() []row {
	const through = ", AuthenticatingAuthority " + partnerID + " https://idp.deep.test/saml"
	restricted := func(ids ...string) change {
		return conditions("", "<saml:AudienceRestriction>"+audience(ids...)+"</saml:AudienceRestriction>")
	}
	proxied := func(attrs string, ids ...string) change {
		return conditions("", "<saml:ProxyRestriction"+attrs+">"+audience(ids...)+"</saml:ProxyRestriction>")
	}
	return slices.Concat(
		rowsOf("Conditions",
			is("empty", "answered", conditions("", "")),
			is("something else in it", "page sp.request", conditions("", "<saml:Odd/>")),
		),
		rowsOf("Conditions/@NotBefore",
			is("earlier than ours", "answered", conditions(` NotBefore="2026-11-23T11:00:00Z"`, "")),
			is("within ours", "answered: NotBefore +10s", conditions(` NotBefore="2026-11-23T12:00:10Z"`, "")),
			is("later than ours ends", "Requester/RequestDenied (sp.conditions)", conditions(` NotBefore="2026-11-23T13:00:00Z"`, "")),
			is("no time", "page sp.request", conditions(` NotBefore="now"`, "")),
		),
		rowsOf("Conditions/@NotOnOrAfter",
			is("later than ours", "answered", conditions(` NotOnOrAfter="2026-11-23T13:00:00Z"`, "")),
			is("within ours", "answered: NotOnOrAfter +60s, confirmed until +60s", conditions(` NotOnOrAfter="2026-11-23T12:01:00Z"`, "")),
			is("past", "Requester/RequestDenied (sp.conditions)", conditions(` NotOnOrAfter="2026-11-23T12:00:00Z"`, "")),
			is("not after NotBefore", "page sp.request", conditions(` NotBefore="2026-11-23T12:01:00Z" NotOnOrAfter="2026-11-23T12:01:00Z"`, "")),
			is("no time", "page sp.request", conditions(` NotOnOrAfter=""`, "")),
		),
		rowsOf("Conditions/Condition", is("any", "Requester/RequestUnsupported (sp.unsupported)", conditions("", `<saml:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="urn:x" xsi:type="x:y"/>`))),
		rowsOf("Conditions/AudienceRestriction",
			is("several, each with the application", "answered", conditions("", "<saml:AudienceRestriction>"+audience(appID)+"</saml:AudienceRestriction><saml:AudienceRestriction>"+audience("urn:x", appID)+"</saml:AudienceRestriction>")),
			is("several, one without it", "Requester/RequestDenied (sp.conditions)", conditions("", "<saml:AudienceRestriction>"+audience(appID)+"</saml:AudienceRestriction><saml:AudienceRestriction>"+audience("urn:x")+"</saml:AudienceRestriction>")),
			is("empty", "page sp.request", restricted()),
		),
		rowsOf("Conditions/AudienceRestriction/Audience",
			is("the application", "answered", restricted(appID)),
			is("the application and others, which are not added", "answered", restricted("urn:x", appID)),
			is("others alone", "Requester/RequestDenied (sp.conditions)", restricted("urn:x")),
			is("blank", "page sp.request", restricted("")),
		),
		rowsOf("Conditions/OneTimeUse",
			is("once", "answered: OneTimeUse set", conditions("", "<saml:OneTimeUse/>")),
			is("twice", "page sp.request", conditions("", "<saml:OneTimeUse/><saml:OneTimeUse/>")),
		),
		rowsOf("Conditions/ProxyRestriction",
			is("empty", "answered: ProxyRestriction Count unstated", proxied("")),
			by("bounded", "none", "answered: AuthnContextClassRef "+refedsMFA+through+", ProxyRestriction Count 1 "+appID+" urn:x"),
			by("bounded", "none, to an application that is not among them", "the person is asked to sign in", from(laxID)),
			is("twice", "page sp.request", conditions("", "<saml:ProxyRestriction/><saml:ProxyRestriction/>")),
		),
		rowsOf("Conditions/ProxyRestriction/@Count",
			is("a number", "answered: ProxyRestriction Count 0", proxied(` Count="0"`)),
			is("below 0", "page sp.request", proxied(` Count="-1"`)),
			by("bounded", "more than there is left", "answered: AuthnContextClassRef "+refedsMFA+through+", ProxyRestriction Count 1 "+appID+" urn:x", proxied(` Count="7"`)),
		),
		rowsOf("Conditions/ProxyRestriction/Audience",
			is("some", "answered: ProxyRestriction Count 1 urn:x urn:y", proxied(` Count="1"`, "urn:x", "urn:y")),
			is("blank", "page sp.request", proxied("", "")),
			by("bounded", "one of those", "answered: AuthnContextClassRef "+refedsMFA+through+", ProxyRestriction Count 1 urn:x", proxied("", "urn:x", "urn:y")),
			by("bounded", "none of those", "answered: AuthnContextClassRef "+refedsMFA+through+", ProxyRestriction Count 0", proxied("", "urn:y")),
		),
	)
}

func classRefs(comparison string, classes ...string) change {
	s := "<samlp:RequestedAuthnContext" + comparison + ">"
	for _, c := range classes {
		s += "<saml:AuthnContextClassRef>" + c + "</saml:AuthnContextClassRef>"
	}
	return element("RequestedAuthnContext", s+"</samlp:RequestedAuthnContext>")
}

func contextRows() []row {
	const (
		exact, minimum, maximum, better = ` Comparison="exact"`, ` Comparison="minimum"`, ` Comparison="maximum"`, ` Comparison="better"`

		unmet    = "Responder/NoAuthnContext (sp.authn_context)"
		upstream = "sent to idp.partner.test with AuthnContextClassRef urn:partner:two"
	)
	passive := attr("IsPassive", "true")
	return slices.Concat(
		rowsOf("RequestedAuthnContext",
			is("empty", "page sp.request", classRefs("")),
			is("classes and declarations", "page sp.request", element("RequestedAuthnContext", "<samlp:RequestedAuthnContext><saml:AuthnContextClassRef>a</saml:AuthnContextClassRef><saml:AuthnContextDeclRef>b</saml:AuthnContextDeclRef></samlp:RequestedAuthnContext>")),
		),
		rowsOf("RequestedAuthnContext/@Comparison",
			is("absent: exact", "answered", classRefs("", acPPT)),
			is("exact, met", "answered", classRefs(exact, acPPT)),
			is("exact, a weaker class", unmet, classRefs(exact, acPassword)),
			is("exact, a weaker class, where exact_as_minimum is set", "answered: sent to https://lax.example.test/acs, Audience "+laxID, from(laxID), classRefs(exact, acPassword)),
			is("minimum, a weaker class", "answered", classRefs(minimum, acPassword)),
			is("minimum, a stronger class", upstream, classRefs(minimum, acClasses+"X509")),
			is("maximum, a stronger class", "answered", classRefs(maximum, refedsMFA)),
			is("maximum, a weaker class", unmet, classRefs(maximum, acPassword)),
			is("better than a weaker class", "answered", classRefs(better, acPassword)),
			is("better than the class that it was", upstream, classRefs(better, acPPT)),
			is("better than several", upstream, classRefs(better, acPassword, acPPT)),
			is("another", "page sp.request", classRefs(` Comparison="same"`, acPPT)),
			is("minimum, a stronger class, and IsPassive", upstream, classRefs(minimum, acClasses+"X509"), passive),
		),
		rowsOf("RequestedAuthnContext/AuthnContextClassRef",
			is("REFEDS SFA, which a password of 12 characters meets", "answered: AuthnContextClassRef "+refedsSFA, classRefs("", refedsSFA)),
			is("several, in the order of preference", "answered: AuthnContextClassRef "+refedsSFA, classRefs("", refedsMFA, refedsSFA, acPPT)),
			is("several, in another order", "answered", classRefs("", refedsMFA, acPPT, refedsSFA)),
			is("unspecified", "answered: AuthnContextClassRef "+acClasses+"unspecified", classRefs("", acClasses+"unspecified")),
			is("REFEDS MFA, which did not take place", upstream, classRefs("", refedsMFA)),
			by("partner", "REFEDS MFA, which did", "answered: AuthnContextClassRef "+refedsMFA+", AuthenticatingAuthority "+partnerID+" https://idp.deep.test/saml", classRefs("", refedsMFA)),
			by("partner", "Microsoft's multipleauthn", "answered: AuthnContextClassRef "+microsoft+", AuthenticatingAuthority "+partnerID+" https://idp.deep.test/saml", classRefs("", microsoft)),
			by("partner", "at least a password", "answered: AuthnContextClassRef "+refedsMFA+", AuthenticatingAuthority "+partnerID+" https://idp.deep.test/saml", classRefs(minimum, acPPT)),
			is("unknown", unmet, classRefs("", "urn:x")),
			is("blanks around it", "answered", classRefs("", " "+acPPT+" ")),
			is("blank", "page sp.request", classRefs("", "")),
		),
		rowsOf("RequestedAuthnContext/AuthnContextDeclRef",
			is("any; samlet has no declarations", unmet, element("RequestedAuthnContext", "<samlp:RequestedAuthnContext><saml:AuthnContextDeclRef>urn:x</saml:AuthnContextDeclRef></samlp:RequestedAuthnContext>")),
			is("blank", "page sp.request", element("RequestedAuthnContext", "<samlp:RequestedAuthnContext><saml:AuthnContextDeclRef/></samlp:RequestedAuthnContext>")),
		),
	)
}

func scoping(attrs, children string) change {
	return element("Scoping", "<samlp:Scoping"+attrs+">"+children+"</samlp:Scoping>")
}

func idpList(ids ...string) string {
	s := "<samlp:IDPList>"
	for _, id := range ids {
		s += `<samlp:IDPEntry ProviderID="` + id + `"/>`
	}
	return s + "</samlp:IDPList>"
}

func scopingRows() []row {
	const (
		exceeded    = "Responder/ProxyCountExceeded (sp.proxy_count)"
		unsupported = "Responder/NoSupportedIDP (sp.idp_list)"
		unavailable = "Responder/NoAvailableIDP (sp.idp_unavailable)"
		ours        = matrixBase + "/saml/metadata"
		password    = "the person is asked to sign in"
	)
	through := "answered: AuthnContextClassRef " + refedsMFA + ", AuthenticatingAuthority " + partnerID + " https://idp.deep.test/saml"
	requester := "<samlp:RequesterID>urn:first</samlp:RequesterID>"
	force := attr("ForceAuthn", "true")
	return slices.Concat(
		rowsOf("Scoping",
			is("empty", "answered", scoping("", "")),
			is("something else in it", "page sp.request", scoping("", "<samlp:Odd/>")),
			is("children out of order", "page sp.request", scoping("", requester+idpList(partnerID))),
		),
		rowsOf("Scoping/@ProxyCount",
			is("0", "answered", scoping(` ProxyCount="0"`, "")),
			by("none", "0", password, scoping(` ProxyCount="0"`, "")),
			by("partner", "0", password, scoping(` ProxyCount="0"`, "")),
			by("partner", "0, and IsPassive", "Responder/NoPassive (sp.passive)", scoping(` ProxyCount="0"`, ""), attr("IsPassive", "true")),
			by("partner", "1, and two stand behind us", password, scoping(` ProxyCount="1"`, "")),
			by("partner", "2", through, scoping(` ProxyCount="2"`, "")),
			is("0, and REFEDS MFA, which only an upstream could show", exceeded, scoping(` ProxyCount="0"`, ""), classRefs("", refedsMFA)),
			is("below 0", "page sp.request", scoping(` ProxyCount="-1"`, "")),
			is("no number", "page sp.request", scoping(` ProxyCount="many"`, "")),
		),
		rowsOf("Scoping/IDPList",
			is("empty", "page sp.request", scoping("", "<samlp:IDPList/>")),
			is("several upstreams", "the person is asked to choose an upstream", scoping("", idpList(partnerID, otherID))),
			by("none", "one upstream", "sent to idp.partner.test with ProxyCount unstated, IDPEntry "+partnerID+", RequesterID "+appID, scoping("", idpList(partnerID))),
		),
		rowsOf("Scoping/IDPList/IDPEntry",
			is("samlet", "answered", scoping("", idpList(ours))),
			by("none", "samlet", password, scoping("", idpList(ours))),
			by("partner", "samlet alone", password, scoping("", idpList(ours))),
			by("partner", "the upstream", through, scoping("", idpList(partnerID))),
			by("partner", "one behind the upstream", through, scoping("", idpList("https://idp.deep.test/saml"))),
			is("an upstream, though signed in with a password", "sent to idp.partner.test with ProxyCount unstated, IDPEntry "+partnerID+", RequesterID "+appID, scoping("", idpList(partnerID))),
			is("nobody we know", unsupported, scoping("", idpList("urn:x"))),
			is("nobody we know, and IsPassive", unsupported, scoping("", idpList("urn:x")), attr("IsPassive", "true")),
			is("an upstream that is switched off", unavailable, scoping("", idpList(closedID))),
			is("an upstream, and ProxyCount 0", exceeded, scoping(` ProxyCount="0"`, idpList(partnerID))),
		),
		rowsOf("Scoping/IDPList/IDPEntry/@ProviderID",
			is("absent", "page sp.request", scoping("", "<samlp:IDPList><samlp:IDPEntry/></samlp:IDPList>")),
			is("blank", "page sp.request", scoping("", idpList(" "))),
		),
		rowsOf("Scoping/IDPList/IDPEntry/@Name", is("any: never shown", "answered", scoping("", `<samlp:IDPList><samlp:IDPEntry ProviderID="`+ours+`" Name="&lt;script>"/></samlp:IDPList>`))),
		rowsOf("Scoping/IDPList/IDPEntry/@Loc", is("any: the address is in the metadata", "answered", scoping("", `<samlp:IDPList><samlp:IDPEntry ProviderID="`+ours+`" Loc="https://evil.test/sso"/></samlp:IDPList>`))),
		rowsOf("Scoping/IDPList/GetComplete",
			is("any: never fetched, the list counts as complete", "answered", scoping("", strings.Replace(idpList(ours), "</samlp:IDPList>", "<samlp:GetComplete>https://evil.test/list</samlp:GetComplete></samlp:IDPList>", 1))),
			is("alone", "page sp.request", scoping("", "<samlp:IDPList><samlp:GetComplete>https://evil.test/list</samlp:GetComplete></samlp:IDPList>")),
		),
		rowsOf("Scoping/RequesterID",
			is("some", "answered", scoping("", requester)),
			by("none", "some, and the request goes upstream", "sent to idp.partner.test with ProxyCount 1, IDPEntry "+partnerID+", RequesterID urn:first, RequesterID "+appID, scoping(` ProxyCount="2"`, idpList(partnerID)+requester), force),
			is("blank", "page sp.request", scoping("", "<samlp:RequesterID/>")),
		),
	)
}

func link(query string) change {
	return func(q *question) { q.path = "/saml/idp-initiated" + query }
}

func unsolicitedRows() []row {
	const sent = "answered: sent to https://lax.example.test/acs"
	return rowsOf("(idp-initiated)",
		is("an application that allows it", sent+", InResponseTo none, Audience "+laxID, link("?sp="+laxID)),
		by("none", "an application that allows it", "the person is asked to sign in", link("?sp="+laxID)),
		is("with RelayState", sent+", RelayState /orders?id=1, InResponseTo none, Audience "+laxID, link("?sp="+laxID+"&RelayState=%2Forders%3Fid%3D1")),
		is("an application that does not allow it", "page sp.idp_initiated", link("?sp="+appID)),
		is("nobody we know", "page sp.unknown", link("?sp=urn:x")),
		is("without sp", "page sp.link", link("")),
		is("sp twice", "page sp.link", link("?sp="+laxID+"&sp="+appID)),
		is("an unknown parameter", "page sp.link", link("?sp="+laxID+"&acs=https://evil.test")),
		is("RelayState a script", "page sp.link", link("?sp="+laxID+"&RelayState=%20JavaScript:alert(1)")),
		is("RelayState too long", "page sp.link", link("?sp="+laxID+"&RelayState="+strings.Repeat("x", 1025))),
	)
}
