// Pictures of the stories: node test/shots.mjs FOLDER [story,story] [1440x900,390x844] [light,dark]
// node test/shots.mjs FOLDER album takes those of docs/screens that stories/pictures.mjs does not.
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launch, open, told } from "./browser.mjs";
import { serve } from "./serve.mjs";

const [folder, asked = "", sizes = "1440x900,1024x768,390x844", schemes = "light,dark", query = ""] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const real = ["room", "details", "burning", "devices"];
const phone = ["chats", "invited"];
const server = await serve(fileURLToPath(new URL("../dist-story", import.meta.url)));
const browser = await launch();
/** What to take: stories, with the sizes and the colours of each. */
async function wanted() {
  if (asked !== "album") return asked.split(",").map((story) => [story, sizes, schemes]);
  const { page, close } = await open(browser, `${server.url}/?story=welcome`);
  await told(page);
  const all = await page.evaluate(() => globalThis.sconce.stories);
  await close();
  return [...all.filter((s) => !real.includes(s)).map((s) => [s, "1440x900", "light"]), ...phone.map((s) => [s, "390x844", "light,dark"])];
}

try {
  for (const [story, sizes, schemes] of await wanted()) {
    for (const size of sizes.split(",")) {
      for (const colorScheme of schemes.split(",")) {
        const [width, height] = size.split("x").map(Number);
        const { page, faults, close } = await open(browser, `${server.url}/?story=${story}${query}`, { viewport: { width, height }, colorScheme, hasTouch: width < 500 });
        await told(page).catch((e) => console.log(story, e.message));
        await page.waitForTimeout(350);
        await page.screenshot({ path: `${folder}/${story}-${width}-${colorScheme}.png` });
        for (const f of faults) console.log(story, size, colorScheme, f);
        await close();
      }
    }
  }
} finally {
  await browser.close();
  await server.stop();
}
