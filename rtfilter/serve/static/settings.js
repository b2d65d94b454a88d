/**
 * What this browser keeps. Looks stay from visit to visit; the controls and the token only as long as
 * the tab, so that a new visit does not start with the face of last week. Pictures are never kept.
 *
 * @typedef {object} Settings
 * @property {"auto" | "light" | "dark"} theme
 * @property {boolean} mirror
 * @property {"split" | "filtered" | "sides"} view
 * @property {number} split Share of the width that shows the original, 0..1; below 0: beside the face.
 * @property {boolean} delay Whether the delay is unfolded.
 * @property {boolean} hotkeys
 * @property {string} device The camera's deviceId; "" is the browser's choice.
 * @property {string} size Preferred resolution, as "1280x720".
 */

const KEY = "rtfilter.looks";
const TOKEN_KEY = "rtfilter.token";
const CONTROLS_KEY = "rtfilter.controls";
const PROFILE_KEY = "rtfilter.profile";

/** @type {Settings} */
const DEFAULTS = {
  theme: "auto", mirror: true, view: "sides", split: -1, delay: false, hotkeys: true, device: "", size: "1280x720",
};

/** @type {Settings} */
export const settings = { ...DEFAULTS, ...known(read(() => localStorage, KEY)) };

/** @param {Partial<Settings>} changes */
export function remember(changes) {
  Object.assign(settings, changes);
  write(() => localStorage, KEY, settings);
}

/** The link's token: out of the address bar into the tab. @returns {string} "" when there is none. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    write(() => sessionStorage, TOKEN_KEY, token);
    history.replaceState(null, "", location.pathname + location.search);
    return token;
  }
  const kept = read(() => sessionStorage, TOKEN_KEY);
  return typeof kept === "string" ? kept : "";
}

/** @param {object} controls */
export function keepControls(controls) {
  write(() => sessionStorage, CONTROLS_KEY, controls);
}

/** @returns {object | undefined} The controls of this tab before it was reloaded. */
export function keptControls() {
  const controls = read(() => sessionStorage, CONTROLS_KEY);
  return typeof controls === "object" && controls !== null ? controls : undefined;
}

/** Whose skin was chosen in this tab. @param {string | null} name null: the built-in one. */
export function keepProfile(name) {
  write(() => sessionStorage, PROFILE_KEY, { name });
}

/** @returns {string | null | undefined} Undefined where none was chosen. */
export function keptProfile() {
  const kept = /** @type {{name?: unknown} | null} */ (read(() => sessionStorage, PROFILE_KEY));
  return typeof kept?.name === "string" || kept?.name === null ? kept.name : undefined;
}

/**
 * The stored settings that have a known name and the type of its default.
 * @param {unknown} stored
 */
function known(stored) {
  if (typeof stored !== "object" || stored === null) return {};
  const fits = Object.entries(stored).filter(
    ([name, value]) => name in DEFAULTS && typeof value === typeof DEFAULTS[/** @type {keyof Settings} */ (name)],
  );
  return Object.fromEntries(fits);
}

/**
 * @param {() => Storage} storage Called late: with cookies blocked, even naming it throws.
 * @param {string} key
 */
function read(storage, key) {
  try {
    return JSON.parse(storage().getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {() => Storage} storage
 * @param {string} key
 * @param {unknown} value
 */
function write(storage, key, value) {
  try {
    storage().setItem(key, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: the page works without, it only forgets.
  }
}
