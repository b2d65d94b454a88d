/**
 * The plane of feeling (circumplex, Russell 1980) and mixes of emotions: where the filter has each emotion,
 * the mix that stands for a point, and the point that stands for a mix. Valence to the right, arousal up.
 *
 * @typedef {Record<string, number>} Mix Amount by emotion; one that is absent is 0.
 * @typedef {{valence: number, arousal: number}} Point
 */

/** Where the filter has each emotion: valence, arousal. @type {Record<string, [number, number]>} */
export const MOODS = {
  happy: [0.85, 0.35], surprised: [0.15, 0.95], fearful: [-0.45, 0.8], angry: [-0.75, 0.6],
  disgusted: [-0.8, 0.1], sad: [-0.7, -0.55], neutral: [0.35, -0.75],
};

/** How much of a mix its place may leave out, by length. */
const UNLIKE = 0.55;
/** What rounding may leave of a mix that a point made. */
const EXACT = 0.02;
const COARSE = 72;
const LEAST = 0.001;

/** The mix of a point: rtfilter.face.emotion.from_valence_arousal. @param {Point} point @returns {Mix} */
export function mixOf({ valence, arousal }) {
  const distance = Math.min(Math.hypot(valence, arousal), 1);
  const shares = sharesAt(valence, arousal, distance);
  return Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, share * reach(distance)]));
}

/**
 * Where a mix lies: at the point that makes this very mix, else in the direction of its emotions together, as
 * far out as a mix of that direction would be. Null when it has no place: contempt is not in the plane, and
 * happy and sad at once point nowhere.
 * @param {Mix} mix
 * @returns {Point | null}
 */
export function pointOf(mix) {
  const length = Math.hypot(...Object.values(mix));
  if (length < LEAST) return { valence: 0, arousal: 0 };
  const exact = bestFit(mix);
  const fit = exact.left < EXACT * length ? exact : fitAt(mix, directionOf(mix));
  if (fit.left > UNLIKE * length) return null;
  const distance = distanceOf(fit.amount);
  return { valence: distance * Math.cos(fit.angle), arousal: distance * Math.sin(fit.angle) };
}

/** The angle of all emotions of a mix together, each by its amount. @param {Mix} mix */
function directionOf(mix) {
  let [x, y] = [0, 0];
  for (const [name, [v, a]] of Object.entries(MOODS)) {
    const amount = (mix[name] ?? 0) / Math.hypot(v, a);
    x += amount * v;
    y += amount * a;
  }
  return Math.atan2(y, x);
}

/** How much of the mix of one direction is in `mix`, and the length of what is left. @param {Mix} mix @param {number} angle */
function fitAt(mix, angle) {
  const shares = sharesAt(Math.cos(angle), Math.sin(angle), 1);
  const along = Object.entries(shares).reduce((sum, [name, share]) => sum + share * (mix[name] ?? 0), 0);
  const amount = along / Math.hypot(...Object.values(shares)) ** 2;
  const left = Math.sqrt(Math.max(0, Math.hypot(...Object.values(mix)) ** 2 - amount * along));
  return { angle, amount, left };
}

/** The direction whose mix is the most like. @param {Mix} mix */
function bestFit(mix) {
  const turn = (2 * Math.PI) / COARSE;
  let best = fitAt(mix, 0);
  for (let i = 1; i < COARSE; i += 1) {
    const next = fitAt(mix, i * turn);
    if (next.left < best.left) best = next;
  }
  for (let step = turn / 2; step > 1e-4; step /= 2) {
    for (const next of [fitAt(mix, best.angle - step), fitAt(mix, best.angle + step)]) if (next.left < best.left) best = next;
  }
  return best;
}

/** The emotion nearest to a point, and how far out it is, 0..1. @param {Point} point @returns {{name: string, distance: number}} */
export function nearest({ valence, arousal }) {
  const likeness = (/** @type {[number, number]} */ [v, a]) => (v * valence + a * arousal) / Math.hypot(v, a);
  const [name] = Object.entries(MOODS).reduce((best, next) => (likeness(next[1]) > likeness(best[1]) ? next : best));
  return { name, distance: Math.min(Math.hypot(valence, arousal), 1) };
}

/** Each emotion's share at a direction; together 1. @param {number} valence @param {number} arousal @param {number} distance @returns {Mix} */
function sharesAt(valence, arousal, distance) {
  const weights = Object.entries(MOODS).map(([name, [v, a]]) => {
    const alignment = (valence * v + arousal * a) / (Math.max(distance, 1e-9) * Math.hypot(v, a));
    return /** @type {const} */ ([name, Math.exp(6 * (alignment - 1))]);
  });
  const sum = weights.reduce((all, [, weight]) => all + weight, 0);
  return Object.fromEntries(weights.map(([name, weight]) => [name, weight / sum]));
}

/** The sum of a mix at a distance from the middle. @param {number} distance */
function reach(distance) {
  return ((distance * distance) / (distance + 0.05)) * 1.05;
}

/** The distance of a sum: the other way round, at most the rim. @param {number} sum */
function distanceOf(sum) {
  const half = sum / 1.05 / 2;
  return Math.min(1, half + Math.sqrt(half * half + 0.1 * half));
}
