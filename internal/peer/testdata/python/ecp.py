"""Signs a person in without a browser, with lasso as an enhanced client (SAML ECP 2.0).

The only argument is a JSON file: url (of a page at the service provider), idp (the
address that takes requests by SOAP), user, password. Prints the page, or an error,
as JSON. lasso reads and writes the envelopes; the HTTP around it is this file's.
"""
import base64
import json
import sys
import urllib.error
import urllib.request
from http.cookiejar import CookieJar, DefaultCookiePolicy

import lasso

PAOS = "application/vnd.paos+xml"
with open(sys.argv[1], encoding="utf-8") as f:
    C = json.load(f)
# Secure cookies work on loopback even without TLS, as in a browser.
JAR = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
BROWSER = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(JAR))


def call(url, body=None, **headers):
    request = urllib.request.Request(url, body and body.encode(), {k.replace("_", "-"): v for k, v in headers.items()})
    with BROWSER.open(request) as response:
        return response.read().decode()


def page():
    offer = 'ver="urn:liberty:paos:2003-08";"urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp"'
    asked = call(C["url"], Accept=f"text/html, {PAOS}", PAOS=offer)
    client = lasso.Ecp(lasso.Server())
    client.processAuthnRequestMsg(asked)
    known = base64.b64encode(f"{C['user']}:{C['password']}".encode()).decode()
    answered = call(C["idp"], client.msgBody, Content_Type="text/xml", Authorization="Basic " + known)
    client.processResponseMsg(answered)
    return call(client.msgUrl, client.msgBody, Content_Type=PAOS)


try:
    print(page())
except urllib.error.HTTPError as e:
    print(json.dumps({"error": f"{e.url} answered {e.code}: {e.read().decode()}"}))
except lasso.Error as e:
    print(json.dumps({"error": f"lasso: {e}"}))
