/** Whose skin is painted: the profiles of this server, one of them or none, each with what it is worth. */

import { getJson, Refused, request } from "./api.js";
import { element, make, press } from "./dom.js";
import { keepProfile, keptProfile } from "./settings.js";

/**
 * @typedef {{name: string, created: string, recognised: boolean}} Worn
 * @typedef {{seconds: number, shown: number, of: number, explained: number}} Quality
 * @typedef {{name: string, created: string, locked: boolean, problem: string, gathered_s: number, quality: Quality | null}} Profile
 * @typedef {object} Owner
 * @property {() => string | undefined} session Id of the session, where there is one.
 * @property {(name: string) => void} goOn With an enrolment that was not finished.
 * @property {() => void} report Of the profile that is worn.
 */

const NOT_FINISHED = "not finished";
/** The second press that deletes has so long. */
const SURE_MS = 6_000;

export class Profiles {
  #list = element("skin-list", HTMLElement);
  #now = element("skin-now", HTMLElement);
  #note = element("skin-note", HTMLElement);
  #form = element("skin-open", HTMLElement);
  #passphrase = element("skin-passphrase", HTMLInputElement);
  /** @type {Profile[]} */
  #all = [];
  /** @type {Worn | null} */
  #worn = null;
  /** The one that a passphrase is asked for. */
  #asked = "";

  /** @param {Owner} owner @param {boolean} keeps Whether a new session forgets what was chosen. */
  constructor(owner, keeps) {
    this.owner = owner;
    this.keeps = keeps;
    element("skin-unlock", HTMLButtonElement).addEventListener("click", () => this.#choose(this.#asked, this.#passphrase.value));
    element("skin-cancel", HTMLButtonElement).addEventListener("click", () => this.#ask(""));
    this.#passphrase.addEventListener("keydown", (event) => {
      event.stopPropagation(); // letters are no hot keys here
      if (event.key === "Enter") this.#choose(this.#asked, this.#passphrase.value);
      if (event.key === "Escape") this.#ask("");
    });
  }

  /** @param {string} name @returns {Profile | undefined} */
  find(name) {
    return this.#all.find((profile) => profile.name === name);
  }

  /** A session began. @param {Worn | null} worn */
  async begin(worn) {
    this.worn(worn);
    await this.refresh();
    const kept = this.keeps ? keptProfile() : undefined;
    if (kept !== undefined && kept !== (worn?.name ?? null)) await this.#choose(kept);
  }

  /** What the server says. @param {Worn | null} worn */
  worn(worn) {
    this.#worn = worn;
    this.#now.textContent = worn ? worn.name : "Built-in";
    this.#say(worn && !worn.recognised
      ? `${worn.name} is not recognised: the built-in skin is painted. Is it you? Then enrol again in this light.` : "");
    this.#show();
  }

  /** Read the list anew. */
  async refresh() {
    try {
      this.#all = (await getJson("/api/profiles")).profiles;
    } catch (error) {
      this.#say(/** @type {Error} */ (error).message);
    }
    this.#show();
  }

  #show() {
    const rows = [this.#row(null, "what skins have in common"), ...this.#all.map((profile) => this.#row(profile, worthOf(profile)))];
    const focused = document.activeElement?.id;
    this.#list.replaceChildren(...rows);
    if (focused?.startsWith("skin-of-")) document.getElementById(focused)?.focus();
  }

  /** @param {Profile | null} profile @param {string} worth */
  #row(profile, worth) {
    const name = profile?.name ?? null;
    const chosen = (this.#worn?.name ?? null) === name;
    const choose = make("button", { type: "button", id: `skin-of-${name ?? ""}`, textContent: name ?? "Built-in", disabled: !!profile?.problem });
    press(choose, chosen);
    choose.addEventListener("click", () => this.#choose(name));
    const row = make("div", { className: "profile" }, choose, make("span", { className: "fine", textContent: worth }));
    if (chosen && profile) row.append(small("Report", `Report of ${name}`, () => this.owner.report()));
    if (profile?.problem === NOT_FINISHED) row.append(small("Go on", `Go on enrolling ${name}`, () => this.owner.goOn(profile.name)));
    if (profile) row.append(this.#delete(profile.name));
    return row;
  }

  /** @param {string} name */
  #delete(name) {
    let sure = false;
    const button = small("Delete", `Delete ${name}`, async () => {
      if (sure) return this.#deleted(name);
      sure = true;
      button.textContent = "Delete for good?";
      button.setAttribute("aria-label", `Delete ${name} for good?`);
      button.classList.add("danger");
      setTimeout(() => button.isConnected && this.#show(), SURE_MS);
    });
    button.id = `skin-of-delete-${name}`;
    return button;
  }

  /** @param {string} name */
  async #deleted(name) {
    try {
      await request("DELETE", `/api/profiles/${encodeURIComponent(name)}`);
      if (keptProfile() === name) keepProfile(null);
      this.#say(`${name} is deleted.`);
    } catch (error) {
      this.#say(/** @type {Error} */ (error).message);
    }
    await this.refresh();
  }

  /** @param {string | null} name @param {string} [passphrase] */
  async #choose(name, passphrase = "") {
    const session = this.owner.session();
    if (session === undefined) return;
    const locked = name !== null && this.find(name)?.locked;
    if (name !== null && locked && !passphrase) return this.#ask(name);
    this.#passphrase.value = "";
    try {
      await request("PUT", `/api/sessions/${encodeURIComponent(session)}/profile`, { json: { name, ...(passphrase && { passphrase }) } });
      keepProfile(name);
      this.#ask("");
      this.#say(name === null ? "" : `${name} is painted from now on.`);
    } catch (error) {
      this.#say(/** @type {Error} */ (error).message);
      if (error instanceof Refused && error.status === 403) this.#passphrase.focus();
      if (error instanceof Refused && error.status === 404) await this.refresh();
    }
  }

  /** @param {string} name */
  #ask(name) {
    this.#asked = name;
    this.#form.hidden = name === "";
    this.#passphrase.value = "";
    this.#say(name ? `${name} is locked: its passphrase opens it for this session.` : "");
    if (name && element("own-skin", HTMLDetailsElement).open) this.#passphrase.focus();
  }

  /** @param {string} text */
  #say(text) {
    this.#note.textContent = text;
  }
}

/** @param {string} textContent @param {string} label @param {() => void} act */
function small(textContent, label, act) {
  const button = make("button", { type: "button", className: "quiet", textContent });
  button.setAttribute("aria-label", label);
  button.addEventListener("click", act);
  return button;
}

/** A profile in a few words. @param {Profile} profile */
function worthOf({ created, locked, problem, gathered_s, quality }) {
  if (problem === NOT_FINISHED) return `not finished, ${Math.round(gathered_s)} s gathered`;
  if (problem) return problem;
  const day = created ? new Date(created).toLocaleDateString() : "";
  if (locked) return `${day}, locked`;
  if (!quality) return day;
  return `${day}, ${Math.round(quality.seconds)} s, ${quality.shown} of ${quality.of} shown, ${Math.round(100 * quality.explained)} % predicted`;
}
