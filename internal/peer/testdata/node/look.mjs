// Looks at pages in Chromium: a screenshot of each in every size, colour scheme
// and with JavaScript on or off, and what axe-core finds. Reads a job from the
// JSON file that its only argument names and prints the findings as JSON; the
// members of both are those of lookJob and Finding in chromium.go.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: job.Chromium,
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

const findings = [];
const failures = [];
for (const look of job.Looks) {
  for (const wanted of job.Pages) {
    const context = await browser.newContext({
      viewport: { width: look.Width, height: 800 },
      colorScheme: look.Dark ? "dark" : "light",
      javaScriptEnabled: !look.NoJS,
      reducedMotion: "reduce",
    });
    const page = await context.newPage();
    page.setDefaultTimeout(15000);
    const name = [wanted.Name, look.Width, look.Dark ? "dark" : "light", ...(look.NoJS ? ["nojs"] : [])].join("-");
    const find = (rule, impact, detail) => findings.push({ page: name, rule, impact, detail });
    page.on("pageerror", (e) => find("script-error", "serious", String(e)));
    page.on("console", (m) => {
      if (m.type() === "error" && /Content.Security.Policy|Refused to/i.test(m.text())) {
        find("content-security-policy", "serious", m.text());
      }
    });
    try {
      await page.goto(wanted.URL);
      for (const step of wanted.Steps ?? []) {
        if (step.Fill) await page.fill(step.Fill, step.Value);
        if (step.Click) await page.click(step.Click);
        if (step.Wait) await page.waitForSelector(step.Wait);
      }
      await page.screenshot({ path: join(job.Dir, `${name}.png`), fullPage: true });
      const wide = await page.evaluate("document.documentElement.scrollWidth");
      if (wide > look.Width) find("scrolls-sideways", "serious", `${wide} px wide in a window of ${look.Width} px`);
      if (look.NoJS) continue; // axe waits for timers, which stand still there.
      await page.evaluate(axe);
      const { violations } = await page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']})",
      );
      for (const v of violations) for (const n of v.nodes) find(v.id, v.impact, `${v.help}: ${n.html}`);
    } catch (e) {
      failures.push(`${name} at ${page.url()}: ${e.message}\n${(await page.content().catch(() => "")).slice(0, 2000)}`);
    } finally {
      await context.close();
    }
  }
}
await browser.close();
console.log(JSON.stringify({ findings, failures }));
