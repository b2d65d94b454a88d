/** Small helpers around the document. */

/**
 * The element with this id, of the class that is expected.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new TypeError(`index.html has no ${kind.name} #${id}`);
  return found;
}

/**
 * A new element with properties set and children inside.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Partial<HTMLElementTagNameMap[K]>} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** @param {Element} button @param {boolean} pressed */
export function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

/** @param {number} value @param {number} low @param {number} high */
export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/** Follow a pointer from its press to its release. @param {HTMLElement} target
 * @param {{down?: (event: PointerEvent) => void, move: (event: PointerEvent) => void, up?: () => void}} follow */
export function dragging(target, { down, move, up }) {
  let dragged = false;
  target.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    dragged = true;
    target.setPointerCapture(event.pointerId);
    down?.(event);
    move(event);
  });
  target.addEventListener("pointermove", (event) => dragged && move(event));
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    target.addEventListener(end, () => {
      if (dragged) up?.();
      dragged = false;
    });
  }
}
