// What tabs say to each other, over channels that only pages of this origin hear.
// Each tab has a channel of its own, so that no tab wakes for another's lines.

/** To the tab that leads. */
export type ToLeader =
  | { kind: "open"; tab: string }
  | { kind: "line"; tab: string; era: string; line: string }
  | { kind: "active" };

/** To one tab. */
export type ToTab =
  /** The core has a line for this tab. era names the core: another has another. */
  | { kind: "opened"; era: string; token: string | null }
  | { kind: "line"; era: string; line: string };

/** To all tabs. */
export type ToAll =
  /** A core is there: open a line. */
  | { kind: "leading"; era: string }
  /** What opens this core's store again without asking the person; null when it was locked. */
  | { kind: "token"; era: string; token: string | null }
  /** Somebody wishes to lock, and knows this core: what opened its store opens it for no other one. */
  | { kind: "locking"; era: string }
  /** All that was said before this came has been heard. Its sender alone minds. */
  | { kind: "heard"; mark: string }
  /** There is no core, and will be none before something changes. */
  | { kind: "failed"; code: string; message: string };

export const leaderChannel = "sconce-leader";
export const allChannel = "sconce-all";
export const tabChannel = (tab: string) => `sconce-tab-${tab}`;

/** The lock of the tab that leads, and of each tab for as long as it lives. */
export const leaderLock = "sconce-core";
/** The lock of the one tab that leads next, and has a core prepared for it. */
export const nextLock = "sconce-next";
export const tabLock = (tab: string) => `sconce-tab-${tab}`;
