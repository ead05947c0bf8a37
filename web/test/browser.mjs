// A Chromium for the tests of the screens, and pages in it that hold every
// breach of the page's policy against it.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

export const executable = process.env.CHROMIUM ?? "/usr/bin/chromium";

export async function launch() {
  if (!existsSync(executable)) throw new Error(`no Chromium at ${executable}: install it, or say where it is in CHROMIUM`);
  return chromium.launch({
    executablePath: executable,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--font-render-hinting=none"],
  });
}

/** Opens a page; `faults` gathers errors, breaches of the policy and requests to elsewhere. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
  const page = await context.newPage();
  const faults = [];
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  });
  page.on("console", (m) => {
    if (m.type() === "error") faults.push(m.text());
  });
  page.on("pageerror", (e) => faults.push(`error: ${e.message}`));
  page.on("request", (r) => {
    if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== new URL(url).origin) faults.push(`request to ${r.url()}`);
  });
  await page.goto(url);
  return { page, context, faults, close: () => context.close() };
}

/** Waits until a story has been told. */
export async function told(page) {
  await page.waitForFunction(() => document.documentElement.dataset.story, undefined, { timeout: 15_000 });
  const how = await page.evaluate(() => document.documentElement.dataset.story);
  if (how !== "told") throw new Error(`the story stopped: ${how}`);
}
