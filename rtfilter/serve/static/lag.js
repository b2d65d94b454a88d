/**
 * How much later the filtered picture is than the camera's, seen in the pictures: small copies of both are
 * compared, and the most alike belong together. The edit is a small part of a picture, and what moves is
 * most of one. While nothing moves, all are alike and there is no result.
 */

import { make } from "./dom.js";

const WIDTH = 32;
const HEIGHT = 18;
/** Looked at for the first part of every such time, to leave the processor alone in the rest. */
const EVERY_MS = 2_000;
const LOOKING_MS = 900;
/** Pictures that must be there to choose from. */
const LEAST = 8;
/** In grey levels: how much better than the average of all the best must be, and its share of it at most. */
const CLEARER = 0.4;
const SHARE = 0.6;
const REMEMBERED = 9;
const FORGOTTEN_MS = 12_000;

export class Lag {
  #context = make("canvas", { width: WIDTH, height: HEIGHT }).getContext("2d", { willReadFrequently: true });
  /** @type {{luma: Float32Array, taken: number}[]} The oldest first. */
  #past = [];
  /** @type {{ms: number, at: number}[]} */
  #found = [];

  /** The median of what was seen lately; null when nothing was. @returns {number | null} */
  get ms() {
    const now = performance.now();
    const lately = this.#found.filter(({ at }) => now - at < FORGOTTEN_MS).map(({ ms }) => ms).sort((a, b) => a - b);
    return lately.length < 3 ? null : lately[lately.length >> 1];
  }

  forget() {
    this.#past = [];
    this.#found = [];
  }

  /** A picture of the camera. @param {HTMLVideoElement} picture @param {number} now */
  keep(picture, now) {
    if (now % EVERY_MS > LOOKING_MS) this.#past = [];
    else this.#past.push({ luma: this.#small(picture), taken: now });
  }

  /** A filtered picture. @param {HTMLVideoElement} picture @param {number} now */
  look(picture, now) {
    if (this.#past.length < LEAST) return;
    const luma = this.#small(picture);
    const differences = this.#past.map((past) => difference(past.luma, luma));
    const least = Math.min(...differences);
    const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
    const best = differences.indexOf(least);
    // At either end the right one may lie beyond it.
    if (best === 0 || best === differences.length - 1 || mean - least < CLEARER || least > SHARE * mean) return;
    this.#found = [...this.#found.slice(1 - REMEMBERED), { ms: now - this.#past[best].taken, at: now }];
  }

  /** @param {HTMLVideoElement} picture */
  #small(picture) {
    const luma = new Float32Array(WIDTH * HEIGHT);
    if (!this.#context) return luma;
    this.#context.drawImage(picture, 0, 0, WIDTH, HEIGHT);
    const { data } = this.#context.getImageData(0, 0, WIDTH, HEIGHT);
    for (let i = 0; i < luma.length; i += 1) luma[i] = 0.3 * data[4 * i] + 0.6 * data[4 * i + 1] + 0.1 * data[4 * i + 2];
    return luma;
  }
}

/** Mean absolute difference, in grey levels. @param {Float32Array} a @param {Float32Array} b */
function difference(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}
