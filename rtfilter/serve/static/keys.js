/** Hot keys, and holding the filter off with the space bar or the button. */

import { element } from "./dom.js";
import { remember, settings } from "./settings.js";

/**
 * @typedef {object} Actions
 * @property {(number: number) => boolean} preset
 * @property {() => void} reset
 * @property {() => void} mirror
 * @property {() => void} view
 * @property {() => void} pause
 * @property {(off: boolean) => void} off The filter, while it is held.
 */

/** @param {Actions} actions */
export function followKeys(actions) {
  const box = element("hotkeys", HTMLInputElement);
  box.checked = settings.hotkeys;
  box.addEventListener("change", () => remember({ hotkeys: box.checked }));
  const hold = holding(actions.off);
  // The space bar presses a button that was reached with Tab; one that was merely clicked last, not.
  let tabbed = false;
  document.addEventListener("pointerdown", () => (tabbed = false), true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") tabbed = true;
    if (event.ctrlKey || event.altKey || event.metaKey || document.body.dataset.screen !== "live") return;
    if (event.key === " " && !writes(event.target)) {
      if (tabbed && usesSpace(event.target)) return;
      event.preventDefault();
      hold(true);
    } else if (settings.hotkeys && !event.repeat && !writes(event.target)) {
      if (act(event.key.toLowerCase(), actions)) event.preventDefault();
    }
  });
  document.addEventListener("keyup", (event) => event.key === " " && hold(false));
  window.addEventListener("blur", () => hold(false));
}

/** @param {string} key @param {Actions} actions @returns {boolean} Whether it is one. */
function act(key, actions) {
  if (/^[1-9]$/.test(key)) return actions.preset(Number(key));
  if (key === "0") actions.reset();
  else if (key === "m") actions.mirror();
  else if (key === "v") actions.view();
  else if (key === "p") actions.pause();
  else return false;
  return true;
}

/** Whether keys have a meaning of their own there. @param {EventTarget | null} target */
function writes(target) {
  return target instanceof Element && target.matches("select, input[type='text'], input[type='password']");
}

/** @param {EventTarget | null} target */
function usesSpace(target) {
  return target instanceof Element && target.matches("button, select, summary, a, input:not([type='range'])");
}

/** The button, and who else holds. @param {(off: boolean) => void} off @returns {(held: boolean) => void} */
function holding(off) {
  const button = element("hold", HTMLButtonElement);
  let now = false;
  const hold = (/** @type {boolean} */ held) => {
    if (held === now) return;
    now = held;
    button.toggleAttribute("data-held", held);
    off(held);
  };
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    hold(true);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(end, () => hold(false));
  button.addEventListener("contextmenu", (event) => event.preventDefault()); // a long press on a phone
  button.addEventListener("keydown", (event) => event.key === "Enter" && !event.repeat && hold(true));
  button.addEventListener("keyup", (event) => event.key === "Enter" && hold(false));
  button.addEventListener("keydown", (event) => event.key === " " && hold(true));
  button.addEventListener("blur", () => hold(false));
  return hold;
}
