// How fast the page is there, before a real server, in a Chromium that was just
// installed: run by the benchmark (make bench), which reads the one line of JSON
// that this prints.
//
//   node test/speed.mjs first CHROMIUM WORK ROUNDS INVITE
//   node test/speed.mjs return CHROMIUM WORK ROUNDS INVITE INVITE
//   node test/speed.mjs tabs CHROMIUM WORK ROUNDS INVITE INVITE
//
// Each figure is the median of its rounds, in milliseconds or bytes.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { args, look, passphrase, Person } from "./stories/stage.mjs";

const [mode, executablePath, work, rounds, ...invites] = process.argv.slice(2);
const url = invites[0].split("#")[0];
const patience = 60_000;
// How long a browser has after its own start, which is not measured.
const settled = 1000;
// Names are taken once in a network.
const [aliceName, bobName] = [`Alice ${process.pid}`, `Bob ${process.pid}`];

/** A browser with a profile; a new one has never been anywhere. */
async function browser(profile = mkdtempSync(join(work, "profile-"))) {
  const context = await chromium.launchPersistentContext(profile, { executablePath, args, ...look });
  context.setDefaultTimeout(patience);
  await context.addInitScript(watch);
  const page = context.pages()[0];
  const faults = [];
  context.on("weberror", (e) => faults.push(String(e.error())));
  await new Promise((done) => setTimeout(done, settled));
  return {
    profile, context, page,
    person: new Person(page, context, faults),
    async close() {
      await context.close();
      assert.deepEqual(faults, []);
    },
  };
}

/**
 * Runs in the page: notes in which frame each thing was there first, and when
 * Enter was pressed. A field counts when it has the focus, and takes what is typed.
 */
function watch() {
  if (globalThis.top !== globalThis) return;
  const things = {
    joining: ".inviter + form input:focus",
    unlocking: "input[type=password]:focus",
    list: ".list-rows .row",
    composer: ".room .editor[contenteditable=true]",
  };
  const marks = (globalThis.marks = {});
  addEventListener("keydown", (e) => e.key === "Enter" && (marks.enter = e.timeStamp), { capture: true });
  const see = () => {
    for (const [name, selector] of Object.entries(things)) {
      if (marks[name] !== undefined || !document.querySelector(selector)) continue;
      marks[name] = performance.now();
      // Who has unlocked goes on to a conversation at once.
      if (name === "list" && marks.enter !== undefined) document.querySelector(selector).click();
    }
    requestAnimationFrame(see);
  };
  requestAnimationFrame(see);
}

/** When a thing was there. */
async function when(page, name) {
  return (await page.waitForFunction((n) => globalThis.marks[n], name)).jsonValue();
}

/** When the page first showed something. */
async function painted(page) {
  return (await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime)).jsonValue();
}

/** What is typed stands in what has the focus. */
async function takes(page, text) {
  await page.keyboard.type(text);
  await page.waitForFunction((t) => (document.activeElement.value ?? document.activeElement.textContent).includes(t), text);
}

/** Somebody follows an invite, in a browser that has never seen the page. */
async function first() {
  const b = await browser();
  const requests = [];
  b.context.on("requestfinished", (r) => r.serviceWorker() === null && requests.push(r));
  await b.page.goto(invites[0], { waitUntil: "commit" });
  const times = { painted: await painted(b.page), joining: await when(b.page, "joining") };
  await takes(b.page, "Alice");
  await b.page.waitForLoadState("networkidle");
  let bytes = 0;
  let core = 0;
  for (const r of requests) {
    const { responseBodySize, responseHeadersSize } = await r.sizes();
    bytes += responseBodySize + responseHeadersSize;
    if (/\/sconce-[^/]*\.wasm$/.test(r.url())) core = responseBodySize;
  }
  assert.ok(core > 0, "the core was not among what was loaded");
  await b.close();
  rmSync(b.profile, { recursive: true });
  return { ...times, bytes, core };
}

/** Two people join and have a conversation, each in a browser of their own. */
async function met() {
  const [alice, bob] = [await browser(), await browser()];
  for (const [who, invite, name] of [[bob, invites[1], bobName], [alice, invites[0], aliceName]]) {
    await who.page.goto(invite);
    await who.person.signUp(name);
  }
  await bob.close();
  await alice.person.begins([bobName]);
  await alice.person.says("the tide turns at nine");
  await alice.person.state("the tide turns at nine", "Sent");
  return alice;
}

/** Who was there before comes back, with a browser that was started anew. */
async function back() {
  const alice = await met();
  await alice.page.evaluate(() => navigator.serviceWorker.ready.then(() => 0));
  await alice.close();
  const all = [];
  for (let i = 0; i < rounds; i++) {
    const b = await browser(alice.profile);
    await b.page.goto(url, { waitUntil: "commit" });
    const times = { painted: await painted(b.page), unlocking: await when(b.page, "unlocking") };
    await takes(b.page, passphrase);
    await b.page.keyboard.press("Enter");
    const [list, composer] = [await when(b.page, "list"), await when(b.page, "composer")];
    const entered = await b.page.evaluate(() => globalThis.marks.enter);
    await b.page.locator(".editor").click();
    await takes(b.page, "still here");
    await b.person.mine("the tide turns at nine").waitFor();
    all.push({ ...times, list: list - entered, composer: composer - entered, usable: times.unlocking + composer - entered });
    await b.close();
  }
  return all;
}

/** The tab that leads is closed, and another one sends at that moment: how long until a core has taken it. */
async function tabs() {
  const alice = await met();
  let leading = alice.person;
  const all = [];
  for (let i = 0; i < rounds; i++) {
    const other = await leading.opensTab();
    await other.opens(bobName);
    await other.types(`over the gap ${i}`);
    await leading.page.evaluate(() => {
      const channel = new BroadcastChannel("speed");
      addEventListener("pagehide", () => channel.postMessage(Date.now()));
    });
    await other.page.evaluate((text) => {
      new BroadcastChannel("speed").onmessage = ({ data: gone }) => {
        new MutationObserver((_, watch) => {
          if (![...document.querySelectorAll(".message-mine")].some((m) => m.textContent.includes(text))) return;
          watch.disconnect();
          globalThis.took = Date.now() - gone;
        }).observe(document.body, { childList: true, subtree: true });
        document.querySelector(".editor").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
      };
    }, `over the gap ${i}`);
    await other.page.waitForTimeout(3000); // it has prepared itself by then
    await leading.page.close();
    all.push({ handover: await (await other.page.waitForFunction(() => globalThis.took)).jsonValue() });
    leading = other;
  }
  await alice.close();
  return all;
}

function median(all) {
  const sorted = all.toSorted((a, b) => a - b);
  const n = sorted.length;
  return n % 2 === 1 ? sorted[(n - 1) / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

async function measured() {
  if (mode === "return") return back();
  if (mode === "tabs") return tabs();
  const all = [];
  for (let i = 0; i < rounds; i++) all.push(await first());
  return all;
}

const all = await measured();
if (process.env.EACH) console.error(JSON.stringify(all));
console.log(JSON.stringify(Object.fromEntries(Object.keys(all[0]).map((name) => [name, median(all.map((x) => x[name]))]))));
