// Several tabs share one core. Run by the tests of internal/browsertest, which
// serve the page and a server behind it, and read what this prints.
//
//   node test/tabs.mjs CHROMIUM PROFILE URL INVITE

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { chromium } from "playwright-core";

const [executablePath, profile, url, invite] = process.argv.slice(2);
const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
];
const context = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args });
context.setDefaultTimeout(60_000);
const warned = [];
context.on("console", (message) => warned.push(message.text()));
const say = (what, value) => console.log(JSON.stringify({ what, value }));

/** Opens a tab. */
async function tab() {
  const page = await context.newPage();
  page.on("pageerror", (error) => say("error", String(error)));
  await page.goto(url);
  await page.waitForFunction(() => "door" in globalThis);
  return page;
}

const call = (page, method, params = {}) => page.evaluate(([m, p]) => door.call(m, p), [method, params]);
const refused = (page, method, params = {}) =>
  page.evaluate(([m, p]) => door.call(m, p).then(() => "", (e) => e.code), [method, params]);
const texts = async (page, room) => (await call(page, "messages", { room, limit: 500 })).map((m) => m.text).filter(Boolean);
const violations = [];
const collect = async (page) => violations.push(...(await page.evaluate(() => globalThis.violations)));

try {
  // Sign-up in a browser, with a passphrase.
  const a = await tab();
  assert.equal((await call(a, "state")).state, "new");
  assert.equal(await refused(a, "rooms"), "locked");
  const joined = await call(a, "join", { invite, name: "Alice", deviceName: "browser", passphrase: "correct horse" });
  assert.match(joined.recovery, /\w/);
  const { room } = await call(a, "newRoom", { name: "Notes", users: [] });

  // A second tab has the same core, without asking.
  const b = await tab();
  assert.equal((await call(b, "state")).state, "open");
  assert.deepEqual((await call(b, "rooms")).map((r) => r.room), [room]);
  await call(b, "send", { room, text: "from b" });
  await a.waitForFunction(() => events.some((e) => e.message?.text === "from b"));

  // The leader goes while the other asks: nothing is lost, nothing doubled.
  const times = [];
  let leader = a;
  let other = b;
  let sent = 0;
  for (let round = 0; round < 5; round++) {
    const began = await other.evaluate((room) => {
      globalThis.asked = [];
      globalThis.sending = true;
      (async () => {
        for (let i = 0; globalThis.sending; i++) {
          globalThis.asked.push(door.call("send", { room, text: `${globalThis.tabName ?? "t"}-${Math.random()}` }));
          if (i % 4 === 3) await globalThis.asked.at(-1);
        if (i > 20) await new Promise((resolve) => setTimeout(resolve, 100));
        }
      })();
      return 0;
    }, room);
    assert.equal(began, 0);
    await other.waitForTimeout(3000); // it has prepared itself by then
    const asking = other.evaluate(async () => {
      // When the answer that needs a core comes: how long nobody was there.
      const gaps = [];
      let last = performance.now();
      const end = last + 2500;
      while (performance.now() < end) {
        await door.call("me", {});
        gaps.push(performance.now() - last);
        last = performance.now();
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      return Math.max(...gaps);
    });
    await other.waitForTimeout(300);
    await collect(leader);
    await leader.close();
    times.push(Math.round(await asking));
    const messages = await other.evaluate(async () => {
      globalThis.sending = false;
      return (await Promise.all(globalThis.asked)).map((m) => m.text);
    });
    sent += messages.length;
    assert.equal(new Set(messages).size, messages.length);
    leader = other;
    other = await tab();
    assert.equal((await call(other, "state")).state, "open");
  }
  // On a machine that has more to do than it can, everything takes its share longer.
  const busy = Math.max(1, loadavg()[0] / cpus().length);
  say("handover", { times, busy });
  // Where the time goes, with nothing else to do: by the page's own marks, and
  // how much of a processor the browser used, which no other load changes.
  for (let round = 0; round < 4; round++) {
    await other.waitForTimeout(2500);
    const gone = other.evaluate(async () => {
      performance.clearMarks();
      const era = new Promise((resolve) => (globalThis.onera = resolve));
      const all = new BroadcastChannel("sconce-all");
      all.onmessage = ({ data }) => data.kind === "leading" && globalThis.onera();
      await era;
      all.close();
      await door.call("me", {});
      const answered = performance.now();
      const at = (name) => performance.getEntriesByName(name).at(-1).startTime;
      return { lead: at("sconce-lead"), ready: at("sconce-ready"), leading: at("sconce-leading"), opened: at("sconce-opened"), answered, origin: performance.timeOrigin };
    });
    const [before, core] = [processorTimes(), coreTimes()];
    const closed = Date.now();
    await leader.close();
    const t = await gone;
    const ms = (from, to) => Math.round(to - from);
    say("parts of a hand-over, ms", {
      "the tab closes, its lock is free": ms(closed, t.origin + t.lead), "files and program": ms(t.lead, t.ready), "store and client": ms(t.ready, t.leading),
      "tabs and first answer": ms(t.leading, t.answered), all: ms(closed, t.origin + t.answered), "processor time": since(before, processorTimes()), "of it the core's thread": since(core, coreTimes()),
    });
    leader = other;
    other = await tab();
  }
  assert.ok(Math.min(...times) <= 300 * busy, `a hand-over takes ${Math.min(...times)} ms`);
  await call(leader, "sync");
  const all = await page500(leader, room);
  assert.equal(all.length, new Set(all).size, "a message is there twice");
  assert.equal(all.length, sent + 1, "messages were lost or doubled");

  // A reload in the middle of sending loses nothing that was answered.
  const answered = await leader.evaluate(
    (room) =>
      new Promise((resolve) => {
        const done = [];
        for (let i = 0; i < 40; i++) door.call("send", { room, text: `reload ${i}` }).then((m) => done.push(m.text) === 15 && resolve([...done]));
      }),
    room,
  );
  await leader.reload();
  await leader.waitForFunction(() => "door" in globalThis);
  const after = await texts(leader, room);
  for (const text of answered) assert.equal(after.filter((t) => t === text).length, 1, text);

  // The only other way in is the lock: it holds in every tab, and ends the worker.
  await collect(other);
  await call(leader, "lock");
  for (const page of [leader, other]) {
    await page.waitForFunction(async () => (await door.call("state", {})).state === "locked");
    assert.equal(await refused(page, "rooms"), "locked");
  }
  assert.equal(await refused(other, "unlock", { passphrase: "wrong" }), "wrong_passphrase");
  await call(other, "unlock", { passphrase: "correct horse" });
  assert.equal((await texts(leader, room)).length, after.length);

  // Whoever unlocks in the moment after has unlocked, and not a core that is about to end.
  const { token: again } = await call(leader, "handover");
  await leader.evaluate(async (token) => {
    await door.call("lock", {});
    await door.call("unlock", { token });
  }, again);
  await leader.waitForTimeout(400);
  assert.equal((await call(leader, "state")).state, "open", "what was unlocked was locked again");

  // Whoever locks and closes at once has locked, also where the tab that closes
  // led; and nobody is asked for the passphrase who has not locked.
  let [first, second] = [leader, other];
  const tries = 50;
  for (let i = 0; i < tries; i++) {
    const { token } = await call(second, "handover");
    const [by, closes] = [i % 3 === 2 ? second : first, first]; // whoever asks, the one that leads goes
    const asked = by.evaluate((own) => {
      void door.call("lock", {}).catch(() => {});
      if (own) window.close();
    }, by === closes && i % 2 === 0).catch(() => {});
    if (by !== closes) await asked;
    await closes.close().catch(() => {});
    await second.waitForFunction(async () => ["locked", "open"].includes((await door.call("state", {})).state));
    assert.equal((await call(second, "state")).state, "locked", `try ${i}: it is open, though somebody locked it`);
    await call(second, "unlock", { token });
    [first, second] = [second, await tab()];
    await second.waitForFunction(async () => (await door.call("state", {})).state === "open");
  }
  say("locked and closed at once, times", tries);

  // All tabs gone: the token is too.
  for (const page of context.pages()) {
    if (page.url().startsWith(url)) {
      await collect(page);
      await page.close();
    }
  }
  const c = await tab();
  assert.equal((await call(c, "state")).state, "locked");
  await call(c, "unlock", { passphrase: "correct horse" });

  // No more space: it says so, and has what it had when there is space again.
  const kept = (await texts(c, room)).length;
  const session = await context.newCDPSession(c);
  await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(url).origin, quotaSize: 1 });
  const full = await c.evaluate(async (room) => {
    for (let i = 0; i < 400; i++) {
      const failed = await door.call("send", { room, text: `${i} ${"x".repeat(20_000)}` }).then(() => "", (e) => e.message);
      if (failed) return failed;
    }
    return "";
  }, room);
  say("full", full);
  assert.match(full, /no more space/);
  await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(url).origin });
  await call(c, "lock").catch(() => {});
  await c.waitForFunction(async () => (await door.call("state", {})).state === "locked");
  await call(c, "unlock", { passphrase: "correct horse" });
  assert.ok((await texts(c, room)).length >= kept);

  // Somebody takes the lock by force.
  await c.evaluate(() => {
    globalThis.thief = new AbortController();
    navigator.locks.request("sconce-core", { steal: true }, () => new Promise((resolve) => thief.signal.addEventListener("abort", resolve)));
  });
  await c.waitForFunction(async () => (await door.call("state", {}).catch((e) => e.code)) === "busy");
  await c.evaluate(() => thief.abort());
  await c.waitForFunction(async () => (await door.call("state", {}).catch(() => ({}))).state === "open");
  await collect(c);
  assert.deepEqual(violations, []);
  assert.deepEqual(warned.filter((text) => text.startsWith("sconce:")), []);
  say("done", sent);
} finally {
  await context.close();
}

/** How much more these have used than before, as far as they live. */
function since(before, now) {
  return [...now].reduce((sum, [id, time]) => sum + time - (before.get(id) ?? 0), 0);
}

/** Milliseconds of a processor that a process or thread has used, by the text of its stat file. */
function used(fields) {
  return 10 * (Number(fields[11]) + Number(fields[12])); // of a hundredth of a second each
}

function stat(path) {
  return readFileSync(path, "utf8").replace(/^.*\) /s, "").split(" ");
}

/** What each thread of the browser's that runs a worker has used until now. */
function coreTimes() {
  const times = new Map();
  for (const pid of processorTimes().keys()) {
    try {
      for (const task of readdirSync(`/proc/${pid}/task`)) {
        if (readFileSync(`/proc/${pid}/task/${task}/comm`, "utf8").startsWith("DedicatedWorker")) times.set(task, used(stat(`/proc/${pid}/task/${task}/stat`)));
      }
    } catch {
      continue; // it has ended
    }
  }
  return times;
}

/** Milliseconds of a processor that each of the browser's processes has used until now. */
function processorTimes() {
  const parents = new Map();
  const times = new Map();
  for (const pid of readdirSync("/proc").filter((n) => /^\d+$/.test(n))) {
    try {
      const fields = stat(`/proc/${pid}/stat`);
      parents.set(pid, fields[1]);
      times.set(pid, used(fields));
    } catch {
      continue; // it has ended
    }
  }
  const ours = (pid) => pid === String(process.pid) || (parents.has(pid) && ours(parents.get(pid)));
  return new Map([...times].filter(([pid]) => pid !== String(process.pid) && ours(pid)));
}

/** All texts of a room, page by page. */
async function page500(page, room) {
  const found = [];
  for (let before = 0; ; ) {
    const rows = await call(page, "messages", { room, limit: 500, before });
    found.push(...rows.map((m) => m.text).filter(Boolean).filter((t) => t.startsWith("t-") || t === "from b"));
    const first = rows.find((m) => m.seq);
    if (rows.length < 500 || !first) return found;
    before = first.seq;
  }
}
