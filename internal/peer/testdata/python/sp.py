"""A service provider made of pysaml2 and the standard library.

Its only argument is a JSON file with the members of scriptConfig in scripted.go.
"""
import json
import secrets
import sys
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.client import Saml2Client
from saml2.config import SPConfig
from saml2.metadata import create_metadata_string
from saml2.response import StatusError

with open(sys.argv[1], encoding="utf-8") as f:
    C = json.load(f)
BASE = f"http://{C['Host']}:{C['Port']}"
BINDING = BINDING_HTTP_POST if C["RequestByPOST"] else BINDING_HTTP_REDIRECT


def configuration():
    sp = {
        "endpoints": {"assertion_consumer_service": [(BASE + "/acs", BINDING_HTTP_POST)]},
        "authn_requests_signed": C["SignRequests"],
        "want_assertions_signed": True,
        "want_response_signed": C["WantResponseSigned"],
        "allow_unsolicited": False,
        "signing_algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "digest_algorithm": "http://www.w3.org/2001/04/xmlenc#sha256",
    }
    if C["NameIDFormat"]:
        sp["name_id_format"] = [C["NameIDFormat"]]
        sp["name_id_policy_format"] = C["NameIDFormat"]
        sp["name_id_format_allow_create"] = not C["NoCreate"]
    if C["ForceAuthn"]:
        sp["force_authn"] = True
    config = {
        "entityid": BASE + "/metadata",
        "service": {"sp": sp},
        "key_file": C["Key"],
        "cert_file": C["Cert"],
        "metadata": {"local": [C["IdPFile"]]},
        "allow_unknown_attributes": True,
        "accepted_time_diff": 60,
    }
    if C["EncryptAssertions"]:
        config["encryption_keypairs"] = [{"key_file": C["Key"], "cert_file": C["Cert"]}]
    return SPConfig().load(config)


CLIENT = Saml2Client(configuration())
OUTSTANDING = {}  # request ID to where the person wanted to go
SESSIONS = {}  # cookie to what is shown


def understood(response):
    info = response.session_info()
    statement = response.assertion.authn_statement[0]
    return {
        "issuer": info["issuer"],
        "nameID": info["name_id"].text,
        "nameIDFormat": info["name_id"].format or "",
        "sessionIndex": statement.session_index or "",
        "authnContext": statement.authn_context.authn_context_class_ref.text,
        "attributes": info["ava"],
    }


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body, kind="application/json", **headers):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = urlsplit(self.path).path
        if path == "/metadata":
            self.answer(200, create_metadata_string(None, CLIENT.config).decode(), "application/samlmetadata+xml")
        elif path == "/login":
            self.login()
        else:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get("session")
            page = SESSIONS.get(cookie.value) if cookie else None
            self.answer(200 if page else 401, json.dumps(page or {"error": "nobody is signed in"}))

    def login(self):
        extra = {"is_passive": "true"} if C["IsPassive"] else {}
        request_id, info = CLIENT.prepare_for_authenticate(
            entityid=C["IdP"]["entityID"],
            relay_state="/",
            binding=BINDING,
            response_binding=BINDING_HTTP_POST,
            **extra,
        )
        OUTSTANDING[request_id] = "/"
        if BINDING == BINDING_HTTP_POST:
            self.answer(200, info["data"], "text/html")
        else:
            self.answer(302, "", "text/plain", **dict(info["headers"]))

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        try:
            response = CLIENT.parse_authn_request_response(form["SAMLResponse"][0], BINDING_HTTP_POST, OUTSTANDING)
            page = understood(response)
        except StatusError as e:
            self.answer(403, json.dumps({"error": f"{type(e).__name__}: {e}", "status": [a for a in e.args if isinstance(a, str)]}))
            return
        except Exception as e:  # Whatever it is, the test shall read it.
            self.answer(403, json.dumps({"error": f"{type(e).__name__}: {e}"}))
            return
        OUTSTANDING.pop(response.in_response_to, None)
        session = secrets.token_hex(16)
        SESSIONS[session] = page
        self.answer(303, "", "text/plain", Location="/", Set_Cookie=f"session={session}; Path=/; HttpOnly; SameSite=Lax")


ThreadingHTTPServer((C["Host"], int(C["Port"])), Handler).serve_forever()
