import type { Door } from "../core/bridge";
import type { Session } from "../core/store";
import { speak } from "../i18n";
import { start } from "../start";
import { FakeDoor, recoveryKey } from "./fake";
import { hostile } from "./hostile";
import { harbour } from "./world";

/** A screen in one state: a world for it to stand in, and what is done until it is on the screen. */
interface Story {
  door: () => FakeDoor;
  act?: (session: Session, door: FakeDoor) => Promise<void> | void;
  hash?: string;
}

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Waits for something on the screen, and clicks it. */
async function click(selector: string, text?: string): Promise<void> {
  const found = await find(selector, text);
  found.focus({ focusVisible: false } as FocusOptions);
  found.click();
  await pause(60);
}

async function find(selector: string, text?: string): Promise<HTMLElement> {
  for (let i = 0; i < 100; i++) {
    const found = [...document.querySelectorAll<HTMLElement>(selector)].find((e) => text === undefined || e.textContent?.includes(text) || e.getAttribute("aria-label")?.includes(text));
    if (found) return found;
    await pause(30);
  }
  throw new Error(`no ${selector} ${text ?? ""}`);
}

async function fill(selector: string, value: string): Promise<void> {
  const input = await find(selector);
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(input, value);
  input.dispatchEvent(new Event("input", { bubbles: true }));
  await pause(30);
}

function press(key: string, how: KeyboardEventInit = {}): void {
  (document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...how }));
}

const world = () => harbour();
const fresh = () => new FakeDoor({ state: "new" });
const in_ = (room: string) => async (session: Session) => {
  session.select(room);
  await find(".message");
  await pause(250);
};

const invited = async () => {
  await find(".inviter");
};
const named = async () => {
  await fill("input[autocomplete=name]", "Mira Halden");
  await click("button", "Continue");
  await find(".guard");
};

export const stories: Record<string, Story> = {
  welcome: { door: fresh },
  invited: { door: fresh, hash: "#sconce1.f7yqk2m4nzt6.invite", act: invited },
  guard: {
    door: fresh, hash: "#sconce1.f7yqk2m4nzt6.invite",
    act: async () => {
      await named();
      await fill("input[type=password]", "lantern harbour ledger winter");
    },
  },
  recovery: {
    door: () => Object.assign(fresh(), harbour({ state: "new" })), hash: "#sconce1.f7yqk2m4nzt6.invite",
    act: async () => {
      await named();
      for (const input of document.querySelectorAll<HTMLInputElement>("input[type=password]")) {
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(input, "lantern harbour ledger");
        input.dispatchEvent(new Event("input", { bubbles: true }));
      }
      await click("button", "Join");
      await find(".recovery");
    },
  },
  "recovery-check": {
    door: fresh, hash: "#sconce1.f7yqk2m4nzt6.invite",
    act: async (s, d) => {
      await stories["recovery"]?.act?.(s, d);
      await click("button", "I have saved it");
    },
  },
  "link-new": {
    door: fresh, hash: "#device1.f7yqk2m4nzt6.u-mira",
    act: async () => {
      await find("input[type=password]");
      for (const input of document.querySelectorAll<HTMLInputElement>("input[type=password]")) {
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(input, "lantern harbour ledger");
        input.dispatchEvent(new Event("input", { bubbles: true }));
      }
      await click("button", "Continue");
      await find(".qr svg");
    },
  },
  recover: { door: fresh, act: () => click("button", "I lost my devices") },
  locked: { door: () => new FakeDoor({ state: "locked" }) },
  "locked-passkey": { door: () => new FakeDoor({ state: "locked", passkey: true }) },
  unfinished: { door: () => new FakeDoor({ state: "unfinished" }) },
  removed: { door: () => harbour({ removed: true }) },
  empty: { door: () => new FakeDoor() },
  chats: { door: world },
  room: { door: world, act: in_("r-watch") },
  history: { door: world, act: in_("r-night") },
  burning: { door: world, act: in_("r-u-jonas") },
  failed: {
    door: () => harbour({ refuses: "failed" }),
    act: async (s) => {
      await in_("r-u-aisha")(s);
      await s.send("r-u-aisha", "Tell me when it has crossed the fjord.", {});
      await find(".failed");
    },
  },
  unknown: {
    door: () => harbour({ refuses: "unknown" }),
    act: async (s) => {
      await in_("r-u-aisha")(s);
      await s.send("r-u-aisha", "Did the second boat come in?", {});
      await find(".failed");
    },
  },
  offline: {
    door: () => harbour({ connection: "offline" }),
    act: async (s) => {
      await in_("r-rota")(s);
      await s.send("r-rota", "I'm on the ferry, no signal. Put me down for Wednesday.", {});
      await pause(200);
    },
  },
  details: { door: world, act: async (s) => { await in_("r-watch")(s); await click(".room-title"); } },
  folded: { door: world, act: async (s) => { await in_("r-watch")(s); press("D", { ctrlKey: true, shiftKey: true }); await find(innerWidth > 800 ? ".unfold" : ".room"); } },
  alarm: {
    door: () => {
      const d = harbour();
      Object.assign(d.rooms.get("r-rota") ?? {}, { alarm: "The server showed this device another history than the others have.", waiting: "Ingrid's device makes the next step." });
      return d;
    },
    act: in_("r-rota"),
  },
  changed: { door: world, act: in_("r-u-pavel") },
  arabic: { door: world, act: in_("r-u-noor") },
  left: { door: world, act: in_("r-old") },
  reply: {
    door: world,
    act: async (s) => {
      await in_("r-watch")(s);
      const all = document.querySelectorAll<HTMLElement>(".message-theirs");
      all[all.length - 1]?.focus();
      press("r");
      await pause(200);
    },
  },
  person: { door: world, act: async (s) => { await in_("r-watch")(s); await click(".room-title"); await click(".member .person", "Tomás"); await find(".person-devices"); } },
  safety: { door: world, act: async (s) => { await in_("r-u-noor")(s); await click(".room-title"); await click(".details button", "Verify"); await find(".safety"); } },
  switcher: { door: world, act: async (s) => { await in_("r-watch")(s); press("k", { ctrlKey: true }); await fill(".switcher input", "ha"); } },
  shortcuts: { door: world, act: async (s) => { await in_("r-watch")(s); press("/", { ctrlKey: true }); await find(".keys"); } },
  new: { door: world, act: async (s) => { await in_("r-watch")(s); await click(".list-head .icon-button"); await click(".choose .person"); } },
  search: { door: world, act: async (s) => { await in_("r-watch")(s); press("f", { ctrlKey: true }); await fill(".find input", "pump"); await find(".hit"); } },
  settings: { door: world, act: async (s) => { await in_("r-watch")(s); press(",", { ctrlKey: true }); await find(".settings"); } },
  devices: { door: world, act: async (s) => { await in_("r-watch")(s); press(",", { ctrlKey: true }); await click(".settings-tab", "Devices"); await find(".devices li"); } },
  "devices-link": { door: world, act: async (s, d) => { await stories["devices"]?.act?.(s, d); await click("button", "Link a device"); } },
  privacy: { door: world, act: async (s) => { await in_("r-watch")(s); press(",", { ctrlKey: true }); await click(".settings-tab", "Privacy"); } },
  notify: { door: world, act: async (s) => { await in_("r-watch")(s); press(",", { ctrlKey: true }); await click(".settings-tab", "Notifications"); await click(".switch[aria-labelledby]", ""); await pause(60); [...document.querySelectorAll<HTMLElement>(".switch")][1]?.click(); await find(".quiet"); } },
  look: { door: world, act: async (s) => { await in_("r-watch")(s); press(",", { ctrlKey: true }); await click(".settings-tab", "Appearance"); } },
  about: { door: world, act: async (s) => { await in_("r-watch")(s); press(",", { ctrlKey: true }); await click(".settings-tab", "About"); } },
  hostile: { door: hostile, act: in_("r-hostile") },
  link: {
    door: hostile,
    act: async (s, d) => {
      await in_("r-hostile")(s);
      await s.show("r-hostile", d.rooms.get("r-hostile")?.log[3]?.id ?? "");
      await click(".text a", "bank.example/login");
      await find(".follow");
    },
  },
};

/** What a test does to the world behind the page. */
interface Told {
  session: Session;
  door: FakeDoor;
  recoveryKey: string;
  stories: string[];
}

/** Shows the story that the address names; without one, the harbour with everybody awake. */
export async function tell(): Promise<void> {
  const asked = new URLSearchParams(location.search);
  if (asked.get("dir") === "rtl") document.documentElement.dir = "rtl";
  const name = asked.get("story");
  const story = name ? stories[name] : undefined;
  if (story?.hash) history.replaceState(null, "", location.pathname + location.search + story.hash);
  const door = story ? story.door() : harbour({ lively: true, state: (asked.get("state") as "new" | null) ?? "open", latency: Number(asked.get("latency") ?? 40) });
  const session = await start(door satisfies Door, { shell: asked.has("shell") });
  Object.assign(globalThis, { sconce: { session, door, recoveryKey, stories: Object.keys(stories) } satisfies Told });
  try {
    await story?.act?.(session, door);
    // What a story clicks it knows by its English name: another language comes after.
    if (asked.get("lang") === "de") await speak("de");
  } catch (error) {
    document.documentElement.dataset["story"] = String(error);
    return;
  }
  document.documentElement.dataset["story"] = "told";
}
