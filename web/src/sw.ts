// The service worker keeps the page's own files, so that Sconce opens without
// a network. It never sees a message or a key, and it asks nobody but the
// server that the page came from.

interface Extendable extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface Fetching extends Extendable {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

interface Clicked extends Extendable {
  readonly notification: Notification;
}

interface Tab {
  readonly url: string;
  focus(): Promise<unknown>;
  postMessage(message: unknown): void;
}

interface Worker extends EventTarget {
  skipWaiting(): Promise<void>;
  readonly clients: {
    claim(): Promise<void>;
    matchAll(options: { type: "window"; includeUncontrolled: boolean }): Promise<Tab[]>;
    openWindow(url: string): Promise<unknown>;
  };
}

const worker = globalThis as unknown as Worker;
const shell = "__SHELL_NAME__";
const files: string[] = ["__SHELL_FILES__"];

worker.addEventListener("install", (event) => {
  (event as Extendable).waitUntil(fill());
});

worker.addEventListener("activate", (event) => {
  (event as Extendable).waitUntil(takeOver());
});

worker.addEventListener("message", (event) => {
  // The page asks for this once its person has agreed to load the new version.
  if ((event as MessageEvent).data === "update") void worker.skipWaiting();
});

worker.addEventListener("fetch", (event) => {
  const { request } = event as Fetching;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate" && url.pathname === "/") {
    (event as Fetching).respondWith(kept("/", request));
  } else if (url.pathname.startsWith("/assets/") || url.pathname.startsWith("/emoji/") || files.includes(url.pathname)) {
    (event as Fetching).respondWith(kept(url.pathname, request));
  }
});

worker.addEventListener("notificationclick", (event) => {
  const { notification } = event as Clicked;
  notification.close();
  (event as Clicked).waitUntil(open(notification.tag));
});

async function fill(): Promise<void> {
  const cache = await caches.open(shell);
  // Past the browser's own cache: the page and its files must be of one build.
  await cache.addAll(["/", ...files].map((path) => new Request(path, { cache: "no-cache" })));
}

async function takeOver(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith("sconce-") && name !== shell) await caches.delete(name);
  }
  await worker.clients.claim();
}

async function kept(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(shell);
  const found = await cache.match(path);
  if (found) return found;
  const fresh = await fetch(request);
  // Names under /assets/ carry their content's hash, so what is kept stays true.
  if (fresh.ok && path !== "/") await cache.put(path, fresh.clone());
  return fresh;
}

async function open(room: string): Promise<void> {
  const [tab] = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (!tab) {
    await worker.clients.openWindow("/");
    return;
  }
  await tab.focus();
  tab.postMessage({ open: room });
}
