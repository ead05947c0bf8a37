// What may meet the page outside: people who mean ill, and machines that are not as they should be.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";

const messages = [
  "<script>globalThis.owned=1</script><img src=x onerror=\"globalThis.owned=1\"><iframe src=\"javascript:globalThis.owned=1\"></iframe>",
  "[click me](javascript:globalThis.owned=1) [and me](data:text/html,<script>globalThis.owned=1</script>) ![x](https://tracker.example/x.png)",
  "[https://bank.example](https://bank.example@evil.example/)",
  "invoice \u202Egnp.exe \u2066and\u2069 more",
  `e${"\u0301".repeat(20_000)}`,
  "> ".repeat(2_000) + "deep",
  "*".repeat(5_000) + "_".repeat(5_000),
  `${"A".repeat(30_000)}`,
  "[@Alice](mimi://elsewhere/u/nobody) [@Bob](mimi://x/../../y)",
];

/** A proxy before a server that lets no WebSocket pass. */
async function withoutSockets(to) {
  const proxy = createServer((asked, answer) => {
    const passed = request({ port: to, host: "127.0.0.1", path: asked.url, method: asked.method, headers: asked.headers }, (from) => {
      answer.writeHead(from.statusCode, from.headers);
      from.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    answer.on("close", () => passed.destroy());
    asked.pipe(passed);
  });
  proxy.on("upgrade", (_, socket) => socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return { port: proxy.address().port, close: () => (proxy.closeAllConnections(), proxy.close()) };
}

export const hostile = {
  "what a modified client sends is shown as letters and does nothing": async (w) => {
    const { alice, dave, harbour } = w;
    await alice.opens("Harbour");
    for (const text of messages) await dave.call("send", { room: harbour, text });
    await assert.rejects(dave.call("send", { room: harbour, text: "\u0301".repeat(1 << 17) }), { code: /too_large|invalid|params|failed/ });
    await dave.call("send", { room: harbour, text: "the last of them" });
    await alice.hears("the last of them");
    const { page } = alice;
    await page.locator(".timeline-scroll").evaluate((e) => e.scrollTo(0, 0));
    await page.locator(".timeline-scroll").evaluate((e) => e.scrollTo(0, e.scrollHeight));
    assert.equal(await page.evaluate(() => globalThis.owned), undefined);
    assert.equal(await page.locator(".timeline script, .timeline iframe, .timeline img").count(), 0);
    const links = await page.locator(".timeline a").evaluateAll((all) => all.map((a) => a.protocol));
    assert.ok(links.every((p) => /^(https?|mailto):$/.test(p)), links.join());
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it is wider than the screen");
    await alice.says("all is calm");
    await w.bob.opens("Harbour");
    await w.bob.page.keyboard.press("Control+j"); // it opens where the unread begins
    await w.bob.hears("all is calm");
  },

  "names that turn the direction of text are tamed": async (w) => {
    const { alice, dave } = w;
    await dave.call("rename", { name: "Dave \u202Eecila\u202C" }).catch(() => undefined); // a server may refuse it already
    await dave.call("send", { room: w.harbour, text: "who am I" });
    await alice.hears("who am I");
    const names = await alice.page.locator(".sender, .row-name, .room h1, .person-name").allInnerTexts();
    assert.doesNotMatch(names.join(), /[\u202A-\u202E\u2066-\u2069]/u);
  },

  "where a proxy lets no WebSocket pass, everything goes by polling": async (w) => {
    const { stage, alice } = w;
    const proxy = await withoutSockets(stage.port);
    const link = (await stage.invite("Rosa")).replace(stage.url, `http://localhost:${proxy.port}`);
    const rosa = await stage.visitor(link);
    await rosa.signUp("Rosa");
    await rosa.begins(["Alice"]);
    await rosa.says("through the keyhole");
    await alice.opens("Rosa");
    await alice.hears("through the keyhole");
    await alice.says("and back");
    await rosa.hears("and back");
    await rosa.state("through the keyhole", "Read");
    await stage.leaves(rosa, new RegExp(`WebSocket connection to|status of 403|request to \\S+:${proxy.port}/`));
    proxy.close();
  },
};
