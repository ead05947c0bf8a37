// What the stories play on: a real sconced that can be stopped and killed, people
// in browsers, in the terminal and behind `sconce rpc`.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { cameraArgs } from "../camera.mjs";

const run = promisify(execFile);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const passphrase = "lantern harbour ledger";
/** How long anything may take on a busy machine before a story gives up. */
export const patience = Number(process.env.PATIENCE ?? 60_000);
/** By how many milliseconds every core is slow to hear its page, as on a busy machine: shows what a story did not wait for. */
const late = Number(process.env.LATE ?? 0);

export const args = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--font-render-hinting=none",
];
export const look = { viewport: { width: 1440, height: 900 }, locale: "en-GB", timezoneId: "Europe/Berlin" };

/** Looks again and again until something is so. */
export async function eventually(so, what) {
  let last;
  for (const end = Date.now() + patience; Date.now() < end; await new Promise((r) => setTimeout(r, 50))) {
    try {
      const value = await so();
      if (value) return value;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`${what} never came to be${last ? `: ${last.message}` : ""}`);
}

export async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

/** Runs in a page: what it asks of the core goes out so many milliseconds later, in its order. */
function delaysCalls(ms) {
  const { postMessage } = BroadcastChannel.prototype;
  BroadcastChannel.prototype.postMessage = function (message) {
    if (message.kind === "line" && message.tab) setTimeout(() => postMessage.call(this, message), ms);
    else postMessage.call(this, message);
  };
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    setTimeout(() => this.readyState === WebSocket.OPEN && send.call(this, data), ms);
  };
}

/** One server, one browser, and whoever comes. */
export class Stage {
  constructor(bin, executable, work) {
    Object.assign(this, { bin, executable, work });
    this.people = [];
  }

  async open() {
    this.port = await freePort();
    // By a name: a passkey belongs to one, and not to an address.
    this.url = `http://localhost:${this.port}`;
    this.data = join(this.work, "data");
    this.secret = join(this.work, "passphrase");
    mkdirSync(this.work, { recursive: true });
    writeFileSync(this.secret, `${passphrase}\n`, { mode: 0o600 });
    await this.startServer();
    this.camera = join(this.work, "camera.y4m");
    this.browser = await chromium.launch({ executablePath: this.executable, args: [...args, ...cameraArgs(this.camera)] });
  }

  async close() {
    await this.browser?.close();
    for (const p of this.programs ?? []) p.kill();
    for (const end of this.terminals ?? []) await end();
    await this.endServer("SIGTERM");
  }

  async startServer() {
    this.server = spawn(join(this.bin, "sconced"), ["run", "--data", this.data, "--listen", `127.0.0.1:${this.port}`, "--url", this.url], { stdio: ["ignore", "pipe", "pipe"] });
    this.log ??= "";
    for (const out of [this.server.stdout, this.server.stderr]) out.on("data", (b) => (this.log += b));
    await eventually(() => fetch(`http://127.0.0.1:${this.port}/readyz`).then((r) => r.ok), `the server\n${this.log}`);
  }

  async endServer(signal) {
    if (!this.server || this.server.exitCode !== null || this.server.signalCode !== null) return;
    const gone = once(this.server, "exit");
    this.server.kill(signal);
    await gone;
  }

  async invite(name) {
    const { stdout } = await run(join(this.bin, "sconced"), ["invite", name, "--data", this.data]);
    return stdout.trim();
  }

  /** Runs sconce in somebody's store. */
  async sconce(who, ...words) {
    const { stdout } = await run(join(this.bin, "sconce"), ["--store", join(this.work, who), "--passphrase-file", this.secret, ...words]);
    return stdout;
  }

  async joinTerminal(who, name) {
    await this.sconce(who, "join", await this.invite(name), "--name", name, "--device", who);
  }

  /** Speaks with sconce rpc, or that of another program, in somebody's store. */
  rpc(who, program = "sconce") {
    const child = spawn(join(this.bin, program), ["--store", join(this.work, who), "--passphrase-file", this.secret, "rpc"], { stdio: ["pipe", "pipe", "inherit"] });
    (this.programs ??= []).push(child);
    const waiting = new Map();
    let last = 0;
    const events = [];
    createInterface({ input: child.stdout }).on("line", (text) => {
      const line = JSON.parse(text);
      if (line.event) events.push(line.event);
      const asked = waiting.get(line.id);
      waiting.delete(line.id);
      if (line.error) asked?.fail(Object.assign(new Error(line.error.message), { code: line.error.code }));
      else asked?.done(line.result);
    });
    const call = (method, params = {}) => new Promise((done, fail) => {
      waiting.set(++last, { done, fail });
      child.stdin.write(`${JSON.stringify({ id: last, method, params })}\n`);
    });
    const end = async () => {
      const gone = once(child, "exit");
      child.stdin.end();
      await gone;
    };
    return { call, events, end };
  }

  /** Runs sconce as who does not know the passphrase: it works while another program has the store open. */
  async sconceWithout(who, ...words) {
    const wrong = join(this.work, "wrong");
    writeFileSync(wrong, "not the passphrase\n", { mode: 0o600 });
    const { stdout } = await run(join(this.bin, "sconce"), ["--store", join(this.work, who), "--passphrase-file", wrong, ...words]);
    return stdout || "done";
  }

  /** Serves the page from somebody's store, and gives the link that opens it. */
  async app(who, ...words) {
    const child = spawn(join(this.bin, "sconce"), ["--store", join(this.work, who), "app", "--no-browser", ...words], { stdio: ["ignore", "pipe", "inherit"] });
    (this.programs ??= []).push(child);
    let said = "";
    child.stdout.on("data", (b) => (said += b));
    const link = await eventually(() => /http:\/\/\S+#\S+/.exec(said)?.[0], "the link of sconce app");
    const end = async () => {
      const gone = once(child, "exit");
      child.kill("SIGINT");
      await gone;
    };
    return { link, end };
  }

  hasTmux() {
    return run("tmux", ["-V"]).then(() => true, () => false);
  }

  /** The full screen of sconce in somebody's store, in a tmux of its own. */
  async terminal(who) {
    const socket = join(this.work, "tmux");
    const tmux = (...words) => run("tmux", ["-S", socket, "-f", "/dev/null", "-u", ...words], { env: { ...process.env, TERM: "xterm-256color", TMUX: "" } });
    await tmux("new-session", "-d", "-s", who, "-x", "100", "-y", "30", "--", join(this.bin, "sconce"), "--store", join(this.work, who), "--passphrase-file", this.secret);
    this.terminals = [...(this.terminals ?? []), () => tmux("kill-server").catch(() => undefined)];
    const text = async () => (await tmux("capture-pane", "-p", "-t", who)).stdout;
    let before = Promise.resolve(); // keys come one after the other
    const keys = (...words) => (before = before.then(() => tmux("send-keys", "-t", who, ...words)));
    return {
      text,
      press: (...names) => keys("--", ...names),
      types: (words) => keys("-l", "--", words),
      shows: (what) => eventually(async () => what.test(await text()), `${what} on the screen of ${who}`),
      end: () => tmux("kill-session", "-t", who),
    };
  }

  /** Whoever goes has done nothing that they should not, but for what is expected. */
  async leaves(person, expected) {
    this.calm(person, expected);
    await person.context.close();
    this.people = this.people.filter((p) => p.faults !== person.faults);
  }

  /** Holds what went wrong in somebody's browser against it, and forgets it. */
  calm(person, expected) {
    const faults = person.faults.splice(0).filter((f) => !expected?.test(f));
    assert.deepEqual(faults, []);
  }

  /**
   * After a story that failed somewhere in its middle: the server runs, whoever came
   * for that story alone is gone, and the others are at their desks again, so that the
   * next one fails for its own reasons alone.
   */
  async mends(w) {
    if (this.server.exitCode !== null || this.server.signalCode !== null) await this.startServer();
    const staying = Object.entries(w).filter(([, p]) => p instanceof Person && this.people.some((q) => q.context === p.context));
    for (const { context } of [...this.people]) {
      if (staying.some(([, p]) => p.context === context)) continue;
      await context.close();
      this.people = this.people.filter((p) => p.context !== context);
    }
    for (const [name, person] of staying) {
      await person.context.setOffline(false);
      if (staying.some(([other, p]) => other < name && p.context === person.context)) {
        delete w[name]; // a second tab, which stories open that want one
        continue;
      }
      const page = (person.page = person.page.isClosed() ? await person.context.newPage() : person.page);
      for (const other of person.context.pages()) if (other !== page) await other.close();
      await page.goto(person.home);
      const locked = page.locator("input[type=password]");
      await locked.or(page.locator(".desk")).first().waitFor();
      if (await locked.isVisible()) await person.unlocks();
      if (w.harbour && (name === "alice" || name === "bob")) await person.opens("Harbour"); // where most of them begin
    }
    for (const p of this.people) p.faults.splice(0);
  }

  /** A figure for whoever runs the stories. */
  measured(what, value) {
    console.log(JSON.stringify({ measured: what, value }));
  }

  /** A browser of somebody's own. `faults` gathers errors, breaches of the policy and requests to elsewhere. */
  async context(options = {}) {
    const context = options.profile
      ? await chromium.launchPersistentContext(options.profile, { executablePath: this.executable, args, ...look, ...options.look })
      : await this.browser.newContext({ ...look, ...options.look });
    context.setDefaultTimeout(patience);
    const faults = [];
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
    });
    if (late > 0) await context.addInitScript(delaysCalls, late);
    context.on("console", (m) => m.type() === "error" && faults.push(`${m.text()} ${m.location().url ?? ""}`));
    context.on("weberror", (e) => faults.push(`error: ${e.error().message}`));
    context.on("request", (r) => {
      if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== (options.home ?? this.url)) faults.push(`request to ${r.url()}`);
    });
    this.people.push({ context, faults });
    return { context, faults };
  }

  /** Somebody with a browser, at an address of this server. */
  async visitor(address = this.url, options = {}) {
    const { context, faults } = await this.context({ home: new URL(address).origin, ...options });
    const page = context.pages()[0] ?? (await context.newPage());
    await options.before?.(page, context);
    await page.goto(address);
    return new Person(page, context, faults);
  }

  /** Somebody new who joins in a browser. */
  async joins(name, options = {}) {
    const person = await this.visitor(await this.invite(name), options);
    await person.signUp(name);
    return person;
  }
}

/** Somebody at a page. */
export class Person {
  constructor(page, context, faults) {
    Object.assign(this, { page, context, faults, home: new URL(page.url()).origin });
  }

  async signUp(name) {
    const { page } = this;
    await page.getByLabel("Your name").fill(name);
    await page.getByRole("button", { name: "Continue" }).click();
    await this.fillPassphrase();
    await page.getByRole("button", { name: "Join", exact: true }).click();
    await this.keepRecovery();
    this.name = name;
  }

  async fillPassphrase() {
    await this.page.locator("input[type=password]").first().fill(passphrase);
    await this.page.locator("input[type=password]").nth(1).fill(passphrase);
  }

  /** Reads the recovery key from the screen, and gives back what is asked of it. */
  async keepRecovery() {
    const { page } = this;
    await page.waitForSelector(".recovery");
    const groups = await page.locator(".recovery > span").evaluateAll((all) => all.map((e) => e.lastChild.textContent));
    this.recovery = groups.join("-");
    await page.getByRole("button", { name: "I have saved it" }).click();
    for (const [i, label] of (await page.locator(".recovery-check label").allInnerTexts()).entries()) {
      await page.locator(".recovery-check input").nth(i).fill(groups[Number(/\d+/.exec(label)[0]) - 1]);
    }
    await page.getByRole("button", { name: "Done" }).click();
    await page.waitForSelector(".desk");
  }

  /** Begins a conversation: with one person, or as a room with a name. */
  async begins(people, room) {
    const { page } = this;
    await page.getByRole("button", { name: "New conversation" }).first().click();
    for (const p of people) await page.getByRole("checkbox", { name: p, exact: false }).click();
    if (room) await page.getByLabel("Name of the conversation").fill(room);
    await page.getByRole("button", { name: room ? "Create" : "Start", exact: true }).click();
    await this.in(room ?? people[0]);
  }

  row(name) {
    return this.page.locator(".list-rows .row", { has: this.page.locator(".row-name", { hasText: new RegExp(`^${name}$`) }) });
  }

  async opens(name) {
    await this.row(name).click();
    await this.in(name);
  }

  async in(name) {
    for (const what of [this.page.locator(".room h1", { hasText: name }), this.page.locator(".timeline"), this.page.locator(".editor")]) await what.waitFor();
  }

  async types(text) {
    await this.page.locator(".editor").click();
    await this.page.keyboard.type(text);
  }

  async says(text) {
    await this.types(text);
    await this.page.keyboard.press("Enter");
    await this.mine(text).waitFor();
  }

  message(text) {
    return this.page.locator(".message", { hasText: text });
  }

  mine(text) {
    return this.page.locator(".message-mine", { hasText: text });
  }

  theirs(text) {
    return this.page.locator(".message-theirs", { hasText: text });
  }

  hears(text) {
    return this.theirs(text).first().waitFor();
  }

  state(text, state) {
    return this.mine(text).locator(`.delivery[aria-label="${state}"]`).waitFor();
  }

  /** Does something of a message's own menu. */
  async does(text, what) {
    await this.message(text).last().click({ button: "right" });
    await this.page.getByRole("menuitem", { name: what }).click();
  }

  /** The texts of the open conversation, in their order. */
  texts() {
    return this.page.locator(".timeline .message .text").allInnerTexts();
  }

  /** Presses Tab until what has the focus is such an element. */
  async tabTo(selector) {
    for (let i = 0; i < 40; i++) {
      if (await this.page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
      await this.page.keyboard.press("Tab");
    }
    throw new Error(`Tab never reached ${selector}`);
  }

  /** Another tab of the same browser. */
  async opensTab() {
    const page = await this.context.newPage();
    await page.goto(new URL(this.page.url()).origin);
    await page.waitForSelector(".desk");
    return Object.assign(new Person(page, this.context, this.faults), { name: this.name });
  }

  async reloads() {
    await this.page.reload();
  }

  async locks() {
    await this.page.getByRole("button", { name: /menu of/ }).click();
    await this.page.getByRole("menuitem", { name: "Lock" }).click();
    await this.page.getByRole("heading", { name: "Locked" }).waitFor();
  }

  async unlocks() {
    await this.page.locator("input[type=password]").fill(passphrase);
    await this.page.getByRole("button", { name: "Unlock", exact: true }).click();
    await this.page.waitForSelector(".desk");
  }

  async settings(tab) {
    await this.page.keyboard.press("Control+,");
    await this.page.getByRole("tab", { name: tab }).click();
  }

  /** Sets in the open settings after how long this device locks itself, and waits until that holds. */
  async locksWhenIdle(label) {
    const choice = this.page.getByLabel("Lock when idle");
    const [value] = await choice.selectOption({ label });
    await eventually(async () => (await choice.inputValue()) === value, `the choice of ${label}`);
  }

  /** Nothing on this screen is a barrier to anybody. */
  async noBarrier(what) {
    const { page } = this;
    await page.evaluate(axe);
    // Colours in motion are no colours to measure: transitions end first.
    await page.evaluate(() => Promise.allSettled(document.getAnimations().filter((a) => a.effect?.getComputedTiming().endTime !== Infinity).map((a) => a.finished)));
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(" ")} ${n.failureSummary?.slice(0, 240)}`).join(" | ")}`), [], `barriers: ${what}`);
  }
}
