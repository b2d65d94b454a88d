/** The picture: which view, mirrored or not, and where before turns into after, which is never in the face. */

import { clamp, dragging, element, press } from "./dom.js";
import { remember, settings } from "./settings.js";

const STEP = 0.02;
const VIEWS = /** @type {const} */ (["sides", "split", "filtered"]);
/** The line stands so far beside the face, in widths of the face: hair and ears are no landmarks. */
const BESIDE = 0.6;
/** A face that moves less, in shares of the picture, moves nothing. */
const STILL = 0.04;

export class Stage {
  #stage = element("stage", HTMLElement);
  #handle = element("split", HTMLElement);
  #mirror = element("mirror", HTMLButtonElement);
  #views = [...element("views", HTMLElement).querySelectorAll("button")];
  /** Left and right of the face, in shares of the picture as the camera has it. @type {[number, number]} */
  #face = [0.4, 0.6];

  constructor() {
    this.video = element("after", HTMLVideoElement);
    this.video.addEventListener("resize", () => this.#look({}));
    new ResizeObserver(() => this.#focus()).observe(this.#stage);
    for (const button of this.#views) {
      button.addEventListener("click", () => this.#look({ view: /** @type {any} */ (button.dataset.view) }));
    }
    this.#mirror.addEventListener("click", () => this.mirror());
    dragging(this.#handle, { move: (event) => this.#drag(event) });
    this.#handle.addEventListener("keydown", (event) => this.#key(event));
    this.#handle.addEventListener("dblclick", () => this.#look({ split: -1 }));
    this.#look({});
  }

  /** Whether the original is in view at all. */
  get showsBefore() {
    return settings.view !== "filtered";
  }

  mirror() {
    this.#look({ mirror: !settings.mirror });
  }

  nextView() {
    this.#look({ view: VIEWS[(VIEWS.indexOf(settings.view) + 1) % VIEWS.length] });
  }

  /** @param {MediaStream} stream The filtered picture. */
  show(stream) {
    this.video.srcObject = stream;
    // A browser that holds it back shows it after the next click; muted pictures are not held back.
    this.video.play().catch(() => undefined);
  }

  /** Where a box of the picture lies on the stage, in the filtered picture; null where that does not show it.
   * @param {[number, number, number, number]} box @returns {{left: number, top: number, width: number, height: number} | null} */
  placed([left, top, right, bottom]) {
    const shown = this.#shown(element("after", HTMLElement));
    if (!shown) return null;
    const [a, b] = [left, right].map((share) => shown.left + shown.width * (settings.mirror ? 1 - share : share));
    const middle = (a + b) / 2;
    if (middle < shown.from || middle > shown.to) return null;
    return { left: Math.min(a, b), top: shown.top + top * shown.height, width: Math.abs(b - a), height: (bottom - top) * shown.height };
  }

  /** Where in the picture the pointer is, in shares; null beside it. @param {MouseEvent} event @returns {{x: number, y: number} | null} */
  shares(event) {
    const stage = this.#stage.getBoundingClientRect();
    for (const id of ["before", "after"]) {
      const pane = element(id, HTMLElement).getBoundingClientRect();
      const inside = event.clientX >= pane.left && event.clientX <= pane.right && pane.width > 0;
      const shown = inside && this.#shown(element(id, HTMLElement));
      if (!shown) continue;
      const x = (event.clientX - stage.left - shown.left) / shown.width;
      const y = (event.clientY - stage.top - shown.top) / shown.height;
      if (x >= 0 && x <= 1 && y >= 0 && y <= 1) return { x: settings.mirror ? 1 - x : x, y };
    }
    return null;
  }

  /** The whole picture in a pane, in pixels of the stage; only what is between `from` and `to` is seen. @param {HTMLElement} picture */
  #shown(picture) {
    const { videoWidth, videoHeight } = this.video;
    const stage = this.#stage.getBoundingClientRect();
    const pane = picture.getBoundingClientRect();
    if (!videoWidth || !pane.width) return null;
    const cover = this.#stage.dataset.view === "sides";
    const scale = (cover ? Math.max : Math.min)(pane.width / videoWidth, pane.height / videoHeight);
    const [width, height] = [videoWidth * scale, videoHeight * scale];
    const focus = cover ? Number.parseFloat(getComputedStyle(this.#stage).getPropertyValue("--focus")) / 100 : 0.5;
    const from = (pane.width - width) * (settings.mirror ? 1 - focus : focus);
    const [left, top] = [pane.left - stage.left, pane.top - stage.top];
    return { left: left + from, top: top + (pane.height - height) / 2, width, height, from: left, to: left + pane.width };
  }

  /** Where the face is. @param {[number, number, number, number] | null} box Left, top, right, bottom, in shares of the picture. */
  face(box) {
    if (!box || (Math.abs(box[0] - this.#face[0]) < STILL && Math.abs(box[2] - this.#face[1]) < STILL)) return;
    this.#face = [box[0], box[2]];
    this.#look({}, false);
  }

  /** Share of the width that shows the original. */
  get #split() {
    if (settings.split >= 0) return clamp(settings.split, 0, 1);
    const [left, right] = this.#face;
    const edge = settings.mirror ? 1 - right : left;
    return clamp(edge - BESIDE * (right - left), 0.02, 0.98);
  }

  /** @param {Partial<import("./settings.js").Settings>} changes @param {boolean} [keep] */
  #look(changes, keep = true) {
    if (keep) remember(changes);
    const view = VIEWS.includes(settings.view) ? settings.view : "sides";
    this.#stage.dataset.view = view;
    this.#stage.toggleAttribute("data-mirror", settings.mirror);
    this.#stage.toggleAttribute("data-follows", settings.split < 0);
    const percent = 100 * this.#split;
    this.#stage.style.setProperty("--split", `${percent}%`);
    this.#handle.setAttribute("aria-valuenow", String(Math.round(percent)));
    this.#handle.setAttribute("aria-valuetext", `${Math.round(percent)} percent shows the original`);
    for (const button of this.#views) press(button, button.dataset.view === view);
    press(this.#mirror, settings.mirror);
    const { videoWidth, videoHeight } = this.video;
    if (videoWidth > 0) document.documentElement.style.setProperty("--aspect", (videoWidth / videoHeight).toFixed(4));
    this.#focus();
  }

  /** Side by side, each half shows the part of its picture around the face. */
  #focus() {
    const { clientWidth, clientHeight } = this.#stage;
    const { videoWidth, videoHeight } = this.video;
    if (!clientWidth || !videoWidth) return;
    const wider = (videoWidth / videoHeight) * clientHeight / (clientWidth / 2);
    const [left, right] = this.#face;
    const position = wider > 1.01 ? clamp((wider * ((left + right) / 2) - 0.5) / (wider - 1), 0, 1) : 0.5;
    this.#stage.style.setProperty("--focus", `${100 * position}%`);
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const box = this.#stage.getBoundingClientRect();
    this.#look({ split: clamp((event.clientX - box.left) / box.width, 0, 1) });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = event.shiftKey ? STEP * 5 : STEP;
    const split = this.#split;
    /** @type {Record<string, number>} */
    const places = {
      ArrowLeft: split - step, ArrowDown: split - step, ArrowRight: split + step, ArrowUp: split + step,
      PageDown: split - 0.1, PageUp: split + 0.1, Home: 0, End: 1,
    };
    if (!(event.key in places)) return;
    this.#look({ split: clamp(places[event.key], 0, 1) });
    event.preventDefault();
  }
}
