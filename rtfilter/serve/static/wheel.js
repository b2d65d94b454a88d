/** The emotion wheel: a dot on the circumplex of feeling (Russell 1980), pleasant to the right, awake upwards. */

import { clamp, dragging, element, make } from "./dom.js";

/** @typedef {import("./wish.js").Wish} Wish */

/** Where the server's mapping has each emotion: valence, arousal. @type {Record<string, [number, number]>} */
const MOODS = {
  happy: [0.85, 0.35], surprised: [0.15, 0.95], fearful: [-0.45, 0.8], angry: [-0.75, 0.6],
  disgusted: [-0.8, 0.1], sad: [-0.7, -0.55], neutral: [0.35, -0.75],
};
const AXES = /** @type {const} */ ([["awake", 0, 0.8], ["calm", 0, -0.8], ["pleasant", 0.66, 0], ["unpleasant", -0.58, 0]]);
const CHOSEN = 0.7;
const STEP = 0.05;
/** How far the names stand from the middle, of the wheel's width and height: names are wide. */
const NAMES = /** @type {const} */ ([0.42, 0.44]);

export class Wheel {
  #disc = make("div", { className: "disc" });
  #dot = make("div", { className: "dot", tabIndex: 0 });

  /** @param {Wish} wish @param {string[]} emotions Those that the server has. */
  constructor(wish, emotions) {
    this.wish = wish;
    this.#dot.setAttribute("role", "slider");
    this.#dot.setAttribute("aria-label", "Mood: left and right for pleasantness, up and down for energy, Home for none");
    this.#dot.setAttribute("aria-valuemin", "-1");
    this.#dot.setAttribute("aria-valuemax", "1");
    for (const [text, x, y] of AXES) this.#disc.append(place(make("span", { className: "axis", textContent: text }), 0.5 + x / 2, 0.5 - y / 2));
    this.#disc.append(this.#dot);
    const names = Object.entries(MOODS).filter(([name]) => emotions.includes(name));
    element("wheel", HTMLElement).replaceChildren(this.#disc, ...names.map(([name, at]) => this.#mood(name, at)));
    dragging(this.#disc, {
      down: () => this.#hold(true),
      move: (event) => this.#point(event),
      up: () => this.#hold(false),
    });
    this.#dot.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show what is wished now. */
  show() {
    const [valence, arousal] = [this.wish.number("valence"), this.wish.number("arousal")];
    const shrink = 1 / Math.max(1, Math.hypot(valence, arousal)); // a script may wish for the square's corner
    place(this.#dot, 0.5 + (valence * shrink) / 2, 0.5 - (arousal * shrink) / 2);
    this.#dot.setAttribute("aria-valuenow", valence.toFixed(2));
    this.#dot.setAttribute("aria-valuetext", describe(valence, arousal));
  }

  /** @param {string} name @param {[number, number]} at */
  #mood(name, [valence, arousal]) {
    const length = Math.hypot(valence, arousal);
    const [x, y] = [valence / length, arousal / length];
    const button = make("button", { type: "button", className: "mood", textContent: name });
    button.dataset.valence = String(valence);
    button.dataset.arousal = String(arousal);
    button.addEventListener("click", () => this.#set(CHOSEN * x, CHOSEN * y));
    return place(button, 0.5 + NAMES[0] * x, 0.5 - NAMES[1] * y);
  }

  /** @param {boolean} held */
  #hold(held) {
    this.wish.hold("valence", held);
    this.wish.hold("arousal", held);
    if (held) this.#dot.focus({ preventScroll: true });
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const box = this.#disc.getBoundingClientRect();
    this.#set(((event.clientX - box.left) / box.width) * 2 - 1, 1 - ((event.clientY - box.top) / box.height) * 2);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = event.shiftKey ? STEP * 4 : STEP;
    /** @type {Record<string, [number, number]>} */
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (event.key === "Home") this.#set(0, 0);
    else if (event.key in moves) {
      const [x, y] = moves[event.key];
      this.#set(this.wish.number("valence") + x, this.wish.number("arousal") + y);
    } else return;
    event.preventDefault();
  }

  /** @param {number} valence @param {number} arousal */
  #set(valence, arousal) {
    const shrink = 1 / Math.max(1, Math.hypot(valence, arousal));
    this.wish.set({ valence: rounded(valence * shrink), arousal: rounded(arousal * shrink) });
  }
}

/** @template {HTMLElement} T @param {T} item @param {number} left Share of the parent's width. @param {number} top @returns {T} */
function place(item, left, top) {
  item.style.left = `${100 * left}%`;
  item.style.top = `${100 * top}%`;
  return item;
}

/** @param {number} value */
function rounded(value) {
  return clamp(Math.round(value * 100) / 100, -1, 1);
}

/** @param {number} valence @param {number} arousal */
function describe(valence, arousal) {
  const distance = Math.hypot(valence, arousal);
  if (distance < STEP) return "none";
  const nearness = (/** @type {[number, number]} */ [v, a]) => (v * valence + a * arousal) / Math.hypot(v, a);
  const [nearest] = Object.entries(MOODS).reduce((best, next) => (nearness(next[1]) > nearness(best[1]) ? next : best));
  return `${nearest}, ${Math.round(100 * Math.min(distance, 1))} percent`;
}
