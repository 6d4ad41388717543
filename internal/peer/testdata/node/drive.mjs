// Drives a window of Chromium, a command a line: JSON on standard input, with the
// members of driveCommand in drive.go, and on standard output what the window then
// shows, as drivePage there. Cookies of third parties are blocked.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [, , executablePath, profile] = process.argv;
mkdirSync(join(profile, "Default"), { recursive: true });
// 1 blocks them, as a person's settings do.
writeFileSync(join(profile, "Default", "Preferences"), JSON.stringify({ profile: { cookie_controls_mode: 1 } }));
const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  args: [
    ...(process.getuid() === 0 ? ["--no-sandbox"] : []),
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const page = context.pages()[0] ?? (await context.newPage());
page.setDefaultTimeout(20000);
const refused = [];
page.on("console", (m) => {
  if (/Content.Security.Policy|Refused to/i.test(m.text())) refused.push(m.text());
});

async function carryOut({ Do, Target, Value }) {
  switch (Do) {
    case "open":
      return page.goto(Target, { waitUntil: "commit" });
    case "fill":
      return page.fill(Target, Value);
    case "click":
      return page.click(Target, { noWaitAfter: true });
    case "url":
      return page.waitForURL((u) => u.href.startsWith(Target));
    case "text":
      return page.getByText(Target).first().waitFor();
    default:
      throw new Error(`unknown command ${Do}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let error = "";
  try {
    await carryOut(JSON.parse(line));
    await page.waitForLoadState("domcontentloaded");
  } catch (e) {
    error = e.message;
  }
  const text = await page.innerText("body").catch(() => "");
  console.log(JSON.stringify({ url: page.url(), text: text.split(/\s+/).join(" "), refused, error }));
}
await context.close();
