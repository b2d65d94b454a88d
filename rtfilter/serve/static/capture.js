/** Pictures kept on purpose: a snapshot as PNG, a recording of before and after as two files. They stay in this browser. */

import { element, make } from "./dom.js";
import { settings } from "./settings.js";

/** In the order of who can play them. */
const TYPES = ["video/mp4;codecs=avc1.42E01F", "video/webm;codecs=vp8", "video/webm", "video/mp4"];
const BITS_PER_SECOND = 5_000_000;
/** A recording lies in memory. */
const LONGEST_S = 600;

/** ended: its last part has come. @typedef {{name: string, recorder: MediaRecorder, parts: Blob[], ended: boolean}} Take */

export class Capture {
  #record = element("record", HTMLButtonElement);
  #tray = element("takes", HTMLElement);
  #text = element("takes-text", HTMLElement);
  #files = element("takes-files", HTMLElement);
  #discard = element("takes-discard", HTMLButtonElement);
  /** @type {Take[]} */
  #takes = [];
  /** Addresses of what has not been saved yet. @type {Set<string>} */
  #unsaved = new Set();
  #began = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;

  /** @param {() => {before: MediaStream | null, after: MediaStream | null}} streams What is to be recorded. */
  constructor(streams) {
    const can = typeof MediaRecorder !== "undefined";
    this.#record.disabled = !can;
    if (!can) this.#record.title = "This browser cannot record";
    this.#record.addEventListener("click", () => (this.#recording ? this.stop() : this.#start(streams())));
    this.#discard.addEventListener("click", () => this.#clear());
    element("snapshot", HTMLButtonElement).addEventListener("click", () => snapshot());
    window.addEventListener("beforeunload", (event) => {
      if (this.#recording || this.#unsaved.size > 0) event.preventDefault();
    });
  }

  get #recording() {
    return this.#takes.some(({ recorder }) => recorder.state === "recording");
  }

  /** Also when the connection is lost: what was recorded until then is kept. */
  stop() {
    for (const { recorder } of this.#takes) if (recorder.state === "recording") recorder.stop();
  }

  /** @param {{before: MediaStream | null, after: MediaStream | null}} streams */
  #start(streams) {
    this.#clear();
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    for (const [name, stream] of Object.entries(streams)) {
      if (!stream?.active) continue;
      const recorder = new MediaRecorder(stream, { ...(mimeType && { mimeType }), videoBitsPerSecond: BITS_PER_SECOND });
      const take = /** @type {Take} */ ({ name, recorder, parts: [], ended: false });
      recorder.addEventListener("dataavailable", ({ data }) => data.size > 0 && take.parts.push(data));
      recorder.addEventListener("stop", () => {
        take.ended = true;
        if (this.#takes.includes(take)) this.#stopped();
      });
      recorder.addEventListener("error", () => recorder.state === "recording" && recorder.stop());
      this.#takes.push(take);
    }
    if (this.#takes.length === 0) return;
    for (const { recorder } of this.#takes) recorder.start(1000);
    this.#began = performance.now();
    this.#tray.hidden = false;
    this.#ticking = setInterval(() => this.#tick(), 500);
    this.#tick();
  }

  #tick() {
    const seconds = this.#seconds;
    this.#record.setAttribute("aria-pressed", "true");
    element("record-text", HTMLElement).textContent = "Stop";
    this.#discard.hidden = true;
    this.#text.textContent = `Recording before and after: ${clock(seconds)}`;
    if (seconds >= LONGEST_S) this.stop();
  }

  get #seconds() {
    return (performance.now() - this.#began) / 1000;
  }

  #stopped() {
    this.stop(); // one ended: so does the other
    if (!this.#takes.every(({ ended }) => ended)) return;
    clearInterval(this.#ticking);
    this.#record.setAttribute("aria-pressed", "false");
    element("record-text", HTMLElement).textContent = "Record";
    const files = this.#takes.filter(({ parts }) => parts.length > 0).map((take) => this.#file(take));
    this.#files.replaceChildren(...files);
    this.#discard.hidden = false;
    this.#text.textContent = files.length > 0 ? `Recorded ${clock(this.#seconds)}. It is kept only in this tab until you save it.` : "Nothing was recorded: no picture came.";
  }

  /** @param {Take} take */
  #file({ name, recorder, parts }) {
    const type = recorder.mimeType.split(";")[0];
    const url = URL.createObjectURL(new Blob(parts, { type }));
    this.#unsaved.add(url);
    const link = make("a", { href: url, download: named(name, type.split("/")[1]), className: "button", textContent: `Save ${name}` });
    link.addEventListener("click", () => this.#unsaved.delete(url));
    return link;
  }

  #clear() {
    clearInterval(this.#ticking);
    for (const link of this.#files.querySelectorAll("a")) URL.revokeObjectURL(link.href);
    this.#unsaved.clear();
    this.#takes = [];
    this.#files.replaceChildren();
    this.#tray.hidden = true;
  }
}

/** What is seen, in the pictures' own size: the filtered one, or before and after beside each other. */
function snapshot() {
  const before = element("before", HTMLCanvasElement);
  const after = element("after", HTMLVideoElement);
  const [width, height] = [after.videoWidth, after.videoHeight];
  if (width === 0) return;
  const shown = settings.view === "filtered" ? [after] : [before, after];
  const canvas = make("canvas", { width: width * shown.length, height });
  const context = canvas.getContext("2d");
  if (!context) return;
  shown.forEach((picture, i) => {
    context.setTransform(settings.mirror ? -1 : 1, 0, 0, 1, width * (settings.mirror ? i + 1 : i), 0);
    context.drawImage(picture, 0, 0, width, height);
  });
  canvas.toBlob((blob) => {
    if (!blob) return;
    const url = URL.createObjectURL(blob);
    make("a", { href: url, download: named("snapshot", "png") }).click();
    element("polite", HTMLElement).textContent = "Snapshot saved";
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }, "image/png");
}

/** @param {string} what @param {string} ending */
function named(what, ending) {
  const now = new Date(Date.now() - 60_000 * new Date().getTimezoneOffset()).toISOString();
  return `rtfilter-${now.slice(0, 19).replaceAll(":", "-").replace("T", "-")}-${what}.${ending}`;
}

/** @param {number} seconds */
function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}
