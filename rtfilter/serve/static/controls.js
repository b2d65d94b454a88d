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
 * @property {boolean} [occlusion] Whether what lies over the face stays as it is.
 * @property {Record<string, number>} [blendshapes] By ARKit's names: from presets and scripts, no slider of this page.
 * @typedef {import("./flat.js").Flat} Flat
 */

import { clamp } from "./dom.js";
import { EMOTION, flatten, rounded, unflatten } from "./flat.js";
import { mixOf } from "./moods.js";

const AMOUNT_MAX = 1.5;

export class Controls {
  /** What is shown. @type {Flat} */
  #shown = {};
  /** The last values from the server, of whom they are for. @type {Flat} */
  #echoed = {};
  /** Everybody's, and those of people who have their own, by number. @type {Values | null} */
  #everybody = null;
  /** @type {Record<string, Values>} */
  #people = {};
  /** Whom what is moved here is for; null: everybody. @type {number | null} */
  #person = null;
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

  get occlusion() {
    return this.#shown.occlusion !== false;
  }

  /** Whom what is moved here is for from now on. @param {number | null} person Null: everybody. */
  pick(person) {
    if (person === this.#person) return;
    this.#flush();
    this.#person = person;
    for (const names of [this.#sent, this.#named, this.#held]) names.clear();
    this.#heard(null);
  }

  /** @returns {Values} Everybody's, whole, as the server takes it. */
  get everybody() {
    return this.#person === null || !this.#everybody ? this.values : this.#everybody;
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

  /** Back to the defaults, which in a merge patch is null; one person, to everybody's. */
  reset() {
    this.#named.clear();
    if (this.#person !== null) return void this.#send({ type: "controls", people: { [this.#person]: null } });
    const changes = Object.fromEntries(["emotions", "intensity", "mouth", "valence", "arousal", "smoothing", "skin", "bypass", "occlusion", "blendshapes"].map((name) => [name, null]));
    this.#send({ type: "controls", changes });
  }

  /** @param {string} name The preset's. */
  choose(name) {
    this.#flush();
    this.#send({ type: "preset", name, ...(this.#person !== null && { person: this.#person }) });
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

  /** A new session, which has nothing of what was under way in the last. @param {Values} values
   * @param {Record<string, Values>} [people] Those who have their own. */
  begin(values, people = {}) {
    this.#sent.clear();
    this.#people = people;
    this.echo(values, null);
    this.#flush();
  }

  /** @param {Values} values @param {number | null} seq Of the message that made it so. */
  echo(values, seq) {
    this.#everybody = values;
    this.#heard(seq);
  }

  /** @param {Record<string, Values>} people @param {number | null} seq */
  echoPeople(people, seq) {
    this.#people = people;
    this.#heard(seq);
  }

  /** @param {number | null} seq */
  #heard(seq) {
    if (!this.#everybody) return;
    // Off is off for everybody.
    const own = this.#people[String(this.#person)] ?? this.#everybody;
    this.#echoed = flatten({ ...own, bypass: this.#everybody.bypass });
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
    const { bypass, ...rest } = unflatten(Object.fromEntries([...this.#named].map((name) => [name, this.#shown[name]])));
    const off = bypass === undefined ? {} : { bypass };
    const own = Object.keys(rest).length > 0 ? { people: { [String(this.#person)]: rest } } : {};
    const seq = this.#send({ type: "controls", ...(this.#person === null ? { changes: { ...rest, ...off } } : { changes: off, ...own }) });
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
