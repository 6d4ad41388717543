#!/usr/bin/env python3
"""Makes faults/: messages with one fault each, and good/: messages without any.
They are signed and encrypted by xmlsec1 and openssl, never by samlet, with the
keys of internal/xmlsec/testdata.

Each file begins with lines "# name: value", which the test strips:

  title   what the message is
  check   (faults) the id of the one check that has to fail
  kind    what the message has to be taken for
  from    (optional) the metadata at hand: "sp", "idp", "both" (default), "none"
  at      the time to judge by

Usage: cd internal/explain/testdata && python3 generate.py
Needs: xmlsec1 1.2 or later, openssl 3.
"""
import base64, json, os, re, subprocess, tempfile, urllib.parse, zlib

KEYS = "../../xmlsec/testdata/keys/test-%s-%s.pem"
SAML = "urn:oasis:names:tc:SAML:2.0:"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
NOW = "2026-11-23T18:00:00Z"
SP, IDP = "https://app.example.test/saml", "https://login.example.test/saml/metadata"
SSO, SLO = "https://login.example.test/saml/sso", "https://login.example.test/saml/slo"
ACS, SPSLO = "https://app.example.test/saml/acs", "https://app.example.test/saml/slo"
BEARER = SAML + "cm:bearer"
PERSISTENT = SAML + "nameid-format:persistent"


def run(*args, data=None):
    p = subprocess.run(args, input=data, capture_output=True)
    if p.returncode:
        raise SystemExit("%s: %s" % (" ".join(args), p.stderr.decode()))
    return p.stdout


def temporary(data):
    f = tempfile.NamedTemporaryFile(suffix=".xml", delete=False)
    f.write(data.encode() if isinstance(data, str) else data)
    f.close()
    return f.name


def certificate(key):
    return re.sub(r"-----[^-]+-----|\s", "", open(KEYS % (key, "cert")).read())


def signature(ref, key="rsa", alg=None, digest="http://www.w3.org/2001/04/xmlenc#sha256", enclose=False):
    alg = alg or MORE + ("rsa-sha256" if key in ("rsa", "other") else "ecdsa-sha256")
    info = "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo>" % certificate(key) if enclose else ""
    return ('<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="%s"/>'
            '<ds:SignatureMethod Algorithm="%s"/><ds:Reference URI="#%s"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>'
            '<ds:Transform Algorithm="%s"/></ds:Transforms><ds:DigestMethod Algorithm="%s"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>'
            '<ds:SignatureValue/>%s</ds:Signature>') % (EXC, alg, ref, EXC, digest, info)


def sign(doc, key="rsa"):
    args = ["xmlsec1", "--sign", "--privkey-pem", KEYS % (key, "key")]
    for el in ("assertion:Assertion", "protocol:Response", "protocol:AuthnRequest", "protocol:LogoutRequest", "protocol:LogoutResponse", "protocol:ArtifactResolve", "metadata:EntityDescriptor"):
        args += ["--id-attr:ID", SAML + el]
    f = temporary(doc)
    out = run(*args, f).decode()
    os.unlink(f)
    return re.sub(r"^<\?xml[^>]*\?>\s*", "", out)


NS = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'


def request(body="", sig="", id="_request", version="2.0", at=NOW, destination=SSO, issuer=SP, attrs='AssertionConsumerServiceURL="%s" ' % ACS, kind="AuthnRequest", decl=""):
    destination = 'Destination="%s" ' % destination if destination else ""
    issuer = "<saml:Issuer>%s</saml:Issuer>" % issuer if issuer else ""
    return '<samlp:%s %s %s%s%sID="%s" Version="%s" IssueInstant="%s">%s%s%s</samlp:%s>' % (kind, NS, decl, destination, attrs, id, version, at, issuer, sig, body, kind)


def signed_request(key="rsa", **o):
    alg = {k: o.pop(k) for k in ("alg", "digest", "enclose") if k in o}
    return sign(request(sig=signature(o.get("id", "_request"), key, **alg), **o), key)


def deflated(xml):
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(c.compress(xml.encode()) + c.flush()).decode()


def query(xml, param="SAMLRequest", relay=None, key=None, alg=MORE + "rsa-sha256", digest="sha256"):
    q = param + "=" + urllib.parse.quote_plus(deflated(xml))
    if relay is not None:
        q += "&RelayState=" + urllib.parse.quote_plus(relay)
    if key:
        q += "&SigAlg=" + urllib.parse.quote_plus(alg)
        sig = run("openssl", "dgst", "-" + digest, "-sign", KEYS % (key, "key"), data=q.encode())
        q += "&Signature=" + urllib.parse.quote_plus(base64.b64encode(sig).decode())
    return q


def b64(xml):
    return base64.b64encode(xml.encode()).decode()


def form(xml, param="SAMLRequest", relay=None):
    f = {param: b64(xml)}
    if relay is not None:
        f["RelayState"] = relay
    return urllib.parse.urlencode(f)


def confirmation(recipient=ACS, until="2026-11-23T18:05:00Z", method=BEARER, more=""):
    r = 'Recipient="%s" ' % recipient if recipient else ""
    u = 'NotOnOrAfter="%s" ' % until if until else ""
    return '<saml:SubjectConfirmation Method="%s"><saml:SubjectConfirmationData %s%s%sInResponseTo="_request"/></saml:SubjectConfirmation>' % (method, r, u, more)


def conditions(audience=SP, begin="2026-11-23T17:59:00Z", until="2026-11-23T18:05:00Z", more=""):
    a = "<saml:AudienceRestriction><saml:Audience>%s</saml:Audience></saml:AudienceRestriction>" % audience if audience else ""
    return '<saml:Conditions NotBefore="%s" NotOnOrAfter="%s">%s%s</saml:Conditions>' % (begin, until, a, more)


def statement(at=NOW, end=""):
    end = ' SessionNotOnOrAfter="%s"' % end if end else ""
    return ('<saml:AuthnStatement AuthnInstant="%s" SessionIndex="_s1"%s><saml:AuthnContext><saml:AuthnContextClassRef>%sac:classes:PasswordProtectedTransport'
            '</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>') % (at, end, SAML)


ATTRIBUTES = ('<saml:AttributeStatement><saml:Attribute Name="urn:oid:0.9.2342.19200300.100.1.3" NameFormat="%sattrname-format:uri" FriendlyName="mail">'
              '<saml:AttributeValue>ada@example.test</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>') % SAML


def assertion(sig="", subject=None, confirm=None, conds=None, stmt=None, attrs=ATTRIBUTES, issuer=IDP, id="_assertion", version="2.0", at=NOW):
    subject = '<saml:NameID Format="%s">q4z7n2f6</saml:NameID>' % PERSISTENT if subject is None else subject
    confirm = confirmation() if confirm is None else confirm
    conds = conditions() if conds is None else conds
    stmt = statement() if stmt is None else stmt
    return '<saml:Assertion %s ID="%s" Version="%s" IssueInstant="%s"><saml:Issuer>%s</saml:Issuer>%s<saml:Subject>%s%s</saml:Subject>%s%s%s</saml:Assertion>' % (
        NS.split(" ")[1], id, version, at, issuer, sig, subject, confirm, conds, stmt, attrs)


def status(*codes, message=""):
    out = ""
    for c in reversed(codes or ("Success",)):
        out = '<samlp:StatusCode Value="%sstatus:%s">%s</samlp:StatusCode>' % (SAML, c, out)
    return "<samlp:Status>%s%s</samlp:Status>" % (out, "<samlp:StatusMessage>%s</samlp:StatusMessage>" % message if message else "")


def response(body=None, stat=None, key="p256", signed=True, destination=ACS, issuer=IDP, **o):
    body = assertion() if body is None else body
    sig = signature("_response", key) if signed else ""
    doc = request((stat or status()) + body, sig, "_response", issuer=issuer, destination=destination, attrs='InResponseTo="_request" ', kind="Response", **o)
    return sign(doc, key) if signed else doc


def encrypted(xml, key="encryption", content="http://www.w3.org/2009/xmlenc11#aes256-gcm"):
    template = ('<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element">'
                '<xenc:EncryptionMethod Algorithm="%s"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey>'
                '<xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/><xenc:CipherData><xenc:CipherValue/></xenc:CipherData>'
                '</xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>') % content
    data, tmpl = temporary(xml), temporary(template)
    out = run("xmlsec1", "--encrypt", "--pubkey-cert-pem", KEYS % (key, "cert"), "--session-key", "aes-256", "--xml-data", data, tmpl).decode()
    os.unlink(data), os.unlink(tmpl)
    return "<saml:EncryptedAssertion>" + re.sub(r"^<\?xml[^>]*\?>\s*", "", out) + "</saml:EncryptedAssertion>"


def logout(sig=True, key="rsa", nameid='<saml:NameID Format="%s">q4z7n2f6</saml:NameID>' % PERSISTENT, attrs="", destination=SLO, issuer=SP, **o):
    doc = request(nameid + "<samlp:SessionIndex>_s1</samlp:SessionIndex>", signature("_request", key) if sig else "", destination=destination, issuer=issuer, attrs=attrs, kind="LogoutRequest", **o)
    return sign(doc, key) if sig else doc


def logout_response(stat=None):
    doc = request(stat or status(), signature("_r2", "p256"), "_r2", destination=SPSLO, issuer=IDP, attrs='InResponseTo="_request" ', kind="LogoutResponse")
    return sign(doc, "p256")


def soap(xml):
    return '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>%s</S:Body></S:Envelope>' % xml


def artifact(entity, type=4):
    import hashlib
    return base64.b64encode(bytes([0, type, 0, 0]) + hashlib.sha1(entity.encode()).digest() + bytes(20)).decode()


def resolve(a):
    return request("<samlp:Artifact>%s</samlp:Artifact>" % a, signature("_request"), destination="", attrs="", kind="ArtifactResolve")


def key_descriptor(key, use="signing"):
    return '<md:KeyDescriptor use="%s"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>' % (use, certificate(key))


def endpoint(kind, binding, location, more=""):
    return '<md:%s Binding="%sbindings:%s" Location="%s"%s/>' % (kind, SAML, binding, location, more)


def sp_metadata(keys=None, acs=None, attrs="", signed="true"):
    return ('<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="%s"%s><md:SPSSODescriptor protocolSupportEnumeration="%s" AuthnRequestsSigned="%s">%s%s%s%s'
            '<md:AttributeConsumingService index="1"><md:ServiceName xml:lang="en">App</md:ServiceName><md:RequestedAttribute Name="urn:oid:0.9.2342.19200300.100.1.3"/></md:AttributeConsumingService>'
            '</md:SPSSODescriptor></md:EntityDescriptor>') % (SP, attrs, SAML + "protocol", signed, key_descriptor("rsa") + key_descriptor("encryption", "encryption") if keys is None else keys,
            endpoint("SingleLogoutService", "HTTP-POST", SPSLO), endpoint("SingleLogoutService", "HTTP-Redirect", SPSLO) + "<md:NameIDFormat>%s</md:NameIDFormat>" % PERSISTENT,
            endpoint("AssertionConsumerService", "HTTP-POST", ACS, ' index="0" isDefault="true"') if acs is None else acs)


def idp_metadata():
    return ('<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="%s"><md:IDPSSODescriptor protocolSupportEnumeration="%s">%s%s%s%s'
            '</md:IDPSSODescriptor></md:EntityDescriptor>') % (IDP, SAML + "protocol", key_descriptor("p256"),
            endpoint("SingleLogoutService", "HTTP-POST", SLO) + endpoint("SingleLogoutService", "HTTP-Redirect", SLO),
            "<md:NameIDFormat>%s</md:NameIDFormat><md:NameIDFormat>%snameid-format:transient</md:NameIDFormat>" % (PERSISTENT, SAML),
            endpoint("SingleSignOnService", "HTTP-Redirect", SSO) + endpoint("SingleSignOnService", "HTTP-POST", SSO))


def save(folder, name, title, kind, body, **lines):
    os.makedirs(folder, exist_ok=True)
    path = "%s/%s.txt" % (folder, name)
    if os.path.exists(path):
        return  # signatures and ciphertexts are never the same twice; delete what is to be made anew
    head = {"title": title, "kind": kind, "at": lines.pop("at", NOW), **lines}
    with open(path, "w", newline="") as f:
        f.write("".join("# %s: %s\n" % kv for kv in head.items()) + body)


def good(name, title, kind, body, **lines):
    save("good", name, title, kind, body, **lines)


def fault(name, check, title, kind, body, **lines):
    save("faults", name, title, kind, body, check=check, **lines)


def har(*requests):
    entries = []
    for method, url, form in requests:
        q = {"method": method, "url": url}
        if form:
            q["postData"] = {"mimeType": "application/x-www-form-urlencoded", "text": form}
        entries.append({"startedDateTime": "2026-11-23T18:00:00.000Z", "request": q, "response": {}})
    return json.dumps({"log": {"version": "1.2", "entries": entries}})


def goods():
    plain, whole = request(), response()
    good("request-xml", "an AuthnRequest as bare XML", "AuthnRequest", signed_request())
    good("request-base64", "in base64", "AuthnRequest", b64(signed_request()))
    good("request-base64-lines", "in base64 with line breaks, as mail makes them", "AuthnRequest", "\r\n".join(re.findall(".{1,76}", b64(signed_request()))))
    good("request-percent", "in base64, percent-encoded", "AuthnRequest", urllib.parse.quote_plus(b64(signed_request())))
    good("request-deflated", "deflated, in base64", "AuthnRequest", deflated(signed_request()))
    good("request-url", "a whole URL with a signed query", "AuthnRequest", SSO + "?" + query(plain, relay="r1", key="rsa"))
    good("request-location", "a response header", "AuthnRequest", "Location: " + SSO + "?" + query(plain, key="rsa"))
    good("request-line", "a line of an access log", "AuthnRequest", "GET /saml/sso?" + query(plain, key="rsa") + " HTTP/1.1")
    good("request-query", "a bare query", "AuthnRequest", query(plain, relay="r1", key="rsa"))
    good("request-form", "a form body", "AuthnRequest", form(signed_request(), relay="r1"))
    good("request-form-deflated", "a form body with a deflated message", "AuthnRequest", "SAMLRequest=" + urllib.parse.quote_plus(deflated(plain)), **{"from": "idp"})
    good("request-nothing-known", "without any metadata", "AuthnRequest", plain, **{"from": "none"})
    good("response-form", "a Response in a form", "Response", form(whole, "SAMLResponse", "r1"))
    good("response-assertion-signed", "a Response whose assertion is signed", "Response", response(sign(assertion(signature("_assertion", "p256")), "p256"), signed=False))
    good("response-encrypted", "an encrypted assertion", "Response", response(encrypted(assertion())))
    good("assertion", "an assertion alone", "Assertion", sign(assertion(signature("_assertion", "p256")), "p256"))
    good("logout-request", "a LogoutRequest", "LogoutRequest", form(logout(), relay="r1"))
    good("logout-request-redirect", "a LogoutRequest with a signed query", "LogoutRequest", SLO + "?" + query(logout(sig=False), key="rsa"))
    good("logout-response", "a LogoutResponse", "LogoutResponse", form(logout_response(), "SAMLResponse"))
    good("logout-soap", "a LogoutRequest in SOAP", "Envelope", soap(logout()))
    good("artifact", "an artifact", "Artifact", artifact(IDP))
    good("artifact-url", "a URL with an artifact", "Artifact", ACS + "?SAMLart=" + urllib.parse.quote_plus(artifact(IDP)) + "&RelayState=r1")
    good("artifact-resolve", "an ArtifactResolve in SOAP", "Envelope", soap(sign(resolve(artifact(IDP)))))
    good("metadata-sp", "an application's metadata", "EntityDescriptor", sp_metadata())
    good("metadata-idp", "an identity provider's metadata", "EntityDescriptor", idp_metadata())
    good("har", "a HAR of a whole sign-in", "AuthnRequest Response", har(
        ("GET", "https://app.example.test/", None), ("GET", SSO + "?" + query(plain, relay="r1", key="rsa"), None), ("POST", "https://login.example.test/login", "t=1&password=x"),
        ("POST", ACS, form(whole, "SAMLResponse", "r1"))))
    good("saml-tracer", "an export of SAML-tracer", "AuthnRequest Response", json.dumps({"timestamp": "2026-11-23T18:00:00.000Z", "requests": [
        {"method": "GET", "url": SSO + "?" + query(plain, relay="r1", key="rsa"), "requestId": "1", "get": [], "requestHeaders": []},
        {"method": "POST", "url": ACS, "requestId": "2", "post": [["SAMLResponse", b64(whole)], ["RelayState", "r1"]]}]}))


def faults_of_requests():
    fault("request-wrong-destination", "destination", "sent to another address", "AuthnRequest", form(signed_request(destination="https://login.example.test/saml/sso/")))
    fault("request-no-destination", "destination", "signed, without Destination", "AuthnRequest", form(signed_request(destination="")))
    fault("request-unknown-issuer", "issuer", "an entityID with a letter too many", "AuthnRequest", request(issuer=SP + "l"))
    fault("request-no-issuer", "issuer", "without Issuer", "AuthnRequest", request(issuer=""))
    fault("request-foreign-key", "signature", "signed by a key that is not in the metadata", "AuthnRequest", form(signed_request("other", enclose=True)))
    fault("request-changed", "signature", "changed after it was signed", "AuthnRequest", form(signed_request().replace(ACS, "https://app.example.test/saml/evil")))
    fault("request-sha1", "algorithm", "signed with SHA-1", "AuthnRequest", form(signed_request(alg="http://www.w3.org/2000/09/xmldsig#rsa-sha1", digest="http://www.w3.org/2000/09/xmldsig#sha1")))
    fault("request-unsigned", "signature_required", "not signed, although the metadata says so", "AuthnRequest", form(request()))
    fault("request-redirect-xml-signature", "signature_required", "by Redirect, with a signature inside the XML", "AuthnRequest", SSO + "?" + query(signed_request()))
    fault("request-query-foreign-key", "signature", "a query signed by another key", "AuthnRequest", SSO + "?" + query(request(), key="other"))
    fault("request-query-relay-state-added", "signature", "a signed query with a RelayState that was added", "AuthnRequest", SSO + "?" + query(request(), key="rsa").replace("&SigAlg", "&RelayState=x&SigAlg"))
    fault("request-query-sha1", "algorithm", "a query signed with SHA-1", "AuthnRequest", SSO + "?" + query(request(), key="rsa", alg="http://www.w3.org/2000/09/xmldsig#rsa-sha1", digest="sha1"))
    fault("request-acs", "acs", "an AssertionConsumerService that is not registered", "AuthnRequest", form(signed_request(attrs='AssertionConsumerServiceURL="%s/" ' % ACS)))
    fault("request-acs-index", "acs", "an index that is not registered", "AuthnRequest", form(signed_request(attrs='AssertionConsumerServiceIndex="7" ')))
    fault("request-acs-both", "acs", "an index and a URL", "AuthnRequest", form(signed_request(attrs='AssertionConsumerServiceIndex="0" AssertionConsumerServiceURL="%s" ' % ACS)))
    fault("request-old", "issue_instant", "an hour old", "AuthnRequest", form(signed_request(at="2026-11-23T17:00:00Z")))
    fault("request-future", "issue_instant", "from the future", "AuthnRequest", form(signed_request(at="2026-11-23T18:10:00Z")))
    fault("request-version", "version", "SAML 1.1", "AuthnRequest", form(signed_request(version="1.1")))
    fault("request-time", "issue_instant_format", "an IssueInstant that is no time", "AuthnRequest", form(signed_request(at="yesterday")))
    fault("request-id", "id", "an ID that begins with a digit", "AuthnRequest", form(signed_request(id="1request")))
    fault("request-binding", "protocol_binding", "wants its answer by Redirect", "AuthnRequest", form(signed_request(attrs='ProtocolBinding="%sbindings:HTTP-Redirect" ' % SAML)))
    fault("request-attribute-index", "attribute_service", "an AttributeConsumingServiceIndex that is not there", "AuthnRequest", form(signed_request(attrs='AttributeConsumingServiceIndex="9" ')))
    fault("request-nameid", "nameid_policy", "a format that is not issued", "AuthnRequest", form(signed_request(body='<samlp:NameIDPolicy Format="%snameid-format:kerberos"/>' % SAML)))
    fault("request-nameid-qualifier", "nameid_policy", "another application's identifiers", "AuthnRequest", form(signed_request(body='<samlp:NameIDPolicy SPNameQualifier="https://other.example.test"/>')))
    fault("request-context", "authn_context", "a class that cannot be reached", "AuthnRequest", form(signed_request(body='<samlp:RequestedAuthnContext><saml:AuthnContextClassRef>%sac:classes:X509</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>' % SAML)))
    fault("request-comparison", "authn_context", "a Comparison that is none", "AuthnRequest", form(signed_request(body='<samlp:RequestedAuthnContext Comparison="most"><saml:AuthnContextClassRef>x:y</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>')))
    fault("request-passive", "passive", "IsPassive that is no boolean", "AuthnRequest", form(signed_request(attrs='IsPassive="yes" ')))
    fault("request-subject", "request_subject", "a SubjectConfirmation in the Subject", "AuthnRequest", form(signed_request(body="<saml:Subject>%s</saml:Subject>" % confirmation())))
    fault("request-as-response", "type", "a request sent as SAMLResponse", "AuthnRequest", form(signed_request(), "SAMLResponse"))
    fault("request-relay-state", "relay_state", "a RelayState of 2,000 octets", "AuthnRequest", form(signed_request(), relay="x" * 2000))
    fault("request-doctype", "xml", "a document type", "", "<!DOCTYPE x [<!ENTITY e 'x'>]>" + request())
    fault("request-cut-off", "xml", "cut off in the middle", "", signed_request()[:400])


def faults_of_responses():
    of = lambda **o: form(response(assertion(**o)), "SAMLResponse")
    fault("response-audience", "audience", "for another application", "Response", of(conds=conditions(audience=SP + "/metadata")))
    fault("response-no-audience", "audience", "for nobody in particular", "Response", of(conds=conditions(audience="")))
    fault("response-no-conditions", "audience", "without Conditions", "Response", of(conds=""))
    fault("response-recipient", "recipient", "a Recipient with a slash too many", "Response", of(confirm=confirmation(recipient=ACS + "/")))
    fault("response-no-recipient", "recipient", "without Recipient", "Response", of(confirm=confirmation(recipient="")))
    fault("response-confirmation-late", "confirmation_time", "a confirmation that is over", "Response", of(confirm=confirmation(until="2026-11-23T17:50:00Z")))
    fault("response-confirmation-endless", "confirmation_time", "a confirmation without end", "Response", of(confirm=confirmation(until="")))
    fault("response-not-before", "confirmation", "a confirmation with NotBefore", "Response", of(confirm=confirmation(more='NotBefore="%s" ' % NOW)))
    fault("response-holder-of-key", "confirmation", "no bearer confirmation", "Response", of(confirm=confirmation(method=SAML + "cm:holder-of-key")))
    fault("response-early", "conditions_time", "not valid yet: the IdP's clock is ahead", "Response", of(conds=conditions(begin="2026-11-23T18:10:00Z", until="2026-11-23T18:20:00Z")))
    fault("response-late", "conditions_time", "no longer valid", "Response", of(conds=conditions(begin="2026-11-23T17:00:00Z", until="2026-11-23T17:05:00Z")))
    fault("response-condition", "conditions", "a condition that nobody knows", "Response", of(conds=conditions(more="<saml:Condition/>")))
    fault("response-no-statement", "authn_statement", "without AuthnStatement", "Response", of(stmt=""))
    fault("response-statement-future", "authn_statement", "signed in in the future", "Response", of(stmt=statement(at="2026-11-23T19:00:00Z")))
    fault("response-session-over", "session_end", "a session that has ended", "Response", of(stmt=statement(end="2026-11-23T17:00:00Z")))
    fault("response-empty-nameid", "subject", "an empty NameID", "Response", of(subject="<saml:NameID></saml:NameID>"))
    fault("response-other-issuer", "issuer", "an assertion of another identity provider", "Response", of(issuer="https://other.example.test/idp"))
    fault("response-destination", "destination", "sent to another address", "Response", form(response(destination="https://app.example.test/acs"), "SAMLResponse"))
    fault("response-unsigned", "signature_required", "not signed at all", "Response", form(response(signed=False), "SAMLResponse"))
    fault("response-foreign-key", "signature", "signed by another key", "Response", form(response(key="other"), "SAMLResponse"))
    fault("response-changed", "signature", "changed after it was signed", "Response", form(response().replace("ada@", "eve@"), "SAMLResponse"))
    fault("response-two-assertions", "assertions", "two assertions: signature wrapping", "Response", form(response(sign(assertion(signature("_assertion", "p256")), "p256") + assertion(id="_evil"), signed=False), "SAMLResponse"))
    fault("response-no-assertion", "assertions", "Success without an assertion", "Response", form(response(""), "SAMLResponse"))
    fault("response-refused", "status", "a refusal: NoPassive", "Response", form(response("", status("Responder", "NoPassive", message="nobody there")), "SAMLResponse"))
    fault("response-nameid-policy", "status", "a refusal: InvalidNameIDPolicy", "Response", form(response("", status("Requester", "InvalidNameIDPolicy")), "SAMLResponse"))
    fault("response-other-encryption-key", "decrypt", "encrypted for another key", "Response", form(response(encrypted(assertion(), "other")), "SAMLResponse"))
    fault("response-cbc", "decrypt", "encrypted with CBC", "Response", form(response(encrypted(assertion(), content="http://www.w3.org/2001/04/xmlenc#aes256-cbc")), "SAMLResponse"))


def faults_of_others():
    fault("logout-unsigned", "signature_required", "a LogoutRequest that anybody could have made", "LogoutRequest", form(logout(sig=False)))
    fault("logout-late", "not_on_or_after", "a LogoutRequest that is over", "LogoutRequest", form(logout(attrs='NotOnOrAfter="2026-11-23T17:00:00Z" ')))
    fault("logout-nobody", "logout_subject", "a LogoutRequest of nobody", "LogoutRequest", form(logout(nameid="")))
    fault("logout-destination", "destination", "a LogoutRequest to the sign-in address", "LogoutRequest", form(logout(destination=SSO)))
    fault("logout-partial", "status", "a logout that did not reach everybody", "LogoutResponse", form(logout_response(status("Responder", "PartialLogout")), "SAMLResponse"))
    fault("artifact-unknown", "artifact", "an artifact of nobody known", "Artifact", artifact("https://other.example.test/idp"))
    fault("artifact-resolve-type", "artifact", "an artifact of another type", "Envelope", soap(sign(resolve(artifact(IDP, 2)))))
    fault("soap-fault", "content", "a SOAP fault", "Envelope", soap("<S:Fault><faultcode>S:Client</faultcode><faultstring>no</faultstring></S:Fault>"))
    fault("metadata-expired", "valid_until", "metadata that has expired", "EntityDescriptor", sp_metadata(attrs=' validUntil="2026-11-01T00:00:00Z"'))
    fault("metadata-javascript", "endpoints", "an endpoint that is a script", "EntityDescriptor", sp_metadata(acs=endpoint("AssertionConsumerService", "HTTP-POST", "javascript:alert(1)", ' index="0"')))
    fault("metadata-no-acs", "endpoints", "no AssertionConsumerService", "EntityDescriptor", sp_metadata(acs=""))
    fault("metadata-key", "keys", "a key that cannot be read", "EntityDescriptor", sp_metadata(keys=key_descriptor("rsa").replace("MII", "AAA")))
    fault("metadata-index", "metadata", "an index that is no number", "EntityDescriptor", sp_metadata(acs=endpoint("AssertionConsumerService", "HTTP-POST", ACS, ' index="first"')))
    fault("other-xml", "type", "XML of another sort", "note", "<note xmlns='https://example.test/'>hello</note>")
    fault("har-one-broken", "encoding", "a HAR with one message that is damaged", " Response", har(("GET", SSO + "?SAMLRequest=!!!", None), ("POST", ACS, form(response(), "SAMLResponse"))))
    fault("har-sent-elsewhere", "destination", "a Response that was posted to another address than it says", "Response", har(("POST", "https://app.example.test/saml/acs2", form(response(), "SAMLResponse"))))


if __name__ == "__main__":
    for name, xml in (("sp", sp_metadata()), ("idp", idp_metadata())):
        with open(name + ".xml", "w") as f:
            f.write(xml)
    goods()
    faults_of_requests()
    faults_of_responses()
    faults_of_others()
