// The page with the core in the program: what sconce app serves, beside people in
// browsers, on the full screen of a terminal, and behind sconce rpc.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { eventually, freePort, passphrase } from "./stage.mjs";

/** What a page says whose program has ended. */
const ended = /WebSocket connection to|ERR_CONNECTION/;

/** A page of a stranger's at an address: it leaves a service worker, and answers that a browser keeps. */
async function stranger(port) {
  const server = createServer((request, response) => {
    const script = request.url === "/worker.js";
    response.writeHead(200, { "Content-Type": script ? "text/javascript" : "text/html", "Cache-Control": "max-age=31536000, immutable" });
    response.end(script
      ? `addEventListener("install", () => skipWaiting()); addEventListener("activate", (e) => e.waitUntil(clients.claim())); addEventListener("fetch", () => {});`
      : `<!doctype html><title>stranger</title><h1>a stranger's page</h1>`);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

export const app = {
  "a page whose core is in sconce app reads, writes and locks": async (w) => {
    const { stage } = w;
    await stage.joinTerminal("erin", "Erin");
    await stage.joinTerminal("finn", "Finn");
    await stage.sconce("finn", "send", "Erin", "were you there?");
    w.program = await stage.app("erin");
    const erin = (w.erin = await stage.visitor(w.program.link));
    await erin.page.getByRole("heading", { name: "Locked" }).waitFor();
    assert.equal(new URL(erin.page.url()).hash, "", "the link is still in the address bar");
    await erin.unlocks();
    await erin.opens("Finn");
    await erin.hears("were you there?");
    await erin.says("with the core in a program");
    await eventually(async () => /with the core in a program/.test(await stage.sconce("finn", "read", "Erin")), "the terminal hears the app");
    await stage.sconce("finn", "send", "Erin", "so you are");
    await erin.hears("so you are");
    await erin.noBarrier("the page of sconce app");
    assert.equal(await erin.page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0, "it has a service worker");
    await erin.locks();
    assert.ok(!(await erin.page.content()).includes("so you are"));
    await erin.unlocks();
    await erin.opens("Finn");
    await erin.reloads();
    await erin.row("Finn").waitFor();
    stage.calm(erin);
  },

  "a browser, sconce app, a terminal's screen and sconce rpc: all say, and all see": async (w) => {
    const { stage, alice, erin, dave } = w;
    if (!(await stage.hasTmux())) return stage.measured("left out, because tmux is not installed", "the screen of a terminal");
    await alice.begins(["Erin", "Finn", "Dave"], "Quay");
    const screen = await stage.terminal("finn");
    await screen.shows(/Quay/);
    screen.press("C-k");
    await screen.shows(/Quay/);
    screen.types("Quay");
    screen.press("Enter");
    const room = await eventually(async () => (await dave.call("rooms")).find((r) => r.name === "Quay")?.room, "the program has the room");
    await erin.opens("Quay");
    const all = ["said in a browser", "said in sconce app", "said on the screen", "said by rpc"];
    // At once, and nobody waits for anybody.
    const screenSays = async () => {
      screen.types(all[2]);
      screen.press("Enter");
    };
    await Promise.all([alice.says(all[0]), erin.says(all[1]), screenSays(), dave.call("send", { room, text: all[3] })]);
    for (const text of all) {
      await alice.message(text).first().waitFor();
      await erin.message(text).first().waitFor();
      await screen.shows(new RegExp(text));
    }
    const once = (texts) => assert.deepEqual(texts.filter((t) => t.startsWith("said ")).sort(), [...all].sort());
    await eventually(async () => (await dave.call("messages", { room })).filter((m) => m.text?.startsWith("said ")).length >= all.length, "the program has all");
    once((await dave.call("messages", { room })).map((m) => m.text ?? ""));
    once(await alice.texts());
    once(await erin.texts());
    assert.deepEqual(await alice.texts(), await erin.texts(), "two orders");
    const seen = (await screen.text()).split("\n").map((line) => line.slice(line.indexOf("│") + 1)).join("\n"); // without the list and its previews
    for (const text of all) assert.equal(seen.split(text).length, 2, `${text} on the screen:\n${seen}`);
    await screen.end();
    stage.calm(erin);
  },

  "sconce app beside another program locks itself, and that goes on": async (w) => {
    const { stage, dave } = w;
    const program = await stage.app("dave");
    const page = await stage.visitor(program.link);
    await page.opens("Quay");
    await page.message("said by rpc").first().waitFor();
    await page.locks();
    assert.ok(!(await page.page.content()).includes("said by rpc"));
    const room = (await dave.call("rooms")).find((r) => r.name === "Quay").room;
    await dave.call("send", { room, text: "behind your back" });
    await page.page.locator("input[type=password]").fill("another one");
    await page.page.getByRole("button", { name: "Unlock", exact: true }).click();
    await page.page.getByText("That is not the passphrase.").first().waitFor();
    assert.ok(!(await page.page.content()).includes("behind your back"));
    await page.page.locator("input[type=password]").fill("");
    await page.unlocks();
    await page.opens("Quay");
    await page.mine("behind your back").waitFor();
    await stage.leaves(page);
    await program.end();
    assert.equal((await dave.call("me")).name, "Dave");
  },

  "sconce app locks when nobody touches its page, and when the page has gone": async (w) => {
    const { stage, erin } = w;
    const { page } = erin;
    await page.evaluate(() => new Promise((done) => {
      const door = new WebSocket(`ws://${location.host}/door`, ["sconce", `sconce.${sessionStorage.getItem("sconce-session")}`]);
      let proved = false;
      door.onmessage = () => {
        if (proved) {
          door.onmessage = null;
          door.close();
          done();
          return;
        }
        proved = true;
        door.send(JSON.stringify({ id: 1, method: "setSettings", params: { idleLock: 3 } }));
      };
    }));
    await page.getByRole("heading", { name: "Locked" }).waitFor();
    await assert.rejects(stage.sconceWithout("erin", "rooms"), "a locked store is open to a command");
    await erin.unlocks();
    await erin.settings("Privacy");
    await erin.locksWhenIdle("Never");
    await page.keyboard.press("Escape");
    await eventually(() => stage.sconceWithout("erin", "rooms"), "a command beside the open page");
    const began = Date.now();
    await stage.leaves(erin);
    await eventually(() => stage.sconceWithout("erin", "rooms").then(() => false, () => true), "the lock");
    const took = Date.now() - began;
    stage.measured("sconce app locks after its page has gone, s", Math.round(took / 1000));
    assert.ok(took > 25_000, `it locked after ${took} ms: no browser starts again so fast`);
    await w.program.end();
  },

  "what a stranger left at the address of sconce app is taken away": async (w) => {
    const { stage } = w;
    const port = await freePort();
    const address = `http://127.0.0.1:${port}`;
    const server = await stranger(port);
    const person = await stage.visitor(address);
    const { page } = person;
    await page.evaluate(async () => {
      await navigator.serviceWorker.register("/worker.js");
      await navigator.serviceWorker.ready;
    });
    await page.goto(`${address}/`);
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    server.close();
    server.closeAllConnections();

    const first = await stage.app("erin", "--port", `${port}`);
    await page.goto(first.link);
    await page.getByText("Another page has used this address before").waitFor();
    assert.equal(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0);
    await first.end();

    const second = await stage.app("erin", "--port", `${port}`);
    await page.goto(second.link);
    await page.getByRole("heading", { name: "Locked" }).waitFor(); // not the stranger's, which the browser has kept for a year
    await page.locator("input[type=password]").fill(passphrase);
    await page.getByRole("button", { name: "Unlock", exact: true }).click();
    await page.waitForSelector(".desk");
    assert.equal(await page.evaluate(() => navigator.serviceWorker.controller), null);
    await stage.leaves(person, ended);
    await second.end();
  },
};
