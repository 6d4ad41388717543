// What the service providers in this folder share: configuration, the login's
// pages over node:http, and the session in memory.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

// The members are those of scriptConfig in scripted.go.
export const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
export const base = `http://${config.Host}:${config.Port}`;
export const key = readFileSync(config.Key, "utf8");
export const cert = readFileSync(config.Cert, "utf8");

// values makes the list that an attribute is, whatever form the library gives it.
export const values = (v) => (Array.isArray(v) ? v : [v]).map(String);

const sessions = new Map();

// serve answers /metadata, /login, /acs and /. login returns {redirect} or
// {html}; acs takes the posted form and returns what it understood, or throws.
export function serve({ metadata, login, acs }) {
  createServer(async (req, res) => {
    const send = (status, type, body, headers = {}) => {
      res.writeHead(status, { "Content-Type": type, ...headers });
      res.end(body);
    };
    const json = (status, value) => send(status, "application/json", JSON.stringify(value));
    const path = new URL(req.url, base).pathname;
    try {
      if (path === "/metadata") {
        send(200, "application/samlmetadata+xml", metadata());
      } else if (path === "/login") {
        const to = await login();
        if (to.redirect) send(302, "text/plain", "", { Location: to.redirect });
        else send(200, "text/html", to.html);
      } else if (path === "/acs" && req.method === "POST") {
        let body = "";
        for await (const chunk of req) body += chunk;
        const page = await acs(Object.fromEntries(new URLSearchParams(body)));
        const session = randomBytes(16).toString("hex");
        sessions.set(session, page);
        send(303, "text/plain", "", {
          Location: "/",
          "Set-Cookie": `session=${session}; Path=/; HttpOnly; SameSite=Lax`,
        });
      } else {
        const cookie = /(?:^|; )session=(\w+)/.exec(req.headers.cookie ?? "");
        const page = sessions.get(cookie?.[1]);
        json(page ? 200 : 401, page ?? { error: "nobody is signed in" });
      }
    } catch (e) {
      console.error(e);
      json(403, { error: String(e?.message ?? e), status: e?.xmlStatus ? codes(e.xmlStatus) : [] });
    }
  }).listen(Number(config.Port), config.Host);
}

const codes = (xml) => [...xml.matchAll(/urn:oasis:names:tc:SAML:2\.0:status:\w+/g)].map((m) => m[0]);
