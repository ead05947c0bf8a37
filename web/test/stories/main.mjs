// The stories of the page with its real core: run by the tests of internal/e2e,
// which read what this prints.
//
//   node test/stories/main.mjs BIN CHROMIUM WORK [PATTERN of stories' names]
//
// BIN holds sconced, which carries the page, and sconce; WORK is an empty folder.
// With LATE=MILLISECONDS every core is that slow to hear its page.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { app } from "./app.mjs";
import { faults } from "./faults.mjs";
import { hostile } from "./hostile.mjs";
import { lasting } from "./lasting.mjs";
import { messages } from "./messages.mjs";
import { Stage } from "./stage.mjs";

const [bin, executable, work, pattern = ""] = process.argv.slice(2);
const only = new RegExp(pattern);
const stage = new Stage(bin, executable, work);
const tell = (line) => console.log(JSON.stringify(line));
// What the later ones stand on: who is there, and that they have met.
const founding = Object.keys(messages).slice(0, 3);

// Whoever plays the stories may stop in the middle: the server and the browser go too.
process.once("SIGINT", () => void stage.close().finally(() => process.exit(130)));

async function play(w, name, story) {
  const began = Date.now();
  try {
    await story(w);
    for (const person of stage.people) stage.calm(person);
    tell({ story: name, ms: Date.now() - began });
    return true;
  } catch (error) {
    const folder = join(work, "pictures");
    mkdirSync(folder, { recursive: true });
    for (const [i, page] of stage.people.flatMap((p) => p.context.pages()).entries()) {
      await page.screenshot({ path: join(folder, `${name.replace(/\W+/g, "-").slice(0, 60)}-${i}.png`), timeout: 5_000 }).catch(() => undefined);
    }
    const faults = stage.people.flatMap((p) => p.faults.splice(0));
    await stage.mends(w).catch((still) => faults.push(`and it could not be mended for the next: ${still.message}`));
    tell({ story: name, ms: Date.now() - began, error: [String(error.stack ?? error), ...faults].join("\n") });
    return false;
  }
}

try {
  await stage.open();
  const w = { stage };
  for (const [name, story] of Object.entries({ ...messages, ...lasting, ...hostile, ...app, ...faults })) {
    if (!only.test(name) && !founding.includes(name)) continue;
    if (!(await play(w, name, story)) && founding.includes(name)) break;
  }
} finally {
  await stage.close();
}
