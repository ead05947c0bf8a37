// Coming in, and what people say to each other.
import assert from "node:assert/strict";
import { eventually, passphrase } from "./stage.mjs";

export const messages = {
  "a person joins by a link alone, with the keyboard alone, and the page is there at once": async (w) => {
    const { stage } = w;
    const alice = (w.alice = await stage.visitor(await stage.invite("Alice"), {
      before: (_, context) => context.addInitScript(() => {
        const look = () => {
          if (document.querySelector(".inviter")) globalThis.usable = performance.now();
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      }),
    }));
    const { page } = alice;
    await page.getByLabel("Your name").waitFor();
    await page.waitForFunction(() => globalThis.usable);
    const times = await page.evaluate(() => ({ paint: Math.round(performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN), usable: Math.round(globalThis.usable) }));
    stage.measured("first paint, ms", times.paint);
    stage.measured("usable, ms", times.usable);
    // What is promised is 500 and 1500 ms; a machine that tests has more to do.
    assert.ok(times.paint < 5_000 && times.usable < 20_000, `painted after ${times.paint} ms, usable after ${times.usable} ms`);
    assert.equal(await page.evaluate(() => location.hash), "", "the invite is still in the address bar");
    await alice.noBarrier("the invite");

    const keys = page.keyboard;
    await keys.type("Alice");
    await keys.press("Enter");
    await page.getByRole("heading", { name: "Lock up your messages" }).waitFor();
    await alice.noBarrier("the passphrase");
    await alice.tabTo("input[type=password]");
    await keys.type("short");
    await keys.press("Enter");
    await page.getByText("At least 8 characters").waitFor();
    await keys.press("Control+a");
    await keys.type(passphrase);
    await keys.press("Tab");
    await alice.tabTo("input[type=password]");
    await keys.type(passphrase);
    await keys.press("Enter");
    await page.waitForSelector(".recovery");
    await alice.noBarrier("the recovery key");
    const groups = await page.locator(".recovery > span").evaluateAll((all) => all.map((e) => e.lastChild.textContent));
    await alice.tabTo(".button-main");
    await keys.press("Enter");
    await page.waitForSelector(".recovery-check");
    await keys.type("WRONG");
    await keys.press("Enter");
    await page.getByText("Not right").first().waitFor();
    await alice.noBarrier("the check of the recovery key");
    await page.locator(".recovery-check input").first().focus();
    for (const label of await page.locator(".recovery-check label").allInnerTexts()) {
      await keys.press("Control+a");
      await keys.type(groups[Number(/\d+/.exec(label)[0]) - 1].toLowerCase());
      await keys.press("Tab");
    }
    await alice.tabTo(".button-main");
    await keys.press("Enter");
    await page.waitForSelector(".desk");
    await alice.noBarrier("the empty desk");
    alice.name = "Alice";
  },

  "two people write to each other, and each sees what became of it": async (w) => {
    w.bob = await w.stage.joins("Bob");
    const { alice, bob } = w;
    await alice.begins(["Bob"]);
    await alice.says("hello Bob");
    await bob.row("Alice").locator(".badge").waitFor();
    await bob.row("Alice").locator(".row-preview", { hasText: "hello Bob" }).waitFor();
    assert.match(await bob.page.title(), /^\(1\)/);
    await alice.state("hello Bob", "Delivered");
    await bob.opens("Alice");
    await bob.hears("hello Bob");
    await alice.state("hello Bob", "Read");
    await bob.page.waitForFunction(() => document.title === "Sconce");
    await bob.types("writing");
    await alice.page.locator(".typing", { hasText: "Bob is writing" }).waitFor();
    await bob.page.keyboard.press("Control+a");
    await bob.says("hi Alice");
    await alice.hears("hi Alice");
    await alice.noBarrier("a conversation");
  },

  "a browser, the terminal and a program are in one room, in every combination": async (w) => {
    const { stage, alice, bob } = w;
    await stage.joinTerminal("carol", "Carol");
    await stage.joinTerminal("dave", "Dave");
    w.dave = stage.rpc("dave");
    await w.dave.call("subscribe");
    await alice.begins(["Bob", "Carol", "Dave"], "Harbour");
    await alice.says("from a browser");
    await bob.opens("Harbour");
    await bob.hears("from a browser");
    await eventually(async () => /from a browser/.test(await stage.sconce("carol", "read", "Harbour")), "the terminal hears the browser");
    await stage.sconce("carol", "send", "Harbour", "from the terminal");
    const room = await eventually(async () => (await w.dave.call("rooms")).find((r) => r.name === "Harbour")?.room, "the program has the room");
    w.harbour = room;
    await w.dave.call("send", { room, text: "from a program" });
    for (const p of [alice, bob]) for (const text of ["from the terminal", "from a program"]) await p.hears(text);
    await eventually(async () => /from a program/.test(await stage.sconce("carol", "read", "Harbour", "--last", "20")), "the terminal hears the program");
    const all = ["from a browser", "from the terminal", "from a program"];
    await eventually(async () => {
      const texts = (await w.dave.call("messages", { room })).map((m) => m.text);
      return all.every((t) => texts.includes(t));
    }, "the program hears all");
    assert.deepEqual(await alice.texts(), await bob.texts());
    await alice.noBarrier("a room");
  },

  "whoever does not wish it tells nobody that they write or have read, and is not told either": async (w) => {
    const { alice, bob } = w;
    const wish = async (on) => {
      const { page } = bob;
      await page.keyboard.press("Control+,");
      await page.locator(".settings-tab", { hasText: "Privacy" }).click();
      for (const name of [/^Show that you are writing/, /^Delivery and read receipts/]) {
        const toggle = (is) => page.getByRole("switch", { name, checked: is });
        await toggle(!on).click();
        await toggle(on).waitFor();
      }
      await page.keyboard.press("Escape");
      await page.locator(".settings").waitFor({ state: "detached" });
    };
    await alice.opens("Bob");
    await bob.opens("Alice");
    await wish(false);
    await alice.says("are you there?");
    await bob.hears("are you there?");
    await bob.types("nobody is told of this");
    await alice.page.waitForTimeout(2_000);
    assert.equal(await alice.page.locator(".typing", { hasText: "is writing" }).count(), 0);
    await alice.state("are you there?", "Sent");
    await bob.page.keyboard.press("Control+a");
    await bob.says("I am");
    await alice.hears("I am");
    await bob.page.waitForTimeout(1_000);
    await bob.state("I am", "Sent");
    await wish(true);
    await bob.types("and now they are");
    await alice.page.locator(".typing", { hasText: "Bob is writing" }).waitFor();
    await bob.page.keyboard.press("Control+a");
    await bob.page.keyboard.press("Delete");
    await alice.says("good");
    await alice.state("good", "Read");
    await alice.opens("Harbour");
    await bob.opens("Harbour");
  },

  "replies, reactions, edits and deletes are the same for everybody": async (w) => {
    const { alice, bob } = w;
    await alice.says("the tide turns at four");
    await bob.hears("the tide turns at four");
    await bob.does("the tide turns at four", "Reply");
    await bob.page.getByText("Replying to Alice").waitFor();
    await bob.says("then we sail at five");
    await alice.theirs("then we sail at five").locator(".quote", { hasText: "the tide turns" }).waitFor();
    await alice.theirs("then we sail at five").click({ button: "right" });
    await alice.page.getByRole("menuitem", { name: "React with 👍" }).click();
    await bob.mine("then we sail at five").locator(".reaction", { hasText: "👍" }).waitFor();
    const emoji = await eventually(async () => (await w.dave.call("messages", { room: w.harbour })).find((m) => m.text?.includes("sail at five"))?.reactions?.[0]?.emoji, "the program sees the reaction");
    assert.equal(emoji, "👍");
    await bob.mine("then we sail at five").locator(".reaction").click();
    await alice.page.locator(".reaction", { hasText: "2" }).waitFor();

    await bob.page.locator(".editor").click();
    await bob.page.keyboard.press("ArrowUp");
    await bob.page.getByText("Editing your message").waitFor();
    await bob.page.keyboard.type(" sharp");
    await bob.page.keyboard.press("Enter");
    await alice.theirs("then we sail at five sharp").getByText("edited").waitFor();
    await bob.does("sail at five sharp", "Earlier versions");
    await bob.page.locator(".earlier", { hasText: "then we sail at five" }).waitFor();
    await bob.noBarrier("earlier versions");
    await bob.page.keyboard.press("Escape");

    await alice.says("a slip of the tongue");
    await bob.hears("a slip of the tongue");
    await alice.does("a slip of the tongue", "Delete");
    await alice.page.locator(".dialog").getByRole("button", { name: "Delete" }).click();
    for (const p of [alice, bob]) await p.message("a slip of the tongue").waitFor({ state: "detached" });
    assert.doesNotMatch(await w.stage.sconce("carol", "read", "Harbour", "--last", "50"), /slip of the tongue/);
  },

  "what is typed becomes Markdown, mentions reach whom they name, and drafts stay": async (w) => {
    const { alice, bob } = w;
    await alice.opens("Bob");
    await bob.types("**mind** the `bar`, @Ali");
    await bob.page.locator(".completions [role=option]", { hasText: "Alice" }).waitFor();
    await bob.page.keyboard.press("Enter");
    await bob.page.keyboard.press("Enter");
    await alice.row("Harbour").locator(".badge-mention").waitFor();
    await alice.types("half a thought");
    await alice.opens("Harbour");
    await alice.row("Bob").locator(".row-draft").waitFor();
    await alice.page.locator(".message-mentions .mention", { hasText: "@Alice" }).waitFor();
    await alice.page.locator(".message-theirs strong", { hasText: "mind" }).waitFor();
    await alice.row("Harbour").locator(".badge").waitFor({ state: "detached" });
    await alice.opens("Bob");
    await alice.page.locator(".editor", { hasText: "half a thought" }).waitFor();
    await alice.page.locator(".editor").click();
    await alice.page.keyboard.press("Control+a");
    await alice.page.keyboard.press("Delete");
  },

  "everyone is named by an admin, and one admin makes another": async (w) => {
    const { alice, bob, stage } = w;
    const names = async (person, typed, text) => {
      await person.types(typed);
      await person.page.locator(".completions [role=option]", { hasText: "everyone" }).waitFor();
      await person.page.keyboard.press("Enter");
      await person.says(text);
    };
    await bob.opens("Alice");
    await alice.opens("Harbour");
    await names(alice, "@all", "to the boats");
    await bob.row("Harbour").locator(".badge-mention").waitFor();
    assert.match(await stage.sconce("carol", "read", "Harbour", "--last", "5"), /@all to the boats/);
    await assert.rejects(stage.sconce("carol", "send", "Harbour", "me too", "--all"), /only an admin of a room mentions everyone in it/);
    await bob.opens("Harbour");
    await bob.message("@everyone to the boats").locator(".mention-me").waitFor();
    await bob.types("@ever");
    await bob.page.waitForTimeout(500);
    assert.equal(await bob.page.locator(".completions [role=option]", { hasText: "everyone" }).count(), 0);
    await bob.page.keyboard.press("Control+a");
    await bob.page.keyboard.press("Delete");

    const role = async (what) => {
      await alice.page.getByRole("button", { name: "More about Bob" }).click();
      await alice.page.getByRole("menuitem", { name: what }).click();
    };
    await alice.page.locator(".room-title").click();
    await role("Make admin");
    await bob.page.locator(".timeline", { hasText: "Alice made you an admin" }).waitFor();
    await names(bob, "@ever", "all back");
    await alice.message("@everyone all back").locator(".mention-me").waitFor();
    await role("No longer an admin");
    await bob.page.locator(".timeline", { hasText: "Alice took the role of admin from you" }).waitFor();
    await alice.page.locator(".room-title").click();
  },

  "what this device holds is found, and only that": async (w) => {
    const { alice } = w;
    await alice.page.keyboard.press("Control+f");
    await alice.page.getByRole("searchbox", { name: "Search messages" }).fill("tide turns");
    await alice.page.locator(".hit", { hasText: "the tide turns at four" }).waitFor();
    await alice.noBarrier("search");
    await alice.page.locator(".hit", { hasText: "the tide turns at four" }).first().click();
    await alice.in("Harbour");
    await alice.message("the tide turns at four").first().waitFor();
    await alice.page.getByRole("searchbox").fill("slip of the tongue");
    await alice.page.getByText("Nothing found").first().waitFor();
    await alice.page.getByRole("searchbox").press("Escape");
  },

  "one writes, switches and locks by keyboard alone": async (w) => {
    const { alice, bob } = w;
    const { page } = alice;
    const keys = page.keyboard;
    await keys.press("Control+k");
    await page.locator(".switcher").waitFor();
    await alice.noBarrier("the switcher");
    await keys.type("bob");
    await keys.press("Enter");
    await alice.in("Bob");
    await page.waitForFunction(() => document.activeElement?.classList.contains("editor"));
    await keys.type("by keyboard");
    await keys.press("Enter");
    await bob.opens("Alice");
    await bob.hears("by keyboard");
    await keys.press("Alt+ArrowDown");
    await alice.in("Harbour");
    await keys.press("Control+/");
    await page.locator(".keys").waitFor();
    await alice.noBarrier("the shortcuts");
    await keys.press("Escape");
    await page.locator(".keys").waitFor({ state: "detached" });
    const [core] = page.workers();
    await keys.press("Control+k");
    await keys.type("lock");
    await keys.press("Enter");
    await page.getByRole("heading", { name: "Locked" }).waitFor();
    await alice.noBarrier("the lock");
    assert.doesNotMatch(await page.content(), /by keyboard|Harbour|Bob/, "a locked page still holds what was said");
    await eventually(() => !page.workers().includes(core), "the core ends");
    await keys.type("not the passphrase");
    await keys.press("Enter");
    await page.getByText("That is not the passphrase").waitFor();
    await keys.press("Control+a");
    await keys.type(passphrase);
    await keys.press("Enter");
    await page.waitForSelector(".desk");
    await alice.row("Harbour").waitFor();
  },

  "an invite that was used lets nobody in, and says so": async (w) => {
    const link = await w.stage.invite("Nobody");
    await w.stage.sconce("nobody", "join", link, "--name", "Nobody", "--device", "x");
    const visitor = await w.stage.visitor(link);
    await visitor.page.getByLabel("Your name").fill("Eve");
    await visitor.page.getByRole("button", { name: "Continue" }).click();
    await visitor.fillPassphrase();
    await visitor.page.getByRole("button", { name: "Join", exact: true }).click();
    const said = await visitor.page.getByRole("alert").first().innerText();
    assert.doesNotMatch(said, /inside|internal/);
    await visitor.noBarrier("a refused invite");
    await w.stage.leaves(visitor, /status of 4\d\d/);
  },
};
