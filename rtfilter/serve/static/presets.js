/** Presets: a button each, the first nine with a key. */

import { element, make, press } from "./dom.js";

/**
 * @typedef {import("./wish.js").Wish} Wish
 * @typedef {{name: string, description: string, values: Partial<import("./wish.js").Values>}} Preset
 */

export class Presets {
  /** @type {{preset: Preset, button: HTMLButtonElement}[]} */
  #all;

  /** @param {Wish} wish @param {Preset[]} presets */
  constructor(wish, presets) {
    this.wish = wish;
    this.#all = presets.map((preset, index) => {
      const button = make("button", { type: "button", title: preset.description, textContent: preset.name });
      if (index < 9) button.append(make("kbd", { textContent: String(index + 1) }));
      button.addEventListener("click", () => wish.choose(preset.name));
      return { preset, button };
    });
    element("presets", HTMLElement).replaceChildren(...this.#all.map(({ button }) => button));
  }

  /** @param {number} number 1 is the first. @returns {boolean} Whether there is one. */
  choose(number) {
    const chosen = this.#all[number - 1];
    if (chosen) this.wish.choose(chosen.preset.name);
    return chosen !== undefined;
  }

  /** Mark the one that is wished now. */
  show() {
    for (const { preset, button } of this.#all) press(button, this.#chosen(preset.values));
  }

  /** @param {Partial<import("./wish.js").Values>} values */
  #chosen(values) {
    const now = this.wish.values;
    const wanted = { emotions: {}, valence: 0, arousal: 0, ...values };
    const names = new Set([...Object.keys(wanted.emotions), ...Object.keys(now.emotions ?? {})]);
    const same = (/** @type {number} */ a, /** @type {number} */ b) => Math.abs(a - b) < 0.005;
    return (
      [...names].every((name) => same(wanted.emotions[name] ?? 0, now.emotions?.[name] ?? 0)) &&
      Object.entries(wanted).every(([name, value]) => typeof value !== "number" || same(value, this.wish.number(name)))
    );
  }
}
