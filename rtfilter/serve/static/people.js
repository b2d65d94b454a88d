/** The faces in the picture: a frame around each where several are followed; a press chooses one. */

import { element, make, press } from "./dom.js";

/**
 * @typedef {[number, number, number, number]} Box Left, top, right, bottom, in shares of the picture.
 * @typedef {{person: number, face_box: Box}} Seen
 * @typedef {object} Owner
 * @property {(person: number | null) => void} pick Whom the controls are for; null: everybody.
 * @property {(x: number, y: number) => void} choose The face there is the one that is followed.
 * @property {(box: Box) => {left: number, top: number, width: number, height: number} | null} placed In pixels of the stage.
 * @property {(event: MouseEvent) => {x: number, y: number} | null} shares Where in the picture that was.
 */

/** Who is away for so long has left. */
const GONE_MS = 3_000;

export class People {
  #frames = element("people", HTMLElement);
  #whom = element("whom", HTMLElement);
  /** @type {Map<number, HTMLButtonElement>} */
  #buttons = new Map();
  /** @type {number | null} */
  #picked = null;
  #seen_ms = 0;

  /** @param {Owner} owner @param {boolean} several Whether more than one face is followed. */
  constructor(owner, several) {
    this.owner = owner;
    this.several = several;
    element("whom-all", HTMLButtonElement).addEventListener("click", () => this.pick(null));
    element("stage", HTMLElement).addEventListener("click", (event) => this.#pressed(event));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.pick(null));
  }

  /** @param {Seen[]} people Of the newest picture. @param {boolean} [rests] Nobody is looked for now. */
  show(people, rests = false) {
    if (!this.several) return;
    const now = performance.now();
    if (rests || people.some(({ person }) => person === this.#picked)) this.#seen_ms = now;
    else if (this.#picked !== null && now - this.#seen_ms > GONE_MS) this.pick(null);
    for (const [person, button] of this.#buttons) {
      if (people.some((one) => one.person === person)) continue;
      button.remove();
      this.#buttons.delete(person);
    }
    for (const { person, face_box } of people) this.#place(this.#button(person), face_box);
    this.#frames.hidden = people.length < 2 && this.#picked === null;
  }

  /** Where the picked one is. @param {Seen[]} people @returns {Box | null} */
  boxOf(people) {
    return people.find(({ person }) => person === this.#picked)?.face_box ?? null;
  }

  /** @param {number | null} person */
  pick(person) {
    if (person === this.#picked) return;
    this.#picked = person;
    this.#seen_ms = performance.now();
    for (const [number, button] of this.#buttons) press(button, number === person);
    this.#whom.hidden = person === null;
    element("whom-text", HTMLElement).textContent = person === null ? "" : `For person ${person} alone`;
    this.owner.pick(person);
  }

  /** A session ended, and its numbers with it. */
  forget() {
    this.pick(null);
    this.show([]);
  }

  /** @param {number} person */
  #button(person) {
    const known = this.#buttons.get(person);
    if (known) return known;
    const button = make("button", { type: "button", className: "person" }, make("span", { textContent: String(person) }));
    button.setAttribute("aria-label", `Person ${person}: controls for them alone`);
    press(button, person === this.#picked);
    button.addEventListener("click", () => this.pick(person === this.#picked ? null : person));
    this.#buttons.set(person, button);
    this.#frames.append(button);
    return button;
  }

  /** @param {HTMLButtonElement} button @param {Box} box */
  #place(button, box) {
    const place = this.owner.placed(box);
    button.hidden = place === null;
    if (place) for (const [side, pixels] of Object.entries(place)) button.style.setProperty(side, `${pixels}px`);
  }

  /** @param {MouseEvent} event */
  #pressed(event) {
    const target = /** @type {Element} */ (event.target);
    if (target.closest("button, .card, .split, .guide") || document.body.dataset.phase !== "live") return;
    const place = this.owner.shares(event);
    if (this.several) this.pick(null);
    else if (place) this.owner.choose(place.x, place.y);
  }
}
