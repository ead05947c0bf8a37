import { createRoot, type Root } from "react-dom/client";
import { CoreError, type Door, type MessageView, type RoomView } from "./core/bridge";
import { hushed, readLook, wear } from "./core/look";
import { keepShell, show, withdraw, worthIt } from "./core/notify";
import { Session } from "./core/store";
import { speak, text, type TextId } from "./i18n";
import { App } from "./ui/app";
import { plain, tameName } from "./ui/message/text";
import "./style/tokens.css";
import "./style/base.css";
import "./style/touch.css";

// How long after the page knows how things stand it has the machine to itself.
const settled = 2000;

/** Draws the page on a door, whatever is behind it. */
export async function start(door: Door, options: { shell: boolean }): Promise<Session> {
  wear(readLook());
  await speak(readLook().language);
  const element = document.getElementById("page");
  if (!element) throw new Error("the page has no place to draw on");
  const root: Root = createRoot(element);
  const session = new Session(door, {
    explain,
    notify: (m, room) => notify(session, m, room),
    letIn: (device) => session.tell(text("device.alert", { name: tameName(device) }), "problem"),
  });
  session.watch((gone) => {
    if (gone) withdraw((_, message) => message === gone.id);
  });
  root.render(<App session={session} />);
  session.subscribe(() => {
    // What was read, has burned or was locked away leaves the notifications too.
    const { host, rooms } = session.state;
    withdraw((room) => (host !== undefined && host.state !== "open") || rooms[room]?.unread === undefined || rooms[room].unread === 0);
  });
  await session.start();
  if (options.shell) setTimeout(() => keep(session), settled);
  return session;
}

/** Keeps the page's files for when there is no network. That reads all of them once more, so it waits for what is on the screen. */
function keep(session: Session): void {
  keepShell(
    (update) => {
      session.tell(text("update"));
      addEventListener("pagehide", update, { once: true });
    },
    (room) => session.select(room),
  ).catch(() => undefined); // without it the page works, but not offline
}

function notify(session: Session, m: MessageView, room: RoomView | undefined): void {
  const look = readLook();
  if (!look.notify || hushed(look, new Date()) || !worthIt(m, room)) return;
  // A system may keep what it has shown: nothing that runs out is told to it.
  const open = session.state.settings?.previews === true && !m.burn && !m.expires;
  const title = open ? tameName(room?.kind === "direct" ? m.name : `${m.name} · ${room?.name ?? ""}`) : text("notify.title");
  show(m, { title, body: open ? plain(m.text ?? "", 140) : text("notify.body") }, () => session.select(m.room));
}

/** Puts an error into words. What has a sentence of its own gets it; the rest say what the core says. */
function explain(error: unknown): string {
  if (!(error instanceof CoreError)) return text("error.internal");
  const known: Partial<Record<CoreError["code"], TextId>> = {
    offline: "error.offline", wrong_passphrase: "error.wrong_passphrase", wrong_link_code: "device.code.bad", wrong_recovery: "recover.key.bad", busy: "error.busy", full: "error.full", exists: "error.exists", unfinished: "unfinished.title",
    removed: "removed.title", forbidden: "error.forbidden", not_found: "error.not_found", conflict: "error.conflict", too_large: "error.too_large",
    rate_limited: "error.rate_limited", unavailable: "error.unavailable", internal: "error.internal", unauthenticated: "error.unauthenticated",
  };
  const id = known[error.code];
  return id ? text(id) : text("error.other", { message: error.message });
}
