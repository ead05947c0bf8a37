import { catalogue, text, type Texts } from ".";

const cache = new Map<string, Intl.DateTimeFormat>();

/** The language of the moment, as the browser's person speaks it: their region decides how times are written. */
function locale(): string {
  return navigator.languages.find((l) => l === catalogue.locale || l.startsWith(`${catalogue.locale}-`)) ?? catalogue.locale;
}

function dates(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale() + JSON.stringify(options);
  let format = cache.get(key);
  if (!format) cache.set(key, (format = new Intl.DateTimeFormat(locale(), options)));
  return format;
}

/** The time of day, such as 09:05 or 9:05 AM. */
export function clock(time: number): string {
  return dates({ timeStyle: "short" }).format(time);
}

export function dateTime(time: number): string {
  return dates({ dateStyle: "medium", timeStyle: "short" }).format(time);
}

export function date(time: number): string {
  return dates({ dateStyle: "medium" }).format(time);
}

const dayLength = 86_400_000;

function daysAgo(time: number, now: number): number {
  const midnight = (t: number) => new Date(t).setHours(0, 0, 0, 0);
  return Math.round((midnight(now) - midnight(time)) / dayLength);
}

/** How far the clock of this device is ahead of the server's, in seconds, or behind it when below 0. */
export function wrongClock(ahead: number): string {
  const by = Math.abs(ahead);
  const unit = by >= 86_400 ? "day" : by >= 3_600 ? "hour" : "minute";
  const n = Math.floor(by / { day: 86_400, hour: 3_600, minute: 60 }[unit]);
  return ahead > 0 ? text("clock.ahead", { unit, n }) : text("clock.behind", { unit, n });
}

/** A day as people speak of it: today, yesterday, Monday, or its date. */
export function day(time: number, now = Date.now()): string {
  const ago = daysAgo(time, now);
  if (ago === 0) return text("day.today");
  if (ago === 1) return text("day.yesterday");
  if (ago > 1 && ago < 7) return dates({ weekday: "long" }).format(time);
  const sameYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  return dates({ weekday: "short", day: "numeric", month: "long", ...(sameYear ? {} : { year: "numeric" }) }).format(time);
}

/** When something was, as short as a list needs it. */
export function brief(time: number, now = Date.now()): string {
  const ago = daysAgo(time, now);
  if (ago <= 0) return clock(time);
  if (ago === 1) return text("day.yesterday");
  if (ago < 7) return dates({ weekday: "short" }).format(time);
  return dates({ day: "numeric", month: "numeric", ...(ago > 300 ? { year: "2-digit" } : {}) }).format(time);
}

/** How long ago something was, as one says it in a sentence: "7 minutes ago", "yesterday". */
export function since(time: number, now = Date.now()): string {
  const format = new Intl.RelativeTimeFormat(catalogue.locale, { numeric: "auto" });
  const seconds = Math.max(0, (now - time) / 1000);
  if (seconds < 60) return format.format(0, "second");
  if (seconds < 3_600) return format.format(-Math.floor(seconds / 60), "minute");
  const days = daysAgo(time, now);
  if (days <= 0) return format.format(-Math.floor(seconds / 3_600), "hour");
  return days < 7 ? format.format(-days, "day") : date(time);
}

const units = [
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;

/** A length of time in its largest fitting unit: "5 min", or in words "5 minutes". */
export function duration(seconds: number, unitDisplay: "short" | "long" | "narrow" = "short"): string {
  const exact = units.find(([, size]) => seconds >= size && seconds % size === 0);
  const [unit, size] = exact && seconds / exact[1] <= 99 ? exact : (units.find(([, s]) => seconds >= s) ?? units[4]);
  return new Intl.NumberFormat(catalogue.locale, { style: "unit", unit, unitDisplay, maximumFractionDigits: 0 }).format(Math.round(seconds / size));
}

/** How long a message still has, in ever smaller steps. */
export function remaining(seconds: number): string {
  // The smallest unit that does not fill the next: 59 and a half minutes are an hour, and not 60 minutes.
  const [unit, size] = units.findLast(([, own], i) => i === 0 || Math.ceil(seconds / own) * own < units[i - 1]![1]) ?? units[4];
  return new Intl.NumberFormat(catalogue.locale, { style: "unit", unit, unitDisplay: "narrow" }).format(Math.max(0, Math.ceil(seconds / size)));
}

/** Names in a row, as the language joins them; many are cut short. */
export function names(list: string[], t: Texts, most = 3): string {
  const shown = list.length > most ? [...list.slice(0, most - 1), t("names.others", { n: list.length - most + 1 })] : list;
  return new Intl.ListFormat(catalogue.locale, { type: "conjunction" }).format(shown);
}
