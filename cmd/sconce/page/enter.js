// Exchanges the secret of the link for a session, and goes on to the page. The
// secret leaves the address, and with it the history, first.
"use strict";

const token = location.hash.slice(1);
history.replaceState(null, "", "/enter");

async function enter() {
  const answer = await fetch("/session", { method: "POST", body: token });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  const [session, proof] = (await answer.text()).split(".");
  sessionStorage.setItem("sconce-session", session);
  sessionStorage.setItem("sconce-proof", proof);
  location.replace("/");
}

enter().catch((why) => {
  document.getElementById("say").textContent =
    `${why instanceof Error ? why.message : why}. Press Enter where sconce app runs to get another one.`;
});
