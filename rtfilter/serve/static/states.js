/** What state the page is in, shown: the pill, the card, the notice in the picture, and which screen there is. */

import { cardOf } from "./cards.js";
import { element, make } from "./dom.js";

/**
 * @typedef {"start" | "asking" | "connecting" | "live" | "lost" | "busy" | "ended" | "no_link" | "old_link" | "failed" | "camera"} Phase
 * @typedef {object} State
 * @property {Phase} phase
 * @property {string} title Of the card, where the phase has none of its own.
 * @property {string} detail
 * @property {string[]} steps What to do, where the phase has none of its own.
 * @property {string} video The session's own state: "connecting", "live", "no_video", "paused", "ended".
 * @property {boolean} face
 * @property {boolean} paused
 * @property {boolean} bypass
 * @property {boolean} edits Whether the target differs from the face as it is.
 */

/** A face that is lost for a blink is no news. */
const FACE_PATIENCE_MS = 900;
/** States in which the controls stay, once there was a picture: what is moved then is kept. */
const PASSING = ["connecting", "asking", "lost", "busy"];

export class States {
  /** @type {State} */
  #state = {
    phase: "start", title: "", detail: "", steps: [], video: "connecting", face: true, paused: false, bypass: false, edits: true,
  };
  #announced = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #faceless;
  #unseen = false;
  /** Whether there was a picture, and nothing since then that needs the user. */
  #pictured = false;

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
    this.#pictured = state.phase === "live" || (this.#pictured && PASSING.includes(state.phase));
    document.body.dataset.screen = this.#pictured ? "live" : "card";
    const card = cardOf(state);
    element("card", HTMLElement).hidden = card === null;
    element("stage", HTMLElement).toggleAttribute("data-covered", card !== null);
    if (card) fill(card);
    else element("card-title", HTMLElement).textContent = "";
    const pill = element("pill", HTMLElement);
    pill.textContent = card?.pill ?? "Live";
    pill.dataset.tone = card?.tone ?? "good";
    const notice = element("notice", HTMLElement);
    notice.textContent = card ? "" : this.#notice();
    notice.hidden = notice.textContent === "";
    this.#announce([card?.title ?? pill.textContent, card?.text, notice.textContent].filter(Boolean).join(". "), card?.tone === "bad");
  }

  #notice() {
    const { video, bypass, edits } = this.#state;
    if (video === "no_video") return "No picture arrives from the camera";
    if (bypass) return "Filter off: this is you";
    if (this.#unseen) return "No face in view: the picture passes unchanged";
    return edits ? "" : "No mood chosen: this is you";
  }

  /** To screen readers, once. @param {string} text @param {boolean} urgent */
  #announce(text, urgent) {
    if (text === this.#announced) return;
    this.#announced = text;
    element(urgent ? "urgent" : "polite", HTMLElement).textContent = text;
  }
}

/** @param {import("./cards.js").Card} card */
function fill(card) {
  element("card-icon", SVGUseElement).setAttribute("href", `#icon-${card.icon}`);
  element("card", HTMLElement).dataset.tone = card.tone;
  element("card", HTMLElement).toggleAttribute("data-waits", card.waits === true);
  element("card-points", HTMLElement).hidden = true;
  element("card-title", HTMLElement).textContent = card.title;
  element("card-text", HTMLElement).textContent = card.text;
  const steps = element("card-steps", HTMLElement);
  const texts = card.steps ?? [];
  // Only when they are others: a screen reader, or a selection, may be in them.
  if (steps.dataset.texts !== texts.join("\n")) {
    steps.dataset.texts = texts.join("\n");
    steps.replaceChildren(...texts.map((text) => make("li", {}, ...coded(text))));
  }
  steps.hidden = texts.length === 0;
  element("card-link", HTMLElement).hidden = card.link !== true;
  const action = element("card-action", HTMLButtonElement);
  action.hidden = card.action === undefined;
  action.disabled = false;
  action.textContent = card.action ?? "";
}

/** @param {string} text With `code` in it. */
function coded(text) {
  return text.split("`").map((part, i) => (i % 2 === 1 ? make("code", { textContent: part }) : part));
}
