/** Sliders for the emotions, and for how they act. */

import { element, make } from "./dom.js";

/** @typedef {import("./controls.js").Controls} Controls */

/** What each control beside the emotions does, from which end to which. @type {[string, string, string][]} */
const FEEL = [
  ["intensity", "Intensity", "How much of the whole mix. Above 1 exaggerates."],
  ["mouth", "Mouth", "1 keeps the lips as they speak, 0 lets emotion win."],
  ["smoothing", "Smoothing", "0 follows at once, 1 is calmest."],
  ["skin", "Skin", "How strongly folds and light follow the expression."],
];

/** Controls that exaggerate, as emotions do. */
const ABOVE_ONE = ["intensity", "skin"];

export class Sliders {
  #shapes = element("shapes", HTMLElement);
  #occlusion = element("occlusion", HTMLInputElement);
  /** @type {{name: string, input: HTMLInputElement, output: HTMLOutputElement}[]} */
  #rows = [];

  /**
   * @param {Controls} controls
   * @param {string[]} emotions
   * @param {number} intensityMax
   */
  constructor(controls, emotions, intensityMax) {
    this.controls = controls;
    const mood = emotions.map((name) => this.#row(`emotions.${name}`, name, intensityMax, ""));
    element("emotions", HTMLElement).replaceChildren(...mood);
    const feel = FEEL.map(([name, label, hint]) => this.#row(name, label, ABOVE_ONE.includes(name) ? intensityMax : 1, hint));
    element("feel", HTMLElement).replaceChildren(...feel);
    this.#occlusion.addEventListener("change", () => this.controls.set({ occlusion: this.#occlusion.checked }));
  }

  /** Show the controls as they are now. */
  show() {
    this.#occlusion.checked = this.controls.occlusion;
    const mix = this.controls.mix;
    const { shapes } = this.controls;
    this.#shapes.hidden = shapes.length === 0;
    this.#shapes.textContent = `And by name: ${shapes.slice(0, 3).join(", ")}${shapes.length > 3 ? ` and ${shapes.length - 3} more` : ""}.`;
    for (const { name, input, output } of this.#rows) {
      const emotion = emotionOf(name);
      const value = emotion === null ? this.controls.number(name) : (mix[emotion] ?? 0);
      if (Math.abs(input.valueAsNumber - value) > 0.004) input.value = String(value);
      input.style.setProperty("--filled", `${(100 * value) / Number(input.max)}%`);
      output.textContent = value.toFixed(2);
    }
  }

  /** @param {string} name @param {string} label @param {number} max @param {string} hint */
  #row(name, label, max, hint) {
    const id = name.replace(".", "-");
    const input = make("input", { type: "range", id, min: "0", max: String(max), step: "0.01" });
    const output = make("output");
    input.value = "0";
    output.setAttribute("for", id);
    const emotion = emotionOf(name);
    input.addEventListener("input", () =>
      emotion === null ? this.controls.set({ [name]: input.valueAsNumber }) : this.controls.remix({ [emotion]: input.valueAsNumber }));
    input.addEventListener("pointerdown", () => this.controls.hold(name, true));
    for (const end of ["pointerup", "pointercancel", "change", "blur"]) {
      input.addEventListener(end, () => this.controls.hold(name, false));
    }
    this.#rows.push({ name, input, output });
    const row = make("div", { className: "slider" }, make("label", { htmlFor: id, textContent: label }), input, output);
    if (hint) {
      row.append(make("p", { className: "fine", id: `${id}-hint`, textContent: hint }));
      input.setAttribute("aria-describedby", `${id}-hint`);
    }
    return row;
  }
}

/** @param {string} name A control's. @returns {string | null} */
function emotionOf(name) {
  return name.startsWith("emotions.") ? name.slice("emotions.".length) : null;
}
