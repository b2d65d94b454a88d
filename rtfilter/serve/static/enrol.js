/** Enrolment from this session's camera: the form, what to do now over the picture, and what came of it. */

import { getJson, request } from "./api.js";
import { element, make } from "./dom.js";

/**
 * @typedef {object} Enrolment
 * @property {string} name
 * @property {"gathering" | "learning" | "done" | "stopped" | "failed"} state
 * @property {number} seconds
 * @property {number} wanted_s
 * @property {{text: string, number: number, of: number, left_s: number} | null} prompt
 * @property {string} problem
 * @property {string[]} notes
 * @property {string} error
 * @property {string[]} report
 * @typedef {object} Owner
 * @property {() => string | undefined} session
 * @property {(name: string) => import("./profiles.js").Profile | undefined} find
 * @property {() => void} changed There may be another profile.
 */

const RUNNING = ["gathering", "learning"];

export class Enrol {
  #open = element("enrol-open", HTMLButtonElement);
  #form = element("enrol-form", HTMLElement);
  #name = element("enrol-name", HTMLInputElement);
  #passphrase = element("enrol-passphrase", HTMLInputElement);
  #start = element("enrol-start", HTMLButtonElement);
  #fresh = element("enrol-fresh", HTMLButtonElement);
  #note = element("enrol-note", HTMLElement);
  #run = element("enrol-run", HTMLElement);
  #stop = element("enrol-stop", HTMLButtonElement);
  #result = element("enrol-result", HTMLElement);
  #guide = element("guide", HTMLElement);
  #said = "";
  #state = "";

  /** @param {Owner} owner */
  constructor(owner) {
    this.owner = owner;
    this.#open.addEventListener("click", () => this.#ask(this.#form.hidden));
    element("enrol-cancel", HTMLButtonElement).addEventListener("click", () => this.#ask(false));
    element("enrol-close", HTMLButtonElement).addEventListener("click", () => this.#close());
    this.#start.addEventListener("click", () => this.#begin(false));
    this.#fresh.addEventListener("click", () => this.#begin(true));
    this.#stop.addEventListener("click", () => this.#ended());
    this.#name.addEventListener("input", () => this.#name_it());
    for (const input of [this.#name, this.#passphrase]) {
      input.addEventListener("keydown", (event) => {
        event.stopPropagation(); // letters are no hot keys here
        if (event.key === "Enter") this.#begin(false);
        if (event.key === "Escape") this.#ask(false);
      });
    }
  }

  /** Go on with an enrolment that was not finished. @param {string} name */
  goOn(name) {
    this.#ask(true);
    this.#name.value = name;
    this.#name_it();
    this.#passphrase.focus();
  }

  /** What the server says; null: nobody is being enrolled here. @param {Enrolment | null} enrolment */
  show(enrolment) {
    const state = enrolment?.state ?? "";
    const running = RUNNING.includes(state);
    const changed = state !== this.#state;
    this.#state = state;
    this.#run.hidden = this.#guide.hidden = !running;
    this.#open.hidden = running;
    if (running) this.#form.hidden = true;
    if (enrolment && running) this.#guided(enrolment);
    if (!enrolment || running) this.#result.hidden = true;
    else if (changed) this.#over(enrolment);
    if (changed && !running) this.owner.changed();
  }

  /** The quality report and the preview of the profile that is worn. */
  async report() {
    const session = this.owner.session();
    if (session === undefined) return;
    try {
      const { name, report, preview } = await getJson(`/api/sessions/${encodeURIComponent(session)}/profile`);
      this.#picture(`${name}: ${report[0]}`, report.slice(1), preview, `${name}, relaxed and with five emotions: above with the built-in skin, below with their own`);
    } catch (error) {
      this.#picture(/** @type {Error} */ (error).message, [], "", "");
    }
  }

  /** @param {Enrolment} enrolment */
  #guided({ name, state, seconds, wanted_s, prompt, problem, notes }) {
    const text = state === "learning" ? "that is enough: your skin is being learned" : problem || prompt?.text || "";
    const step = prompt && !problem ? `${prompt.number} of ${prompt.of}, ${Math.ceil(prompt.left_s)} s` : "";
    this.#guide.toggleAttribute("data-problem", problem !== "");
    // Only when it is another: a screen reader says each once.
    if (text !== this.#said) element("guide-text", HTMLElement).textContent = this.#said = text;
    element("guide-step", HTMLElement).textContent = step;
    for (const id of ["guide-bar", "enrol-bar"]) {
      const bar = element(id, HTMLProgressElement);
      [bar.max, bar.value] = [wanted_s, seconds];
    }
    element("enrol-now", HTMLElement).textContent = `${name}: ${Math.floor(seconds)} of ${wanted_s} s of your face. ${notes.join(" ")}`;
    this.#stop.hidden = state === "learning";
  }

  /** @param {Enrolment} enrolment */
  #over({ name, state, error, report }) {
    this.#said = "";
    if (state !== "done") return this.#picture(`${name}: ${error}.`, [], "", "");
    this.#picture(`${name} is enrolled and painted: ${report[0]}`, report.slice(1), "", "");
    void this.report();
  }

  /** @param {string} title @param {string[]} lines @param {string} src @param {string} alt */
  #picture(title, lines, src, alt) {
    element("enrol-title", HTMLElement).textContent = title;
    element("enrol-lines", HTMLElement).replaceChildren(...lines.map((textContent) => make("li", { textContent })));
    const picture = element("enrol-preview", HTMLImageElement);
    Object.assign(picture, { src: src || "data:,", alt, hidden: !src });
    this.#result.hidden = false;
  }

  /** @param {boolean} open */
  #ask(open) {
    this.#form.hidden = !open;
    this.#name.value = open && !this.owner.find("me") ? "me" : "";
    this.#passphrase.value = "";
    this.#name_it();
    (open ? this.#name : this.#open).focus();
  }

  /** The buttons say what they do to the profile of this name. */
  #name_it() {
    const known = this.owner.find(this.#plain);
    const gathered = known?.gathered_s ?? 0;
    this.#start.textContent = gathered > 0 ? "Go on" : known ? "Replace" : "Start";
    this.#fresh.hidden = gathered === 0;
    this.#note.textContent = gathered > 0 ? `${Math.round(gathered)} s of ${known?.name} are gathered already.`
      : known ? `There is a profile ${known.name} already; it stays until the new one is learned.` : "";
  }

  get #plain() {
    return this.#name.value.trim().toLowerCase();
  }

  /** @param {boolean} fresh */
  async #begin(fresh) {
    const session = this.owner.session();
    const passphrase = this.#passphrase.value;
    if (session === undefined) return;
    try {
      await request("POST", path(session), {
        json: { name: this.#plain, fresh, replace: this.owner.find(this.#plain) !== undefined, ...(passphrase && { passphrase }) },
      });
      this.#passphrase.value = "";
    } catch (error) {
      this.#note.textContent = `${/** @type {Error} */ (error).message}.`;
    }
  }

  async #ended() {
    const session = this.owner.session();
    try {
      if (session !== undefined) await request("DELETE", path(session));
    } catch (error) {
      element("enrol-now", HTMLElement).textContent = `${/** @type {Error} */ (error).message}.`;
    }
  }

  async #close() {
    this.#result.hidden = true;
    await this.#ended();
    this.#open.focus();
  }
}

/** @param {string} session */
function path(session) {
  return `/api/sessions/${encodeURIComponent(session)}/enrolment`;
}
