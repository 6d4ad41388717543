"""A CGI page behind mod_auth_mellon: what mellon understood, as JSON.

Values come from the environment that mellon sets. Apache turns every character
of a variable's name but letters and digits into "_", so the attributes' own
names are taken from the session dump, and so is what mellon has no variable for.
"""
import base64
import html
import json
import os
import re
import xml.etree.ElementTree as ET

SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"


def values(name):
    key = "MELLON_" + re.sub(r"[^0-9A-Za-z]", "_", name)
    found = []
    while f"{key}_{len(found)}" in os.environ:
        # Mellon hands over the XML text of a value, its escapes included.
        found.append(html.unescape(os.environ[f"{key}_{len(found)}"]))
    return found


def text(node):
    return "" if node is None else (node.text or "")


path = os.environ.get("SCRIPT_NAME", "")
if path == "/loggedout":
    print("Content-Type: application/json\n")
    print(json.dumps({"loggedOut": "MELLON_NAME_ID" not in os.environ}))
    raise SystemExit
if "MELLON_SESSION" not in os.environ:
    print("Status: 401\nContent-Type: application/json\n")
    print(json.dumps({"error": "nobody is signed in"}))
    raise SystemExit
dump = os.environ["MELLON_SESSION"]
try:
    session = ET.fromstring(dump)
except ET.ParseError:
    session = ET.fromstring(base64.b64decode(dump))
assertion = next(session.iter(SAML + "Assertion"))
statement = next(assertion.iter(SAML + "AuthnStatement"), None)
page = {
    "issuer": text(next(assertion.iter(SAML + "Issuer"))),
    "nameID": os.environ.get("MELLON_NAME_ID", ""),
    "nameIDFormat": next(assertion.iter(SAML + "NameID")).get("Format", ""),
    "sessionIndex": "" if statement is None else statement.get("SessionIndex", ""),
    "authnContext": text(next(assertion.iter(SAML + "AuthnContextClassRef"), None)),
    "attributes": {a.get("Name"): values(a.get("Name")) for a in assertion.iter(SAML + "Attribute")},
}
print("Content-Type: application/json\n")
print(json.dumps(page))
