"""A service provider made of pysaml2 and the standard library."""
import base64
from urllib.parse import parse_qsl
from xml.etree.ElementTree import register_namespace

from lxml import etree
from saml2 import BINDING_HTTP_ARTIFACT, BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, BINDING_SOAP
from saml2.client import Saml2Client
from saml2.config import SPConfig
from saml2.ident import code, decode
from saml2.metadata import create_metadata_string
from saml2.response import StatusError
from saml2.s_utils import status_message_factory
from saml2.saml import AuthnContextClassRef
from saml2.samlp import STATUS_UNKNOWN_PRINCIPAL, RequestedAuthnContext
from saml2.sigver import verify_redirect_signature
from saml2.time_util import in_a_while

from web import BASE, C, SESSIONS, Refused, log_out, serve

# pysaml2 takes what is in a SOAP envelope out by writing it anew, which breaks every
# signature unless the prefixes stay the usual ones.
register_namespace("samlp", "urn:oasis:names:tc:SAML:2.0:protocol")
register_namespace("saml", "urn:oasis:names:tc:SAML:2.0:assertion")
register_namespace("ds", "http://www.w3.org/2000/09/xmldsig#")
BINDING = BINDING_HTTP_POST if C["RequestByPOST"] else BINDING_HTTP_REDIRECT
ANSWER = BINDING_HTTP_ARTIFACT if C["Artifact"] else BINDING_HTTP_POST
SAMLP = "{urn:oasis:names:tc:SAML:2.0:protocol}"


def configuration():
    sp = {
        "endpoints": {
            "assertion_consumer_service": [(BASE + "/acs", ANSWER)],
            "single_logout_service": [(BASE + "/slo", binding) for binding in C["Logout"]],
        },
        "authn_requests_signed": C["SignRequests"],
        "logout_requests_signed": True,
        "logout_responses_signed": True,
        "want_assertions_signed": True,
        "want_response_signed": C["WantResponseSigned"],
        "allow_unsolicited": C["Unsolicited"],
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


def understood(response):
    info = response.session_info()
    statement = response.assertion.authn_statement[0]
    return {
        "issuer": info["issuer"],
        "nameID": info["name_id"].text,
        "nameIDFormat": info["name_id"].format or "",
        "code": code(info["name_id"]),
        "sessionIndex": statement.session_index or "",
        "authnContext": statement.authn_context.authn_context_class_ref.text,
        "attributes": info["ava"],
    }


def verified(query):
    """Verifies the signature of a message by HTTP-Redirect, which pysaml2 leaves to a call of its own."""
    signed = dict(parse_qsl(query, keep_blank_values=True))
    certs = CLIENT.metadata.certs(C["IdP"]["entityID"], "any", "signing")
    if "Signature" not in signed or not any(
        verify_redirect_signature(dict(signed), CLIENT.sec.sec_backend, cert) for cert in certs
    ):
        raise Refused("the query is not signed by the identity provider")


def lead(info):
    for name, value in info["headers"]:
        if name == "Location":
            return value
    return info["data"]


class App:
    def metadata(self):
        return create_metadata_string(None, CLIENT.config)

    def login(self):
        extra = {"is_passive": "true"} if C["IsPassive"] else {}
        if C["AuthnContext"]:
            extra["requested_authn_context"] = RequestedAuthnContext(
                authn_context_class_ref=[AuthnContextClassRef(C["AuthnContext"])], comparison="exact"
            )
        request_id, info = CLIENT.prepare_for_authenticate(
            entityid=C["IdP"]["entityID"],
            relay_state="/",
            binding=BINDING,
            response_binding=ANSWER,
            **extra,
        )
        OUTSTANDING[request_id] = "/"
        return lead(info)

    def acs(self, fields):
        encoded = resolve(fields["SAMLart"]) if "SAMLart" in fields else fields["SAMLResponse"]
        try:
            response = CLIENT.parse_authn_request_response(encoded, ANSWER, OUTSTANDING)
            page = understood(response)
        except StatusError as e:
            raise Refused(f"{type(e).__name__}: {e}", [a for a in e.args if isinstance(a, str)]) from e
        OUTSTANDING.pop(response.in_response_to, None)
        return page

    def logout(self, page):
        idp = C["IdP"]["entityID"]
        made = CLIENT.do_logout(
            decode(page["code"]), [idp], "", in_a_while(minutes=10), sign=True, expected_binding=C["LogoutBy"]
        )
        if C["LogoutBy"] == BINDING_SOAP:
            return {"loggedOut": True}
        return lead(made[idp][1])

    def slo(self, request):
        if request.body.startswith(b"<"):
            return answer(request.body.decode(), BINDING_SOAP, "")
        binding = BINDING_HTTP_REDIRECT if request.query else BINDING_HTTP_POST
        if request.query:
            verified(request.query)
        if "SAMLRequest" in request.fields:
            return answer(request.fields["SAMLRequest"], binding, request.fields.get("RelayState", ""))
        try:
            CLIENT.parse_logout_request_response(request.fields["SAMLResponse"], binding)
        except StatusError as e:
            raise Refused(f"{type(e).__name__}: {e}", [a for a in e.args if isinstance(a, str)]) from e
        return {"loggedOut": True}


def answer(text, binding, relay_state):
    if binding != BINDING_HTTP_REDIRECT:
        # Whether a signature must be there is, for pysaml2, the business of identity providers.
        CLIENT.sec.correctly_signed_logout_request(CLIENT.unravel(text, binding, "logout_request"), must=True)
    message = CLIENT.parse_logout_request(text, binding).message
    indexes = [i.text for i in message.session_index]
    # pysaml2 compares the whole NameID with the one of the session.
    known = next((decode(p["code"]) for p in SESSIONS.values() if p["nameID"] == message.name_id.text), None)
    if binding == BINDING_SOAP:
        # handle_logout_request has an error that keeps it from signing for SOAP, so this is what it does.
        status = None if known == message.name_id else status_message_factory("Wrong user", STATUS_UNKNOWN_PRINCIPAL)
        signed = CLIENT.create_logout_response(message, bindings=[binding], status=status, sign=True)
        made = CLIENT.use_soap(str(signed))["data"].encode()
        if status is None:
            CLIENT.local_logout(known)
    else:
        made = lead(CLIENT.handle_logout_request(text, known, binding, sign=True, relay_state=relay_state))
    if known == message.name_id:
        log_out(message.name_id.text, indexes)
    return made


def resolve(artifact):
    """Fetches the Response that an artifact stands for, as the octets that were signed."""
    text = CLIENT.artifact2message(artifact, "idpsso", sign=True).content
    envelope = etree.fromstring(text)
    carrier = next(envelope.iter(SAMLP + "ArtifactResponse"))
    CLIENT.sec.correctly_signed_artifact_response(etree.tostring(carrier), must=False)
    response = carrier.find(SAMLP + "Response")
    if response is None:
        raise Refused("the artifact stands for nothing", [c.get("Value") for c in carrier.iter(SAMLP + "StatusCode")])
    return base64.b64encode(etree.tostring(response, with_tail=False)).decode()


serve(App())
