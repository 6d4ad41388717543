// An OpenID Provider made of oidc-provider and node:http. Who may sign in and which
// clients there are is read anew each time, and generation, once it changes, gives it
// new keys.
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const issuer = `http://${config.Host}:${config.Port}`;
const read = (name) => readFileSync(`${config.Dir}/${name}`, "utf8");
const person = (name) => JSON.parse(read("users.json")).find((u) => u.name === name);

const kept = new Map(); // "model:id" to what the provider keeps
class Adapter {
  constructor(model) {
    this.model = model;
  }
  at = (id) => `${this.model}:${id}`;
  async upsert(id, payload) {
    kept.set(this.at(id), payload);
  }
  async find(id) {
    if (this.model === "Client") return JSON.parse(read("clients.json")).find((c) => c.client_id === id);
    return kept.get(this.at(id));
  }
  async findByUid(uid) {
    for (const [key, payload] of kept) if (key.startsWith("Session:") && payload.uid === uid) return payload;
  }
  async findByUserCode() {}
  async consume(id) {
    kept.get(this.at(id)).consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    kept.delete(this.at(id));
  }
  async revokeByGrantId(grant) {
    for (const [key, payload] of kept) if (payload.grantId === grant) kept.delete(key);
  }
}

function make(generation) {
  const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
  const provider = new Provider(issuer, {
    adapter: Adapter,
    jwks: { keys: [{ ...key, use: "sig", alg: "RS256", kid: generation }] },
    cookies: { keys: ["of a test"] },
    scopes: ["openid", "profile", "email", "groups"],
    claims: {
      openid: ["sub"],
      email: ["email", "email_verified"],
      profile: ["given_name", "family_name", "name"],
      groups: ["groups"],
    },
    acrValues: ["phr", "phrh"],
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        logoutSource: (ctx, form) => {
          ctx.body = `<!doctype html><title>Sign out</title>${form.replace("</form>", '<button name="logout" value="yes">Sign out</button></form>')}`;
        },
      },
    },
    async findAccount(ctx, id) {
      const user = person(id);
      return user && { accountId: id, claims: () => ({ sub: id, ...user.claims }) };
    },
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid profile email groups");
      await grant.save();
      return grant;
    },
    // It would call nobody on loopback.
    fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    ttl: { Session: 3600, Grant: 3600, Interaction: 600, AccessToken: 600, IdToken: 600 },
  });
  provider.on("server_error", (ctx, err) => console.error(err));
  provider.on("backchannel.error", (ctx, err) => console.error(err));
  return provider;
}

let generation;
let provider;
const current = () => {
  const now = read("generation");
  if (now !== generation) [generation, provider] = [now, make(now)];
  return provider;
};

// signIn asks for username and password, and lets a person say no.
async function signIn(req, res) {
  if (req.method !== "POST") {
    res.writeHead(200, { "Content-Type": "text/html" });
    res.end(`<!doctype html><title>Sign in</title><form method="post"><input name="username"><input name="password" type="password">
<button>Sign in</button><button name="cancel" value="yes">Cancel</button></form>`);
    return;
  }
  let body = "";
  for await (const chunk of req) body += chunk;
  const form = new URLSearchParams(body);
  const user = person(form.get("username"));
  if (form.has("cancel")) {
    await provider.interactionFinished(req, res, { error: "access_denied", error_description: "the person said no" });
  } else if (user?.password === form.get("password")) {
    await provider.interactionFinished(req, res, { login: { accountId: user.name, acr: user.acr, amr: ["pwd"] } });
  } else {
    res.writeHead(403, { "Content-Type": "text/plain" });
    res.end("wrong password");
  }
}

createServer((req, res) => {
  const answer = current().callback();
  if (!req.url.startsWith("/interaction/")) return answer(req, res);
  signIn(req, res).catch((e) => {
    console.error(e);
    res.writeHead(500).end(String(e));
  });
}).listen(Number(config.Port), config.Host);
