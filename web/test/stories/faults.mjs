// Machines that are not as they should be: a clock that is wrong, a disk that is
// full, files that the browser does not give, and whoever else holds them.
import assert from "node:assert/strict";
import { eventually } from "./stage.mjs";

const day = 24 * 3600_000;

/** A browser whose pages and workers begin with a script that makes them other than they are. */
function altered(script) {
  return {
    look: { serviceWorkers: "block" }, // what it serves, nobody can change on the way
    before: async (_, context) => {
      await context.addInitScript(script);
      await context.route(/\/assets\/core-[^/]*\.js$/, async (route) => {
        const response = await route.fetch();
        const { "content-encoding": _encoded, "content-length": _length, ...headers } = response.headers();
        await route.fulfill({ status: 200, headers, body: script + (await response.text()) });
      });
    },
  };
}

/** Clocks that are wrong by so much, until somebody sets them right. */
function wrongBy(by) {
  const shift = (ms) => {
    const Right = Date;
    globalThis.wrongBy = ms;
    globalThis.Date = class extends Right {
      constructor(...given) {
        super(...(given.length > 0 ? given : [Right.now() + globalThis.wrongBy]));
      }
      static now() {
        return Right.now() + globalThis.wrongBy;
      }
    };
  };
  return altered(`(${shift})(${by});\n`);
}

async function setsTheClock({ page }) {
  for (const at of [page, ...page.workers()]) await at.evaluate(() => void (globalThis.wrongBy = 0));
}

function wrongClock(name, by, says) {
  return async (w) => {
    const { stage, alice } = w;
    const zoe = await stage.visitor(await stage.invite(name), wrongBy(by));
    await zoe.signUp(name);
    await zoe.page.getByText(says).first().waitFor();
    await zoe.noBarrier("a clock that is wrong");

    // All works as with any clock: who is there, a room, a message with a timer.
    await zoe.begins(["Alice"]);
    await zoe.says("what time is it");
    await alice.opens(name);
    await alice.hears("what time is it");
    await alice.page.locator("button.life").click();
    await alice.page.getByRole("menuitemradio", { name: "1 minute" }).click();
    await alice.says("time to go home");
    await zoe.hears("time to go home");
    await zoe.theirs("time to go home").locator(".clock").waitFor();
    await alice.page.locator("button.life").click();
    await alice.page.getByRole("menuitemradio", { name: "No burning" }).click();
    await alice.begins([name, "Bob"], `${name}'s watch`);
    await alice.says("set by the bells");
    await zoe.opens(`${name}'s watch`);
    await zoe.hears("set by the bells");
    await zoe.says("thank you");
    await alice.hears("thank you");

    // Whoever sets it right loses nothing either, and is told no more.
    await setsTheClock(zoe);
    await stage.endServer("SIGTERM");
    await stage.startServer();
    await zoe.page.getByText(says).waitFor({ state: "detached" });
    await zoe.says("right again");
    await alice.hears("right again");
    await alice.says("good");
    await zoe.hears("good");
    await zoe.theirs("set by the bells").waitFor();
    for (const p of [alice, w.bob]) stage.calm(p, away);
    await stage.leaves(zoe, away);
  };
}

/** What a browser says of a server that is gone. */
const away = /ERR_CONNECTION|ERR_SOCKET|ERR_EMPTY_RESPONSE|WebSocket connection to|Failed to load resource|ERR_INTERNET/;

/** Files that can't grow while the disk is full, as those of a browser whose quota is used up. */
const narrow = `if (globalThis.FileSystemSyncAccessHandle) {
  const { write } = FileSystemSyncAccessHandle.prototype;
  FileSystemSyncAccessHandle.prototype.write = function (bytes, options) {
    if (globalThis.diskFull && (options?.at ?? 0) + bytes.byteLength > this.getSize()) throw new DOMException("no space", "QuotaExceededError");
    return write.call(this, bytes, options);
  };
}\n`;

async function fillsTheDisk({ page }, full) {
  for (const worker of page.workers()) await worker.evaluate((is) => void (globalThis.diskFull = is), full);
}

/** Counts what holds a page up for longer than a person bears, until it is asked. */
async function watchesPauses({ page }) {
  await page.evaluate(() => {
    globalThis.pauses = [];
    new PerformanceObserver((list) => globalThis.pauses.push(...list.getEntries().map((e) => Math.round(e.duration)))).observe({ type: "longtask" });
  });
  return () => page.evaluate(() => Math.max(0, ...globalThis.pauses));
}

const noFiles = `Object.defineProperty(StorageManager.prototype, "getDirectory", { value: () => Promise.reject(new DOMException("not here", "SecurityError")) });\n`;

export const faults = {
  "a clock that is a day ahead is told of, and holds up nothing": wrongClock("Zoe", day + 3600_000, /clock is a day ahead/),
  "a clock that is a day behind is told of, and holds up nothing": wrongClock("Zack", -day - 3600_000, /clock is a day behind/),

  "a disk that is full is told of, costs no letter, and all goes on by itself when there is space": async (w) => {
    const { stage, alice } = w;
    const fay = await stage.visitor(await stage.invite("Fay"), altered(narrow));
    await fay.signUp("Fay");
    await fay.begins(["Alice"]);
    await fay.says("before the flood");
    await alice.opens("Fay");
    await alice.hears("before the flood");
    await fay.state("before the flood", "Read");
    await alice.page.locator("button.life").click();
    await alice.page.getByRole("menuitemradio", { name: "10 seconds" }).click();
    await alice.says("canary 9926");
    await alice.page.locator("button.life").click();
    await alice.page.getByRole("menuitemradio", { name: "No burning" }).click();
    await fay.theirs("canary 9926").locator(".clock").waitFor();
    await fillsTheDisk(fay, true);
    const bar = fay.page.getByText(/No space left/).first();
    const editor = fay.page.locator(".editor");
    await fay.types("typed at high tide");
    await fay.page.keyboard.press("Enter");
    await bar.waitFor();
    await fay.page.getByText(/so that was not done/).first().waitFor();
    await fay.noBarrier("a full disk");
    // What could not be kept stands where it was typed, and the rest can be read.
    await eventually(async () => (await editor.innerText()).includes("typed at high tide"), "what was typed stands in the editor");
    await alice.says("while the water is high");
    for (let i = 0; i < 3; i++) {
      await editor.click();
      await fay.page.keyboard.press("Enter"); // a person tries again
      await eventually(async () => (await editor.innerText()).includes("typed at high tide"), "it stands there still");
      assert.ok(await bar.isVisible(), "it no longer says why nothing goes on");
    }
    // Nothing can be removed, and what burned is seen no more all the same: also by whoever opens it now.
    const burned = () => fay.page.waitForFunction(() => !document.body.innerHTML.includes("canary 9926"));
    await burned();
    await fay.mine("before the flood").waitFor();
    await fay.reloads();
    await fay.page.getByRole("heading", { name: "Locked" }).waitFor();
    await fillsTheDisk(fay, true);
    await fay.unlocks();
    await fay.opens("Alice");
    await fay.mine("before the flood").waitFor();
    await bar.waitFor();
    await burned();
    await fay.types("typed at high tide");

    await fillsTheDisk(fay, false);
    const began = Date.now();
    await bar.waitFor({ state: "detached" });
    stage.measured("going on after there is space again, ms", Date.now() - began);
    await fay.hears("while the water is high");
    await editor.click();
    await fay.page.keyboard.press("Enter");
    await fay.mine("typed at high tide").waitFor();
    await fay.says("the water is gone");
    await alice.hears("the water is gone");
    const said = ["before the flood", "while the water is high", "typed at high tide", "the water is gone"];
    for (const p of [alice, fay]) assert.deepEqual((await p.texts()).map((t) => t.trim()), said);
    await stage.leaves(fay);
  },

  "a browser that keeps no files says so before one joins, and works until it is closed": async (w) => {
    const { stage, alice } = w;
    const says = /can.t keep anything here. Everything is gone when the page closes/;
    const nora = await stage.visitor(await stage.invite("Nora"), altered(noFiles));
    const { page } = nora;
    await page.getByLabel("Your name").fill("Nora");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByText(says).waitFor();
    await nora.noBarrier("a browser without files");
    await nora.fillPassphrase();
    await page.getByRole("button", { name: "Join", exact: true }).click();
    await nora.keepRecovery();
    await nora.begins(["Alice"]);
    await nora.says("only for now");
    await alice.opens("Nora");
    await alice.hears("only for now");
    await alice.says("better than never");
    await nora.hears("better than never");
    await nora.settings("About");
    await page.getByText("In memory only, until the page closes").waitFor();
    await page.keyboard.press("Escape");
    await nora.reloads();
    await page.getByText(says).waitFor(); // as it said: nobody has joined here
    await stage.leaves(nora);
  },

  "whoever else holds the files is told of, and all is there when they are gone": async (w) => {
    const { stage } = w;
    const owen = await stage.joins("Owen");
    await owen.begins(["Alice"]);
    await owen.says("mine alone");
    // Another program of this origin's that knows nothing of the tabs' lock.
    await owen.context.route(/\/thief\//, (route) => {
      const script = route.request().url().endsWith(".js");
      void route.fulfill(script
        ? { contentType: "text/javascript", body: `onmessage = async () => {
            const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("sconce");
            for (;;) {
              try {
                self.held = await (await folder.getFileHandle("probe")).createSyncAccessHandle();
                return postMessage("held");
              } catch { await new Promise((r) => setTimeout(r, 5)); }
            }
          }` }
        : { contentType: "text/html", body: "<!doctype html><title>thief</title>" });
    });
    const thief = await owen.context.newPage();
    await thief.goto(`${stage.url}/thief/`);
    const held = thief.evaluate(() => new Promise((done) => {
      globalThis.worker = new Worker("/thief/thief.js");
      worker.onmessage = () => done();
      worker.postMessage("take");
    }));
    await owen.page.goto("about:blank");
    await held;
    await owen.page.goto(stage.url);
    await owen.page.getByText(/open elsewhere/).waitFor();
    await owen.noBarrier("a store that somebody else holds");
    await thief.close();
    await owen.unlocks(); // nobody need ask again
    await owen.opens("Alice");
    await owen.mine("mine alone").waitFor();
    await owen.says("and still is");
    await w.alice.opens("Owen");
    await w.alice.hears("and still is");
    await stage.leaves(owen);
  },

  "a megabyte of marks on one letter, from a modified client, is shown as what can't be": async (w) => {
    const { stage, alice, harbour } = w;
    await alice.opens("Harbour");
    const longest = await watchesPauses(alice);
    const carol = stage.rpc("carol", "modified"); // without the limits that every other client has
    const tower = await carol.call("send", { room: harbour, text: `e${"\u0301".repeat(512 << 10)}` });
    await eventually(async () => (await carol.call("message", { room: harbour, id: tower.id })).seq, "it is sent");
    await carol.end();
    await alice.page.getByText("This message can’t be opened on this device.").last().waitFor();
    // As much as every client lets through: what is cut off waits to be asked for.
    await w.dave.call("send", { room: harbour, text: `e${"\u0301".repeat(32_000)}` });
    await w.dave.call("send", { room: harbour, text: "after the marks" });
    await alice.hears("after the marks");
    stage.measured("the longest pause of the page over a tower of marks, ms", await longest());
    await alice.noBarrier("towers of marks");
    await alice.says("quite unmoved");
    await w.bob.opens("Harbour");
    await w.bob.page.keyboard.press("Control+j");
    await w.bob.hears("quite unmoved");
  },
};
