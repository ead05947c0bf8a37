// Exchanges the secret of the link for a session, and goes on to the page. The
// secret leaves the address, and with it the history, first.
"use strict";

const token = location.hash.slice(1);
history.replaceState(null, "", "/enter");

// A page that was at this address before may have left a worker here, which then
// answers in the place of this program, and was given the link as well.
async function evict() {
  const workers = navigator.serviceWorker;
  if (workers === undefined) return;
  for (const registration of await workers.getRegistrations()) await registration.unregister();
  if (workers.controller !== null) throw new Error("Another page has used this address before; what it left was taken away");
}

async function enter() {
  await evict();
  const answer = await fetch("/session", { method: "POST", body: token });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  const [session, proof] = (await answer.text()).split(".");
  sessionStorage.setItem("sconce-session", session);
  sessionStorage.setItem("sconce-proof", proof);
  location.replace("/");
}

enter().catch((why) => {
  document.getElementById("say").textContent =
    `${why instanceof Error ? why.message : why}. Press Enter where sconce app runs to get another link.`;
});
