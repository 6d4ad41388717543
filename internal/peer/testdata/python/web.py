"""What the Python service providers share: configuration, the pages of login and
logout over the standard library's server, and the sessions in memory.

The only argument of the programs is a JSON file with the members of scriptConfig
in scripted.go.
"""
import html
import json
import secrets
import sys
import traceback
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

with open(sys.argv[1], encoding="utf-8") as f:
    C = json.load(f)
C["Logout"] = C["Logout"] or []
BASE = f"http://{C['Host']}:{C['Port']}"
SIGNS = C["SignRequests"] or C["Artifact"] or bool(C["Logout"])
SESSIONS = {}  # cookie to what is shown


class Refused(Exception):
    """What the library said against a message, and the SAML status codes in it."""

    def __init__(self, text, status=()):
        super().__init__(text)
        self.status = list(status)


def log_out(name_id, indexes):
    for cookie, page in list(SESSIONS.items()):
        if page["nameID"] == name_id and (not indexes or page["sessionIndex"] in indexes):
            del SESSIONS[cookie]


def form(action, **fields):
    """A page that posts a message, for libraries that leave it to their users."""
    inputs = "".join(f'<input type="hidden" name="{k}" value="{html.escape(v)}">' for k, v in fields.items())
    return f'<!doctype html><form method="post" action="{html.escape(action)}">{inputs}<button>Continue</button></form>'


def serve(app):
    """Serves metadata(), login(), acs(fields), logout(page) and slo(request).

    login, logout and slo return a string that begins with http to redirect to,
    any other string as a page, a dict as JSON, bytes as a SOAP answer. acs returns
    what it understood of a login; all may raise.
    """

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status, body, kind="application/json", **headers):
            body = body if isinstance(body, bytes) else body.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def lead(self, to):
            if isinstance(to, dict):
                self.answer(200, json.dumps(to))
            elif isinstance(to, bytes):
                self.answer(200, to, "text/xml")
            elif to.startswith("http"):
                self.answer(302, "", "text/plain", Location=to)
            else:
                self.answer(200, to, "text/html")

        def do_GET(self):
            url = urlsplit(self.path)
            self.query, self.fields = url.query, dict(parse_qsl(url.query, keep_blank_values=True))
            self.body = b""
            self.route(url.path)

        def do_POST(self):
            self.query = ""
            self.body = self.rfile.read(int(self.headers["Content-Length"]))
            soap = "xml" in self.headers.get("Content-Type", "")
            self.fields = {} if soap else dict(parse_qsl(self.body.decode(), keep_blank_values=True))
            self.route(urlsplit(self.path).path)

        def route(self, path):
            try:
                self.serve_path(path)
            except Refused as e:
                self.answer(403, json.dumps({"error": str(e), "status": e.status}))
            except Exception as e:  # Whatever it is, the test shall read it.
                traceback.print_exc()
                self.answer(403, json.dumps({"error": f"{type(e).__name__}: {e}"}))

        def serve_path(self, path):
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get("session")
            page = SESSIONS.get(cookie.value) if cookie else None
            if path == "/metadata":
                self.answer(200, app.metadata(), "application/samlmetadata+xml")
            elif path == "/login":
                self.lead(app.login())
            elif path == "/acs":
                page = app.acs(self.fields)
                session = secrets.token_hex(16)
                SESSIONS[session] = page
                self.answer(
                    303, "", "text/plain", Location="/", Set_Cookie=f"session={session}; Path=/; HttpOnly; SameSite=Lax"
                )
            elif path == "/logout" and page:
                del SESSIONS[cookie.value]
                self.lead(app.logout(page))
            elif path == "/slo":
                self.lead(app.slo(self))
            else:
                self.answer(200 if page else 401, json.dumps(page or {"error": "nobody is signed in"}))

    ThreadingHTTPServer((C["Host"], int(C["Port"])), Handler).serve_forever()
