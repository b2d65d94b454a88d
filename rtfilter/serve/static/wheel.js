/** The emotion wheel: a dot on the plane of feeling, where the present mix of emotions lies; moving it makes a mix. */

import { clamp, dragging, element, make } from "./dom.js";
import { mixOf, MOODS, nearest, pointOf } from "./moods.js";

/** @typedef {import("./controls.js").Controls} Controls @typedef {import("./moods.js").Point} Point */

const AXES = /** @type {const} */ ([["awake", 0, 0.8], ["calm", 0, -0.8], ["pleasant", 0.64, -0.15], ["unpleasant", -0.56, -0.15]]);
const CHOSEN = 0.7;
const STEP = 0.05;
/** How far the names stand from the middle, of the wheel's width and height: names are wide. */
const NAMES = /** @type {const} */ ([0.42, 0.44]);
const HINT = "Drag the dot: the further out, the stronger.";

export class Wheel {
  #disc = make("div", { className: "disc" });
  #dot = make("div", { className: "dot", tabIndex: 0 });
  #hint = element("wheel-hint", HTMLElement);
  /** Where the dot is, also while it is not shown. @type {Point} */
  #at = { valence: 0, arousal: 0 };

  /** @param {Controls} controls @param {string[]} emotions Those that the server has. */
  constructor(controls, emotions) {
    this.controls = controls;
    this.emotions = emotions;
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

  /** Show where the present mix lies. */
  show() {
    const { mix, point: chosen } = this.controls;
    const bare = this.controls.shapes.length > 0 && Object.values(mix).every((amount) => amount === 0);
    const point = bare ? null : chosen ?? (same(mix, this.#mixAt(this.#at)) ? this.#at : pointOf(mix));
    this.#dot.toggleAttribute("data-nowhere", point === null);
    this.#hint.textContent = point ? HINT : reason(mix);
    this.#at = point ?? { valence: 0, arousal: 0 };
    const shrink = 1 / Math.max(1, Math.hypot(this.#at.valence, this.#at.arousal)); // a script may set the square's corner
    place(this.#dot, 0.5 + (this.#at.valence * shrink) / 2, 0.5 - (this.#at.arousal * shrink) / 2);
    this.#dot.setAttribute("aria-valuenow", this.#at.valence.toFixed(2));
    this.#dot.setAttribute("aria-valuetext", point ? describe(point) : reason(mix));
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
    this.controls.holdMix(held, this.emotions);
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
      this.#set(this.#at.valence + x, this.#at.arousal + y);
    } else return;
    event.preventDefault();
  }

  /** @param {number} valence @param {number} arousal */
  #set(valence, arousal) {
    const shrink = 1 / Math.max(1, Math.hypot(valence, arousal));
    this.#at = { valence: rounded(valence * shrink), arousal: rounded(arousal * shrink) };
    this.controls.remix(this.#mixAt(this.#at));
  }

  /** The mix of a point, of all emotions that there are. @param {Point} point */
  #mixAt(point) {
    const mix = mixOf(point);
    return Object.fromEntries(this.emotions.map((name) => [name, mix[name] ?? 0]));
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

/** Within what rounding leaves. @param {import("./moods.js").Mix} mix @param {import("./moods.js").Mix} other */
function same(mix, other) {
  return [...new Set([...Object.keys(mix), ...Object.keys(other)])].every((name) => Math.abs((mix[name] ?? 0) - (other[name] ?? 0)) < 0.001);
}

/** Why the mix has no place. @param {import("./moods.js").Mix} mix */
function reason(mix) {
  if (Object.values(mix).every((amount) => amount === 0)) return "Blendshapes have no place on the wheel.";
  const most = Math.max(...Object.values(mix));
  const outside = Object.entries(mix).find(([name, amount]) => !(name in MOODS) && amount === most);
  return outside ? `${outside[0][0].toUpperCase()}${outside[0].slice(1)} has no place on the wheel.` : "This mix has no one place on the wheel.";
}

/** @param {Point} point */
function describe(point) {
  const { name, distance } = nearest(point);
  return distance < STEP ? "none" : `${name}, ${Math.round(100 * distance)} percent`;
}
