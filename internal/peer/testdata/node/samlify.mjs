// A service provider made of samlify, which validates each message against the
// OASIS schemas with the validator that it is given: here xmllint, offline.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import samlify from "samlify";
import { POST, REDIRECT, base, cert, config, form, key, serve, signs, values } from "./web.mjs";

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

const sp = samlify.ServiceProvider({
  entityID: `${base}/metadata`,
  authnRequestsSigned: config.SignRequests,
  wantAssertionsSigned: true,
  wantMessageSigned: config.WantResponseSigned,
  wantLogoutRequestSigned: true,
  wantLogoutResponseSigned: true,
  signingCert: signs ? cert : undefined,
  privateKey: key,
  requestSignatureAlgorithm: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
  encryptCert: config.EncryptAssertions ? cert : undefined,
  encPrivateKey: config.EncryptAssertions ? key : undefined,
  isAssertionEncrypted: config.EncryptAssertions,
  nameIDFormat: config.NameIDFormat ? [config.NameIDFormat] : [],
  allowCreate: !config.NoCreate,
  singleLogoutService: (config.Logout ?? []).map((b) => ({ Binding: b, Location: `${base}/slo` })),
  assertionConsumerService: [{ Binding: POST, Location: `${base}/acs`, isDefault: true }],
});
const idp = samlify.IdentityProvider({
  metadata: readFileSync(config.IdPFile, "utf8"),
  isAssertionEncrypted: config.EncryptAssertions,
  wantLogoutRequestSigned: true,
  wantLogoutResponseSigned: true,
});
// samlify refuses to sign for an identity provider that only welcomes signatures
// and does not demand them; its users edit the metadata, and this is the same.
idp.entityMeta.isWantAuthnRequestsSigned = () => config.SignRequests;

const outstanding = new Set(); // IDs of requests; samlify leaves that check to us
const way = (binding) => (binding === POST ? "post" : "redirect");

// lead turns what the library made of a message into an answer.
const lead = (made, name, relayState) =>
  made.entityEndpoint
    ? { html: form(made.entityEndpoint, { [name]: made.context, RelayState: relayState }) }
    : { redirect: made.context };

serve({
  metadata: () => sp.getMetadata(),
  async login() {
    const request = sp.createLoginRequest(idp, config.RequestByPOST ? "post" : "redirect", {
      forceAuthn: config.ForceAuthn || undefined,
    });
    outstanding.add(request.id);
    return lead(request, "SAMLRequest", "/");
  },
  async acs(fields) {
    const { extract, samlContent } = await sp.parseLoginResponse(idp, "post", { body: fields });
    const answered = extract.response.inResponseTo;
    if (!outstanding.delete(answered) && (answered || !config.Unsolicited)) {
      throw new Error(`unknown InResponseTo ${answered}`);
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
  async logout(page) {
    const by = way(config.LogoutBy);
    // The format is the one of the login; the library would take its own default.
    const named = (template) => {
      const id = `_${randomUUID()}`;
      const tags = {
        ID: id,
        Destination: idp.entityMeta.getSingleLogoutService(by),
        Issuer: `${base}/metadata`,
        IssueInstant: new Date().toISOString(),
        NameIDFormat: page.nameIDFormat,
        NameID: page.nameID,
        SessionIndex: page.sessionIndex,
      };
      return { id, context: samlify.SamlLib.replaceTagsByValue(template, tags) };
    };
    const user = { logoutNameID: page.nameID, sessionIndex: page.sessionIndex };
    return lead(sp.createLogoutRequest(idp, by, user, { relayState: "/", customTagReplacement: named }), "SAMLRequest", "/");
  },
  async slo(fields, query) {
    const by = query ? "redirect" : "post";
    // What is signed is the query as it came, without its signature.
    const message = { query: fields, body: fields, octetString: query.replace(/&Signature=[^&]*/, "") };
    if (fields.SAMLResponse) {
      await sp.parseLogoutResponse(idp, by, message);
      return { response: {} };
    }
    const request = await sp.parseLogoutRequest(idp, by, message);
    return {
      request: { nameID: request.extract.nameID, sessionIndex: request.extract.sessionIndex },
      answer: () => {
        const answerBy = way((config.Logout ?? []).includes(REDIRECT) && query ? REDIRECT : POST);
        return lead(sp.createLogoutResponse(idp, request, answerBy, { relayState: fields.RelayState }), "SAMLResponse", fields.RelayState ?? "");
      },
    };
  },
});
