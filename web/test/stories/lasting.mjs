// What lasts and what does not: burning, devices, the lock, tabs, and servers that go.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { film } from "../camera.mjs";
import { eventually, passphrase } from "./stage.mjs";

/** What a browser says of a server that is gone. */
const away = /ERR_CONNECTION|ERR_SOCKET|ERR_EMPTY_RESPONSE|WebSocket connection to|Failed to load resource|ERR_INTERNET/;

export const lasting = {
  "a message that burns goes from everywhere at once": async (w) => {
    const { stage, alice, bob } = w;
    await alice.opens("Harbour");
    await bob.opens("Harbour");
    await alice.page.locator("button.life").click();
    await alice.page.getByRole("menuitemradio", { name: "10 seconds" }).click();
    await alice.says("canary 7704");
    await alice.page.locator("button.life").click();
    await alice.page.getByRole("menuitemradio", { name: "No burning" }).click();
    await bob.hears("canary 7704");
    await bob.theirs("canary 7704").locator(".clock").waitFor();
    await bob.does("canary 7704", "Reply");
    await bob.says("quoting the bird");
    await alice.theirs("quoting the bird").locator(".quote").waitFor();
    await bob.page.locator(".message-ending").waitFor();
    await bob.noBarrier("a burning message");
    for (const p of [alice, bob]) {
      await p.page.waitForFunction(() => !document.body.innerHTML.includes("canary 7704"));
      await p.page.locator(".quote-gone").waitFor();
      await p.page.keyboard.press("Control+f");
      await p.page.getByRole("searchbox").fill("canary");
      await p.page.getByText("Nothing found").first().waitFor();
      await p.page.getByRole("searchbox").press("Escape");
    }
    assert.ok(!(await w.dave.call("messages", { room: w.harbour })).some((m) => m.mine === false && m.text === "canary 7704" && m.expires && m.expires < Date.now()));
    assert.ok(!stage.log.includes("canary"));
  },

  "a room's clocks are set in the room, shown to all, and kept": async (w) => {
    const { alice, bob } = w;
    const { page } = alice;
    await page.locator(".room-title").click();
    await page.locator(".details").waitFor();
    await alice.noBarrier("the details of a room");
    await page.getByRole("button", { name: /^Disappear/ }).click();
    await page.getByRole("menuitem", { name: "Other …" }).click();
    await page.getByLabel("Count").fill("6");
    await page.getByLabel("Unit").selectOption({ label: "seconds" });
    await page.locator(".dialog").getByRole("button", { name: "Save" }).click();
    await bob.page.locator(".timeline", { hasText: "Alice set messages to go after 6 sec" }).waitFor();
    await bob.page.locator(".room-sub", { hasText: "6" }).first().waitFor();
    await bob.says("soon forgotten");
    await alice.hears("soon forgotten");
    for (const p of [alice, bob]) await p.message("soon forgotten").waitFor({ state: "detached" });
    await page.getByRole("button", { name: /^Disappear/ }).click();
    await page.getByRole("menuitemradio", { name: "Never" }).click();
    await bob.page.locator(".timeline", { hasText: "Alice turned the timers off" }).waitFor();
    await page.locator(".room-title").click();
  },

  "a browser is let in by a code, has its rooms, and is shut out again": async (w) => {
    const { stage, alice, bob } = w;
    await alice.settings("Devices");
    await alice.page.getByRole("button", { name: "Link a device" }).click();
    const address = await alice.page.locator(".link-address").innerText();
    await alice.noBarrier("linking a device");
    const tablet = await stage.visitor();
    const { page } = tablet;
    await page.getByRole("button", { name: /I use Sconce already/ }).click();
    await page.getByRole("textbox").fill(address);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByLabel("Name of this device").fill("tablet");
    await tablet.fillPassphrase();
    await page.getByRole("button", { name: "Continue" }).click();
    const code = await eventually(async () => /SD1-\S+/.exec(await page.locator(".link-code").innerText())?.[0], "the code");
    await tablet.noBarrier("the code of a new device");
    await alice.page.getByLabel("Code", { exact: true }).fill(`${code.slice(0, -1)}${code.endsWith("7") ? 8 : 7}`);
    await alice.page.getByRole("button", { name: "Let it in" }).click();
    await alice.page.getByText("That is not the code, or a character of it is wrong").waitFor();
    await alice.page.getByLabel("Code", { exact: true }).fill(code);
    await alice.page.getByRole("button", { name: "Let it in" }).click();
    await page.waitForSelector(".desk");
    await alice.page.locator(".devices", { hasText: "tablet" }).waitFor();
    await alice.noBarrier("the devices");
    await alice.page.locator(".toast", { hasText: "tablet is one of your devices now" }).waitFor();
    await tablet.row("Harbour").waitFor();
    await tablet.row("Bob").waitFor();
    await bob.opens("Harbour");
    await bob.says("welcome, tablet");
    await tablet.opens("Harbour");
    await tablet.hears("welcome, tablet");
    await tablet.says("from the tablet");
    await bob.hears("from the tablet");

    await alice.page.getByRole("button", { name: "Remove tablet" }).click();
    await alice.page.locator(".dialog").getByRole("button", { name: "Remove", exact: true }).last().click();
    await page.getByRole("heading", { name: "This device was removed" }).waitFor();
    assert.equal(await page.locator(".toast").count(), 0, "the same is said twice");
    await tablet.noBarrier("a removed device");
    await bob.page.locator(".notice", { hasText: "The devices of Alice changed" }).first().waitFor();
    await alice.page.locator(".devices", { hasText: "tablet" }).waitFor({ state: "detached" });
    await alice.page.keyboard.press("Escape");
    await bob.says("without the tablet");
    await alice.opens("Harbour");
    await alice.hears("without the tablet");
    assert.ok(!(await page.content()).includes("without the tablet"));
    await stage.leaves(tablet, /status of 40\d/);
  },

  "a camera reads the code of a new device, and the safety number of a person": async (w) => {
    const { stage, alice, bob } = w;
    await alice.settings("Devices");
    await alice.page.getByRole("button", { name: "Link a device" }).click();
    const address = await alice.page.locator(".link-address").innerText();
    const phone = await stage.visitor(address);
    await phone.page.getByLabel("Name of this device").fill("phone");
    await phone.fillPassphrase();
    await phone.page.getByRole("button", { name: "Continue" }).click();
    await phone.page.locator(".qr svg").waitFor();
    await film(stage.camera, phone.page.locator(".qr"));
    await alice.page.getByRole("button", { name: "Scan", exact: true }).click();
    await phone.page.waitForSelector(".desk");
    await alice.page.locator(".devices", { hasText: "phone" }).waitFor();
    assert.equal(await alice.page.locator("video").count(), 0, "the camera is still on");
    await alice.page.getByRole("button", { name: "Remove phone" }).click();
    await alice.page.locator(".dialog").getByRole("button", { name: "Remove", exact: true }).last().click();
    await phone.page.getByRole("heading", { name: "This device was removed" }).waitFor();
    await alice.page.keyboard.press("Escape");

    const safety = async (person, other) => {
      await person.opens(other);
      await person.page.locator(".room-title").click();
      await person.page.locator(".details").getByRole("button", { name: /^(Verify|Safety number)$/ }).click();
      await person.page.locator(".safety .qr svg").waitFor();
    };
    const leaves = async (person) => {
      await person.page.keyboard.press("Escape");
      await person.page.locator(".dialog").waitFor({ state: "detached" });
      await person.page.locator(".room-title").click();
    };
    await safety(bob, "Alice");
    await safety(alice, "Bob");
    await film(stage.camera, bob.page.locator(".safety .qr"));
    await alice.page.getByRole("button", { name: "Scan", exact: true }).click();
    await alice.page.getByText("The numbers are the same").waitFor();
    await alice.page.getByRole("button", { name: "They are the same" }).click();
    await alice.page.locator(".room-name .mark-verified").waitFor();
    await leaves(bob);
    await alice.page.locator(".room-title").click();
    await stage.leaves(phone, /status of 40\d/);
  },

  "a passkey makes an account, and opens it again": async (w) => {
    const { stage } = w;
    const pia = await stage.visitor(await stage.invite("Pia"), {
      before: async (page, context) => {
        const cdp = await context.newCDPSession(page);
        await cdp.send("WebAuthn.enable");
        await cdp.send("WebAuthn.addVirtualAuthenticator", {
          options: { protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true, hasUserVerification: true, hasPrf: true, isUserVerified: true, automaticPresenceSimulation: true },
        });
      },
    });
    const { page } = pia;
    await page.getByLabel("Your name").fill("Pia");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("radio", { name: "Passkey" }).click();
    await page.getByRole("button", { name: "Join", exact: true }).click();
    await pia.keepRecovery();
    await pia.begins(["Alice"]);
    await pia.says("by fingerprint");
    await pia.locks();
    await pia.noBarrier("the lock with a passkey");
    await page.getByRole("button", { name: "Unlock with passkey" }).click();
    await page.waitForSelector(".desk");
    await pia.opens("Alice");
    await pia.mine("by fingerprint").waitFor();
    await stage.leaves(pia);
  },

  "who is idle for long finds the page locked": async (w) => {
    const { alice } = w;
    const { page } = alice;
    await page.clock.install();
    await alice.settings("Privacy");
    await alice.locksWhenIdle("5 minutes");
    await eventually(async () => {
      await page.clock.fastForward("02:00");
      return page.getByRole("heading", { name: "Locked" }).isVisible();
    }, "the lock");
    await alice.reloads();
    await alice.unlocks();
    await alice.settings("Privacy");
    await alice.locksWhenIdle("Never");
    await page.keyboard.press("Escape");
  },

  "tabs share one core, and one that leads may go at any moment": async (w) => {
    const { stage, alice, bob } = w;
    const second = await alice.opensTab();
    await second.opens("Harbour");
    await bob.opens("Harbour");
    const sent = [];
    let leading = alice;
    let other = second;
    const times = [];
    for (let round = 0; round < 3; round++) {
      const text = `over the gap ${round}`;
      await other.page.evaluate((text) => {
        // From Enter to the moment when a core has taken the message.
        globalThis.took = undefined;
        const there = () => [...document.querySelectorAll(".message-mine")].some((m) => m.textContent.includes(text));
        addEventListener("keydown", (e) => {
          if (e.key !== "Enter") return;
          const began = performance.now();
          const watch = new MutationObserver(() => {
            if (!there()) return;
            globalThis.took = performance.now() - began;
            watch.disconnect();
          });
          watch.observe(document.body, { childList: true, subtree: true });
        }, { capture: true });
      }, text);
      await other.types(text);
      await Promise.all([leading.page.close(), other.page.keyboard.press("Enter")]);
      await other.mine(text).waitFor();
      times.push(Math.round(await other.page.evaluate(() => globalThis.took)));
      sent.push(text);
      leading = w.alice = other;
      other = w.second = await leading.opensTab();
      await other.opens("Harbour");
    }
    stage.measured("a message sent while the leading tab goes is queued after, ms", times.join(" "));
    for (const text of sent) await bob.hears(text);
    await eventually(async () => (await bob.texts()).filter((t) => t.startsWith("over the gap")).length === sent.length, "each message once");
    assert.ok(Math.max(...times) < 5_000, `a hand-over took ${times} ms`);
  },

  "a reload in the middle of sending loses nothing and doubles nothing": async (w) => {
    const { alice, bob } = w;
    const second = (w.second ??= await alice.opensTab());
    await bob.opens("Harbour");
    const texts = [];
    for (let i = 0; i < 4; i++) {
      const who = i % 2 ? second : alice;
      await who.opens("Harbour");
      texts.push(`in mid-sentence ${i}`);
      await who.says(texts[i]);
      await who.reloads();
      await who.page.waitForSelector(".desk");
    }
    for (const text of texts) await bob.hears(text);
    assert.deepEqual((await bob.texts()).filter((t) => t.startsWith("in mid-sentence")).sort(), texts);
    await alice.opens("Harbour");
    for (const text of texts) await alice.mine(text).waitFor();
    assert.deepEqual((await alice.texts()).filter((t) => t.startsWith("in mid-sentence")).sort(), texts);
  },

  "whoever takes the lock by force is told of, and nothing is lost": async (w) => {
    const { stage, alice, second } = w;
    await second?.page.close();
    w.second = undefined;
    await alice.page.evaluate(() => {
      globalThis.thief = new AbortController();
      navigator.locks.request("sconce-core", { steal: true }, () => new Promise((resolve) => thief.signal.addEventListener("abort", resolve))).catch(() => {});
    });
    await alice.page.getByText(/open elsewhere/).first().waitFor();
    await alice.page.evaluate(() => globalThis.thief.abort());
    await alice.page.waitForFunction(() => document.querySelector(".desk"));
    await alice.opens("Bob");
    await alice.opens("Harbour");
    await alice.says("still here");
    await w.bob.hears("still here");
    stage.calm(alice);
  },

  "without a server the page opens, shows what it has, and sends on return": async (w) => {
    const { stage, alice, bob } = w;
    await alice.page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
    await stage.endServer("SIGTERM");
    await alice.page.locator(".connection-bar", { hasText: "Offline" }).waitFor();
    await alice.says("written at sea");
    await alice.state("written at sea", "Waits to be sent");
    await alice.noBarrier("offline");
    await alice.reloads();
    await alice.unlocks();
    await alice.opens("Harbour");
    await alice.state("written at sea", "Waits to be sent");
    await alice.mine("still here").waitFor();
    await alice.says("and this");
    await stage.startServer();
    await bob.hears("written at sea");
    await bob.hears("and this");
    await alice.state("and this", "Read");
    await alice.page.locator(".connection-bar").waitFor({ state: "detached" });
    for (const p of [alice, bob]) stage.calm(p, away);
  },

  "a server that is killed in the middle of a conversation costs nobody a word": async (w) => {
    const { stage, alice, bob } = w;
    const texts = [];
    const talk = async () => {
      for (let i = 0; i < 6; i++) {
        const who = i % 2 ? bob : alice;
        texts.push(`through the storm ${i}`);
        await who.says(texts[i]);
      }
    };
    const kill = async () => {
      await alice.mine("through the storm 2").waitFor();
      await stage.endServer("SIGKILL");
      await stage.startServer();
    };
    await Promise.all([talk(), kill()]);
    for (const p of [alice, bob]) {
      await eventually(async () => (await p.texts()).filter((t) => t.startsWith("through the storm")).length === texts.length, "every word");
      await p.page.waitForFunction(() => ![...document.querySelectorAll(".delivery")].some((d) => d.getAttribute("aria-label") === "Waits to be sent"));
    }
    assert.deepEqual((await alice.texts()).slice(-6), (await bob.texts()).slice(-6));
    for (const p of [alice, bob]) stage.calm(p, away);
  },

  "notifications say that there is something, and not what": async (w) => {
    const { alice, bob } = w;
    const { page } = alice;
    await alice.context.grantPermissions(["notifications"]);
    await page.evaluate(() => {
      globalThis.told = [];
      globalThis.Notification = class {
        static permission = "granted";
        static requestPermission = async () => "granted";
        constructor(title, options) {
          globalThis.told.push(`${title}: ${options.body}`);
        }
        close() {
          globalThis.told.push("closed");
        }
      };
    });
    await alice.settings("Notifications");
    await alice.noBarrier("settings of notifications");
    const on = page.getByRole("switch", { name: "Notifications of this browser" });
    if ((await on.getAttribute("aria-checked")) !== "true") await on.click();
    await page.keyboard.press("Escape");
    await alice.opens("Bob");
    await bob.opens("Harbour");
    await bob.says("nothing for the lock screen");
    await page.waitForFunction(() => globalThis.told.length > 0);
    assert.deepEqual(await page.evaluate(() => globalThis.told), ["New message: Open Sconce to read it."]);
    await alice.opens("Harbour");
    await page.waitForFunction(() => globalThis.told.includes("closed"));
  },

  "every page of the settings is free of barriers, in German too": async (w) => {
    const { alice } = w;
    const { page } = alice;
    for (const tab of ["Profile", "Appearance", "Privacy", "About"]) {
      await alice.settings(tab);
      await alice.noBarrier(`settings: ${tab}`);
      await page.keyboard.press("Escape");
    }
    await alice.settings("Appearance");
    await page.getByRole("radio", { name: "Dark" }).click();
    await page.getByRole("radio", { name: "Deutsch" }).click();
    await page.getByRole("heading", { name: "Aussehen" }).waitFor();
    await alice.noBarrier("settings in German and dark");
    await page.getByRole("radio", { name: "English" }).click();
    await page.getByRole("radio", { name: "Light" }).click();
    await page.keyboard.press("Escape");
    await alice.reloads();
    await alice.unlocks();
  },

  "after a burn the browser's files do not hold what it said": async (w) => {
    const { stage, alice } = w;
    const profile = join(stage.work, "profile");
    const canary = "canary-of-the-profile-4711";
    const uma = await stage.joins("Uma", { profile });
    await alice.begins(["Uma"]);
    await alice.page.locator("button.life").click();
    await alice.page.getByRole("menuitemradio", { name: "10 seconds" }).click();
    await alice.says(canary);
    await uma.opens("Alice");
    await uma.hears(canary);
    await uma.message(canary).waitFor({ state: "detached" });
    await stage.leaves(uma);
    const found = [];
    for (const entry of readdirSync(profile, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const bytes = readFileSync(path);
      if ([canary, passphrase, uma.recovery].some((s) => bytes.includes(s) || bytes.includes(Buffer.from(s, "utf16le")))) found.push(path);
    }
    assert.deepEqual(found, []);
  },
};
