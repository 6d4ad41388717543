#!/usr/bin/env python3
"""Makes accept/ and reject/: documents signed and encrypted by xmlsec1 and
openssl, never by samlet, with keys/, and detached/ (both made if they are
absent).

Each file begins with a comment that the test harness strips: what the document
is, then lines "name: value":

  do      parse, verify root, verify assertion, decrypt, decrypt verify
  limits  request or metadata; response if absent
  keys    the trusted keys, tried in turn; rsa if absent
  allow   sha1, cbc
  code    (reject) the code of the error
  want    (accept) path=text or path#count, below the element that was verified

Usage: cd internal/xmlsec/testdata && python3 generate.py
Needs: xmlsec1 1.2 or later, openssl 3.
"""
import base64, os, re, subprocess, tempfile

KEYS = {"rsa": "RSA:2048", "other": "RSA:2048", "encryption": "RSA:2048", "p256": "P-256", "p384": "P-384", "p521": "P-521"}
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
RSA256 = MORE + "rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENV = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
SAML = "urn:oasis:names:tc:SAML:2.0:"
ALICE = "<saml:NameID>alice@example.test</saml:NameID>"
EVIL = "<saml:NameID>admin@example.test</saml:NameID>"


def run(*args, data=None):
    p = subprocess.run(args, input=data, capture_output=True)
    if p.returncode:
        raise SystemExit("%s: %s" % (" ".join(args), p.stderr.decode()))
    return p.stdout


def make_keys():
    os.makedirs("keys", exist_ok=True)
    for name, kind in KEYS.items():
        key, cert = "keys/test-%s-key.pem" % name, "keys/test-%s-cert.pem" % name
        if os.path.exists(key):
            continue
        alg = ["-newkey", "rsa:2048"] if kind.startswith("RSA") else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:" + kind]
        run("openssl", "req", "-x509", *alg, "-noenc", "-keyout", key, "-out", cert, "-days", "36500", "-subj", "/CN=test key, protects nothing")


def temporary(data):
    f = tempfile.NamedTemporaryFile(suffix=".xml", delete=False)
    f.write(data.encode() if isinstance(data, str) else data)
    f.close()
    return f.name


def transform(alg, prefixes=None, tag="Transform"):
    if prefixes is None:
        return '<ds:%s Algorithm="%s"/>' % (tag, alg)
    return '<ds:%s Algorithm="%s"><ec:InclusiveNamespaces xmlns:ec="%s" PrefixList="%s"/></ds:%s>' % (tag, alg, EXC, prefixes, tag)


def signature(ref, alg=RSA256, digest=SHA256, transforms=None, c14n=None, keyinfo="", extra_ref="", method_extra="", attrs="", uri=None):
    """A signature template for xmlsec1 over the element with ID ref."""
    if transforms is None:
        transforms = transform(ENV) + transform(EXC)
    uri = "#" + ref if uri is None else uri
    return ('<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"%s><ds:SignedInfo>%s'
            '<ds:SignatureMethod Algorithm="%s">%s</ds:SignatureMethod><ds:Reference URI="%s"><ds:Transforms>%s</ds:Transforms>'
            '<ds:DigestMethod Algorithm="%s"/><ds:DigestValue/></ds:Reference>%s</ds:SignedInfo><ds:SignatureValue/>%s</ds:Signature>'
            ) % (attrs, c14n or transform(EXC, tag="CanonicalizationMethod"), alg, method_extra, uri, transforms, digest, extra_ref, keyinfo)


def sign(doc, key="rsa", first=None, options=()):
    """Has xmlsec1 fill in the template: the only one, or that below the element with ID first."""
    args = ["xmlsec1", "--sign"]
    args += list(options) or ["--privkey-pem", "keys/test-%s-key.pem,keys/test-%s-cert.pem" % (key, key)]
    for el in ("assertion:Assertion", "protocol:Response", "protocol:AuthnRequest", "metadata:EntityDescriptor"):
        args += ["--id-attr:ID", SAML + el]
    if first:
        args += ["--node-xpath", "//*[@ID='%s']/*[local-name()='Signature']" % first]
    f = temporary(doc)
    out = run(*args, f)
    os.unlink(f)
    return out.decode()


def assertion(sig="", nameid=ALICE, id="_assertion", decl="", more="", attrs=None):
    if attrs is None:
        attrs = ('<saml:AttributeStatement><saml:Attribute Name="mail"><saml:AttributeValue>alice@example.test</saml:AttributeValue>'
                 '</saml:Attribute></saml:AttributeStatement>')
    return ('<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"%s ID="%s" Version="2.0" IssueInstant="2026-11-23T18:00:00Z">'
            '<saml:Issuer>https://partner.example.test/idp</saml:Issuer>%s<saml:Subject>%s<saml:SubjectConfirmation '
            'Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData Recipient="https://samlet.example.test/saml/acs/partner" '
            'NotOnOrAfter="2126-11-23T18:05:00Z"/></saml:SubjectConfirmation></saml:Subject>%s%s</saml:Assertion>') % (decl, id, sig, nameid, attrs, more)


def response(body, sig="", id="_response", decl="", status=""):
    return ('<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"%s ID="%s" Version="2.0" '
            'IssueInstant="2026-11-23T18:00:00Z" Destination="https://samlet.example.test/saml/acs/partner" InResponseTo="_request">'
            '<saml:Issuer>https://partner.example.test/idp</saml:Issuer>%s<samlp:Status><samlp:StatusCode '
            'Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>%s</samlp:Status>%s</samlp:Response>') % (decl, id, sig, status, body)


def save(kind, name, title, lines, doc):
    """Writes a file, unless it exists: signatures and ciphertexts are never the same twice. Delete what is to be made anew."""
    if os.path.exists("%s/%s.xml" % (kind, name)):
        return
    head = "<!-- " + title + "\n" + "".join("     %s: %s\n" % kv for kv in lines.items()) + "-->\n"
    with open("%s/%s.xml" % (kind, name), "wb") as f:
        f.write(head.encode() + (doc if isinstance(doc, bytes) else doc.encode()))


def accept(name, title, doc, do="verify assertion", want="Subject/NameID=alice@example.test", **lines):
    save("accept", name, title, {"do": do, **lines, "want": want}, doc)


def reject(name, title, code, doc, do="verify assertion", **lines):
    save("reject", name, title, {"do": do, **lines, "code": code}, doc)


def body(doc):
    """doc without the XML declaration that xmlsec1 puts in front."""
    return re.sub(r"^<\?xml[^>]*\?>\n?", "", doc).rstrip("\n")


def signed_assertion(**kw):
    key = kw.pop("key", "rsa")
    options = kw.pop("options", ())
    rest = {k: kw.pop(k) for k in ("nameid", "id", "decl", "more", "attrs") if k in kw}
    ref = rest.get("id", "_assertion")
    return sign(response(assertion(signature(ref, **kw), **rest)), key, options=options)


def signed_response(inner=None, key="rsa", **kw):
    return sign(response(inner or assertion(), signature("_response", **kw)), key)


def both(outer=None, inner=None, **kw):
    doc = response(assertion(signature("_assertion", **(inner or {})), **kw), signature("_response", **(outer or {})))
    return sign(sign(doc, first="_assertion"), first="_response")


def encrypted_data(plain, content, wrapped, type=XENC + "Element", keyinfo=None):
    return ('<xenc:EncryptedData xmlns:xenc="%s" Id="_data" Type="%s"><xenc:EncryptionMethod Algorithm="%s"/><ds:KeyInfo '
            'xmlns:ds="http://www.w3.org/2000/09/xmldsig#">%s</ds:KeyInfo><xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue>'
            '</xenc:CipherData></xenc:EncryptedData>') % (XENC, type, content, wrapped if keyinfo is None else keyinfo, plain)


def encrypted_key(value, method='<xenc:EncryptionMethod Algorithm="%srsa-oaep-mgf1p"/>' % XENC, id=""):
    return '<xenc:EncryptedKey xmlns:xenc="%s"%s>%s<xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>' % (XENC, id, method, value)


def oaep(alg, digest=None, mgf=None, label=None):
    parts = '<xenc:OAEPparams>%s</xenc:OAEPparams>' % base64.b64encode(label).decode() if label else ""
    if digest:
        parts += '<ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="%s"/>' % digest
    if mgf:
        parts += '<xenc11:MGF xmlns:xenc11="%s" Algorithm="%s"/>' % (XENC11, mgf)
    return '<xenc:EncryptionMethod Algorithm="%s">%s</xenc:EncryptionMethod>' % (alg, parts)


def by_xmlsec1(plain, content, session, transport=XENC + "rsa-oaep-mgf1p", key="encryption"):
    """EncryptedData with its EncryptedKey, both made by xmlsec1."""
    template = encrypted_data("", content, encrypted_key("", '<xenc:EncryptionMethod Algorithm="%s"/>' % transport))
    t, p = temporary(template), temporary(plain)
    out = run("xmlsec1", "--encrypt", "--pubkey-cert-pem", "keys/test-%s-cert.pem" % key, "--session-key", session, "--xml-data", p, t)
    os.unlink(t), os.unlink(p)
    return body(out.decode())


def by_key(plain, content, cek, pad=None):
    """The CipherValue of plain under cek, made by xmlsec1."""
    template = encrypted_data("", content, "<ds:KeyName>cek</ds:KeyName>")
    t, p, k = temporary(template), temporary(plain), temporary(cek)
    out = run("xmlsec1", "--encrypt", "--aeskey:cek", k, "--binary-data", p, t).decode()
    for f in (t, p, k):
        os.unlink(f)
    return re.search(r"<xenc:CipherValue>([^<]*)<", out).group(1)


def wrap(cek, digest="sha1", mgf="sha1", key="encryption", label=None, mode="oaep"):
    """cek under the public key, made by openssl."""
    args = ["openssl", "pkeyutl", "-encrypt", "-certin", "-inkey", "keys/test-%s-cert.pem" % key, "-pkeyopt", "rsa_padding_mode:" + mode]
    if mode == "oaep":
        args += ["-pkeyopt", "rsa_oaep_md:" + digest, "-pkeyopt", "rsa_mgf1_md:" + mgf]
    if label:
        args += ["-pkeyopt", "rsa_oaep_label:" + label.hex()]
    return base64.b64encode(run(*args, data=cek)).decode()


def sealed(data, beside=""):
    return response("<saml:EncryptedAssertion>" + data + beside + "</saml:EncryptedAssertion>")


def accepted_signatures():
    accept("response-signed", "The Response is signed.", signed_response(), "verify root", "Assertion/Subject/NameID=alice@example.test")
    accept("assertion-signed", "The Assertion in the Response is signed.", signed_assertion())
    accept("both-signed-inner", "Response and Assertion are signed; the Assertion is checked.", both())
    accept("both-signed-outer", "Response and Assertion are signed; the Response is checked.", both(), "verify root", "Assertion/Subject/NameID=alice@example.test")
    for bits in (384, 512):
        accept("rsa-sha%d" % bits, "RSA with SHA-%d, for the digest too." % bits,
               signed_assertion(alg=MORE + "rsa-sha%d" % bits, digest=MORE + "sha384" if bits == 384 else XENC + "sha512"))
    for key, bits in (("p256", 256), ("p256", 512), ("p384", 384), ("p384", 256), ("p521", 512)):
        accept("ecdsa-%s-sha%d" % (key, bits), "ECDSA with raw r and s, curve %s, SHA-%d." % (key, bits),
               signed_assertion(key=key, alg=MORE + "ecdsa-sha%d" % bits), keys=key)
    accept("sha1-allowed", "rsa-sha1 and the digest sha1 of a peer for which they are allowed.",
           signed_assertion(alg="http://www.w3.org/2000/09/xmldsig#rsa-sha1", digest="http://www.w3.org/2000/09/xmldsig#sha1"), allow="sha1")
    accept("keyinfo-absent", "Without KeyInfo.", signed_assertion())
    accept("keyinfo-keyname", "KeyInfo holds a KeyName alone.", signed_assertion(keyinfo="<ds:KeyInfo><ds:KeyName>signing 2026</ds:KeyName></ds:KeyInfo>"))
    accept("keyinfo-keyvalue", "KeyInfo holds a KeyValue alone.", signed_assertion(keyinfo="<ds:KeyInfo><ds:KeyValue/></ds:KeyInfo>"))
    accept("keyinfo-x509", "KeyInfo holds a certificate, and the signature elements have Ids.",
           signed_assertion(keyinfo='<ds:KeyInfo Id="_keyinfo"><ds:X509Data/></ds:KeyInfo>', attrs=' Id="_signature"'))
    accept("several-keys", "The peer has several keys; the last one signed.", signed_assertion(), keys="other p256 encryption rsa")
    for name, prefixes in (("default", "#default"), ("xs", "#default xs xsi"), ("unknown", "nobody declares these"), ("empty", "")):
        accept("prefixlist-" + name, "An InclusiveNamespaces PrefixList %r." % prefixes,
               signed_assertion(transforms=transform(ENV) + transform(EXC, prefixes), c14n=transform(EXC, prefixes, "CanonicalizationMethod"),
                                decl=' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'))
    accept("prefixlist-default-in-scope", "A PrefixList with #default where a default namespace is in scope that nothing uses.",
           sign(response(assertion(signature("_assertion", transforms=transform(ENV) + transform(EXC, "#default"))), decl=' xmlns="urn:example:default"')))
    listed = dict(transforms=transform(ENV) + transform(EXC, "xs"))
    accept("prefixlist-of-both", "OpenSAML's way: a PrefixList in both signatures, declared on the Assertion.",
           both(listed, listed, decl=' xmlns:xs="http://www.w3.org/2001/XMLSchema"'))
    accept("prefixlist-inner", "A PrefixList in the inner signature alone, declared on the Response.",
           sign(sign(response(assertion(signature("_assertion", **listed)), signature("_response"), decl=' xmlns:xs="http://www.w3.org/2001/XMLSchema"'),
                     first="_assertion"), first="_response"))
    accept("with-comments", "Exclusive canonicalization with comments, named for both uses.",
           signed_assertion(transforms=transform(ENV) + transform(EXC + "WithComments"), c14n=transform(EXC + "WithComments", tag="CanonicalizationMethod")))
    accept("comments-between-elements", "Comments where no text is.",
           signed_assertion(more="<!-- made by example 1.0 --><saml:Advice><!-- none --></saml:Advice>"))
    request = ('<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_request" Version="2.0" IssueInstant="2026-11-23T18:00:00Z">'
               '<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">https://app.example.test</saml:Issuer>%s</samlp:AuthnRequest>')
    accept("authnrequest", "A signed AuthnRequest.", sign(request % signature("_request")), "verify root", "Issuer=https://app.example.test", limits="request")
    accept("no-issuer", "A message without Issuer begins with its Signature (SAML Core 3.2.1).",
           sign(re.sub("<saml:Issuer.*?</saml:Issuer>", "", request % signature("_request"))), "verify root", "Signature#0", limits="request")


def accepted_forms():
    metadata = ('<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<!-- Published by the registry. -->\n'
                '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" ID="metadata"\n\tentityID="https://partner.example.test/idp">\n%s\n'
                '  <!-- signing key of 2026 -->\n  <IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol\n'
                '    urn:oasis:names:tc:SAML:2.0:protocol">\n    <!-- only this one -->\n    <SingleSignOnService '
                'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"\r\n      Location="https://partner.example.test/sso?a=1&amp;b=2"/>\n'
                '  </IDPSSODescriptor>\n  <Organization>\n    <OrganizationName xml:lang="en">\n      <![CDATA[Partner & Sons]]>\n    </OrganizationName>\n'
                '  </Organization>\n</EntityDescriptor>\n<!-- end -->\n')
    # xmlsec1 writes what it has normalised, so the odd spelling is put in afterwards.
    metadata = sign(metadata % signature("metadata")).replace("protocol     urn", "protocol\n\t   urn").replace("Partner &amp; Sons", "<![CDATA[Partner & Sons]]>")
    accept("metadata", "Metadata written by hand: default namespace, comments, CDATA, line breaks in attribute values.",
           metadata, "verify root", "Organization/OrganizationName=Partner & Sons", limits="metadata")
    plain = signed_assertion()
    accept("byte-order-mark", "A byte order mark.", b"\xef\xbb\xbf" + plain.encode())
    accept("declaration-single-quotes", "An XML declaration in single quotes, utf-8 in lower case.",
           "<?xml version='1.0' encoding='utf-8'?>\r\n" + body(plain))
    accept("crlf-pretty", "Indented with CR LF before it was signed.",
           sign(response("\n  " + assertion("\n    " + signature("_assertion")).replace("><", ">\n<"))).replace("\n", "\r\n"))
    accept("references", "Character and entity references.",
           signed_assertion(attrs='<saml:AttributeStatement><saml:Attribute Name="a&#x9;b&#10;c&#13;d &quot;&apos;&lt;&gt;&amp;"><saml:AttributeValue>'
                                  '&lt;&#13;&gt; 🔑 ü</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>'
                            ).replace("alice@example.test", "ali&#99;e&#x40;example&#46;test"))
    accept("cdata-whole", "CDATA as the whole text.", signed_assertion().replace(">alice@example.test</saml:NameID>", "><![CDATA[alice@example.test]]></saml:NameID>"))
    accept("no-nameid", "An Assertion without NameID.", signed_assertion(nameid=""), want="Subject/NameID#0")
    accept("several-confirmations", "Several SubjectConfirmations.",
           signed_assertion(nameid=ALICE + '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"/>'), want="Subject/SubjectConfirmation#2")
    groups = "".join('<saml:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">group-%d</saml:AttributeValue>' % i for i in range(2000))
    many = '<saml:AttributeStatement><saml:Attribute Name="groups">' + groups + "</saml:Attribute></saml:AttributeStatement>"
    xs = ' xmlns:xs="http://www.w3.org/2001/XMLSchema"'
    accept("groups-2000", "2,000 group values, each with its own namespace declaration.", signed_assertion(attrs=many, decl=xs),
           want="AttributeStatement/Attribute/AttributeValue#2000")
    accept("groups-2000-encrypted", "2,000 group values in an encrypted assertion.",
           sealed(by_xmlsec1(body(sign(assertion(signature("_assertion"), attrs=many, decl=xs))), XENC11 + "aes128-gcm", "aes-128")),
           "decrypt verify", "AttributeStatement/Attribute/AttributeValue#2000")
    accept("extensions", "Unknown extensions and attributes, with ids of their own.",
           signed_assertion(more='<saml:Advice><x:note xmlns:x="https://example.test/ns" id="n1"><y xmlns="urn:example" Id="n2"><z xmlns="" ID="n3" x:w="1"/></y></x:note></saml:Advice>'))


def accepted_encryption():
    inner = body(sign(assertion(signature("_assertion"))))
    for bits in (128, 192, 256):
        for mode, ns in (("gcm", XENC11), ("cbc", XENC)):
            more = {"allow": "cbc"} if mode == "cbc" else {}
            accept("aes%d-%s" % (bits, mode), "AES-%d-%s with rsa-oaep-mgf1p, both by xmlsec1." % (bits, mode.upper()),
                   sealed(by_xmlsec1(inner, "%saes%d-%s" % (ns, bits, mode), "aes-%d" % bits)), "decrypt verify", **more)
    cek = os.urandom(32)
    value = by_key(inner, XENC11 + "aes256-gcm", cek)
    gcm = XENC11 + "aes256-gcm"

    def form(name, title, method, keys="rsa", **kw):
        accept(name, title, sealed(encrypted_data(value, gcm, encrypted_key(wrap(cek, **kw), method))), "decrypt verify", keys=keys)

    sha1 = "http://www.w3.org/2000/09/xmldsig#sha1"
    form("oaep-mgf1p-sha1", "rsa-oaep-mgf1p with the digest sha1 named.", oaep(XENC + "rsa-oaep-mgf1p", sha1))
    form("oaep-mgf1p-sha256", "rsa-oaep-mgf1p with the digest sha256; the mask stays MGF1 with SHA-1.", oaep(XENC + "rsa-oaep-mgf1p", SHA256), digest="sha256")
    form("oaep11-default", "xmlenc11 rsa-oaep that names nothing.", oaep(XENC11 + "rsa-oaep"))
    form("oaep11-sha256-mgf1sha1", "xmlenc11 rsa-oaep, sha256, no MGF named.", oaep(XENC11 + "rsa-oaep", SHA256), digest="sha256")
    form("oaep11-sha256-mgf1sha256", "xmlenc11 rsa-oaep, sha256, mgf1sha256.", oaep(XENC11 + "rsa-oaep", SHA256, XENC11 + "mgf1sha256"), digest="sha256", mgf="sha256")
    form("oaep11-sha512-mgf1sha512", "xmlenc11 rsa-oaep, sha512, mgf1sha512.", oaep(XENC11 + "rsa-oaep", XENC + "sha512", XENC11 + "mgf1sha512"), digest="sha512", mgf="sha512")
    form("oaep-label", "rsa-oaep-mgf1p with OAEPparams.", oaep(XENC + "rsa-oaep-mgf1p", label=b"label"), label=b"label")
    good, wrong = encrypted_key(wrap(cek), id=' Id="_good"'), encrypted_key(wrap(cek, key="other"), id=' Id="_wrong"')
    retrieval = '<ds:RetrievalMethod Type="%sEncryptedKey" URI="#_good"/>' % XENC
    accept("encryptedkey-beside", "EncryptedKeys beside EncryptedData, one of them named by a RetrievalMethod.",
           sealed(encrypted_data(value, gcm, "", keyinfo=retrieval), wrong + good), "decrypt verify")
    accept("encryptedkey-several", "EncryptedKeys for several recipients in KeyInfo.", sealed(encrypted_data(value, gcm, wrong + good)), "decrypt verify")
    bare = sign(assertion(signature("_assertion")))
    undeclared = body(bare).replace(' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"', "")
    accept("namespace-from-outside", "The plaintext uses a prefix that the Response declares.",
           sealed(encrypted_data(by_key(undeclared, gcm, cek), gcm, good)), "decrypt verify")
    accept("plaintext-declaration", "The plaintext has an XML declaration.", sealed(encrypted_data(by_key(bare, gcm, cek), gcm, good)), "decrypt verify")


def rejected_wrapping():
    """XSW 1 to 8 as SAML Raider builds them, and the variants that they suggest."""
    r, a = body(signed_response()), body(signed_assertion())
    sig = re.search("<ds:Signature .*?</ds:Signature>", r, re.S).group(0)
    original = r.replace(sig, "")

    def evil(s):
        return s.replace(ALICE, EVIL)

    def forged(s):
        return evil(s).replace('ID="_response"', 'ID="_forged"').replace('ID="_assertion"', 'ID="_forged_assertion"')

    reject("xsw1", "XSW 1: forged Response; the original hangs inside its Signature.", "sig.shape",
           forged(original).replace("</saml:Issuer>", "</saml:Issuer>" + sig.replace("</ds:Signature>", original + "</ds:Signature>"), 1), "verify root")
    reject("xsw2", "XSW 2: forged Response; the original stands before the Signature.", "sig.position",
           forged(original).replace("</saml:Issuer>", "</saml:Issuer>" + original + sig, 1), "verify root")
    reject("xsw2-after", "XSW 2: forged Response; the original stands after the Signature.", "sig.reference",
           forged(original).replace("</saml:Issuer>", "</saml:Issuer>" + sig + original, 1), "verify root")
    asig = re.search("<ds:Signature .*?</ds:Signature>", a, re.S).group(0)
    ass = re.search("<saml:Assertion .*?</saml:Assertion>", a, re.S).group(0)
    unsigned = ass.replace(asig, "")
    f = forged(unsigned)
    reject("xsw3", "XSW 3: forged Assertion before the signed one.", "sig.missing", a.replace(ass, f + ass))
    reject("xsw4", "XSW 4: the signed Assertion inside the forged one.", "sig.missing", a.replace(ass, f.replace("</saml:Assertion>", ass + "</saml:Assertion>")))
    reject("xsw5", "XSW 5: forged Assertion keeps the Signature; the original stands at the end.", "sig.reference", a.replace(ass, forged(ass) + unsigned))
    reject("xsw6", "XSW 6: forged Assertion keeps the Signature, in which the original hangs.", "sig.shape",
           a.replace(ass, forged(ass).replace("</ds:Signature>", unsigned + "</ds:Signature>")))
    reject("xsw7", "XSW 7: forged Assertion with the same ID in Extensions.", "xml.duplicate_id",
           a.replace(ass, "<samlp:Extensions>" + evil(unsigned) + "</samlp:Extensions>" + ass))
    reject("xsw8", "XSW 8: the original in a ds:Object of the Signature of the forged one.", "sig.shape",
           a.replace(ass, forged(ass).replace("</ds:Signature>", "<ds:Object>" + unsigned + "</ds:Object></ds:Signature>")))
    reject("xsw8-same-id", "XSW 8 with one ID for both.", "xml.duplicate_id",
           a.replace(ass, evil(ass).replace("</ds:Signature>", "<ds:Object>" + unsigned + "</ds:Object></ds:Signature>")))
    reject("signature-of-response-only-below", "Signature exclusion: the Response is unsigned, although its Assertion is signed.", "sig.missing", a, "verify root")
    reject("unsigned", "Signature exclusion: nothing is signed.", "sig.missing", response(assertion()))
    reject("signature-in-other-namespace", "Signature exclusion: a Signature that is none.", "sig.missing", a.replace("http://www.w3.org/2000/09/xmldsig#", "urn:example:dsig"))
    reject("two-signatures", "A second Signature, taken from another element.", "sig.several", a.replace(asig, asig + sig.replace("_response", "_assertion")))
    reject("signature-last", "The Signature stands at the end of the Assertion.", "sig.position",
           a.replace(asig, "").replace("</saml:Assertion>", asig + "</saml:Assertion>"))
    reject("signature-in-extensions", "The Signature stands in Extensions.", "sig.missing",
           r.replace(sig, "<samlp:Extensions>" + sig + "</samlp:Extensions>"), "verify root")
    reject("tampered", "The NameID was changed.", "sig.digest", evil(a))
    reject("tampered-attribute-order-kept", "An XML attribute was changed.", "sig.digest", a.replace('Version="2.0" IssueInstant="2026-11-23T18:00:00Z"><saml:Issuer>https://partner.example.test/idp</saml:Issuer><ds', 'Version="2.0" IssueInstant="2026-11-23T19:00:00Z"><saml:Issuer>https://partner.example.test/idp</saml:Issuer><ds'))
    reject("tampered-status", "Response-level tampering: the status was changed.", "sig.digest", r.replace("status:Success", "status:Responder"), "verify root")


def rejected_signatures():
    a = body(signed_assertion())
    asig = re.search("<ds:Signature .*?</ds:Signature>", a, re.S).group(0)
    info = re.search("<ds:SignedInfo>.*?</ds:SignedInfo>", a, re.S).group(0)
    ref = re.search("<ds:Reference .*?</ds:Reference>", a, re.S).group(0)
    digest = re.search("<ds:DigestValue>(.*?)</ds:DigestValue>", a, re.S).group(1)
    value = re.search("<ds:SignatureValue>(.*?)</ds:SignatureValue>", a, re.S).group(1)
    forged = a.replace(ALICE, EVIL)
    evil_digest = re.search("<ds:DigestValue>(.*?)<", signed_assertion(nameid=EVIL), re.S).group(1)
    reject("digest-smuggling", "Digest smuggling (CVE-2024-45409): a forged DigestValue where a search from the root finds it first.", "sig.digest",
           forged.replace("</samlp:Status>", "<samlp:StatusDetail><ds:DigestValue xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">%s</ds:DigestValue></samlp:StatusDetail></samlp:Status>" % evil_digest))
    reject("digest-comment", "Digest confusion (CVE-2025-29775): a comment in DigestValue.", "xml.split_text",
           forged.replace(digest + "</ds:DigestValue>", "<!--%s-->%s</ds:DigestValue>" % (evil_digest, digest)))
    reject("digest-comment-alone", "Digest confusion: DigestValue holds nothing but a comment.", "sig.shape", forged.replace(digest + "</ds:DigestValue>", "<!--%s--></ds:DigestValue>" % evil_digest))
    reject("digest-two", "Digest confusion: two DigestValues.", "sig.key", forged.replace("<ds:DigestValue>", "<ds:DigestValue>%s</ds:DigestValue><ds:DigestValue>" % evil_digest))
    reject("digest-empty", "An empty DigestValue.", "sig.key", forged.replace(digest + "</ds:DigestValue>", "</ds:DigestValue>"))
    reject("signedinfo-two", "SignedInfo confusion (CVE-2025-29774): two SignedInfo.", "sig.shape", forged.replace(info, info.replace(digest, evil_digest) + info))
    reject("signedinfo-two-after", "SignedInfo confusion: the forged SignedInfo comes second.", "sig.shape", forged.replace(info, info + info.replace(digest, evil_digest)))
    reject("signedinfo-forged", "SignedInfo with the digest of the forged content.", "sig.key", forged.replace(digest, evil_digest))
    reject("signedinfo-comment", "A comment in SignedInfo.", "sig.shape", a.replace("<ds:SignedInfo>", "<ds:SignedInfo><!-- -->"))
    reject("signature-value-comment", "A comment in SignatureValue.", "xml.split_text", a.replace("<ds:SignatureValue>", "<ds:SignatureValue>AAAA<!-- -->"))
    reject("signature-value-garbage", "SignatureValue is not base64.", "sig.shape", a.replace(value, "!!!!"))
    reject("signature-value-empty", "An empty SignatureValue.", "sig.shape", a.replace(value, ""))
    reject("signature-value-element", "An element in SignatureValue.", "xml.mixed", a.replace("<ds:SignatureValue>", "<ds:SignatureValue><ds:X/>"))
    reject("signature-text", "Text in the Signature.", "sig.shape", a.replace("<ds:SignedInfo>", "text<ds:SignedInfo>"))
    reject("signature-empty", "An empty Signature.", "sig.shape", a.replace(asig, '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>'))
    reject("references-none", "No Reference.", "sig.reference", a.replace(ref, ""))
    extra = ref.replace(digest, "").replace('URI="#_assertion"', 'URI="#_response"')
    two = signed_assertion(extra_ref=extra)
    reject("multi-reference", "Multi-Reference (CVE-2026-33487): two References, both right.", "sig.reference", two)
    reject("reference-empty-uri", "A Reference to the whole document.", "sig.reference", signed_assertion(uri=""))
    response_signed = sign(response(assertion(signature("_assertion", uri="#_response"))))
    reject("reference-to-parent", "The Signature of the Assertion refers to the Response.", "sig.reference", response_signed)
    with open("external.xml", "w") as f:
        f.write("<external/>")
    ext = signed_assertion(uri="external.xml", transforms=transform(EXC))
    os.unlink("external.xml")
    reject("reference-external", "External Reference: a file, which is never opened.", "sig.reference", ext)
    reject("reference-xpointer", "An XPointer as Reference.", "sig.reference", signed_assertion(uri="#xpointer(id('_assertion'))"))
    for name, title, t in (
        ("xslt", "XSLT transform", transform(ENV) + '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"><xsl:template match="/"><a/></xsl:template></xsl:stylesheet></ds:Transform>'),
        ("xpath", "XPath transform that leaves the Subject unsigned", transform(ENV) + '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>not(ancestor-or-self::*[local-name()="Subject"])</ds:XPath></ds:Transform>' + transform(EXC)),
        ("inclusive", "inclusive canonicalization", transform(ENV) + transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315")),
        ("one", "no canonicalization", transform(ENV)),
        ("three", "a transform too many", transform(ENV) + transform(EXC) + transform(EXC)),
        ("no-enveloped", "canonicalization alone", transform(EXC)),
        ("twice", "canonicalization twice, no enveloped-signature", transform(EXC) + transform(EXC)),
    ):
        if name == "three":
            doc = a.replace("<ds:Transforms>", "<ds:Transforms>" + transform(EXC))
            reject("transform-three-forged", "Transforms: %s, put in afterwards." % title, "sig.key", doc)
            continue
        reject("transform-" + name, "Transforms: %s." % title, "sig.transform", signed_assertion(transforms=t))
    reject("c14n-inclusive", "SignedInfo in inclusive canonicalization.", "sig.algorithm",
           signed_assertion(c14n=transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315", tag="CanonicalizationMethod")))
    reject("c14n-unknown", "Void canonicalization: an unknown method.", "sig.algorithm", a.replace('CanonicalizationMethod Algorithm="' + EXC, 'CanonicalizationMethod Algorithm="urn:none'))
    reject("relative-namespace", "Void canonicalization (CVE-2025-66568): a relative namespace name.", "xml.namespace",
           a.replace("<ds:SignedInfo>", '<ds:SignedInfo xmlns:v="1">'))
    hmac = signed_assertion(alg=MORE + "hmac-sha256", options=("--hmackey", "keys/test-rsa-cert.pem"))
    reject("hmac", "HMAC confusion: the public certificate as secret.", "sig.algorithm", hmac)
    short = signed_assertion(alg="http://www.w3.org/2000/09/xmldsig#hmac-sha1", method_extra="<ds:HMACOutputLength>160</ds:HMACOutputLength>", options=("--hmackey", "keys/test-rsa-cert.pem"))
    reject("hmac-truncated", "HMAC truncation (CVE-2009-0217): an output length of 8 bits.", "sig.algorithm", short.replace("160<", "8<"))
    reject("signature-method-parameters", "An output length for RSA.", "sig.algorithm",
           a.replace('SignatureMethod Algorithm="%s"/>' % RSA256, 'SignatureMethod Algorithm="%s"><ds:HMACOutputLength>0</ds:HMACOutputLength></ds:SignatureMethod>' % RSA256))
    reject("signature-method-none", "Algorithm none.", "sig.algorithm", a.replace(RSA256, "none"))
    reject("signature-method-absent", "No signature algorithm.", "sig.algorithm", a.replace(' Algorithm="%s"' % RSA256, ""))
    reject("rsa-sha1", "Weak algorithm: rsa-sha1.", "sig.algorithm", signed_assertion(alg="http://www.w3.org/2000/09/xmldsig#rsa-sha1"))
    reject("digest-sha1", "Weak algorithm: the digest sha1.", "sig.algorithm", signed_assertion(digest="http://www.w3.org/2000/09/xmldsig#sha1"))
    reject("digest-sha224", "Weak algorithm: the digest sha224.", "sig.algorithm", signed_assertion(digest=MORE + "sha224"))
    reject("rsa-md5", "Weak algorithm: rsa-md5, even where sha1 is allowed.", "sig.algorithm", a.replace(RSA256, MORE + "rsa-md5"), allow="sha1")
    own = signed_assertion(nameid=EVIL, key="other", keyinfo="<ds:KeyInfo><ds:X509Data/></ds:KeyInfo>")
    reject("keyinfo-own-key", "KeyInfo trust: signed with the key in KeyInfo, which nobody trusts.", "sig.key", own)
    reject("keyinfo-retrieval", "KeyInfo with a RetrievalMethod that names a file; it is never opened.", "sig.key",
           signed_assertion(nameid=EVIL, key="other", keyinfo='<ds:KeyInfo><ds:RetrievalMethod URI="file:///etc/passwd"/></ds:KeyInfo>'))
    reject("no-keys", "Fail open: the peer has no key.", "sig.no_keys", a, keys="none")
    reject("wrong-kind-of-key", "An RSA signature where only an EC key is trusted.", "sig.key", a, keys="p256")
    e = body(signed_assertion(key="p256", alg=MORE + "ecdsa-sha256"))
    ev = re.search("<ds:SignatureValue>(.*?)</ds:SignatureValue>", e, re.S).group(1)
    raw = base64.b64decode(ev)
    reject("ecdsa-zero", "ECDSA zero values (CVE-2022-21449): r = s = 0.", "sig.key", e.replace(ev, base64.b64encode(bytes(64)).decode()), keys="p256")
    order = bytes.fromhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
    reject("ecdsa-order", "ECDSA with r = s = the order of the curve.", "sig.key", e.replace(ev, base64.b64encode(order * 2).decode()), keys="p256")

    def der(n):
        n = n.lstrip(b"\0")
        n = b"\0" + n if n[0] & 0x80 else n
        return b"\x02" + bytes([len(n)]) + n

    asn1 = der(raw[:32]) + der(raw[32:])
    reject("ecdsa-asn1", "ECDSA in ASN.1, which XML Signature does not know.", "sig.key", e.replace(ev, base64.b64encode(b"\x30" + bytes([len(asn1)]) + asn1).decode()), keys="p256")


def rejected_documents():
    a = body(signed_assertion())

    def parse(name, title, code, doc, **more):
        reject(name, title, code, doc, "parse", **more)

    split = a.replace("alice@example.test</saml:NameID>", "alice@example.test<!---->.evil.test</saml:NameID>")
    reject("comment-in-nameid", "Comment truncation (CVE-2017-11427): a comment in the NameID.", "xml.split_text", split)
    evil = signed_assertion(nameid="<saml:NameID>admin@example.test<!---->.evil.test</saml:NameID>")
    reject("comment-in-nameid-signed", "Comment truncation: the same in a rightly signed Assertion.", "xml.split_text", evil)
    reject("comment-in-value-signed", "Comment truncation: in an AttributeValue.", "xml.split_text",
           signed_assertion(attrs="<saml:AttributeStatement><saml:Attribute Name='groups'><saml:AttributeValue>admins<!-- -->-of-nothing</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>"))
    reject("cdata-in-nameid", "CDATA trick: a CDATA section splits the NameID.", "xml.split_text",
           signed_assertion(nameid="<saml:NameID>admin@example.test.evil.test</saml:NameID>").replace("test.evil", "test<![CDATA[]]>.evil"))
    reject("cdata-two", "CDATA trick: two sections.", "xml.split_text", signed_assertion(nameid="<saml:NameID>admin@evil.test</saml:NameID>").replace("admin@evil.test", "<![CDATA[admin]]><![CDATA[@evil.test]]>"))
    pi = a.replace("alice@example.test</saml:NameID>", "alice@example.test<?x y?>.evil.test</saml:NameID>")
    parse("pi-in-nameid", "A processing instruction in the NameID.", "xml.pi", pi)
    parse("pi-before", "A processing instruction before the root.", "xml.pi", '<?xml-stylesheet href="https://evil.test/x.xsl"?>' + a)
    parse("pi-xml-later", "A second XML declaration.", "xml.pi", a.replace("<samlp:Status>", '<?xml version="1.0"?><samlp:Status>'))
    parse("doctype", "DTD: an empty document type.", "xml.dtd", "<!DOCTYPE Response>" + a)
    parse("doctype-after-comment", "DTD: behind a comment.", "xml.dtd", "<!-- --><!DOCTYPE Response [<!ATTLIST saml:Assertion ID CDATA '_x'>]>" + a)
    parse("doctype-lower", "DTD in lower case.", "xml.dtd", "<!doctype Response>" + a)
    parse("xxe", "XXE: an external entity.", "xml.dtd", '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + a.replace("alice@example.test</saml:N", "&x;</saml:N"))
    laughs = "".join('<!ENTITY l%d "%s">' % (i, "&l%d;" % (i - 1) * 10) for i in range(1, 10))
    parse("billion-laughs", "Laughs: nested entities.", "xml.dtd", '<!DOCTYPE r [<!ENTITY l0 "lol">%s]>' % laughs + a.replace("alice@example.test</saml:N", "&l9;</saml:N"))
    parse("entity-undeclared", "An entity that nobody declares.", "xml.syntax", a.replace("alice@example.test</saml:N", "&evil;</saml:N"))
    parse("entity-html", "An entity of HTML.", "xml.syntax", a.replace("alice@example.test</saml:N", "&nbsp;</saml:N"))
    parse("reference-zero", "A reference to the character 0.", "xml.syntax", a.replace("alice@example.test</saml:N", "alice&#0;</saml:N"))
    parse("reference-surrogate", "A reference to a surrogate, which encoding/xml reads as U+FFFD.", "xml.syntax", a.replace("alice@example.test</saml:N", "alice&#xD800;</saml:N"))
    parse("declaration-in-content", "A markup declaration in content.", "xml.dtd", a.replace("<samlp:Status>", "<!ELEMENT x ANY><samlp:Status>"))
    parse("utf16", "UTF-16.", "xml.encoding", a.encode("utf-16"))
    parse("latin1", "ISO 8859-1, and says so.", "xml.encoding", '<?xml version="1.0" encoding="ISO-8859-1"?>' + a)
    parse("utf7", "UTF-7, and says so.", "xml.encoding", '<?xml version="1.0" encoding="UTF-7"?>' + a)
    parse("bad-utf8", "Octets that are not UTF-8.", "xml.encoding", a.encode().replace(b"alice@", b"alice\xc0\xae"))
    parse("control-character", "A control character.", "xml.encoding", a.replace("alice@", "alice\x01@"))
    parse("noncharacter", "A code point that is no character of XML.", "xml.encoding", a.replace("alice@", "alice\uFFFE@"))
    parse("xml11", "XML 1.1.", "xml.pi", '<?xml version="1.1"?>' + a)
    parse("deep", "Deep nesting (CVE-2026-56859).", "xml.depth", "<a>" * 10000 + "</a>" * 10000)
    parse("many-elements", "An element flood.", "xml.elements", "<a>" + "<b/>" * 20000 + "</a>")
    parse("many-elements-request", "An element flood in a request.", "xml.elements", "<a>" + "<b/>" * 4096 + "</a>", limits="request")
    parse("attribute-flood", "An attribute flood.", "xml.attributes", "<a %s/>" % " ".join('a%d=""' % i for i in range(257)))
    parse("namespace-flood", "A namespace flood.", "xml.namespaces", "<a %s/>" % " ".join('xmlns:a%d="urn:a%d"' % (i, i) for i in range(65)))
    parse("namespace-flood-nested", "A namespace flood, level by level.", "xml.namespaces",
          "".join('<a xmlns:a%d="urn:a" xmlns:b%d="urn:b">' % (i, i) for i in range(33)) + "</a>" * 33)
    parse("too-long", "More octets than a request may have.", "xml.size", "<a>" + "x" * (64 << 10) + "</a>", limits="request")
    parse("trailing-element", "A second root element.", "xml.trailing", a + a.replace("_response", "_r2").replace("_assertion", "_a2"))
    parse("trailing-text", "Text after the root.", "xml.trailing", a + "text")
    parse("leading-text", "Text before the root.", "xml.trailing", "text" + a)
    parse("trailing-reference", "A reference to a blank after the root.", "xml.trailing", a + "&#32;")
    parse("duplicate-id", "ID pollution: the same ID twice.", "xml.duplicate_id", a.replace('ID="_response"', 'ID="_assertion"'))
    parse("duplicate-id-dsig", "ID pollution: an Id of the Signature equals the ID of the Assertion.", "xml.duplicate_id", a.replace("<ds:Signature ", '<ds:Signature Id="_assertion" '))
    parse("duplicate-id-foreign", "ID pollution: an id of an extension equals the ID of the Assertion.", "xml.duplicate_id",
          a.replace("</saml:Subject>", '</saml:Subject><saml:Advice><x xmlns="urn:x" id="_assertion"/></saml:Advice>'))
    parse("id-prefixed", "ID pollution: samlp:ID.", "xml.id", a.replace('ID="_response"', 'samlp:ID="_response"'))
    parse("id-second-prefixed", "ID pollution: samlp:ID beside ID.", "xml.id", a.replace('ID="_response"', 'ID="_response" samlp:ID="_x"'))
    parse("id-lower", "ID pollution: id.", "xml.id", a.replace('ID="_response"', 'ID="_response" id="_x"'))
    parse("id-title", "ID pollution: Id.", "xml.id", a.replace('ID="_assertion"', 'Id="_assertion"'))
    parse("id-xml", "ID pollution: xml:id.", "xml.id", a.replace('ID="_response"', 'ID="_response" xml:id="_x"'))
    parse("id-xml-foreign", "ID pollution: xml:id on an extension.", "xml.id", a.replace("</saml:Subject>", '</saml:Subject><saml:Advice><x xmlns="urn:x" xml:id="_x"/></saml:Advice>'))
    parse("id-empty", "An empty ID.", "xml.id", a.replace('ID="_response"', 'ID=""'))
    parse("id-blank", "A blank in an ID.", "xml.id", a.replace('ID="_response"', 'ID="_response "'))
    reject("id-absent", "The signed element has no ID.", "sig.reference", a.replace(' ID="_assertion"', "").replace('URI="#_assertion"', 'URI="#"').replace('URI="#"', 'URI="#_assertion"'))
    parse("duplicate-attribute", "Attribute pollution: the same attribute twice.", "xml.duplicate_attribute", a.replace('Version="2.0"', 'Version="2.0" Version="2.0"', 1))
    parse("duplicate-attribute-namespace", "Attribute pollution: two prefixes for one namespace.", "xml.duplicate_attribute",
          '<a xmlns:x="urn:n" xmlns:y="urn:n" x:b="1" y:b="2"/>')
    parse("duplicate-declaration", "A prefix declared twice in one tag.", "xml.duplicate_attribute", '<a xmlns:x="urn:n" xmlns:x="urn:m"/>')
    parse("duplicate-default", "The default namespace declared twice in one tag.", "xml.duplicate_attribute", '<a xmlns="urn:n" xmlns="urn:m"/>')
    parse("prefix-undeclared", "An undeclared prefix of an element.", "xml.namespace", "<x:a/>")
    parse("prefix-undeclared-attribute", "An undeclared prefix of an attribute.", "xml.namespace", '<a x:b=""/>')
    parse("prefix-out-of-scope", "A prefix used after its scope has ended.", "xml.namespace", '<a><b xmlns:x="urn:x"/><x:c/></a>')
    parse("prefix-taken-away", "A prefix declared as nothing.", "xml.namespace", '<x:a xmlns:x=""/>')
    parse("prefix-xml-declared", "xmlns abuse: the prefix xml declared.", "xml.namespace", '<a xmlns:xml="urn:x"/>')
    parse("prefix-xmlns-declared", "xmlns abuse: the prefix xmlns declared.", "xml.namespace", '<a xmlns:xmlns="urn:x"/>')
    parse("namespace-xml-stolen", "xmlns abuse: another prefix for the namespace of xml.", "xml.namespace", '<a xmlns:x="http://www.w3.org/XML/1998/namespace" x:id="_a"/>')
    parse("namespace-xmlns-stolen", "xmlns abuse: the namespace of xmlns.", "xml.namespace", '<a xmlns="http://www.w3.org/2000/xmlns/"/>')
    parse("namespace-relative-default", "A relative default namespace.", "xml.namespace", '<a xmlns="../x"/>')
    parse("prefix-xmlns-element", "xmlns abuse: an element with the prefix xmlns.", "xml.namespace", "<xmlns:a/>")
    parse("prefix-xml-element", "An element with the prefix xml.", "xml.namespace", "<xml:a/>")
    for i, (title, doc) in enumerate((
        ("a name of three parts", '<a xmlns:x="urn:x"><x:y:z/></a>'), ("a name that begins with a colon", "<:a/>"), ("a name that ends with a colon", "<a:/>"),
        ("an attribute :a (CVE-2020-29511)", '<a :b=""/>'), ("an attribute xmlns: (CVE-2020-29509)", '<a xmlns:=""/>'), ("a local name that begins with a digit", '<a xmlns:x="urn:x"><x:1/></a>'),
        ("a name that begins with a digit", "<1/>"), ("a name that begins with a hyphen", "<-a/>"), ("an attribute without value", "<a b/>"), ("a value without quotes", "<a b=c/>"),
        ("no blank between attributes", '<a b=""c=""/>'), ("'<' in a value", '<a b="<"/>'), ("a value without end", '<a b="'), ("an end tag too many", "<a/></a>"),
        ("an element that is not closed", "<a><b></b>"), ("crossed tags", "<a><b></a></b>"), ("tags of different prefixes", '<x:a xmlns:x="urn:x" xmlns:y="urn:x"></y:a>'),
        ("an attribute in an end tag", '<a></a b="">'), ("a blank before the name", "< a/>"), ("a blank in />", "<a/ >"), ("two hyphens in a comment", "<a><!-- -- --></a>"),
        ("a comment that ends in three hyphens", "<a><!-- ---></a>"), ("a comment without end", "<a><!-- </a>"), ("CDATA without end", "<a><![CDATA[</a>"), ("CDATA outside of the root", "<![CDATA[ ]]><a/>"),
        ("]]> in text", "<a>]]></a>"), ("nothing", ""), ("blanks alone", " \n "), ("no markup", "<"), ("a lone ampersand", "<a>&</a>"), ("a reference without end", "<a>&#38</a>"),
        ("a reference with a capital X", "<a>&#X41;</a>"), ("a reference beyond Unicode", "<a>&#x110000;</a>"), ("an empty reference", "<a>&#;</a>"), ("an empty name", "<></>"),
    )):
        parse("syntax-%02d" % (i + 1), "Syntax: %s." % title, "xml.syntax", doc)


def rejected_encryption():
    inner = body(sign(assertion(signature("_assertion"))))
    cek = os.urandom(32)
    gcm, cbc = XENC11 + "aes256-gcm", XENC + "aes256-cbc"
    value = by_key(inner, gcm, cek)
    key = encrypted_key(wrap(cek))

    def decrypt(name, title, data, beside="", do="decrypt", code="xml.decrypt", **more):
        reject("encryption-" + name, title, code, data if data.startswith("<samlp") else sealed(data, beside), do, **more)

    decrypt("unsigned", "Encrypted and unsigned (CVE-2026-2092): anybody can encrypt to us.",
            encrypted_data(by_key(assertion(nameid=EVIL), gcm, cek), gcm, key), do="decrypt verify", code="sig.missing")
    decrypt("wrong-key", "Encrypted for another key.", by_xmlsec1(inner, gcm, "aes-256", key="other"))
    for bits in (128, 192, 256):
        decrypt("cbc-unallowed-%d" % bits, "AES-CBC where no policy allows it.", by_xmlsec1(inner, "%saes%d-cbc" % (XENC, bits), "aes-%d" % bits))
    decrypt("rsa15", "RSA 1.5 oracle: RSA 1.5 by xmlsec1.", by_xmlsec1(inner, gcm, "aes-256", transport=XENC + "rsa-1_5"), allow="cbc")
    decrypt("tripledes", "Triple DES.", by_xmlsec1(inner, XENC + "tripledes-cbc", "des-192"), allow="cbc")
    raw = bytearray(base64.b64decode(value))
    flipped = bytes(raw[:-20]) + bytes([raw[-20] ^ 1]) + bytes(raw[-19:])
    b64 = lambda b: base64.b64encode(b).decode()
    decrypt("gcm-flipped", "AES-GCM with one bit changed.", encrypted_data(b64(flipped), gcm, key))
    decrypt("gcm-empty", "xmlenc panics: no ciphertext at all (AES-GCM).", encrypted_data("", gcm, key))
    decrypt("gcm-short", "xmlenc panics: shorter than a nonce.", encrypted_data(b64(bytes(8)), gcm, key))
    decrypt("gcm-no-tag", "xmlenc panics: a nonce alone.", encrypted_data(b64(bytes(12)), gcm, key))
    decrypt("cbc-empty", "xmlenc panics: no ciphertext at all (AES-CBC).", encrypted_data("", cbc, key), allow="cbc")
    decrypt("cbc-iv-alone", "xmlenc panics: an initialisation vector alone.", encrypted_data(b64(bytes(16)), cbc, key), allow="cbc")
    decrypt("cbc-not-blocks", "CBC panic (GHSA-hwqm-qvj9-4jr2): not whole blocks.", encrypted_data(b64(bytes(40)), cbc, key), allow="cbc")
    decrypt("cbc-padding", "CBC padding oracle: padding that cannot be.", encrypted_data(b64(bytes(64)), cbc, key), allow="cbc")
    decrypt("cbc-short-key", "xmlenc panics: a wrapped key of the wrong length.", encrypted_data(b64(bytes(64)), cbc, encrypted_key(wrap(b"short"))), allow="cbc")
    decrypt("key-length", "A key of 128 bits for AES-256.", encrypted_data(value, gcm, encrypted_key(wrap(cek[:16]))))
    decrypt("key-shorter", "Content under a key of 128 bits that is called AES-256.",
            encrypted_data(by_key(inner, XENC11 + "aes128-gcm", cek[:16]), gcm, encrypted_key(wrap(cek[:16]))))
    decrypt("key-empty", "xmlenc panics: an empty EncryptedKey.", encrypted_data(value, gcm, encrypted_key("")))
    decrypt("key-garbage", "An EncryptedKey of zeros.", encrypted_data(value, gcm, encrypted_key(b64(bytes(256)))))
    decrypt("key-absent", "xmlenc panics: no EncryptedKey.", encrypted_data(value, gcm, ""))
    decrypt("key-no-method", "xmlenc panics: an EncryptedKey without EncryptionMethod.", encrypted_data(value, gcm, encrypted_key(wrap(cek), "")))
    decrypt("key-digest-md5", "OAEP with a digest that is not accepted.", encrypted_data(value, gcm, encrypted_key(wrap(cek), oaep(XENC + "rsa-oaep-mgf1p", MORE + "md5"))))
    decrypt("key-mgf-unknown", "OAEP with a mask generation function that is not known.", encrypted_data(value, gcm, encrypted_key(wrap(cek), oaep(XENC11 + "rsa-oaep", SHA256, "urn:mgf"))))
    decrypt("key-flood", "Nine EncryptedKeys.", encrypted_data(value, gcm, key * 9))
    decrypt("key-retrieval-external", "RetrievalMethod (CVE-2021-40690): a file, which is never opened.",
            encrypted_data(value, gcm, "", keyinfo='<ds:RetrievalMethod URI="file:///etc/passwd"/>'), key)
    decrypt("key-retrieval-nameless", "RetrievalMethod that names nothing.", encrypted_data(value, gcm, "", keyinfo='<ds:RetrievalMethod URI="#"/>'), key)
    decrypt("key-retrieval-outside", "RetrievalMethod: an EncryptedKey elsewhere in the message.",
            sealed(encrypted_data(value, gcm, "", keyinfo='<ds:RetrievalMethod URI="#_elsewhere"/>')).replace("<samlp:Status>", "<samlp:Extensions>" + encrypted_key(wrap(cek), id=' Id="_elsewhere"') + "</samlp:Extensions><samlp:Status>"))
    reference = '<xenc:CipherReference URI="file:///etc/passwd"/>'
    decrypt("cipher-reference", "CipherReference: a file, which is never opened.",
            encrypted_data(value, gcm, key).replace("<xenc:CipherValue>%s</xenc:CipherValue>" % value, reference))
    decrypt("cipher-value-two", "Two CipherValues.", encrypted_data(value, gcm, key).replace("</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>", "</xenc:CipherValue><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>"))
    decrypt("cipher-value-garbage", "CipherValue is not base64.", encrypted_data("!!!!", gcm, key))
    decrypt("data-two", "Two EncryptedData.", encrypted_data(value, gcm, key) + encrypted_data(value, gcm, key).replace("_data", "_data2"))
    decrypt("data-absent", "An empty EncryptedAssertion.", "")
    decrypt("no-method", "EncryptedData without EncryptionMethod.", encrypted_data(value, gcm, key).replace('<xenc:EncryptionMethod Algorithm="%s"/><ds:KeyInfo' % gcm, "<ds:KeyInfo"))
    for name, title, plain in (("not-xml", "is not XML", "not XML"), ("doctype", "has a document type", "<!DOCTYPE a>" + inner), ("response", "is a Response", response(inner)),
                               ("two", "is two Assertions", inner + inner.replace("_assertion", "_second")), ("comment", "has a comment in the NameID", inner.replace("alice@", "admin<!-- -->alice@"))):
        decrypt("content-" + name, "The content %s." % title, encrypted_data(by_key(plain, gcm, cek), gcm, key))
    decrypt("tampered", "Content that was changed before it was encrypted.", encrypted_data(by_key(inner.replace(ALICE, EVIL), gcm, cek), gcm, key), do="decrypt verify", code="sig.digest")


def detached():
    """Signatures over the octets of a query, as the HTTP-Redirect binding makes them, by openssl."""
    os.makedirs("detached", exist_ok=True)
    query = b"SAMLRequest=fZFBT8MwDIX&RelayState=token&SigAlg=any"
    with open("detached/query", "wb") as f:
        f.write(query)
    for key in ("rsa", "p256", "p384", "p521"):
        for bits in ("1", "256", "384", "512"):
            sig = run("openssl", "dgst", "-sha" + bits, "-sign", "keys/test-%s-key.pem" % key, data=query)
            if key != "rsa":
                r, s = re.findall(r"INTEGER\s*:([0-9A-F]+)", run("openssl", "asn1parse", "-inform", "DER", data=sig).decode())
                size = {"p256": 64, "p384": 96, "p521": 132}[key]
                sig = bytes.fromhex(r.zfill(size) + s.zfill(size))
            with open("detached/%s-sha%s" % (key, bits), "wb") as f:
                f.write(sig)


if __name__ == "__main__":
    make_keys()
    if not os.path.isdir("detached"):
        detached()
    for kind in ("accept", "reject"):
        os.makedirs(kind, exist_ok=True)
    accepted_signatures()
    accepted_forms()
    accepted_encryption()
    rejected_wrapping()
    rejected_signatures()
    rejected_documents()
    rejected_encryption()
    print(len(os.listdir("accept")), "accepted,", len(os.listdir("reject")), "rejected")
