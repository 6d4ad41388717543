// A service provider made of samlify, which validates each message against the
// OASIS schemas with the validator that it is given: here xmllint, offline.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import samlify from "samlify";
import { base, cert, config, key, serve, values } from "./web.mjs";

samlify.setSchemaValidator({
  validate: (xml) =>
    new Promise((resolve, reject) => {
      const lint = spawn("xmllint", ["--nonet", "--noout", "--schema", join(config.Schemas, "all.xsd"), "-"]);
      let said = "";
      lint.stderr.on("data", (chunk) => (said += chunk));
      lint.on("error", reject);
      lint.on("close", (code) => (code === 0 ? resolve("valid") : reject(new Error(`not schema-valid: ${said}`))));
      lint.stdin.end(xml);
    }),
});

const POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
const sp = samlify.ServiceProvider({
  entityID: `${base}/metadata`,
  authnRequestsSigned: config.SignRequests,
  wantAssertionsSigned: true,
  wantMessageSigned: config.WantResponseSigned,
  signingCert: config.SignRequests ? cert : undefined,
  privateKey: key,
  requestSignatureAlgorithm: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
  encryptCert: config.EncryptAssertions ? cert : undefined,
  encPrivateKey: config.EncryptAssertions ? key : undefined,
  isAssertionEncrypted: config.EncryptAssertions,
  nameIDFormat: config.NameIDFormat ? [config.NameIDFormat] : [],
  allowCreate: !config.NoCreate,
  assertionConsumerService: [{ Binding: POST, Location: `${base}/acs`, isDefault: true }],
});
const idp = samlify.IdentityProvider({
  metadata: readFileSync(config.IdPFile, "utf8"),
  isAssertionEncrypted: config.EncryptAssertions,
});
// samlify refuses to sign for an identity provider that only welcomes signatures
// and does not demand them; its users edit the metadata, and this is the same.
idp.entityMeta.isWantAuthnRequestsSigned = () => config.SignRequests;

const outstanding = new Set(); // IDs of requests; samlify leaves that check to us
const escape = (s) => s.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

serve({
  metadata: () => sp.getMetadata(),
  async login() {
    const request = sp.createLoginRequest(idp, config.RequestByPOST ? "post" : "redirect", {
      forceAuthn: config.ForceAuthn || undefined,
    });
    outstanding.add(request.id);
    if (!config.RequestByPOST) return { redirect: request.context };
    return {
      html: `<!doctype html><form method="post" action="${escape(request.entityEndpoint)}">
<input type="hidden" name="SAMLRequest" value="${request.context}"><button>Continue</button></form>`,
    };
  },
  async acs(form) {
    const { extract, samlContent } = await sp.parseLoginResponse(idp, "post", { body: form });
    if (!outstanding.delete(extract.response.inResponseTo)) {
      throw new Error(`unknown InResponseTo ${extract.response.inResponseTo}`);
    }
    const more = samlify.Extractor.extract(samlContent, [
      { key: "format", localPath: ["Response", "Assertion", "Subject", "NameID"], attributes: ["Format"] },
      {
        key: "classRef",
        localPath: ["Response", "Assertion", "AuthnStatement", "AuthnContext", "AuthnContextClassRef"],
        attributes: [],
      },
    ]);
    const attributes = {};
    for (const [name, value] of Object.entries(extract.attributes ?? {})) attributes[name] = values(value);
    return {
      issuer: extract.issuer,
      nameID: extract.nameID,
      nameIDFormat: more.format ?? "",
      sessionIndex: extract.sessionIndex?.sessionIndex ?? "",
      authnContext: more.classRef ?? "",
      attributes,
    };
  },
});
