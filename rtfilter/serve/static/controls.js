/**
 * The controls of the session: what the sliders show and the server filters with. Changes act here at once and
 * go out as one merge patch an animation frame; the server's echo moves only what is not being moved here.
 *
 * A control has a flat name: "intensity", or "emotions.happy". Valence and arousal are shown as the
 * mix that they stand for, and become that mix once it is changed here: sliders and wheel show one thing.
 *
 * @typedef {object} Values The server's `Controls`.
 * @property {Record<string, number>} emotions
 * @property {number} intensity
 * @property {number} mouth
 * @property {number} valence
 * @property {number} arousal
 * @property {number} smoothing
 * @property {number} skin
 * @property {boolean} bypass
 * @property {Record<string, number>} [blendshapes] By ARKit's names: from presets and scripts, no slider of this page.
 * @typedef {Record<string, any>} Flat
 */

import { clamp } from "./dom.js";
import { mixOf } from "./moods.js";

const EMOTION = "emotions.";
const AMOUNT_MAX = 1.5;

export class Controls {
  /** What is shown. @type {Flat} */
  #shown = {};
  /** The last values from the server. @type {Flat} */
  #echoed = {};
  /** The last message of ours that named a control and has not come back. @type {Map<string, number>} */
  #sent = new Map();
  /** Named since the last message. @type {Set<string>} */
  #named = new Set();
  /** Under a finger. @type {Set<string>} */
  #held = new Set();
  #seq = 0;
  #frame = 0;

  /**
   * @param {(message: {type: string} & Record<string, any>) => boolean} send False when there is no way now.
   * @param {() => void} changed After every change of what is shown.
   */
  constructor(send, changed) {
    this.send = send;
    this.changed = changed;
  }

  /** @param {string} name @returns {number} */
  number(name) {
    return Number(this.#shown[name] ?? 0);
  }

  /** The target of every emotion, from sliders, wheel and presets. @returns {import("./moods.js").Mix} */
  get mix() {
    return mixOfValues(this.values);
  }

  /** The target as a point on the wheel; null when the target is a mix or empty. @returns {import("./moods.js").Point | null} */
  get point() {
    const { emotions = {}, valence = 0, arousal = 0 } = this.values;
    const alone = (valence !== 0 || arousal !== 0) && Object.values(emotions).every((amount) => amount === 0);
    return alone ? { valence, arousal } : null;
  }

  /** Names of the blendshapes with an offset. @returns {string[]} */
  get shapes() {
    return Object.entries(this.values.blendshapes ?? {}).flatMap(([name, value]) => (value === 0 ? [] : [name]));
  }

  /** Whether the target differs from the face as it is. */
  get edits() {
    // Intensity is a factor on the emotions alone.
    return this.shapes.length > 0 || (this.number("intensity") > 0 && Object.values(this.mix).some((amount) => amount > 0));
  }

  /** Set the amounts of some emotions; the rest of the mix stays. @param {import("./moods.js").Mix} amounts */
  remix(amounts) {
    const mix = { ...this.mix, ...amounts };
    const named = Object.entries(mix).filter(([name, amount]) => amount > 0 || EMOTION + name in this.#shown);
    this.set({ valence: 0, arousal: 0, ...Object.fromEntries(named.map(([name, amount]) => [EMOTION + name, rounded(amount)])) });
  }

  /** While a finger moves the whole mix. @param {boolean} held @param {string[]} emotions */
  holdMix(held, emotions) {
    for (const name of ["valence", "arousal", ...emotions.map((emotion) => EMOTION + emotion)]) {
      if (held) this.#held.add(name);
      else this.#held.delete(name);
    }
    if (!held) this.#settle();
  }

  get bypass() {
    return this.#shown.bypass === true;
  }

  /** @returns {Values} Whole, as the server takes it. */
  get values() {
    return /** @type {Values} */ (unflatten(this.#shown));
  }

  /** Something here was moved. @param {Flat} changes */
  set(changes) {
    for (const [name, value] of Object.entries(changes)) {
      if (this.#shown[name] === value) continue;
      this.#shown[name] = value;
      this.#named.add(name);
    }
    this.#frame ||= requestAnimationFrame(() => this.#flush());
    this.changed();
  }

  /** Back to the defaults: in a merge patch that is null. */
  reset() {
    this.#named.clear();
    const changes = Object.fromEntries(["emotions", "intensity", "mouth", "valence", "arousal", "smoothing", "skin", "bypass", "blendshapes"].map((name) => [name, null]));
    this.#send({ type: "controls", changes });
  }

  /** @param {string} name The preset's. */
  choose(name) {
    this.#flush();
    this.#send({ type: "preset", name });
  }

  /** @param {string} name @param {boolean} held */
  hold(name, held) {
    if (held) return void this.#held.add(name);
    this.#held.delete(name);
    this.#settle();
  }

  /** Whether the server's values have arrived: before the first session they have not. */
  get known() {
    return "intensity" in this.#shown;
  }

  /** A new session, which has nothing of what was under way in the last. @param {Values} values */
  begin(values) {
    this.#sent.clear();
    this.echo(values, null);
    this.#flush();
  }

  /** @param {Values} values @param {number | null} seq Of the message that made it so. */
  echo(values, seq) {
    this.#echoed = flatten(values);
    for (const [name, sent] of this.#sent) if (seq !== null && seq >= sent) this.#sent.delete(name);
    this.#settle();
  }

  /** The server did not take message `seq`. @param {number | null} seq */
  refused(seq) {
    for (const [name, sent] of this.#sent) if (seq === null || seq >= sent) this.#sent.delete(name);
    this.#settle();
  }

  /** Take over from the server what is not on its way to it and not under a finger. */
  #settle() {
    for (const name of new Set([...Object.keys(this.#shown), ...Object.keys(this.#echoed)])) {
      if (this.#sent.has(name) || this.#held.has(name) || this.#named.has(name)) continue;
      if (name in this.#echoed) this.#shown[name] = this.#echoed[name];
      else delete this.#shown[name];
    }
    this.changed();
  }

  #flush() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (this.#named.size === 0) return;
    const changes = unflatten(Object.fromEntries([...this.#named].map((name) => [name, this.#shown[name]])));
    const seq = this.#send({ type: "controls", changes });
    if (seq === null) return; // no way now: it is kept for the next session
    for (const name of this.#named) this.#sent.set(name, seq);
    this.#named.clear();
  }

  /** @param {{type: string} & Record<string, any>} message @returns {number | null} Its number. */
  #send(message) {
    this.#seq += 1;
    return this.send({ ...message, seq: this.#seq }) ? this.#seq : null;
  }
}

/** The target of every emotion in some or all controls. @param {Partial<Values>} values @returns {import("./moods.js").Mix} */
export function mixOfValues({ emotions = {}, valence = 0, arousal = 0 }) {
  const mix = mixOf({ valence, arousal });
  for (const [name, amount] of Object.entries(emotions)) mix[name] = amount + (mix[name] ?? 0);
  return Object.fromEntries(Object.entries(mix).map(([name, amount]) => [name, clamp(rounded(amount), 0, AMOUNT_MAX)]));
}

/** To three digits, which is what is sent. @param {number} amount */
function rounded(amount) {
  return Math.round(amount * 1000) / 1000;
}

/** @param {Values} values @returns {Flat} */
function flatten({ emotions, ...rest }) {
  const flat = /** @type {Flat} */ ({ ...rest });
  for (const [name, amount] of Object.entries(emotions)) flat[EMOTION + name] = amount;
  return flat;
}

/** @param {Flat} flat @returns {Record<string, any>} */
function unflatten(flat) {
  /** @type {Record<string, any>} */
  const values = {};
  for (const [name, value] of Object.entries(flat)) {
    if (name.startsWith(EMOTION)) (values.emotions ??= {})[name.slice(EMOTION.length)] = value;
    else values[name] = value;
  }
  return values;
}
