// A service provider made of @node-saml/node-saml.
import { SAML } from "@node-saml/node-saml";
import { base, cert, config, key, serve, values } from "./web.mjs";

const saml = new SAML({
  issuer: `${base}/metadata`,
  callbackUrl: `${base}/acs`,
  entryPoint: config.RequestByPOST ? config.IdP.post : config.IdP.redirect,
  authnRequestBinding: config.RequestByPOST ? "HTTP-POST" : "HTTP-Redirect",
  idpCert: config.IdP.certs,
  idpIssuer: config.IdP.entityID,
  privateKey: config.SignRequests ? key : undefined,
  decryptionPvk: config.EncryptAssertions ? key : undefined,
  skipRequestCompression: config.PlainPOST,
  signatureAlgorithm: "sha256",
  digestAlgorithm: "sha256",
  identifierFormat: config.NameIDFormat || null,
  allowCreate: !config.NoCreate,
  disableRequestedAuthnContext: true,
  forceAuthn: config.ForceAuthn,
  passive: config.IsPassive,
  wantAssertionsSigned: true,
  wantAuthnResponseSigned: config.WantResponseSigned,
  validateInResponseTo: "always",
});

serve({
  metadata: () =>
    saml.generateServiceProviderMetadata(
      config.EncryptAssertions ? cert : null,
      config.SignRequests ? cert : null,
    ),
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
      sessionIndex: profile.sessionIndex ?? "",
      authnContext: classRef?._ ?? classRef ?? "",
      attributes,
    };
  },
});
