"""Signs a person in without a browser, with pysaml2's ECP client (SAML ECP 2.0).

The only argument is a JSON file: url (of a page at the service provider), idp (an
entityID), metadata (a file), user, password. Prints the page, or an error, as JSON.
"""
import contextlib
import json
import sys

from saml2.ecp_client import Client

with open(sys.argv[1], encoding="utf-8") as f:
    C = json.load(f)
try:
    with contextlib.redirect_stdout(sys.stderr):  # The client prints what it reads.
        client = Client(C["user"], C["password"], sp=C["url"], metadata_file=C["metadata"], xmlsec_binary="/usr/bin/xmlsec1")
        page = client.operation(C["url"], C["idp"], "GET", headers=[]).text
    print(page)
except Exception as e:  # Whatever it is, the test shall read it.
    print(json.dumps({"error": f"{type(e).__name__}: {e}"}))
