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

/** By room. One without a notification is shown by the service worker. */
const shown = new Map<string, { message: string; notification?: Notification }>();

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
    shown.set(room, { message: id, notification: n });
  } catch {
    // Some phones show notifications from service workers only.
    shown.set(room, { message: id });
    void navigator.serviceWorker?.ready.then((r) => r.showNotification(words.title, { body: words.body, tag: room, icon: "/icon.svg" }));
  }
}

/** Takes the notifications back that are over: what they tell of was read, has burned, or was locked away. */
export function withdraw(over: (room: string, message: string) => boolean): void {
  for (const [room, { message, notification }] of [...shown]) {
    if (!over(room, message)) continue;
    shown.delete(room);
    if (notification !== undefined) notification.close();
    else void navigator.serviceWorker?.ready.then(async (r) => (await r.getNotifications({ tag: room })).forEach((x) => x.close()));
  }
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
