// The screens in a real Chromium, under the product's headers: every story in
// light and dark without a fault and without a barrier, and the paths that a
// person takes through them by keyboard. Build first: npm run build:story.
// node test/screens.mjs [parts of tests' names]
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { launch, open, told } from "./browser.mjs";
import { serve } from "./serve.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const only = process.argv.slice(2);
const server = await serve(fileURLToPath(new URL("../dist-story", import.meta.url)));
const browser = await launch();
const tests = [];
const test = (name, run) => tests.push({ name, run });

/** Opens the page on a story or on the living harbour, runs the test, and holds every fault against it. */
async function on(query, run, options) {
  const { page, faults, close } = await open(browser, `${server.url}/?${query}`, options);
  try {
    await told(page);
    await run(page);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
}

async function barriers(page) {
  await page.evaluate(axe);
  // Colours in motion are no colours to measure: transitions end first.
  await page.waitForTimeout(300);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(" ")} ${n.any.concat(n.all, n.none).map((c) => c.message).join("; ").slice(0, 200)}`).join(" | ")}`);
}

const names = await (async () => {
  const { page, close } = await open(browser, `${server.url}/?story=welcome`);
  await told(page);
  const list = await page.evaluate(() => globalThis.sconce.stories);
  await close();
  return list;
})();

for (const story of names) {
  test(`story ${story} has no barrier in light nor dark, and breaks no policy`, () =>
    on(`story=${story}`, async (page) => {
      assert.deepEqual(await barriers(page), []);
      await page.emulateMedia({ colorScheme: "dark" });
      assert.deepEqual(await barriers(page), []);
    }));
}
for (const story of ["room", "details", "settings", "welcome", "burning"]) {
  test(`story ${story} on a phone has no barrier`, () =>
    on(`story=${story}`, async (page) => {
      assert.deepEqual(await barriers(page), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it is wider than the screen");
    }, { viewport: { width: 390, height: 844 }, hasTouch: true }));
}
for (const story of names) {
  test(`story ${story} on a phone has nothing to touch that is smaller than 44 px`, () =>
    on(`story=${story}`, async (page) => {
      assert.ok(await page.evaluate(() => matchMedia("(pointer: coarse)").matches));
      await page.locator("button").first().waitFor({ state: "attached" });
      await page.waitForTimeout(300);
      assert.deepEqual(await page.evaluate(() => {
        // Links within a text are as tall as its lines; what only takes the focus is not for fingers.
        const all = [...document.querySelectorAll("button, a, input, select, [role=button], [role=switch], [role=radio], [role=checkbox], [role=option], [role=menuitem], [role=menuitemradio], [role=tab]")];
        return all.filter((e) => e.checkVisibility({ visibilityProperty: true }) && e.offsetWidth > 1 && !e.closest(".text, .notice, .toolbar, [data-base-ui-focus-guard], [inert], .picker") && !e.closest("label.search, label.switcher-field")).flatMap((e) => {
          const own = e.getBoundingClientRect();
          const more = getComputedStyle(e, "::after");
          const size = (side) => Math.max(own[side], more.content === "none" || more.position !== "absolute" ? 0 : parseFloat(more[side]) || 0);
          return size("width") >= 43.5 && size("height") >= 43.5 ? [] : [`${e.tagName.toLowerCase()}.${e.className} ${e.getAttribute("aria-label") ?? e.textContent?.slice(0, 20)}: ${Math.round(size("width"))}×${Math.round(size("height"))}`];
        });
      }), []);
    }, { viewport: { width: 390, height: 844 }, hasTouch: true }));
}
for (const story of names) {
  test(`story ${story} in German on a phone, and in text of 200 %, is not cut off at the side`, () =>
    on(`story=${story}&lang=de`, async (page) => {
      const cut = () => page.evaluate(() => {
        // What ends in dots says so; a pane that is meant to be moved sideways, too.
        const all = [...document.querySelectorAll("#page *, .dialog *")].filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest(".cut, .unseen, svg, .editor-space, .settings-tabs, pre, .first-wall, .hit-text, .picker, video"));
        const out = all.filter((e) => e.getBoundingClientRect().width > 1 && (e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1));
        return out.slice(0, 4).map((e) => `${e.tagName.toLowerCase()}.${e.className} ${e.textContent?.slice(0, 30)}`);
      });
      await page.waitForTimeout(300);
      assert.deepEqual(await cut(), [], "in German");
      await page.evaluate(() => localStorage.setItem("sconce.look", JSON.stringify({ text: 200 })));
      await page.goto(page.url().replace("&lang=de", ""));
      await told(page);
      await page.waitForTimeout(300);
      assert.deepEqual(await cut(), [], "in large text");
    }, { viewport: { width: 390, height: 844 }, hasTouch: true }));
}
test("a page that is wide for its window is narrow for large text, at once", () =>
  on("story=room", async (page) => {
    await page.locator(".desk-list").waitFor();
    await page.keyboard.press("Control+,");
    await page.click(".settings-tab:has-text('Appearance')");
    await page.getByRole("slider").fill("200");
    await page.keyboard.press("Escape");
    await page.locator(".desk-list").waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Back" }).waitFor();
    const icon = await page.locator(".room-head svg.lucide").first().evaluate((e) => e.getBoundingClientRect().width);
    assert.equal(icon, 40, "its pictures stay small");
  }));
test("from right to left, with large text and high contrast, nothing breaks", () =>
  on("story=details&dir=rtl", async (page) => {
    await page.evaluate(() => {
      document.documentElement.style.fontSize = "200%";
      document.documentElement.dataset.contrast = "more";
    });
    await page.waitForTimeout(300);
    assert.deepEqual(await barriers(page), []);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  }));

const text = (page, selector) => page.locator(selector).allInnerTexts();
const focused = (page) => page.evaluate(() => {
  const e = document.activeElement;
  if (e === document.body) return "";
  return e?.getAttribute("aria-label") ?? e?.textContent ?? "";
});
/** Presses Tab until what has the focus is called so. */
async function tabTo(page, name, keys = "Tab") {
  for (let i = 0; i < 40; i++) {
    if ((await focused(page)).includes(name)) return;
    await page.keyboard.press(keys);
  }
  throw new Error(`Tab never reached ${name}`);
}

test("a person signs up, writes, switches and locks by keyboard alone", () =>
  on("state=new&latency=1", async (page) => {
    await page.waitForSelector("text=Come in");
    await tabTo(page, "https", "Tab").catch(() => undefined);
    await page.getByLabel("Invite link").focus();
    await page.keyboard.type("https://chat.skerry.example/#sconce1.x.y");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=You are invited");
    await page.keyboard.type("Mira Halden");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=Lock up your messages");
    await page.locator("input[type=password]").first().focus();
    await page.keyboard.type("lantern harbour ledger");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.type("lantern harbour ledger");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".recovery");
    await tabTo(page, "I have saved it");
    await page.keyboard.press("Enter");
    const key = (await page.evaluate(() => globalThis.sconce.recoveryKey)).split("-");
    await page.waitForSelector(".recovery-check");
    const asked = await page.locator(".recovery-check label").allInnerTexts();
    assert.equal(asked.length, 2);
    await page.keyboard.type("WRONG");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".field-error");
    for (const [i, label] of asked.entries()) {
      await page.locator(".recovery-check input").nth(i).fill(key[Number(/\d+/.exec(label)[0]) - 1].toLowerCase());
    }
    await page.keyboard.press("Enter");
    await page.waitForSelector(".list-rows .row");

    await page.keyboard.press("Control+k");
    await page.keyboard.type("aish");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".editor");
    await page.waitForFunction(() => document.activeElement?.classList.contains("editor"));
    await page.keyboard.press("Control+a");
    await page.keyboard.type("the **spare** impeller");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".message-mine strong:text('spare')");
    await page.waitForSelector(".message-mine .delivery[aria-label=Read]");

    await page.keyboard.press("Alt+ArrowUp");
    await page.waitForFunction(() => document.querySelector(".room h1")?.textContent !== "Aisha Karimi");
    await page.keyboard.press("Control+k");
    await page.keyboard.type("lock");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=What this device keeps is sealed");
    assert.ok(!(await page.content()).includes("impeller"), "a locked page still holds messages");
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=That is not the passphrase");
    await page.keyboard.press("Control+a");
    await page.keyboard.type("lantern harbour ledger");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".list-rows .row");
  }));

test("what is typed becomes Markdown, mentions and emoji", () =>
  on("story=room", async (page) => {
    const editor = page.locator(".editor");
    await editor.click();
    await page.keyboard.type("hello *there* and `code`, ~~not~~ @ai");
    await page.waitForSelector(".completions [role=option]");
    await page.keyboard.press("Enter");
    await page.keyboard.type("see :anch");
    await page.waitForSelector(".completions [role=option]");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("https://example.org/a_b_c 2 * 3 _");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".message-mine .mention:has-text('@Aisha Karimi')");
    const sent = await page.evaluate(() => globalThis.sconce.door.rooms.get("r-watch").log.at(-1).text);
    assert.match(sent, /^hello \*there\* and `code`, ~~not~~ \[@Aisha Karimi\]\(mimi:\/\/f7yqk2m4nzt6\/u\/u-aisha\) see ⚓/u);
    const last = page.locator(".message-mine").last();
    assert.equal(await last.locator("em").innerText(), "there");
    assert.equal(await last.locator("a").getAttribute("href"), "https://example.org/a_b_c");
    assert.match(await last.innerText(), /a_b_c 2 \* 3 _/);
  }));

test("in a conversation that was left nothing is offered that can't be", () =>
  on("story=left", async (page) => {
    await page.locator(".message").last().click({ button: "right" });
    await page.getByRole("menu").waitFor();
    assert.deepEqual((await page.getByRole("menuitem").allInnerTexts()).map((n) => n.split("\n")[0]), ["Copy", "Details"]);
    await page.keyboard.press("Escape");
    await page.evaluate(() => {
      const { door } = globalThis.sconce;
      const room = door.rooms.get("r-old");
      door.emit({ message: { ...room.log.at(-1), id: "m-lost", seq: 0, sender: "u-mira", mine: true, state: "unknown", text: "See you there" } });
    });
    const lost = page.locator(".message-failed", { hasText: "See you there" });
    await lost.getByText("Not known whether it was sent", { exact: true }).waitFor();
    assert.deepEqual(await lost.locator(".failed button").allInnerTexts(), ["Discard"]);
  }));

test("an admin names everyone, and nobody else is offered to", () =>
  on("story=room", async (page) => {
    const options = page.locator(".completions [role=option]");
    const last = (field) => page.evaluate((f) => globalThis.sconce.door.rooms.get("r-watch").log.at(-1)[f], field);
    await page.locator(".editor").click();
    await page.keyboard.type("@");
    assert.match(await options.last().innerText(), /^everyone\s+Tells all 4 people$/); // and not the first: Enter must not call them by a slip
    await page.keyboard.type("all");
    assert.match(await options.first().innerText(), /^everyone/);
    await page.keyboard.press("Enter");
    await page.keyboard.type("to the boats");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".message-mine .mention:has-text('@everyone')");
    assert.equal(await last("text"), "[@everyone](mimi://f7yqk2m4nzt6/r/r-watch) to the boats");
    await page.keyboard.press("ArrowUp");
    await page.waitForSelector(".editor .mention:has-text('@everyone')");
    await page.keyboard.press("Escape");

    const say = (user) => page.evaluate((u) => globalThis.sconce.door.writes(globalThis.sconce.door.rooms.get("r-watch"), u, "[@everyone](mimi://f7yqk2m4nzt6/r/r-watch) look"), user);
    await say("u-tomas"); // no admin: a name without a meaning
    await page.waitForSelector(".message-theirs:has-text('@everyone look')");
    assert.equal(await page.locator(".message-theirs .mention:has-text('@everyone')").count(), 0);
    await page.evaluate(() => globalThis.sconce.door.call("setAdmin", { room: "r-watch", user: "u-tomas", admin: true }));
    await page.waitForSelector(".notice:has-text('You made Tomás')");
    await say("u-tomas");
    await page.waitForSelector(".message-theirs .mention:has-text('@everyone')");

    await page.evaluate(() => globalThis.sconce.door.call("setAdmin", { room: "r-watch", user: "u-mira", admin: false }));
    await page.locator(".editor").click();
    await page.keyboard.type("@all");
    await page.waitForTimeout(300);
    assert.equal(await options.filter({ hasText: "everyone" }).count(), 0);
  }));

for (const viewport of [{ width: 1440, height: 900 }, { width: 1024, height: 768 }, { width: 390, height: 844 }]) {
  test(`what is told in passing lies over neither the bar, the composer nor what came last, at ${viewport.width} px`, () =>
    on("story=room", async (page) => {
      await page.locator(".editor").click();
      await page.keyboard.type("half a thought");
      await page.evaluate(() => {
        for (const n of ["one", "two", "three"]) globalThis.sconce.session.tell(`There is no space left on this device, so that was not done (${n}). Free some, and try again.`, "problem");
      });
      await page.locator(".toast").nth(2).waitFor();
      const box = (selector) => page.locator(selector).last().evaluate((e) => ({ top: e.getBoundingClientRect().top, bottom: e.getBoundingClientRect().bottom }));
      const [toasts, bar, composer, last] = await Promise.all([".toasts", ".room-head", ".composer", ".message"].map(box));
      assert.ok(toasts.top >= bar.bottom, "they lie over the bar");
      assert.ok(toasts.bottom <= composer.top, "they lie over the composer");
      assert.ok(toasts.bottom <= last.top, "they lie over what came last");
      await page.locator(".editor").click({ timeout: 2_000 }); // it can be written in, though they stand there
    }, { viewport }));
}

test("what is told in passing is seen, heard and closed while a dialog is open, which stays", () =>
  on("story=settings", async (page) => {
    await page.locator(".dialog").waitFor();
    await page.evaluate(() => globalThis.sconce.session.tell("There is no space left on this device.", "problem"));
    const toast = page.locator(".toast");
    await toast.waitFor();
    assert.equal(await toast.evaluate((e) => e.closest("[aria-hidden=true], [inert]")), null, "nobody hears it");
    assert.deepEqual(await barriers(page), []);
    await toast.getByRole("button").click({ timeout: 2_000 }); // it is above the dialog
    await toast.waitFor({ state: "detached" });
    await page.locator(".dialog").waitFor();
  }));

test("up edits, R answers, Escape lets go, and drafts stay with their room", () =>
  on("story=room", async (page) => {
    await page.locator(".editor").click();
    await page.keyboard.press("ArrowUp");
    await page.waitForSelector("text=Editing your message");
    assert.match(await page.locator(".editor").innerText(), /handbook/);
    await page.keyboard.type(" Twice.");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".message-mine:has-text('Twice.')");
    await page.locator(".message-mine", { hasText: "Twice." }).click({ button: "right" });
    await page.getByRole("menuitem", { name: "Edit" }).click();
    await page.waitForSelector("text=Editing your message");
    await page.keyboard.type(" Or thrice.");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".message-mine:has-text('handbook. Twice. Or thrice.')");
    await page.locator("[data-key]").last().focus();
    await page.keyboard.press("r");
    await page.waitForSelector("text=Replying to");
    await page.waitForFunction(() => document.activeElement?.classList.contains("editor"));
    await page.keyboard.type("half a thought");
    await page.keyboard.press("Alt+ArrowDown");
    await page.waitForFunction(() => document.querySelector(".room h1")?.textContent !== "Harbour watch");
    await page.waitForSelector(".row:has-text('Draft:'):has-text('half a thought')");
    await page.keyboard.press("Alt+ArrowUp");
    await page.waitForSelector(".editor:has-text('half a thought')");
  }));

test("a message that burns leaves no letter behind, in no place", () =>
  on("story=burning", async (page) => {
    await page.evaluate(() => {
      const { door } = globalThis.sconce;
      const room = door.rooms.get("r-u-jonas");
      for (const m of room.log) if (m.text.includes("7704")) m.expires = Date.now() + 1200;
      const m = door.say(room, "u-jonas", "quoting it", 0, { replyTo: room.log.find((x) => x.text.includes("7704")).id });
      door.emit({ message: m });
    });
    await page.waitForSelector(".quote:has-text('7704')");
    await page.waitForSelector(".message-ending");
    await page.waitForSelector(".ash");
    assert.ok(!(await page.content()).includes("7704"));
    await page.waitForSelector(".quote-gone");
    await page.waitForSelector(".ash", { state: "detached" });
  }));

test("a message that burns leaves the search, the composer and what is read aloud", () =>
  on("story=search", async (page) => {
    const gone = (room, id) => page.evaluate(([r, m]) => {
      globalThis.sconce.door.rooms.get(r).log.find((x) => x.id === m).expires = Date.now();
    }, [room, id]);
    const say = (room, text) => page.evaluate(([r, t]) => {
      const { door } = globalThis.sconce;
      const m = door.say(door.rooms.get(r), t.startsWith("mine") ? door.me.user : "u-jonas", t, 0, {});
      door.emit({ message: m });
      return m.id;
    }, [room, text]);
    const lacks = async (letters, where) => {
      await page.waitForTimeout(300);
      const left = await page.evaluate((x) => [...document.querySelectorAll("*")].filter((e) => e.outerHTML.includes(x)).map((e) => e.outerHTML).at(-1)?.slice(0, 300), letters);
      assert.equal(left, undefined, `it stays ${where}`);
    };
    // In a room that was not opened, so that no timeline knows of it.
    const hidden = await say("r-u-jonas", "the pump code is 5512");
    await page.fill(".find input", "5512");
    await page.waitForSelector(".hit:has-text('5512')");
    await gone("r-u-jonas", hidden);
    await page.waitForSelector(".hit", { state: "detached" });
    await page.fill(".find input", "");
    await lacks("5512", "in the search");
    await page.keyboard.press("Escape");

    const mine = await say("r-watch", "mine is 6613");
    await page.waitForSelector(".message-mine:has-text('6613')");
    await page.locator(".editor").focus();
    await page.keyboard.press("ArrowUp");
    await page.waitForSelector(".editor:has-text('6613')");
    await gone("r-watch", mine);
    await page.waitForSelector(".ash");
    await page.waitForSelector(".ash", { state: "detached" });
    await lacks("6613", "in the composer");

    const aloud = await say("r-watch", "aloud is 7714");
    await page.waitForSelector(".unseen:has-text('7714')", { state: "attached" });
    await gone("r-watch", aloud);
    await page.waitForSelector(".ash");
    await lacks("7714", "where it was read aloud");
    await say("r-watch", "aloud is 8815");
    await page.waitForSelector(".unseen:has-text('8815')", { state: "attached" });
    await page.evaluate(() => globalThis.sconce.session.lock());
    await page.waitForSelector("text=What this device keeps is sealed");
    await lacks("8815", "on the lock screen");
  }));

test("older messages come without a jump, and one can go back to the newest", () =>
  on("story=history", async (page) => {
    const scroll = page.locator(".timeline-scroll");
    await scroll.evaluate((e) => e.scrollTo(0, 700));
    await page.waitForTimeout(600);
    const place = () => scroll.evaluate((e) => {
      const m = [...e.querySelectorAll("[data-key]")].find((x) => x.getBoundingClientRect().top > e.getBoundingClientRect().top + 100);
      return { key: m.dataset.key, top: m.getBoundingClientRect().top };
    });
    for (let i = 0; i < 4; i++) {
      const before = await place();
      await page.evaluate(() => globalThis.sconce.session.older("r-night"));
      await page.waitForTimeout(350);
      const after = await page.evaluate((key) => document.querySelector(`[data-key="${key}"]`)?.getBoundingClientRect().top, before.key);
      assert.ok(after !== undefined && Math.abs(after - before.top) <= 2, `message ${before.key} moved from ${before.top} to ${after}`);
      await scroll.evaluate((e) => e.scrollBy(0, -300));
      await page.waitForTimeout(200);
    }
    await page.keyboard.press("Control+j");
    await page.waitForSelector(".jump", { state: "detached" });
    await page.waitForSelector("text=(900)");
  }));

test("a room opens where the unread begins, and stays at the bottom for what comes", () =>
  on("story=chats", async (page) => {
    await page.evaluate(() => {
      const r = globalThis.sconce.door.rooms.get("r-night");
      globalThis.sconce.door.unread(r, 200);
      globalThis.sconce.door.emit({ room: { ...r, log: undefined } });
    });
    await page.click(".row:has-text('Night shift')");
    await page.waitForSelector(".new");
    const top = await page.locator(".new").evaluate((e) => e.getBoundingClientRect().top);
    assert.ok(top > 50 && top < 400, `the line "new" is at ${top}`);
    await page.click(".jump");
    await page.waitForSelector("text=(900)");
    await page.evaluate(() => {
      const { door } = globalThis.sconce;
      void door.writes(door.rooms.get("r-night"), "u-wen", "the very last");
    });
    await page.waitForSelector(".typing:has-text('Wen Li')");
    await page.waitForSelector(".message:has-text('the very last')");
    const { bottom, height } = await page.locator(".message:has-text('the very last')").evaluate((e) => ({ bottom: e.getBoundingClientRect().bottom, height: innerHeight }));
    assert.ok(bottom < height, "what came is below the edge");
    assert.match(await page.locator("[aria-live=polite].unseen").innerText(), /the very last/);
  }));

test("what is there at once shows no outline of it, and what takes long does", () =>
  on("story=chats", async (page) => {
    await page.waitForSelector(".list-rows .row:has-text('Boat rota')");
    const outline = (of) => page.evaluate(async ([latency, wait, name]) => {
      globalThis.sconce.door.options.latency = latency;
      let seen = 0;
      const began = performance.now();
      [...document.querySelectorAll(".list-rows .row")].find((r) => r.textContent.includes(name)).click();
      while (performance.now() - began < wait) {
        await new Promise(requestAnimationFrame);
        const there = document.querySelector(".skeleton");
        if (there && getComputedStyle(there).visibility === "visible") seen ||= performance.now() - began;
      }
      return seen;
    }, of);
    assert.equal(await outline([40, 600, "Night shift"]), 0, "an outline flashed before what came at once");
    const after = await outline([1_500, 900, "Boat rota"]);
    assert.ok(after > 140, `the outline came after ${after} ms; want it after 150`);
    await page.waitForSelector(".message:has-text('Wednesday is fine')");
    assert.equal(await page.locator(".skeleton").count(), 0);
  }));

test("what is unread and in sight stays in sight when an answer to it is begun, and when more comes", () =>
  on("story=room", async (page) => {
    const seen = (text) => page.locator(".message", { hasText: text }).evaluate((e) => {
      const room = e.closest(".timeline-scroll").getBoundingClientRect();
      return e.getBoundingClientRect().bottom <= room.bottom + 1;
    });
    await page.waitForSelector(".new");
    assert.ok(await seen("Second time this week."));
    await page.locator(".message", { hasText: "Second time this week." }).hover();
    await page.getByRole("button", { name: "Reply" }).click();
    await page.waitForSelector("text=Replying to");
    await page.waitForTimeout(200);
    assert.ok(await seen("Second time this week."), "it is covered by its own answer");
    for (let i = 0; i < 3; i++) await page.keyboard.press("Shift+Enter");
    await page.evaluate(() => {
      const { door } = globalThis.sconce;
      for (let i = 0; i < 12; i++) door.emit({ message: door.say(door.rooms.get("r-watch"), "u-wen", `then came ${"abcdefghijkl"[i]}.`, 0, {}) });
    });
    await page.waitForSelector("text=then came l.");
    await page.waitForTimeout(200);
    assert.ok(await seen("then came l."), "what came is below the edge");
    await page.waitForTimeout(400);
    assert.ok(await seen("then came l."), "it went back to where the unread began");
  }));

test("the list folds away and comes back: by key, by button and by the line beside it", () =>
  on("story=room", async (page) => {
    const list = page.locator(".desk-list");
    await page.getByRole("button", { name: "Hide the list" }).click();
    await list.waitFor({ state: "hidden" });
    assert.equal(await page.locator(".unfold-dot").count(), 0, "what its person does not want to hear of is no reason to open the list");
    await page.evaluate(() => void globalThis.sconce.door.writes(globalThis.sconce.door.rooms.get("r-u-aisha"), "u-aisha", "are you there?"));
    await page.locator(".unfold-dot").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.className), "editor", "the focus went with the list");
    await page.getByRole("button", { name: "Show the list" }).click();
    await list.waitFor();
    await page.keyboard.press("Control+Shift+d");
    await list.waitFor({ state: "hidden" });
    await page.reload();
    await told(page);
    await list.waitFor({ state: "hidden" });
    await page.keyboard.press("Control+Shift+d");
    await page.getByRole("separator", { name: "Width of the list" }).focus();
    await page.keyboard.press("Enter");
    await list.waitFor({ state: "hidden" });
    // Where no room is open the list is all there is.
    await page.evaluate(() => globalThis.sconce.session.select(undefined));
    await list.waitFor();
    await page.evaluate(() => globalThis.sconce.session.select("r-watch"));
    await page.setViewportSize({ width: 390, height: 844 });
    await page.getByRole("button", { name: "Back" }).click();
    await list.waitFor();
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.evaluate(() => globalThis.sconce.session.select("r-watch"));
    await page.keyboard.press("Control+.");
    await page.waitForSelector(".details");
    await page.keyboard.press("Control+.");
    await page.waitForSelector(".details", { state: "detached" });
  }));

test("a message's own clocks are for one message, and no longer than its room's", () =>
  on("story=burning", async (page) => {
    const life = page.locator("button.life");
    await life.click();
    const offered = await page.locator(".life-menu").getByRole("group", { name: /burns after it is read/ }).getByRole("menuitemradio").allInnerTexts();
    assert.deepEqual(offered, ["As in this conversation: 1 minute", "10 seconds"]);
    await page.getByRole("menuitemradio", { name: "10 seconds" }).click();
    await life.click();
    await page.locator(".life-menu").getByRole("menuitemradio", { name: "5 minutes" }).click();
    assert.match(await life.getAttribute("title"), /^Burns 10 seconds after it is read · Gone after 5 minutes$/);
    const sent = async (text) => {
      await page.locator(".editor").click();
      await page.keyboard.type(text);
      await page.keyboard.press("Enter");
      await page.waitForSelector(`.message-mine:has-text('${text}')`);
      return page.evaluate((t) => globalThis.sconce.asked.findLast((a) => a.text === t), text);
    };
    await page.evaluate(() => {
      const { door } = globalThis.sconce;
      const call = door.call.bind(door);
      globalThis.sconce.asked = [];
      door.call = (method, params) => {
        if (method === "send") globalThis.sconce.asked.push(params);
        return call(method, params);
      };
    });
    const one = await sent("one");
    assert.deepEqual([one.burn, one.expire], [10, 300]);
    const two = await sent("two");
    assert.deepEqual([two.burn, two.expire], [undefined, undefined]);
  }));

test("who reacted is told without a pointer", () =>
  on("story=room", async (page) => {
    await page.locator(".message", { has: page.locator(".reaction") }).last().focus();
    await page.keyboard.press("i");
    await page.waitForSelector(".dialog section:has-text('Reacted with ⚓') :text('Wen Li')");
  }));

test("the page does not claim to be a verified release, and says who can tell", () =>
  on("story=about", async (page) => {
    const release = page.getByRole("region", { name: "Release" });
    assert.match(await release.innerText(), /Not verified as the release/);
    assert.match(await release.innerText(), /sconce verify-web https:/);
  }));

test("hostile messages are shown as letters and do nothing", () =>
  on("story=hostile", async (page) => {
    const scroll = page.locator(".timeline-scroll");
    const seen = new Set();
    await page.locator(".timeline .text").first().waitFor();
    for (let at = 0; at < 60_000; at += 600) {
      const more = await scroll.evaluate(async (e, y) => {
        e.scrollTo(0, y);
        for (let drawn = 0; drawn < 3; drawn++) await new Promise(requestAnimationFrame);
        return y < e.scrollHeight;
      }, at);
      for (const t of await text(page, ".timeline .text")) seen.add(t.slice(0, 60));
      if (!more) break;
    }
    assert.equal(await page.evaluate(() => globalThis.owned), undefined);
    assert.equal(await page.locator(".timeline script, .timeline iframe, .timeline img").count(), 0);
    assert.ok([...seen].some((s) => s.startsWith("<script>")), "the script is not shown as letters");
    const links = await page.locator(".timeline a").evaluateAll((all) => all.map((a) => a.protocol));
    assert.ok(links.every((p) => p === "https:" || p === "http:" || p === "mailto:"), links.join());
    assert.doesNotMatch((await text(page, ".room h1, .row-name, .sender bdi")).join(), /[\u202A-\u202E\u2066-\u2069\n]/);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it is wider than the screen");
  }));

test("a link is opened only after its real host was shown", () =>
  on("story=link", async (page) => {
    assert.match(await page.locator(".follow b").innerText(), /^evil\.example$/);
    await page.waitForSelector("text=leads to evil.example");
    await page.keyboard.press("Escape");
    await page.waitForSelector(".follow", { state: "detached" });
    assert.equal(page.context().pages().length, 1);
  }));

test("the landmarks are reached by F6, the focus returns when a dialog closes", () =>
  on("story=details", async (page) => {
    await page.locator(".list-find").focus();
    const places = new Set();
    for (let i = 0; i < 5; i++) {
      await page.keyboard.press("F6");
      places.add(await page.evaluate(() => document.activeElement.className.split(" ")[0]));
    }
    assert.ok(["list", "room-head", "timeline-scroll", "editor", "details"].every((p) => places.has(p)), [...places].join());
    await page.locator(".list-find").focus();
    await page.keyboard.press("Control+/");
    await page.waitForSelector(".keys");
    await page.keyboard.press("Escape");
    await page.waitForSelector(".keys", { state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement.className), "list-find");
  }));

test("arrows walk the messages, and what can be done with one is reached by Tab", () =>
  on("story=room", async (page) => {
    await page.locator(".timeline [data-key][tabindex='0']").focus();
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowUp");
    const key = await page.evaluate(() => document.activeElement.dataset.key);
    assert.ok(key);
    await tabTo(page, "More");
    await page.keyboard.press("Enter");
    await page.waitForSelector("[role=menu]");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
  }));

test("German says everything", () =>
  on("story=details", async (page) => {
    await page.keyboard.press("Control+,");
    await page.click(".settings-tab:has-text('Appearance')");
    await page.click("text=Deutsch");
    await page.waitForSelector(".settings h2:has-text('Aussehen')");
    assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
    await page.keyboard.press("Escape");
    await page.waitForSelector(".details h2:has-text('Details')");
    await page.waitForSelector("text=5 Personen");
  }));

test("offline, what is sent waits and goes out on return", () =>
  on("story=offline", async (page) => {
    await page.waitForSelector(".connection:has-text('1 message waits')");
    await page.waitForSelector(".message-mine .delivery[aria-label='Waits to be sent']");
    await page.evaluate(() => globalThis.sconce.door.connection("online"));
    await page.waitForSelector(".message-mine .delivery[aria-label=Read]");
    assert.equal(await page.locator(".connection-bar").count(), 0);
  }));

test("a notification says that there is something, and not what, unless its person wished for it", () =>
  on("story=chats", async (page) => {
    await page.evaluate(() => {
      globalThis.said = [];
      globalThis.Notification = class {
        static permission = "granted";
        constructor(title, { body }) {
          globalThis.said.push(`${title} / ${body}`);
        }
        close() {}
      };
      localStorage.setItem("sconce.look", JSON.stringify({ notify: true }));
      const { door } = globalThis.sconce;
      for (const room of ["r-watch", "r-night", "r-u-aisha"]) void door.writes(door.rooms.get(room), "u-aisha", "the canary sings");
    });
    await page.waitForFunction(() => globalThis.said.length >= 2);
    await page.waitForTimeout(500);
    const said = await page.evaluate(() => globalThis.said);
    assert.equal(said.length, 2, "a muted room rang");
    assert.doesNotMatch(said.join(), /canary|Aisha|Harbour/);
    await page.evaluate(async () => {
      const { door, session } = globalThis.sconce;
      await session.setSettings({ previews: true });
      globalThis.said = [];
      void door.writes(door.rooms.get("r-u-aisha"), "u-aisha", "the canary sings");
      void door.writes(door.rooms.get("r-u-jonas"), "u-jonas", "the canary burns", { burn: 60 });
    });
    await page.waitForFunction(() => globalThis.said.length === 2);
    const open = (await page.evaluate(() => globalThis.said)).join();
    await page.evaluate(() => {
      globalThis.said = [];
      localStorage.setItem("sconce.look", JSON.stringify({ notify: true, pausedUntil: Date.now() + 60_000 }));
      const { door } = globalThis.sconce;
      const m = door.say(door.rooms.get("r-u-aisha"), "u-aisha", "while it is quiet", 0, {});
      door.emit({ message: m });
    });
    await page.waitForTimeout(300);
    assert.deepEqual(await page.evaluate(() => globalThis.said), []);
    assert.match(open, /Aisha Karimi \/ the canary sings/);
    assert.doesNotMatch(open, /burns/);
  }));

test("another device of one's own is announced", () =>
  on("story=devices-link", async (page) => {
    assert.equal(await page.evaluate(() => document.activeElement.className), "link-device", "the focus went with the button");
    await page.getByLabel("Code", { exact: true }).fill("SD1-4Q7ZK-M0XPA");
    await page.click("text=Let it in");
    await page.waitForSelector(".toast:has-text('Chrome on Android is one of your devices now')");
    await page.waitForSelector(".devices li:has-text('Chrome on Android')");
  }));

test("the shell opens without a network", () =>
  on("story=chats&shell", async (page) => {
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
    await page.reload();
    await told(page);
    await page.waitForFunction(() => navigator.serviceWorker.controller);
    await page.context().setOffline(true);
    await page.reload();
    await told(page);
    await page.waitForSelector(".list-rows .row");
  }));

test("an open menu is a barrier to nobody", () =>
  on("story=room", async (page) => {
    const menus = {
      "one's own": () => page.getByRole("button", { name: /menu of/ }).click(),
      "a message's": () => page.locator(".message-mine .bubble").last().click({ button: "right" }),
      "a message's in its toolbar": async () => {
        await page.locator(".message-theirs").last().hover();
        await page.locator(".message-theirs").last().getByRole("button", { name: "More" }).click();
      },
      "the clock of the next message": () => page.locator("button.life").click(),
      "a room's clock": async () => {
        await page.keyboard.press("Control+.");
        await page.getByRole("button", { name: /^Burn after reading/ }).click();
      },
      "a member's": () => page.getByRole("button", { name: /^More about Wen/ }).click(),
    };
    for (const [whose, open] of Object.entries(menus)) {
      await open();
      await page.getByRole("menu").waitFor();
      assert.deepEqual(await barriers(page), [], whose);
      await page.keyboard.press("Escape");
      await page.getByRole("menu").waitFor({ state: "detached" });
    }
  }));

/** Fingers, as the browser hears of them: down for so long, then up. */
async function press(page, locator, ms) {
  const box = await locator.boundingBox();
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [at] });
  await page.waitForTimeout(ms);
  await cdp.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
}
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

test("a long press opens a message's menu, and a tap in it does what it says", () =>
  on("story=room", async (page) => {
    const message = page.locator(".message-theirs", { hasText: "Second time this week" });
    await press(page, message.locator(".text"), 80);
    await page.waitForTimeout(300);
    assert.equal(await page.getByRole("menu").count(), 0, "a short one opens it too");
    await press(page, message.locator(".text"), 800);
    await page.waitForTimeout(400);
    await page.getByRole("menu").waitFor();
    assert.equal(await page.evaluate(() => String(getSelection())), "", "it selects words as well");
    const { left, right, top, bottom } = await page.getByRole("menu").evaluate((e) => e.getBoundingClientRect().toJSON());
    assert.ok(left >= 0 && top >= 0 && right <= 390 && bottom <= 844, `the menu is at ${left} ${top} ${right} ${bottom}`);
    assert.deepEqual(await barriers(page), []);
    await page.getByRole("menuitem", { name: "React with 🎉" }).tap();
    await message.locator(".reaction", { hasText: "🎉" }).waitFor();
    await press(page, message.locator(".text"), 800);
    await page.getByRole("menuitem", { name: "Reply" }).tap();
    await page.waitForSelector("text=Replying to Tomás");
    // A finger that scrolls holds nothing.
    await page.getByRole("button", { name: "Cancel" }).tap();
    const box = await message.locator(".text").boundingBox();
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x: box.x + 20, y: box.y + 8 }] });
    for (let y = 0; y < 80; y += 16) await cdp.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: [{ x: box.x + 20, y: box.y + 8 + y }] });
    await page.waitForTimeout(800);
    await cdp.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    assert.equal(await page.getByRole("menu").count(), 0, "a finger that scrolls opens it");
  }, phone));

test("the search is asked for again, goes on in other rooms, and leaves the browser its own", () =>
  on("story=room", async (page) => {
    await page.keyboard.press("Control+f");
    await page.fill(".find input", "ferry");
    await page.waitForSelector(".hit");
    assert.equal(await page.evaluate(() => {
      let taken;
      addEventListener("keydown", (e) => (taken = e.defaultPrevented), { once: true });
      document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "f", ctrlKey: true, bubbles: true, cancelable: true }));
      return taken;
    }), false, "in the search, the same keys are the browser's");
    await page.locator(".editor").focus();
    await page.keyboard.press("Control+Shift+f");
    await page.waitForFunction(() => document.activeElement.closest(".find"));
    await page.waitForSelector(".find [aria-pressed=true]:has-text('Harbour watch')");
    await page.waitForSelector(".hit", { state: "detached" });
    await page.click(".find button:has-text('Everywhere')");
    await page.locator(".hit:has-text('Night shift')").first().click();
    await page.waitForFunction(() => document.querySelector(".room h1")?.textContent === "Night shift");
    assert.ok(await page.locator(".hit").count() > 0, "the search has ended with the room");
  }));

test("a new passphrase that was refused is told of until it is written anew", () =>
  on("story=guard", async (page) => {
    await page.locator("input[type=password]").first().fill("short");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".field-error:has-text('At least 8 characters')");
    await page.locator("input[type=password]").first().fill("lantern harbour ledger");
    await page.waitForSelector(".field-error", { state: "detached" });
  }));

test("the time stands on the last line of what was said where there is room for it", () =>
  on("story=room", async (page) => {
    const gap = (text) => page.locator(".message", { hasText: text }).evaluate((e) => {
      const lines = [...e.querySelectorAll(".text > p:last-child")].at(-1).getClientRects();
      return e.querySelector(".meta").getBoundingClientRect().bottom - [...lines].at(-1).bottom;
    });
    assert.ok((await gap("Can someone put this on the door")) < 6);
    assert.ok((await gap("Beautiful. That goes in the handbook.")) > 10, "it is written over the text");
  }, phone));

test("settings open with the keyboard on what was asked for", () =>
  on("story=room", async (page) => {
    await page.getByRole("button", { name: /menu of/ }).click();
    await page.getByRole("menuitem", { name: "Devices" }).click();
    await page.waitForFunction(() => document.activeElement?.textContent === "Devices" && document.activeElement.getAttribute("role") === "tab");
  }));

test("unread rooms are reached by key, and ? tells of every key", () =>
  on("story=chats", async (page) => {
    await page.evaluate(() => {
      const { door } = globalThis.sconce;
      for (const room of ["r-u-aisha", "r-u-noor"]) void door.writes(door.rooms.get(room), room.slice(2), "are you there?");
    });
    await page.waitForSelector(".row-unread:has-text('Aisha')");
    await page.waitForSelector(".row-unread:has-text('are you there')");
    const name = () => page.locator(".room h1").innerText();
    await page.keyboard.press("Alt+Shift+ArrowDown");
    await page.waitForSelector(".room h1");
    const first = await name();
    await page.keyboard.press("Alt+Shift+ArrowDown");
    await page.waitForFunction((was) => document.querySelector(".room h1").textContent !== was, first);
    const second = await name();
    await page.keyboard.press("Alt+Shift+ArrowUp");
    await page.waitForFunction((was) => document.querySelector(".room h1").textContent !== was, second);
    await page.locator(".list .row").first().focus();
    await page.keyboard.press("?");
    await page.waitForSelector(".keys");
    await page.keyboard.type("unread");
    await page.waitForFunction(() => document.querySelectorAll(".keys dt").length === 2);
    await page.keyboard.press("Escape");
    await page.waitForSelector(".keys", { state: "detached" });
  }));

test("Escape goes to the newest message, and all of it is read", () =>
  on("story=chats", async (page) => {
    await page.evaluate(() => {
      const { door } = globalThis.sconce;
      door.unread(door.rooms.get("r-night"), 200);
      door.emit({ room: { ...door.rooms.get("r-night"), log: undefined } });
    });
    await page.click(".row:has-text('Night shift')");
    await page.waitForSelector(".jump");
    await page.keyboard.press("Escape");
    await page.waitForSelector(".jump", { state: "detached" });
    await page.waitForSelector(".row-selected .badge", { state: "detached" });
  }));

test("keys make bold, italic, code and struck words, and find an emoji; Enter is a line where its person wants that", () =>
  on("story=room", async (page) => {
    const keys = page.keyboard;
    const sent = () => page.evaluate(() => globalThis.sconce.door.rooms.get("r-watch").log.at(-1).text);
    await page.locator(".editor").click();
    for (const [key, word] of [["Control+b", "bold"], ["Control+i", "slanted"], ["Control+e", "code"], ["Control+Shift+x", "struck"]]) {
      await keys.press(key);
      await keys.type(word);
      await keys.press(key);
      await keys.type(" ");
    }
    await keys.press("Control+Shift+j");
    await page.waitForSelector(".picker input");
    await page.waitForFunction(() => document.activeElement?.closest(".picker"));
    await keys.type("anchor");
    await page.waitForSelector(".picker-emoji[aria-label='anchor' i]");
    await keys.press("Enter");
    await page.waitForSelector(".picker", { state: "detached" });
    await keys.press("Enter");
    await page.waitForSelector(".message-mine del:has-text('struck')");
    assert.match(await sent(), /^\*\*bold\*\* \*slanted\* `code` ~~struck~~ ⚓/u);
    await keys.press("Control+,");
    await page.click(".settings-tab:has-text('Appearance')");
    await page.getByRole("radio", { name: /Enter$/ }).last().click();
    await keys.press("Escape");
    await page.waitForSelector(".settings", { state: "detached" });
    await page.locator(".editor").click();
    await keys.type("one");
    await keys.press("Enter");
    await keys.type("two");
    await keys.press("Control+Enter");
    await page.waitForSelector(".message-mine:has-text('two')");
    assert.match(await sent(), /^one\n+two$/);
  }));

for (const [story, says, text] of [["failed", "Not sent", "crossed the fjord"], ["unknown", "Not known whether it was sent", "second boat"]]) {
  test(`what is ${story} says so, and goes out when its person tries again`, () =>
    on(`story=${story}`, async (page) => {
      const failed = page.locator(".message-failed");
      await failed.getByText(says, { exact: true }).waitFor();
      await failed.locator(`.delivery[aria-label='${says}']`).waitFor();
      await page.waitForSelector(`.row [aria-label='${says}']`);
      await page.evaluate(() => (globalThis.sconce.door.options.refuses = undefined));
      await failed.getByRole("button", { name: "Try again" }).click();
      await failed.waitFor({ state: "detached" });
      await page.locator(".message-mine", { hasText: text }).locator(".delivery[aria-label=Read]").waitFor();
    }));
}

test("changed keys of a verified person hold up writing until one says that one knows", () =>
  on("story=changed", async (page) => {
    await page.waitForSelector("text=The keys of Pavel Novotný are not the ones you verified.");
    assert.equal(await page.locator(".editor").count(), 0);
    await page.getByRole("alert").getByRole("button", { name: "Look" }).click();
    await page.waitForSelector(".dialog:has-text('Compare the numbers')");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "I know, write anyway" }).click();
    await page.waitForSelector(".editor");
  }));

test("the panes keep the widths that they were given", () =>
  on("story=details", async (page) => {
    const wide = () => page.evaluate(() => [".desk-list", ".desk-side"].map((s) => Math.round(document.querySelector(s).getBoundingClientRect().width)));
    const before = await wide();
    await page.getByRole("separator", { name: "Width of the list" }).focus();
    for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowRight");
    await page.getByRole("separator", { name: "Width of the details" }).focus();
    for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowLeft");
    const after = await wide();
    assert.ok(after[0] > before[0] && after[1] > before[1], `${before} became ${after}`);
    await page.reload();
    await told(page);
    await page.waitForTimeout(200);
    assert.deepEqual(await wide(), after);
  }));

test("a device that was away says how much it still reads", () =>
  on("story=room", async (page) => {
    await page.evaluate(() => globalThis.sconce.door.emit({ connection: { state: "online", queued: 0, behind: 240 } }));
    await page.waitForSelector(".connection-bar:has-text('Catching up: 240 entries')");
    await page.evaluate(() => globalThis.sconce.door.emit({ connection: { state: "online", queued: 0, behind: 0 } }));
    await page.waitForSelector(".connection-bar", { state: "detached" });
  }));

test("with less motion a burning message neither glows nor flies", () =>
  on("story=burning", async (page) => {
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.waitForSelector(".message-ending");
    assert.equal(await page.locator(".message-ending .bubble").evaluate((e) => getComputedStyle(e).animationName), "none");
    await page.waitForSelector(".ash", { state: "attached" });
    assert.equal(await page.locator(".ash").first().evaluate((e) => getComputedStyle(e).visibility), "hidden");
    await page.waitForSelector(".ash", { state: "detached" });
  }));

test("the license of every part can be read from the page", () =>
  on("story=about", async (page) => {
    const link = page.getByRole("link", { name: "Every license, in full" });
    assert.equal(await link.getAttribute("target"), "_blank");
    const text = await page.evaluate((url) => fetch(url).then((r) => r.text()), await link.getAttribute("href"));
    assert.match(text, /SIL OPEN FONT LICENSE/);
    assert.match(text, /\nreact-dom\n/);
  }));

let failed = 0;
const began = Date.now();
for (const { name, run } of tests.filter((t) => only.length === 0 || only.some((o) => t.name.includes(o)))) {
  try {
    await run();
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n     ${String(error.message ?? error).split("\n").slice(0, 14).join("\n     ")}`);
  }
}
await browser.close();
await server.stop();
console.log(`${failed} failed, ${Math.round((Date.now() - began) / 1000)} s`);
process.exit(failed > 0 ? 1 : 0);
