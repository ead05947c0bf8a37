// Those pictures of docs/screens that show the real page, with people behind it who
// are made up, and what they say too; test/shots.mjs takes the others. Look at each
// before you keep it.
//
//   node test/stories/pictures.mjs BIN CHROMIUM WORK TO
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { eventually, passphrase, Stage } from "./stage.mjs";

const [bin, executable, work, to] = process.argv.slice(2);
const sizes = [[1440, 900], [1024, 768], [390, 844]];
const stage = new Stage(bin, executable, work);
mkdirSync(to, { recursive: true });

async function picture(person, name, [width, height], colorScheme) {
  await person.page.setViewportSize({ width, height });
  await person.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await person.page.evaluate(() => document.fonts.ready.then(() => undefined));
  await person.page.waitForTimeout(400); // colours fade
  await person.page.screenshot({ path: join(to, `${name}-${width}-${colorScheme}.png`) });
}

async function everywhere(person, name) {
  for (const size of sizes) for (const scheme of ["light", "dark"]) await picture(person, name, size, scheme);
  await person.page.setViewportSize({ width: 1440, height: 900 });
  await person.page.emulateMedia({ colorScheme: "light" });
}

/** Somebody behind sconce rpc. */
async function actor(name) {
  const who = name.split(" ")[0].toLowerCase();
  await stage.joinTerminal(who, name);
  const door = stage.rpc(who);
  await door.call("subscribe");
  return door;
}

try {
  await stage.open();
  const mira = await stage.visitor(await stage.invite("Mira Halden"));
  await mira.page.getByLabel("Your name").fill("Mira Halden");
  await picture(mira, "join", sizes[0], "light");
  await picture(mira, "join", sizes[2], "dark");
  await mira.page.setViewportSize({ width: 1440, height: 900 });
  await mira.signUp("Mira Halden");
  const [jonas, aisha, wen] = [await actor("Jonas Brandt"), await actor("Aisha Karimi"), await actor("Wen Li")];
  const me = async (door) => (await door.call("people")).find((p) => p.name === "Mira Halden").user;

  const wenRoom = (await wen.call("directRoom", { user: await me(wen) })).room;
  await wen.call("send", { room: wenRoom, text: "The *handbook* is printed. Forty copies, smells of glue." });
  await mira.begins(["Jonas Brandt", "Aisha Karimi", "Wen Li"], "Harbour watch");
  await mira.says("Morning. Who has the early tide?");
  const room = await eventually(async () => (await jonas.call("rooms")).find((r) => r.name === "Harbour watch")?.room, "the room");
  for (const door of [aisha, wen]) await eventually(async () => (await door.call("rooms")).some((r) => r.room === room), "the room");
  const says = async (door, text, more = {}) => {
    const sent = await door.call("send", { room, text, ...more });
    await mira.hears(text.replace(/[*`>]/g, "").split("\n")[0].slice(0, 30));
    return sent;
  };
  const offer = await says(jonas, "I do, with the **spare impeller**. The old one sings.");
  await says(aisha, "Then take the long line too:\n- cleats are wet\n- the crane is out until four");
  await says(aisha, "Tide table says 04:40, not 05:10.");
  await mira.says("Good catch. I will tell the pilots.");
  await says(wen, "Radio check on `16` at half past?", { replyTo: offer.id });
  await eventually(async () => {
    const mine = (await jonas.call("messages", { room })).find((m) => m.text?.startsWith("Good catch"));
    if (mine) for (const door of [jonas, aisha]) await door.call("react", { room, message: mine.id, emoji: "⚓" });
    return mine;
  }, "the reaction");
  await mira.page.locator(".reaction").first().waitFor();

  const direct = (await jonas.call("directRoom", { user: await me(jonas) })).room;
  await jonas.call("send", { room: direct, text: "The gate code for tonight is on its way." });
  await mira.row("Jonas Brandt").locator(".badge").waitFor();
  await mira.mine("Good catch").locator('.delivery[aria-label="Read"], .delivery[aria-label="Delivered"]').waitFor();
  await everywhere(mira, "room");

  await mira.page.keyboard.press("Control+.");
  await mira.page.locator(".details").waitFor();
  await everywhere(mira, "details");
  await mira.page.keyboard.press("Control+.");
  await mira.page.keyboard.press("Control+k");
  await mira.page.keyboard.type("ja");
  await picture(mira, "switcher", sizes[0], "dark");
  await mira.page.keyboard.press("Escape");

  await mira.opens("Jonas Brandt");
  await mira.page.locator("button.life").click();
  await mira.page.getByRole("menuitemradio", { name: "1 hour" }).first().click();
  await mira.says("Would not dream of writing it down.");
  // Six pictures take longer than the last ten seconds of one message.
  for (const size of sizes) {
    for (const scheme of ["light", "dark"]) {
      await jonas.call("send", { room: direct, text: "Gate: 7704. Forget it.", burn: 9 });
      await mira.page.locator(".message-ending").waitFor();
      await mira.page.waitForTimeout(2_000);
      await picture(mira, "burning", size, scheme);
      await mira.page.locator(".message-ending").waitFor({ state: "detached" });
    }
  }
  await mira.page.setViewportSize({ width: 1440, height: 900 });
  await mira.page.emulateMedia({ colorScheme: "light" });
  await mira.settings("Devices");
  await picture(mira, "devices", sizes[0], "light");
  await mira.page.keyboard.press("Escape");
  await mira.locks();
  await mira.page.locator("input[type=password]").fill(passphrase);
  await picture(mira, "locked", sizes[0], "dark");
} finally {
  await stage.close();
}
