# A service provider made of ruby-saml and WEBrick. Its only argument is a JSON
# file with the members of scriptConfig in scripted.go.
require "json"
require "onelogin/ruby-saml"
require "securerandom"
require "webrick"

C = JSON.parse(File.read(ARGV[0]))
BASE = "http://#{C["Host"]}:#{C["Port"]}"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
LOGOUT = C["Logout"] || []
SIGNS = C["SignRequests"] || !LOGOUT.empty?
OUTSTANDING = {} # IDs of requests
SESSIONS = {} # cookie to the page of a login
PEM = C["IdP"]["certs"].map { |c| "-----BEGIN CERTIFICATE-----\n#{c.scan(/.{1,64}/).join("\n")}\n-----END CERTIFICATE-----\n" }

# settings are made anew for each message, because a LogoutRequest takes the name
# that it is about from them.
def settings(page = nil)
  s = OneLogin::RubySaml::Settings.new
  s.soft = true
  s.sp_entity_id = "#{BASE}/metadata"
  s.assertion_consumer_service_url = "#{BASE}/acs"
  s.idp_entity_id = C["IdP"]["entityID"]
  s.idp_sso_service_url = C["RequestByPOST"] ? C["IdP"]["post"] : C["IdP"]["redirect"]
  s.idp_sso_service_binding = C["RequestByPOST"] ? :post : :redirect
  s.idp_slo_service_url = C["IdP"]["logout"][REDIRECT]
  s.idp_slo_service_binding = :redirect
  s.single_logout_service_url = "#{BASE}/slo" unless LOGOUT.empty?
  s.idp_cert_multi = { signing: PEM, encryption: [] }
  s.name_identifier_format = C["NameIDFormat"] unless C["NameIDFormat"].empty?
  s.force_authn = true if C["ForceAuthn"]
  s.passive = true if C["IsPassive"]
  s.authn_context = C["AuthnContext"] unless C["AuthnContext"].empty?
  s.compress_request = !(C["PlainPOST"] && C["RequestByPOST"])
  if SIGNS || C["EncryptAssertions"]
    s.certificate = File.read(C["Cert"])
    s.private_key = File.read(C["Key"])
  end
  s.security[:authn_requests_signed] = C["SignRequests"]
  s.security[:logout_requests_signed] = s.security[:logout_responses_signed] = true
  s.security[:want_assertions_signed] = true
  s.security[:want_assertions_encrypted] = C["EncryptAssertions"]
  s.security[:signature_method] = XMLSecurity::Document::RSA_SHA256
  s.security[:digest_method] = XMLSecurity::Document::SHA256
  if page
    s.compress_request = true
    s.name_identifier_value = page["nameID"]
    s.name_identifier_format = page["nameIDFormat"]
    s.idp_name_qualifier = page["nameQualifier"]
    s.sp_name_qualifier = page["spNameQualifier"]
    s.sessionindex = page["sessionIndex"]
  end
  s
end

class Refused < StandardError; end

def refuse(errors)
  raise Refused, errors.join("; ")
end

def login(res)
  request = OneLogin::RubySaml::Authrequest.new
  OUTSTANDING[request.uuid] = true
  unless C["RequestByPOST"]
    res.status, res["Location"] = 302, request.create(settings, RelayState: "/")
    return
  end
  fields = request.create_params(settings, RelayState: "/")
  inputs = fields.map { |k, v| %(<input type="hidden" name="#{k}" value="#{CGI.escapeHTML(v)}">) }.join
  res["Content-Type"] = "text/html"
  res.body = %(<!doctype html><form method="post" action="#{C["IdP"]["post"]}">#{inputs}<button>Continue</button></form>)
end

def understood(encoded)
  r = OneLogin::RubySaml::Response.new(encoded, settings: settings, allowed_clock_drift: 1)
  known = OUTSTANDING.key?(r.in_response_to) || (r.in_response_to.nil? && C["Unsolicited"])
  refuse(["unknown InResponseTo #{r.in_response_to}"]) unless known
  refuse(r.errors) unless r.is_valid?
  OUTSTANDING.delete(r.in_response_to)
  r.attributes.single_value_compatibility = false if r.attributes.respond_to?(:single_value_compatibility=)
  {
    "issuer" => r.issuers.first, "nameID" => r.nameid, "nameIDFormat" => r.name_id_format || "",
    "nameQualifier" => r.name_id_namequalifier, "spNameQualifier" => r.name_id_spnamequalifier,
    "sessionIndex" => r.sessionindex || "",
    "authnContext" => REXML::XPath.first(r.decrypted_document || r.document, "//*[local-name()='AuthnContextClassRef']")&.text || "",
    "attributes" => r.attributes.all.to_h { |name, values| [name, Array(values)] },
  }
end

# slo reads what comes by HTTP-Redirect, the only binding that the library knows
# for logout. It takes a message without a signature for a good one.
def slo(req, res)
  refuse(["the query is not signed"]) unless req.query["Signature"]
  raw = req.query_string.split("&").to_h { |pair| pair.split("=", 2) }
  options = { settings: settings, get_params: req.query.to_h, raw_get_params: raw }
  if req.query["SAMLResponse"]
    answer = OneLogin::RubySaml::Logoutresponse.new(req.query["SAMLResponse"], settings, options)
    refuse(answer.errors) unless answer.validate
    return res.body = { loggedOut: true }.to_json
  end
  request = OneLogin::RubySaml::SloLogoutrequest.new(req.query["SAMLRequest"], options)
  refuse(request.errors) unless request.is_valid?
  indexes = request.session_indexes
  SESSIONS.delete_if { |_, p| p["nameID"] == request.nameid && (indexes.empty? || indexes.include?(p["sessionIndex"])) }
  params = req.query["RelayState"] ? { RelayState: req.query["RelayState"].to_s } : {}
  res.status = 302
  res["Location"] = OneLogin::RubySaml::SloLogoutresponse.new.create(settings, request.id, nil, params)
end

def route(req, res)
  res["Content-Type"] = "application/json"
  cookie = req.cookies.find { |c| c.name == "session" }&.value
  case req.path
  when "/metadata"
    res["Content-Type"] = "application/samlmetadata+xml"
    res.body = OneLogin::RubySaml::Metadata.new.generate(settings)
  when "/login" then login(res)
  when "/acs"
    session = SecureRandom.hex(16)
    SESSIONS[session] = understood(req.query["SAMLResponse"])
    res.status, res["Location"] = 303, "/"
    res["Set-Cookie"] = "session=#{session}; Path=/; HttpOnly; SameSite=Lax"
  when "/logout"
    page = SESSIONS.delete(cookie) || refuse(["nobody is signed in"])
    res.status, res["Location"] = 302, OneLogin::RubySaml::Logoutrequest.new.create(settings(page), RelayState: "/")
  when "/slo" then slo(req, res)
  else
    page = SESSIONS[cookie]
    res.status = page ? 200 : 401
    res.body = (page || { error: "nobody is signed in" }).to_json
  end
rescue StandardError => e
  warn e.full_message
  res.status = 403
  res.body = { error: e.message, status: e.message.scan(/urn:oasis:names:tc:SAML:2\.0:status:\w+/) }.to_json
end

server = WEBrick::HTTPServer.new(BindAddress: C["Host"], Port: C["Port"].to_i, AccessLog: [], DoNotReverseLookup: true)
server.mount_proc("/") { |req, res| route(req, res) }
trap("TERM") { server.shutdown }
server.start
