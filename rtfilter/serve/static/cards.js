/**
 * The card's text in each state: what happened, and what to do. `code` in a step is shown as code.
 *
 * @typedef {import("./states.js").State} State
 * @typedef {"face" | "camera" | "link" | "server" | "pause" | "warn"} Icon
 * @typedef {object} Card
 * @property {Icon} icon
 * @property {string} title
 * @property {string} text
 * @property {string[]} [steps] What to do, one after the other.
 * @property {string} [action] The button's label; no button without.
 * @property {boolean} [waits] Whether something is under way.
 * @property {boolean} [link] Whether a link can be pasted here.
 * @property {string} pill
 * @property {"quiet" | "good" | "warn" | "bad"} tone
 */

const SERVER = "`rtfilter serve` (or `rtfilter cam --panel`)";

/** Null where the picture is to be seen. @param {State} state @returns {Card | null} */
export function cardOf({ phase, title, detail, steps, paused }) {
  switch (phase) {
    case "asking":
      return {
        icon: "camera", title: "Allow the camera", waits: true, pill: "Waiting for the camera", tone: "warn",
        text: "Your browser asks for it now, near the address bar.",
      };
    case "connecting":
      return { icon: "face", title: "Connecting…", waits: true, text: "The first time takes a few seconds.", pill: "Connecting", tone: "warn" };
    case "lost":
      return {
        icon: "server", title: "The connection was lost", waits: true, action: "Try now", pill: "Reconnecting", tone: "bad",
        text: `${sentence(detail)} This page goes on by itself as soon as the server answers.`,
        steps: [`Look at the terminal: does ${SERVER} still run there?`, "If not, start it again. It may print a new link: then open that one."],
      };
    case "busy":
      return {
        icon: "server", title: "The server has no room just now", waits: true, action: "Try now", pill: "Waiting for room", tone: "warn",
        text: `${sentence(detail)} This page tries again by itself.`,
        steps: ["Close this page in other tabs and on other devices.", "More at once: start the server with a larger `--sessions`."],
      };
    case "ended":
      return { icon: "face", title: "This session has ended", text: sentence(detail), action: "Start again", pill: "Ended", tone: "quiet" };
    case "no_link":
      return {
        icon: "link", title: "Open the whole link", link: true, pill: "No access", tone: "warn",
        text: "This page was opened without the key that stands at the end of its link, so that only you get in.",
        steps: [`Find the link in the terminal where ${SERVER} runs. It ends in \`#token=…\``, "Open it whole, or paste it here."],
      };
    case "old_link":
      return {
        icon: "link", title: "This link is old", link: true, pill: "Old link", tone: "bad",
        text: "The server was started anew and has a new link.",
        steps: [`Find the newest link in the terminal where ${SERVER} runs. It ends in \`#token=…\``, "Open it, or paste it here."],
      };
    case "failed":
      return { icon: "warn", title: "That did not work", text: sentence(detail), action: "Try again", pill: "Stopped", tone: "bad" };
    case "camera":
      return { icon: "camera", title, text: detail, steps, action: "Try again", pill: "No camera", tone: "bad" };
    default:
      return paused ? { icon: "pause", title: "Paused", text: "Your picture is not sent.", action: "Resume", pill: "Paused", tone: "warn" } : null;
  }
}

/** @param {string} text */
function sentence(text) {
  if (!text) return "";
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
