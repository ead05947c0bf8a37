/** How the page looks and behaves for the person at this browser. Nothing secret: it lies in the browser's plain storage. */
export interface Look {
  theme: "system" | "light" | "dark";
  contrast: "system" | "more";
  motion: "system" | "less";
  density: "roomy" | "compact";
  /** Size of text, in percent. */
  text: number;
  language: "system" | "en" | "de";
  sendKey: "enter" | "mod-enter";
  notify: boolean;
  /** Width of the list and of the details, in rem. */
  list: number;
  details: number;
  /** Whether the list is folded away while a room is open beside it. */
  folded: boolean;
  /** No notification comes before this time. */
  pausedUntil: number;
  /** Nor, where it is on, between these minutes of each day, over midnight too. */
  quiet: { on: boolean; from: number; to: number };
}

export const usual: Look = {
  theme: "system",
  contrast: "system",
  motion: "system",
  density: "roomy",
  text: 100,
  language: "system",
  sendKey: "enter",
  notify: false,
  list: 20,
  details: 21,
  folded: false,
  pausedUntil: 0,
  quiet: { on: false, from: 22 * 60, to: 7 * 60 },
};

const place = "sconce.look";

export function readLook(): Look {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(place) ?? "{}");
    if (typeof kept !== "object" || kept === null) return usual;
    return checked({ ...usual, ...kept });
  } catch {
    return usual;
  }
}

export function keepLook(look: Look): void {
  try {
    localStorage.setItem(place, JSON.stringify(look));
  } catch {
    // A browser that keeps nothing still shows the page as wished.
  }
}

/** Takes out what no version of this page has written. */
function checked(look: Look): Look {
  const one = <K extends keyof Look>(key: K, ...fine: Look[K][]): Look[K] => (fine.includes(look[key]) ? look[key] : usual[key]);
  const within = (n: unknown, low: number, high: number, or: number) =>
    typeof n === "number" && n >= low && n <= high ? n : or;
  return {
    theme: one("theme", "system", "light", "dark"),
    contrast: one("contrast", "system", "more"),
    motion: one("motion", "system", "less"),
    density: one("density", "roomy", "compact"),
    text: within(look.text, 80, 200, usual.text),
    language: one("language", "system", "en", "de"),
    sendKey: one("sendKey", "enter", "mod-enter"),
    notify: look.notify === true,
    list: within(look.list, 15, 30, usual.list),
    details: within(look.details, 17, 34, usual.details),
    folded: look.folded === true,
    pausedUntil: within(look.pausedUntil, 0, Number.MAX_SAFE_INTEGER, 0),
    quiet: {
      on: look.quiet?.on === true,
      from: Math.floor(within(look.quiet?.from, 0, 1_439, usual.quiet.from)),
      to: Math.floor(within(look.quiet?.to, 0, 1_439, usual.quiet.to)),
    },
  };
}

/** Whether the person wants no notification at that time. */
export function hushed({ pausedUntil, quiet: { on, from, to } }: Pick<Look, "pausedUntil" | "quiet">, at: Date): boolean {
  if (at.getTime() < pausedUntil) return true;
  const minute = at.getHours() * 60 + at.getMinutes();
  return on && (from <= to ? from <= minute && minute < to : from <= minute || minute < to);
}

/** Puts the look onto the page; the style sheets do the rest. */
export function wear(look: Look, page: HTMLElement = document.documentElement): void {
  page.dataset["theme"] = look.theme;
  page.dataset["density"] = look.density;
  page.dataset["contrast"] = look.contrast === "more" || matchMedia("(prefers-contrast: more)").matches ? "more" : "usual";
  page.dataset["motion"] = look.motion === "less" || matchMedia("(prefers-reduced-motion: reduce)").matches ? "less" : "usual";
  page.style.fontSize = `${look.text}%`;
  askAnew(page.ownerDocument.body);
  page.style.setProperty("--size", String(parseFloat(getComputedStyle(page).fontSize) / 16));
}

/** Has the layouts ask anew how much text fits: Chromium does so when the page's width changes, and not when its text does. */
function askAnew(body: HTMLElement): void {
  body.style.containerType = "normal";
  void body.offsetWidth;
  body.style.containerType = "";
}

export function lessMotion(): boolean {
  return document.documentElement.dataset["motion"] === "less";
}
