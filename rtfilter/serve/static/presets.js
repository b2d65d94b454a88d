/** Presets: a button each, the first nine with a key, and a form that saves the present controls as another. */

import { Refused, request } from "./api.js";
import { element, make, press } from "./dom.js";
import { mixOfValues } from "./controls.js";

/**
 * @typedef {import("./controls.js").Controls} Controls
 * @typedef {Partial<import("./controls.js").Values>} Part
 * @typedef {{name: string, description: string, values: Part, saved: boolean}} Preset
 */

export class Presets {
  #row = element("presets", HTMLElement);
  #form = element("save", HTMLElement);
  #name = element("save-name", HTMLInputElement);
  #note = element("save-note", HTMLElement);
  #confirm = element("save-confirm", HTMLButtonElement);
  #open = element("save-open", HTMLButtonElement);
  /** @type {{preset: Preset, button: HTMLButtonElement}[]} */
  #all = [];
  /** The name that a second press would replace. */
  #taken = "";

  /** @param {Controls} controls @param {Preset[]} presets @param {boolean} canSave */
  constructor(controls, presets, canSave) {
    this.controls = controls;
    this.#open.hidden = !canSave;
    this.#row.replaceChildren();
    for (const preset of presets) this.#add(preset);
    this.#open.addEventListener("click", () => this.#show(this.#form.hidden));
    element("save-cancel", HTMLButtonElement).addEventListener("click", () => this.#show(false));
    this.#confirm.addEventListener("click", () => this.#save());
    this.#name.addEventListener("input", () => this.#notify("", ""));
    this.#name.addEventListener("keydown", (event) => {
      event.stopPropagation(); // letters are no hot keys here
      if (event.key === "Enter") this.#save();
      if (event.key === "Escape") this.#show(false);
    });
  }

  /** @param {number} number 1 is the first. @returns {boolean} Whether there is one. */
  choose(number) {
    const chosen = this.#all[number - 1];
    if (chosen) this.controls.choose(chosen.preset.name);
    return chosen !== undefined;
  }

  /** Mark the one that matches the controls. */
  show() {
    for (const { preset, button } of this.#all) press(button, this.#chosen(preset.values));
  }

  /** @param {Preset} preset */
  #add(preset) {
    const known = this.#all.find(({ preset: { name } }) => name === preset.name);
    if (known) return void (known.preset = preset);
    const button = make("button", { type: "button", title: preset.description, textContent: preset.name });
    if (this.#all.length < 9) button.append(make("kbd", { textContent: String(this.#all.length + 1) }));
    button.addEventListener("click", () => this.controls.choose(preset.name));
    this.#all.push({ preset, button });
    this.#row.append(button);
  }

  /** @param {boolean} open */
  #show(open) {
    this.#form.hidden = !open;
    this.#notify("", "");
    this.#name.value = "";
    (open ? this.#name : this.#open).focus();
  }

  /** @param {string} text @param {string} taken */
  #notify(text, taken) {
    this.#note.textContent = text;
    this.#taken = taken;
    this.#confirm.textContent = taken ? "Replace" : "Save";
  }

  async #save() {
    const name = this.#name.value.trim().toLowerCase().replace(/[^a-z0-9_-]+/g, "-").replace(/^[-_]+|-+$/g, "").slice(0, 40);
    if (!name) return this.#notify("Give it a name, such as my-mood.", "");
    const { intensity, mouth, smoothing, skin, blendshapes } = this.controls.values;
    const rest = { intensity, mouth, smoothing, skin, ...(this.controls.shapes.length > 0 && { blendshapes }) };
    const emotions = Object.fromEntries(Object.entries(this.controls.mix).filter(([, amount]) => amount > 0));
    try {
      const answer = await request("PUT", `/api/presets/${encodeURIComponent(name)}`, {
        json: { values: { ...rest, emotions }, ...(this.#taken === name && { overwrite: true }) },
      });
      this.#add(await answer.json());
      this.#show(false);
      this.show();
    } catch (error) {
      const own = this.#all.some(({ preset }) => preset.name === name && preset.saved);
      const taken = error instanceof Refused && error.status === 409 && own;
      this.#notify(taken ? `There is a preset ${name} already.` : `Not saved: ${/** @type {Error} */ (error).message}.`, taken ? name : "");
    }
  }

  /** @param {Part} values */
  #chosen(values) {
    const wanted = { ...mixOfValues(values), ...values.blendshapes };
    const now = { ...this.controls.mix, ...this.controls.values.blendshapes };
    const names = new Set([...Object.keys(wanted), ...Object.keys(now)]);
    const same = (/** @type {number} */ a, /** @type {number} */ b) => Math.abs(a - b) < 0.005;
    return (
      [...names].every((name) => same(wanted[name] ?? 0, now[name] ?? 0)) &&
      /** @type {const} */ (["intensity", "mouth", "smoothing", "skin"]).every((name) => values[name] === undefined || same(values[name], this.controls.number(name)))
    );
  }
}
