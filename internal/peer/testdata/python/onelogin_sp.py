"""A service provider made of OneLogin's python3-saml and the standard library."""
import base64

from lxml import etree
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants as K
from onelogin.saml2.logout_request import OneLogin_Saml2_Logout_Request as LogoutRequest
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from web import BASE, C, SIGNS, Refused, log_out, serve


def pem(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def settings():
    made = {
        "strict": True,
        "sp": {
            "entityId": BASE + "/metadata",
            "assertionConsumerService": {"url": BASE + "/acs", "binding": K.BINDING_HTTP_POST},
            "NameIDFormat": C["NameIDFormat"] or K.NAMEID_UNSPECIFIED,
            "x509cert": pem(C["Cert"]),
            "privateKey": pem(C["Key"]),
        },
        "idp": {
            "entityId": C["IdP"]["entityID"],
            "singleSignOnService": {"url": C["IdP"]["redirect"], "binding": K.BINDING_HTTP_REDIRECT},
            "x509certMulti": {"signing": C["IdP"]["certs"]},
        },
        "security": {
            "authnRequestsSigned": C["SignRequests"],
            "logoutRequestSigned": True,
            "logoutResponseSigned": True,
            "wantMessagesSigned": C["WantResponseSigned"],
            "wantAssertionsSigned": True,
            "wantAssertionsEncrypted": C["EncryptAssertions"],
            "signatureAlgorithm": K.RSA_SHA256,
            "digestAlgorithm": K.SHA256,
            "requestedAuthnContext": [C["AuthnContext"]] if C["AuthnContext"] else False,
            "failOnAuthnContextMismatch": bool(C["AuthnContext"]),
        },
    }
    if C["Logout"]:
        made["sp"]["singleLogoutService"] = {"url": BASE + "/slo", "binding": K.BINDING_HTTP_REDIRECT}
    if K.BINDING_HTTP_REDIRECT in C["IdP"]["logout"]:
        made["idp"]["singleLogoutService"] = {
            "url": C["IdP"]["logout"][K.BINDING_HTTP_REDIRECT],
            "binding": K.BINDING_HTTP_REDIRECT,
        }
    return OneLogin_Saml2_Settings(made)


SETTINGS = settings()
OUTSTANDING = set()  # IDs of requests


def auth(path, fields=None, query="", post=False):
    request = {
        "https": "off",
        "http_host": f"{C['Host']}:{C['Port']}",
        "script_name": path,
        "get_data": {} if post else (fields or {}),
        "post_data": (fields or {}) if post else {},
        "query_string": query,
        "validate_signature_from_qs": True,
    }
    return OneLogin_Saml2_Auth(request, old_settings=SETTINGS)


def check(a):
    if a.get_errors():
        reason = f"{', '.join(a.get_errors())}: {a.get_last_error_reason()}"
        raise Refused(reason, [w.strip(",.") for w in reason.split() if w.startswith("urn:oasis:names:tc:SAML:2.0:status:")])


class App:
    def metadata(self):
        # The library publishes its one key for both uses; what is not wanted is left out.
        doc = etree.fromstring(SETTINGS.get_sp_metadata())
        for key in list(doc.iter("{urn:oasis:names:tc:SAML:2.0:metadata}KeyDescriptor")):
            if not {"signing": SIGNS, "encryption": C["EncryptAssertions"]}[key.get("use")]:
                key.getparent().remove(key)
        return etree.tostring(doc)

    def login(self):
        a = auth("/login")
        to = a.login("/", force_authn=C["ForceAuthn"], is_passive=C["IsPassive"], set_nameid_policy=bool(C["NameIDFormat"]))
        OUTSTANDING.add(a.get_last_request_id())
        return to

    def acs(self, fields):
        answered = etree.fromstring(base64.b64decode(fields["SAMLResponse"])).get("InResponseTo")
        if answered not in OUTSTANDING and (answered or not C["Unsolicited"]):
            raise Refused(f"unknown InResponseTo {answered}")
        a = auth("/acs", fields, post=True)
        a.process_response(request_id=answered)
        check(a)
        OUTSTANDING.discard(answered)
        contexts = a.get_last_authn_contexts()
        return {
            "issuer": C["IdP"]["entityID"],
            "nameID": a.get_nameid(),
            "nameIDFormat": a.get_nameid_format() or "",
            "nq": a.get_nameid_nq(),
            "spnq": a.get_nameid_spnq(),
            "sessionIndex": a.get_session_index() or "",
            "authnContext": contexts[0] if contexts else "",
            "attributes": a.get_attributes(),
        }

    def logout(self, page):
        a = auth("/logout")
        return a.logout(
            return_to="/",
            name_id=page["nameID"],
            session_index=page["sessionIndex"],
            nq=page["nq"],
            name_id_format=page["nameIDFormat"],
            spnq=page["spnq"],
        )

    def slo(self, request):
        a = auth("/slo", request.fields, request.query)
        to = a.process_slo(keep_local_session=True)
        check(a)
        if "SAMLResponse" in request.fields:
            return {"loggedOut": True}
        xml = a.get_last_request_xml()
        log_out(LogoutRequest.get_nameid(xml, pem(C["Key"])), LogoutRequest.get_session_indexes(xml))
        return to


serve(App())
