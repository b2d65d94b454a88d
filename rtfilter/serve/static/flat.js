/** Controls by flat names, as they are moved one by one: "intensity", or "emotions.happy". */

/** @typedef {Record<string, any>} Flat */

export const EMOTION = "emotions.";

/** To three digits, which is what is sent. @param {number} amount */
export function rounded(amount) {
  return Math.round(amount * 1000) / 1000;
}

/** @param {import("./controls.js").Values} values @returns {Flat} */
export function flatten({ emotions, ...rest }) {
  const flat = /** @type {Flat} */ ({ ...rest });
  for (const [name, amount] of Object.entries(emotions)) flat[EMOTION + name] = amount;
  return flat;
}

/** @param {Flat} flat @returns {Record<string, any>} */
export function unflatten(flat) {
  /** @type {Record<string, any>} */
  const values = {};
  for (const [name, value] of Object.entries(flat)) {
    if (name.startsWith(EMOTION)) (values.emotions ??= {})[name.slice(EMOTION.length)] = value;
    else values[name] = value;
  }
  return values;
}
