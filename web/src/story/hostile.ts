import type { FakeDoor } from "./fake";
import { harbour } from "./world";

/** What a modified client might send to break, deceive or spy through the screen. */
export function hostile(): FakeDoor {
  const d = harbour();
  d.person("u-evil", "\u202EllaJ\u202C Jonas\u200F Brandt\n\n\n(admin)", "unverified", 1);
  const r = d.room("r-hostile", "Nice \u202Emoor\u202C " + "x".repeat(300), ["u-evil", "u-jonas"], { description: "\u202E" + "w".repeat(600) });
  const texts = [
    "<script>globalThis.owned = 1</script><img src=x onerror='globalThis.owned = 2'>",
    "![cat](https://tracker.example/pixel.png) <iframe src=https://evil.example></iframe>",
    "[click](javascript:globalThis.owned=3) [data](data:text/html,<script>globalThis.owned=4</script>) [file](file:///etc/passwd)",
    "[https://bank.example/login](https://evil.example/bank) and [bank.example](https://bаnk.example/) and https://user:pw@bank.example@evil.example/",
    "Z" + "\u0300\u0301\u0302\u0489".repeat(20_000) + "algo",
    "pay \u202E001$ ot\u202C Bob \u2066\u2067\u2068 now",
    "w".repeat(3_000),
    "> ".repeat(2_000) + "deep",
    "- ".repeat(500) + "deep list",
    "*".repeat(4_000) + "_".repeat(4_000),
    "`".repeat(3_000),
    "[".repeat(3_000) + "](".repeat(3_000),
    "\u0000\u0007\u001B[31m control \uFFF9\uFFFA",
    "# Looks like a heading\n\n---\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    "[@Jonas Brandt](mimi://f7yqk2m4nzt6/u/u-evil) and [@x](mimi://f7yqk2m4nzt6/u/%E0%A4%A)",
    "\n".repeat(2_000) + "far below",
    "line\u2028line\u2029line",
    "😀".repeat(20),
  ];
  texts.forEach((text, i) => d.say(r, "u-evil", text, 60 - i, i === 6 ? { reactions: [{ emoji: "😀".repeat(50), by: ["u-evil", "u-jonas"] }] } : {}));
  d.say(r, "u-evil", "a".repeat(1_000_000), 30);
  d.say(r, "u-evil", "e" + "\u0301".repeat(500_000), 29);
  d.say(r, "u-evil", "", 28, { kind: "unsupported", text: undefined });
  d.say(r, "u-evil", "", 27, { kind: "unreadable", text: undefined });
  d.say(r, "u-evil", "an answer to nothing", 26, { kind: "reply", quote: { id: "nowhere", sender: "u-evil", name: "\u202Eevil", text: "<b>x</b>" + "q".repeat(5_000) } });
  d.say(r, "u-evil", "a name: ../../etc/passwd\\..\\x", 25, { warnings: ["\u202Ethe sender's clock is wrong"] });
  d.say(r, "u-jonas", "All of that is shown, and none of it did anything.", 1);
  return d;
}
