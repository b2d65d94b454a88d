/** The page: requests what the server offers, then wires the parts together. */

import { getJson, hasToken, Refused, renewToken } from "./api.js";
import { unsupported } from "./camera.js";
import { element } from "./dom.js";
import { Panel } from "./panel.js";
import { States } from "./states.js";
import { followTheme } from "./theme.js";

const AGAIN_MS = 2_000;
const KEPT = "Nothing is kept unless you press Record or Snapshot.";

/** @typedef {import("./panel.js").Info} Info */

const states = new States();
const action = element("card-action", HTMLButtonElement);

/** @returns {Promise<Info | null>} Null when there is no way on without the user. */
async function info() {
  for (;;) {
    try {
      return await getJson("/api/info");
    } catch (error) {
      if (error instanceof Refused && error.status === 401) states.set({ phase: hasToken() ? "old_link" : "no_link" });
      else if (error instanceof Refused) states.set({ phase: "failed", detail: error.message });
      else {
        states.set({ phase: "lost", detail: "the server does not answer" });
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        continue;
      }
      action.onclick = () => location.reload();
      return null;
    }
  }
}

async function begin() {
  followTheme();
  // A new link pasted into this tab changes nothing but the part behind #.
  window.addEventListener("hashchange", () => renewToken() && location.reload());
  followPaste();
  renewToken();
  const missing = unsupported();
  if (missing) return states.set({ phase: "camera", title: missing.title, detail: missing.message, steps: missing.steps });
  const found = await info();
  if (!found) return;
  const panel = new Panel(found, states);
  action.textContent = found.mode === "cam" ? "Show the picture" : "Start the camera";
  element("begins", HTMLElement).textContent = panel.begins;
  if (found.mode === "cam") element("privacy", HTMLElement).textContent = `The picture goes only to the virtual camera and to this page. ${KEPT}`;
  action.disabled = false;
  action.onclick = () => panel.act();
  window.addEventListener("pagehide", () => panel.stop());
  if (states.now.phase !== "start") panel.act(); // it had waited for the server
}

/** A link that is pasted where this page has no token, or an old one. */
function followPaste() {
  const link = element("link", HTMLInputElement);
  const open = () => {
    const text = link.value.trim();
    const token = /token=([^&\s]+)/.exec(text)?.[1] ?? text;
    if (/^https?:\/\//.test(text) && !text.startsWith(`${location.origin}/`)) location.href = text;
    else if (token) location.hash = `token=${token}`;
  };
  element("link-open", HTMLButtonElement).addEventListener("click", open);
  link.addEventListener("keydown", (event) => event.key === "Enter" && open());
}

element("privacy", HTMLElement).textContent = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname)
  ? `Your picture stays on this machine and goes nowhere else. ${KEPT}`
  : `Your picture goes only to ${location.hostname}, encrypted. ${KEPT}`;
await begin();
