"""A CGI page behind mod_shib: what it put into the environment, as JSON.

Apache turns the hyphens of the names of variables into "_".
"""
import json
import os
import re

NAMES = ["mail", "givenName", "sn", "displayName", "uid", "isMemberOf"]

if not os.environ.get("Shib_Session_ID"):
    print("Status: 401\nContent-Type: application/json\n")
    print(json.dumps({"error": "nobody is signed in"}))
    raise SystemExit
name_format, _, name = os.environ.get("nameid", "|").partition("|")
page = {
    "issuer": os.environ.get("Shib_Identity_Provider", ""),
    "nameID": name,
    "nameIDFormat": name_format,
    "sessionIndex": os.environ.get("Shib_Session_Index", ""),
    "authnContext": os.environ.get("Shib_AuthnContext_Class", ""),
    # Several values are joined by semicolons; one within a value has a backslash.
    "attributes": {
        n: [v.replace("\\;", ";") for v in re.split(r"(?<!\\);", os.environ[n])] for n in NAMES if n in os.environ
    },
}
print("Content-Type: application/json\n")
print(json.dumps(page))
