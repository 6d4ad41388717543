// What the service providers in this folder share: configuration, the pages of
// login and logout over node:http, and the sessions in memory.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

// The members are those of scriptConfig in scripted.go.
export const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
export const base = `http://${config.Host}:${config.Port}`;
export const key = readFileSync(config.Key, "utf8");
export const cert = readFileSync(config.Cert, "utf8");
export const REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
export const POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
export const logoutOffered = config.Logout?.length > 0;
export const signs = config.SignRequests || logoutOffered;

// values makes the list that an attribute is, whatever form the library gives it.
export const values = (v) => (Array.isArray(v) ? v : [v]).map(String);

const escape = (s) => s.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

// form is a page that posts a message, for libraries that leave it to their users.
export const form = (action, fields) => `<!doctype html><form method="post" action="${escape(action)}">
${Object.entries(fields).map(([k, v]) => `<input type="hidden" name="${k}" value="${escape(v)}">`).join("")}<button>Continue</button></form>`;

const sessions = new Map(); // cookie to the page of a login

// logOut ends the sessions that a LogoutRequest names.
function logOut({ nameID, sessionIndex }) {
  for (const [cookie, page] of sessions) {
    if (page.nameID === nameID && (!sessionIndex || page.sessionIndex === sessionIndex)) sessions.delete(cookie);
  }
}

// serve answers /metadata, /login, /acs, /logout, /slo and /. login, logout
// and what slo answers are {redirect} or {html}. acs takes the posted form and
// returns what it understood, or throws; so does slo with a LogoutRequest, as
// {request: {nameID, sessionIndex}, answer()}, and with a LogoutResponse, as
// {response: {}}.
export function serve({ metadata, login, acs, logout, slo }) {
  createServer(async (req, res) => {
    const send = (status, type, body, headers = {}) => {
      res.writeHead(status, { "Content-Type": type, ...headers });
      res.end(body);
    };
    const json = (status, value) => send(status, "application/json", JSON.stringify(value));
    const lead = (to) => (to.redirect ? send(302, "text/plain", "", { Location: to.redirect }) : send(200, "text/html", to.html));
    const url = new URL(req.url, base);
    const cookie = /(?:^|; )session=(\w+)/.exec(req.headers.cookie ?? "")?.[1];
    try {
      let body = "";
      for await (const chunk of req) body += chunk;
      const fields = Object.fromEntries(req.method === "POST" ? new URLSearchParams(body) : url.searchParams);
      if (url.pathname === "/metadata") {
        send(200, "application/samlmetadata+xml", metadata());
      } else if (url.pathname === "/login") {
        lead(await login());
      } else if (url.pathname === "/acs" && req.method === "POST") {
        const page = await acs(fields);
        const session = randomBytes(16).toString("hex");
        sessions.set(session, page);
        send(303, "text/plain", "", {
          Location: "/",
          "Set-Cookie": `session=${session}; Path=/; HttpOnly; SameSite=Lax`,
        });
      } else if (url.pathname === "/logout" && sessions.has(cookie)) {
        const page = sessions.get(cookie);
        sessions.delete(cookie);
        lead(await logout(page));
      } else if (url.pathname === "/slo") {
        const query = req.method === "POST" ? "" : url.search.slice(1);
        const said = await slo(fields, query);
        if (said.request) {
          logOut(said.request);
          lead(await said.answer());
        } else {
          json(200, { loggedOut: true, ...said.response });
        }
      } else {
        const page = sessions.get(cookie);
        json(page ? 200 : 401, page ?? { error: "nobody is signed in" });
      }
    } catch (e) {
      console.error(e);
      const text = String(e?.message ?? e);
      json(403, { error: text, status: codes(e?.xmlStatus ?? text) });
    }
  }).listen(Number(config.Port), config.Host);
}

const codes = (xml) => [...xml.matchAll(/urn:oasis:names:tc:SAML:2\.0:status:\w+/g)].map((m) => m[0]);
