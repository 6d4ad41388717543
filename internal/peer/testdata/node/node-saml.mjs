// A service provider made of @node-saml/node-saml.
import { SAML } from "@node-saml/node-saml";
import { POST, REDIRECT, base, cert, config, key, logoutOffered, serve, signs, values } from "./web.mjs";

const options = {
  issuer: `${base}/metadata`,
  callbackUrl: `${base}/acs`,
  entryPoint: config.RequestByPOST ? config.IdP.post : config.IdP.redirect,
  logoutUrl: config.IdP.logout[REDIRECT],
  logoutCallbackUrl: logoutOffered ? `${base}/slo` : undefined,
  authnRequestBinding: config.RequestByPOST ? "HTTP-POST" : "HTTP-Redirect",
  idpCert: config.IdP.certs,
  idpIssuer: config.IdP.entityID,
  privateKey: config.SignRequests ? key : undefined,
  decryptionPvk: config.EncryptAssertions ? key : undefined,
  skipRequestCompression: config.PlainPOST && config.RequestByPOST,
  signatureAlgorithm: "sha256",
  digestAlgorithm: "sha256",
  identifierFormat: config.NameIDFormat || null,
  allowCreate: !config.NoCreate,
  disableRequestedAuthnContext: !config.AuthnContext,
  authnContext: [config.AuthnContext],
  racComparison: "exact",
  forceAuthn: config.ForceAuthn,
  passive: config.IsPassive,
  wantAssertionsSigned: true,
  wantAuthnResponseSigned: config.WantResponseSigned,
  validateInResponseTo: config.Unsolicited ? "ifPresent" : "always",
};
const saml = new SAML(options);
// The library signs everything or nothing; logout messages always have to be.
const signing = new SAML({ ...options, privateKey: key, skipRequestCompression: false, cacheProvider: saml.cacheProvider });

// metadata names the logout endpoints that are wanted; the library writes one,
// for POST, although it takes messages by Redirect too.
function metadata() {
  const own = (signs ? signing : saml).generateServiceProviderMetadata(
    config.EncryptAssertions ? cert : null,
    signs ? cert : null,
  );
  const endpoints = (config.Logout ?? []).map((b) => `<SingleLogoutService Binding="${b}" Location="${base}/slo"/>`);
  return own
    .replace(/<SingleLogoutService[^>]*\/>/, endpoints.join(""))
    .replace(/AuthnRequestsSigned="\w+"/, `AuthnRequestsSigned="${config.SignRequests}"`);
}

serve({
  metadata,
  async login() {
    if (config.RequestByPOST) return { html: await saml.getAuthorizeFormAsync("/") };
    return { redirect: await saml.getAuthorizeUrlAsync("/", undefined, {}) };
  },
  async acs(form) {
    const { profile } = await saml.validatePostResponseAsync(form);
    const statement = profile.getAssertion().Assertion.AuthnStatement?.[0];
    const classRef = statement?.AuthnContext?.[0].AuthnContextClassRef?.[0];
    const attributes = {};
    for (const [name, value] of Object.entries(profile.attributes ?? {})) attributes[name] = values(value);
    return {
      issuer: profile.issuer,
      nameID: profile.nameID,
      nameIDFormat: profile.nameIDFormat ?? "",
      nameQualifier: profile.nameQualifier,
      spNameQualifier: profile.spNameQualifier,
      sessionIndex: profile.sessionIndex ?? "",
      authnContext: classRef?._ ?? classRef ?? "",
      attributes,
    };
  },
  logout: async (page) => ({ redirect: await signing.getLogoutUrlAsync(page, "/", {}) }),
  async slo(fields, query) {
    const { profile } = query
      ? await signing.validateRedirectAsync(fields, query)
      : fields.SAMLRequest
        ? await signing.validatePostRequestAsync(fields)
        : await signing.validatePostResponseAsync(fields);
    if (!fields.SAMLRequest) return { response: {} };
    return {
      request: profile,
      answer: async () => ({ redirect: await signing.getLogoutResponseUrlAsync(profile, fields.RelayState, {}, true) }),
    };
  },
});
