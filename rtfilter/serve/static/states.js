/** What state the page is in, said in words: the pill, the card over the picture, the notice in it. */

import { element } from "./dom.js";

/**
 * @typedef {"start" | "connecting" | "live" | "lost" | "busy" | "ended" | "old_link" | "failed" | "camera"} Phase
 * @typedef {object} State
 * @property {Phase} phase
 * @property {string} title Of the card, where the phase has none of its own.
 * @property {string} detail
 * @property {string} video The session's own state: "connecting", "live", "no_video", "paused", "ended".
 * @property {boolean} face
 * @property {boolean} paused
 * @property {boolean} bypass
 * @typedef {object} Card
 * @property {string} title
 * @property {string} text
 * @property {string} [action] The button's label; no button without.
 * @property {string} pill
 * @property {"quiet" | "good" | "warn" | "bad"} tone
 */

/** A face that is lost for a blink is no news. */
const FACE_PATIENCE_MS = 900;

export class States {
  /** @type {State} */
  #state = { phase: "start", title: "", detail: "", video: "connecting", face: true, paused: false, bypass: false };
  #said = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #faceless;
  #unseen = false;

  /** @returns {Readonly<State>} */
  get now() {
    return this.#state;
  }

  /** @param {Partial<State>} changes */
  set(changes) {
    this.#state = { ...this.#state, ...changes };
    this.#watchFace();
    this.#show();
  }

  #watchFace() {
    const { phase, face, paused, bypass, video } = this.#state;
    if (phase === "live" && video === "live" && !face && !paused && !bypass) {
      this.#faceless ??= setTimeout(() => {
        this.#unseen = true;
        this.#show();
      }, FACE_PATIENCE_MS);
      return;
    }
    clearTimeout(this.#faceless);
    this.#faceless = undefined;
    this.#unseen = false;
  }

  #show() {
    const state = this.#state;
    document.body.dataset.phase = state.phase;
    if (state.phase === "start") return;
    document.body.dataset.screen = "live";
    const card = cardOf(state);
    element("card", HTMLElement).hidden = card.title === "";
    element("stage", HTMLElement).toggleAttribute("data-covered", card.title !== "");
    element("card-points", HTMLElement).hidden = true;
    element("card-title", HTMLElement).textContent = card.title;
    element("card-text", HTMLElement).textContent = card.text;
    const action = element("card-action", HTMLButtonElement);
    action.hidden = card.action === undefined;
    action.disabled = false;
    action.textContent = card.action ?? "";
    const pill = element("pill", HTMLElement);
    pill.textContent = card.pill;
    pill.dataset.tone = card.tone;
    const notice = element("notice", HTMLElement);
    notice.textContent = card.title === "" ? this.#notice() : "";
    notice.hidden = notice.textContent === "";
    this.#say([card.title || card.pill, card.text, notice.textContent].filter(Boolean).join(". "), card.tone === "bad");
  }

  #notice() {
    const { video, bypass } = this.#state;
    if (video === "no_video") return "No picture arrives from the camera";
    if (bypass) return "Filter off: this is you";
    return this.#unseen ? "No face in view: the picture passes unchanged" : "";
  }

  /** To screen readers, once. @param {string} text @param {boolean} urgent */
  #say(text, urgent) {
    if (text === this.#said) return;
    this.#said = text;
    element(urgent ? "urgent" : "polite", HTMLElement).textContent = text;
  }
}

/** @param {State} state @returns {Card} */
function cardOf({ phase, title, detail, paused }) {
  switch (phase) {
    case "connecting":
      return { title: "Connecting…", text: "The first time takes a few seconds.", pill: "Connecting", tone: "warn" };
    case "lost":
      return { title: "The connection was lost", text: `${sentence(detail)} Trying again by itself.`, action: "Try now", pill: "Reconnecting", tone: "bad" };
    case "busy":
      return { title: "The server has no room just now", text: `${sentence(detail)} Trying again by itself.`, action: "Try now", pill: "Waiting for room", tone: "warn" };
    case "ended":
      return { title: "This session has ended", text: sentence(detail), action: "Start again", pill: "Ended", tone: "quiet" };
    case "old_link":
      return { title: "This link is old", text: "The server was started anew and has a new link. Open the one that it printed.", pill: "Old link", tone: "bad" };
    case "failed":
      return { title: "That did not work", text: sentence(detail), action: "Try again", pill: "Stopped", tone: "bad" };
    case "camera":
      return { title, text: detail, action: "Try again", pill: "No camera", tone: "bad" };
    default:
      if (paused) return { title: "Paused", text: "Your picture is not sent.", action: "Resume", pill: "Paused", tone: "warn" };
      return { title: "", text: "", pill: "Live", tone: "good" };
  }
}

/** @param {string} text */
function sentence(text) {
  if (!text) return "";
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
