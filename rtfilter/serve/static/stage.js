/** The picture: which view, mirrored or not, and where before turns into after. */

import { clamp, dragging, element, press } from "./dom.js";
import { remember, settings } from "./settings.js";

const STEP = 0.02;
const VIEWS = /** @type {const} */ (["split", "filtered", "sides"]);

export class Stage {
  #stage = element("stage", HTMLElement);
  #handle = element("split", HTMLElement);
  #mirror = element("mirror", HTMLButtonElement);
  #views = [...element("views", HTMLElement).querySelectorAll("button")];

  constructor() {
    this.video = element("after", HTMLVideoElement);
    this.video.addEventListener("resize", () => this.#shape());
    for (const button of this.#views) {
      button.addEventListener("click", () => this.#look({ view: /** @type {any} */ (button.dataset.view) }));
    }
    this.#mirror.addEventListener("click", () => this.mirror());
    dragging(this.#handle, { move: (event) => this.#drag(event) });
    this.#handle.addEventListener("keydown", (event) => this.#key(event));
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

  /** @param {Partial<import("./settings.js").Settings>} changes */
  #look(changes) {
    remember(changes);
    const view = VIEWS.includes(settings.view) ? settings.view : "split";
    this.#stage.dataset.view = view;
    this.#stage.toggleAttribute("data-mirror", settings.mirror);
    const percent = 100 * clamp(settings.split, 0, 1);
    this.#stage.style.setProperty("--split", `${percent}%`);
    this.#handle.setAttribute("aria-valuenow", String(Math.round(percent)));
    this.#handle.setAttribute("aria-valuetext", `${Math.round(percent)} percent shows the original`);
    for (const button of this.#views) press(button, button.dataset.view === view);
    press(this.#mirror, settings.mirror);
  }

  #shape() {
    const { videoWidth, videoHeight } = this.video;
    if (videoWidth > 0) this.#stage.style.setProperty("--aspect", String(videoWidth / videoHeight));
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const box = this.#stage.getBoundingClientRect();
    this.#look({ split: clamp((event.clientX - box.left) / box.width, 0, 1) });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = event.shiftKey ? STEP * 5 : STEP;
    const { split } = settings;
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
