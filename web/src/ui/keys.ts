const apple = /Mac|iPhone|iPad/.test(navigator.platform);

/** The name of keys as this computer has them printed: "Mod+K" is ⌘K or Ctrl K. */
export function keyNames(keys: string): string {
  const names: Record<string, string> = apple
    ? { Mod: "⌘", Alt: "⌥", Shift: "⇧", Up: "↑", Down: "↓" }
    : { Mod: "Ctrl", Up: "↑", Down: "↓" };
  return keys.split("+").map((k) => names[k] ?? k).join(" ");
}

/** Whether an event is these keys and no others. */
export function pressed(event: KeyboardEvent | React.KeyboardEvent, keys: string): boolean {
  const parts = keys.split("+");
  const key = parts.at(-1) ?? "";
  const mod = apple ? event.metaKey : event.ctrlKey;
  const otherMod = apple ? event.ctrlKey : event.metaKey;
  const names: Record<string, string> = { Up: "ArrowUp", Down: "ArrowDown", Esc: "Escape" };
  const wanted = names[key] ?? key;
  // A shifted sign is known by what it gives, a shifted letter by the letter.
  const shift = /^[?]$/.test(wanted) || parts.includes("Shift") === event.shiftKey;
  return (
    event.key.toLowerCase() === wanted.toLowerCase() && shift && !otherMod &&
    mod === parts.includes("Mod") && event.altKey === parts.includes("Alt")
  );
}

/** Whether keys go into a text at the moment. */
export function inText(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}
