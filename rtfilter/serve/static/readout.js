/** The delay in figures and over the last 30 seconds. */

import { element, make } from "./dom.js";
import { PARTS } from "./latency.js";
import { remember, settings } from "./settings.js";

/** @typedef {import("./latency.js").Sample} Sample */

const KEPT_MS = 30_000;
const GRID_MS = 50;
/** A round trip to the same machine that takes longer is spent waiting for the processor. */
const BUSY_MS = 30;
const LOCAL = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
/** Room for the scale's figures. */
const LEFT_PX = 40;

export class Readout {
  #canvas = element("chart", HTMLCanvasElement);
  #glass = element("glass", HTMLElement);
  #counts = element("counts", HTMLElement);
  #busy = element("busy", HTMLElement);
  /** @type {Map<string, {swatch: HTMLElement, figure: HTMLElement}>} */
  #rows = new Map();
  /** @type {{at: number, sample: Sample}[]} */
  #past = [];

  constructor() {
    const folded = element("latency", HTMLDetailsElement);
    folded.open = settings.delay;
    folded.addEventListener("toggle", () => {
      remember({ delay: folded.open });
      this.draw();
    });
    const rows = PARTS.map(([part, label, about]) => {
      const swatch = make("i", { className: `part-${part}` });
      const figure = make("dd", { textContent: "–" });
      this.#rows.set(part, { swatch, figure });
      return make("div", { title: about }, swatch, make("dt", { textContent: label }), figure);
    });
    element("parts", HTMLElement).replaceChildren(...rows);
  }

  /** @param {Sample} sample */
  add(sample) {
    this.#past.push({ at: performance.now(), sample });
    this.#glass.textContent = `${sample.seen ? "" : "about "}${Math.round(sample.total_ms)} ms, ${sample.seen ? "seen in the picture" : "estimated"}`;
    this.#busy.hidden = !(LOCAL && sample.trip_ms > BUSY_MS);
    this.#busy.textContent = `This machine is busy: a round trip to itself takes ${Math.round(sample.trip_ms)} ms, and should take less than 5. Other programs, or other tabs, hold the processor.`;
    for (const [part] of PARTS) {
      const ms = sample.parts[part];
      const row = this.#rows.get(part);
      if (row) row.figure.textContent = ms === null ? "unknown" : `${ms.toFixed(1)} ms`;
    }
    this.#counts.textContent = `${sample.fps.toFixed(0)} pictures a second · ${sample.dropped} dropped · ${sample.size}`;
    this.draw();
  }

  /** The chart as of now: time goes on where no samples come. */
  draw() {
    const now = performance.now();
    this.#past = this.#past.filter(({ at }) => now - at < KEPT_MS);
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const context = this.#canvas.getContext("2d");
    if (!context || width === 0) return; // folded away
    const ratio = window.devicePixelRatio;
    this.#canvas.width = width * ratio;
    this.#canvas.height = height * ratio;
    context.scale(ratio, ratio);
    const highest = Math.max(2 * GRID_MS, ...this.#past.map(({ sample }) => sample.total_ms * 1.1));
    const x = (/** @type {number} */ at) => width - ((now - at) / KEPT_MS) * (width - LEFT_PX);
    const y = (/** @type {number} */ ms) => height - 1 - (ms / highest) * (height - 10);
    this.#grid(context, highest, width, y);
    const floor = this.#past.map(() => 0);
    for (const [part] of PARTS) {
      const colour = this.#rows.get(part)?.swatch;
      if (!colour || this.#past.length < 2) continue;
      context.beginPath();
      this.#past.forEach(({ at }, i) => context.lineTo(x(at), y(floor[i])));
      this.#past.forEach(({ sample }, i) => (floor[i] += sample.parts[part] ?? 0));
      for (let i = this.#past.length - 1; i >= 0; i -= 1) context.lineTo(x(this.#past[i].at), y(floor[i]));
      context.fillStyle = getComputedStyle(colour).backgroundColor;
      context.fill();
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {number} highest @param {number} width @param {(ms: number) => number} y */
  #grid(context, highest, width, y) {
    const style = getComputedStyle(this.#counts.parentElement ?? this.#counts);
    context.strokeStyle = style.borderTopColor;
    context.fillStyle = style.color;
    context.font = `11px ${style.fontFamily}`;
    const step = GRID_MS * Math.ceil(highest / (4 * GRID_MS));
    for (let ms = 0; ms <= highest; ms += step) {
      const line = Math.round(y(ms)) - 0.5;
      context.beginPath();
      context.moveTo(LEFT_PX, line);
      context.lineTo(width, line);
      context.stroke();
      if (ms > 0) context.fillText(`${ms} ms`, 0, line + 4);
    }
  }
}
