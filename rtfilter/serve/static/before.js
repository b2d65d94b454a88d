/**
 * The original beside the filtered picture, of the same moment: the filtered one has been to the server, so
 * the camera's own pictures wait here until theirs comes back. Otherwise a moving face breaks at the split.
 */

import { clamp, element, make } from "./dom.js";
import { everyFrame } from "./frames.js";
import { Lag } from "./lag.js";

/** At 30 pictures a second enough for 400 ms; for more where the filtered picture comes later, up to a second. */
const KEPT = 12;
const MOST_KEPT = 33;
const INTERVAL_MS = 1000 / 30;
const SPARE_MS = 150;
const WIDEST_PX = 1280;

export class Before {
  #canvas = element("before", HTMLCanvasElement);
  #source = make("video", { className: "source", muted: true, playsInline: true, autoplay: true });
  /** @type {{canvas: HTMLCanvasElement, taken: number}[]} The oldest first. */
  #waiting = [];

  /**
   * @param {HTMLVideoElement} filtered Its pictures call for theirs.
   * @param {() => boolean} wanted Whether anybody sees the original.
   * @param {boolean} own Whether the pictures are this page's camera's, or come from the server as well.
   */
  constructor(filtered, wanted, own) {
    this.own = own;
    this.lag = new Lag();
    /** How much later the filtered pictures come, by who cannot see it. */
    this.estimated_ms = 60;
    this.#source.setAttribute("aria-hidden", "true");
    this.#canvas.before(this.#source);
    /** What the camera itself takes, where the browser reports it; null where it does not. @type {number | null} */
    this.capture_ms = null;
    everyFrame(this.#source, (now, { captureTime }) => {
      // A remote picture has a capture time too, on a clock that need not be ours.
      if (captureTime !== undefined && now >= captureTime && now - captureTime < 1000) this.capture_ms = now - captureTime;
      if (wanted()) this.#keep(now);
      if (own) this.lag.keep(this.#source, now);
    });
    everyFrame(filtered, (now) => {
      if (wanted()) this.#paint(now);
      if (own) this.lag.look(filtered, now);
    });
  }

  /** The original as it comes, which is earlier than the filtered picture. */
  get stream() {
    return /** @type {MediaStream | null} */ (this.#source.srcObject);
  }

  /** @param {MediaStream | null} stream */
  show(stream) {
    this.#waiting = [];
    this.capture_ms = null;
    this.lag.forget();
    this.#source.srcObject = stream;
    if (stream) this.#source.play().catch(() => undefined); // gone again before it began
  }

  /** How much later the filtered picture of a moment is here; the server's two come together. */
  get #behind_ms() {
    return this.own ? (this.lag.ms ?? this.estimated_ms) : 0;
  }

  /** @param {number} now */
  #keep(now) {
    const { videoWidth, videoHeight } = this.#source;
    if (videoWidth === 0) return;
    const scale = Math.min(1, WIDEST_PX / videoWidth);
    const needed = clamp(Math.ceil((this.#behind_ms + SPARE_MS) / INTERVAL_MS), KEPT, MOST_KEPT);
    if (this.#waiting.length > needed) this.#waiting.shift();
    const oldest = this.#waiting.length < needed ? { canvas: make("canvas"), taken: 0 } : this.#waiting.shift();
    if (!oldest) return;
    draw(this.#source, oldest.canvas, Math.round(videoWidth * scale), Math.round(videoHeight * scale));
    oldest.taken = now;
    this.#waiting.push(oldest);
  }

  /** @param {number} now */
  #paint(now) {
    const wanted = now - this.#behind_ms;
    const distance = (/** @type {{taken: number}} */ { taken }) => Math.abs(taken - wanted);
    const [first, ...others] = this.#waiting;
    if (!first) return;
    const { canvas } = others.reduce((best, next) => (distance(next) < distance(best) ? next : best), first);
    draw(canvas, this.#canvas, canvas.width, canvas.height);
  }
}

/** @param {CanvasImageSource} source @param {HTMLCanvasElement} target @param {number} width @param {number} height */
function draw(source, target, width, height) {
  if (target.width !== width) target.width = width;
  if (target.height !== height) target.height = height;
  target.getContext("2d", { alpha: false })?.drawImage(source, 0, 0, width, height);
}
