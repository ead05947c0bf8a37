import type { MessageView, RoomView } from "./bridge";
import { ourScript } from "./trusted";

/** What a notification says; the caller has put it into words, without content unless its person wished for it. */
export interface Words {
  title: string;
  body: string;
}

/** Whether a message is worth a notification, as its room's person wishes. */
export function worthIt(m: MessageView, room: RoomView | undefined): boolean {
  if (!room || room.notify === "none" || room.left) return false;
  return room.notify === "all" || m.mentionsMe === true;
}

const shown = new Map<string, { notification: Notification; message: string }>();

/** Shows a notification of the browser; a newer one of the same room takes its place. */
export function show({ room, id }: MessageView, words: Words, open: () => void): void {
  if (!("Notification" in globalThis) || Notification.permission !== "granted") return;
  try {
    const n = new Notification(words.title, { body: words.body, tag: room, icon: "/icon.svg" });
    n.onclick = () => {
      focus();
      open();
      n.close();
    };
    shown.set(room, { notification: n, message: id });
  } catch {
    // Some phones show notifications from service workers only.
    void navigator.serviceWorker?.ready.then((r) => r.showNotification(words.title, { body: words.body, tag: room, icon: "/icon.svg" }));
  }
}

/** Takes a room's notification back: its message was read, or the one that is named has burned. */
export function withdraw(room: string, message?: string): void {
  const now = shown.get(room);
  if (!now || (message !== undefined && now.message !== message)) return;
  now.notification.close();
  shown.delete(room);
}

/** Takes them all back. */
export function withdrawAll(): void {
  for (const room of shown.keys()) withdraw(room);
}

/** Starts the service worker, and tells when a new version of the page waits to be loaded. */
export async function keepShell(waiting: (update: () => void) => void, open: (room: string) => void): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  const had = navigator.serviceWorker.controller !== null;
  const registration = await navigator.serviceWorker.register(ourScript("/sw.js"), { updateViaCache: "none" });
  const ready = (worker: ServiceWorker | null) => {
    if (worker && had) waiting(() => worker.postMessage("update"));
  };
  ready(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const fresh = registration.installing;
    fresh?.addEventListener("statechange", () => {
      if (fresh.state === "installed") ready(fresh);
    });
  });
  let reloading = !had;
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    if (!reloading) location.reload();
    reloading = true;
  });
  navigator.serviceWorker.addEventListener("message", (e: MessageEvent<{ open?: string }>) => {
    if (typeof e.data?.open === "string") open(e.data.open);
  });
}
