// Two people meet in the page that a real server serves, with its real core:
// they sign up, find each other, write, read, and see a message burn; then one
// locks and comes back. node test/people.mjs INVITE INVITE
import assert from "node:assert/strict";
import { launch, open } from "./browser.mjs";

const [first, second] = process.argv.slice(2);
if (!first || !second) throw new Error("usage: people.mjs INVITE INVITE");
const passphrase = "lantern harbour ledger";
const patience = Number(process.env.PATIENCE ?? 60_000);
const browser = await launch();

/** Signs a person up, and gives their page. */
async function join(invite, name) {
  const began = Date.now();
  const person = await open(browser, invite);
  const { page } = person;
  page.setDefaultTimeout(patience);
  await page.waitForSelector("text=You are invited");
  console.log(`${name} sees the invite after ${Date.now() - began} ms`);
  assert.equal(await page.evaluate(() => location.hash), "", "the invite stays in the address bar");
  await page.getByLabel("Your name").fill(name);
  await page.keyboard.press("Enter");
  for (const field of await page.locator("input[type=password]").all()) await field.fill(passphrase);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".recovery");
  const key = (await page.locator(".recovery > span").allInnerTexts()).map((g) => g.replace(/^\d+\s*/, ""));
  await page.click("text=I have saved it");
  await page.waitForSelector(".recovery-check");
  for (const [i, label] of (await page.locator(".recovery-check label").allInnerTexts()).entries()) {
    await page.locator(".recovery-check input").nth(i).fill(key[Number(/\d+/.exec(label)[0]) - 1]);
  }
  await page.keyboard.press("Enter");
  await page.waitForSelector(".list");
  console.log(`${name} is in after ${Date.now() - began} ms`);
  return person;
}

async function write(page, text) {
  await page.click(".editor");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

try {
  const alice = await join(first, "Alice");
  const bob = await join(second, "Bob");
  const a = alice.page;
  const b = bob.page;

  await a.bringToFront();
  await a.click(".list-head .icon-button");
  await a.click(".choose .person:has-text('Bob')");
  await a.click(".dialog-foot .button-main");
  await a.waitForSelector(".editor");
  await write(a, "hello **Bob**");
  await b.bringToFront();
  await b.click(".row:has-text('hello Bob')");
  await b.waitForSelector(".message strong:has-text('Bob')");
  await write(b, "and hello to you");
  await a.bringToFront();
  await a.waitForSelector(".message:has-text('and hello to you')");
  await a.waitForSelector(".message-mine .delivery[aria-label=Read]");
  console.log("both have read each other");

  await a.click(".room-title");
  await a.click(".timer-button[aria-label^='Burn']");
  await a.click("[role=menuitemradio]:has-text('10 sec')");
  await a.waitForSelector(".notice:has-text('You set messages to burn')");
  await b.waitForSelector(".notice:has-text('Alice set messages to burn')");
  await b.waitForSelector(".room-sub-hot");
  await write(a, "gone in ten");
  await b.bringToFront();
  await b.waitForSelector(".message-ending:has-text('gone in ten')");
  for (const page of [b, a]) {
    await page.bringToFront();
    await page.waitForFunction(() => !document.body.textContent.includes("gone in ten"));
  }
  console.log("it burned at both");

  await b.bringToFront();
  await b.keyboard.press("Control+k");
  await b.keyboard.type("lock");
  await b.keyboard.press("Enter");
  await b.waitForSelector("text=What this device keeps is sealed");
  assert.doesNotMatch(await b.content(), /hello/);
  await a.bringToFront();
  await write(a, "are you there?");
  await b.bringToFront();
  await b.getByLabel("Passphrase", { exact: true }).fill(passphrase);
  await b.keyboard.press("Enter");
  await b.waitForSelector(".row:has-text('are you there?')");
  console.log("a locked device comes back to what was said meanwhile");

  assert.deepEqual(alice.faults, []);
  assert.deepEqual(bob.faults, []);
  console.log("ok");
} finally {
  await browser.close();
}
