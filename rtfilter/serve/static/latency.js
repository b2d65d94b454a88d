/** Where the time goes, from the server's clock on every frame and this browser's connection statistics. */

/**
 * @typedef {import("./peer.js").Session} Session
 * @typedef {"capture" | "trip" | "queues" | "encode" | "tracking" | "edit" | "render" | "rest"} Part
 * @typedef {object} Sample
 * @property {Record<Part, number | null>} parts Milliseconds; null where it is not known.
 * @property {number} total_ms
 * @property {number} trip_ms Round trip of a check of the connection.
 * @property {boolean} seen Whether the total was seen in the pictures; else it is the sum of the parts.
 * @property {number} fps
 * @property {number} dropped Since the session began: by the server's rule that the newest wins, and here.
 * @property {string} size
 */

/** @type {[Part, string, string][]} */
export const PARTS = [
  ["capture", "Capture", "from the camera to this page"],
  ["trip", "Round trip", "a check of the connection, there and back, with the time until each end could answer it: on one machine that is how busy the processor is"],
  ["queues", "Queues", "waiting: to be sent, to be filtered, and to be shown"],
  ["encode", "Encode", "encoding and decoding, here and at the server"],
  ["tracking", "Tracking", "finding the face and its pose"],
  ["edit", "Edit", "from the controls to the movement"],
  ["render", "Render", "moving the pixels"],
  ["rest", "Other", "what is not reported, such as the server's decoder and encoder; known when the whole was seen"],
];

/** The counters whose growth from sample to sample is a mean: [sum in seconds, count]. */
const MEANS = /** @type {const} */ ({
  encode: ["outbound-rtp", "totalEncodeTime", "framesEncoded"],
  pacing: ["outbound-rtp", "totalPacketSendDelay", "packetsSent"],
  decode: ["inbound-rtp", "totalDecodeTime", "framesDecoded"],
  buffer: ["inbound-rtp", "jitterBufferDelay", "jitterBufferEmittedCount"],
});

/** How much of a new sample counts. */
const SMOOTHING = 0.35;

export class Latency {
  /** Sums of the server's stages since the last sample. @type {Map<string, number>} */
  #stages = new Map();
  #timed = 0;
  #dropped = 0;
  /** @type {Map<string, [number, number]>} */
  #before = new Map();
  /** @type {Partial<Record<Part, number | null>>} */
  #shown = {};
  /** The last known mean of each, for intervals in which nothing happened. @type {Map<string, number>} */
  #means = new Map();

  /** A new session counts from nothing. */
  restart() {
    this.#stages.clear();
    this.#before.clear();
    this.#means.clear();
    this.#shown = {};
    this.#timed = this.#dropped = 0;
  }

  /** @param {{stages_ms: Record<string, number>, dropped: number}} message One frame's `timings`. */
  timings({ stages_ms, dropped }) {
    this.#timed += 1;
    this.#dropped = dropped;
    for (const [stage, ms] of Object.entries(stages_ms)) this.#stages.set(stage, (this.#stages.get(stage) ?? 0) + ms);
  }

  /**
   * @param {Session} session
   * @param {number | null} capture_ms
   * @param {number | null} lag_ms From the camera's picture in this page to the filtered one, where it was seen.
   * @param {number | null} messages_ms Round trip of a message, where the browser reports none of its own.
   * @returns {Promise<Sample>}
   */
  async sample(session, capture_ms, lag_ms, messages_ms) {
    const report = [...(await session.peer.getStats()).values()];
    const received = session.peer.getReceivers()[0]?.track.id;
    const inbound = report.find(({ type, trackIdentifier }) => type === "inbound-rtp" && trackIdentifier === received);
    const outbound = report.find(({ type, kind }) => type === "outbound-rtp" && kind === "video");
    const pair = report.find(({ type, nominated, state }) => type === "candidate-pair" && nominated && state === "succeeded");
    for (const [name, [type, sum, count]] of Object.entries(MEANS)) this.#mean(name, type === "inbound-rtp" ? inbound : outbound, sum, count);
    const round_ms = (pair?.currentRoundTripTime ?? NaN) * 1000;
    const trip_ms = (Number.isFinite(round_ms) ? round_ms : (messages_ms ?? 0)) * (session.sender ? 1 : 0.5);
    const server = this.#serverMeans();
    const of = (/** @type {string} */ name) => server[name] ?? this.#means.get(name) ?? 0;
    const known = {
      capture: capture_ms,
      trip: trip_ms,
      queues: of("wait") + of("pacing") + of("buffer"),
      encode: of("encode") + of("decode") + of("unpack") + of("pack"),
      // On a GPU one graph finds, edits and draws; most of it are the networks.
      tracking: of("track") + of("fit") + of("device"),
      edit: of("edit"),
      render: of("render"),
    };
    const known_ms = known.trip + known.queues + known.encode + known.tracking + known.edit + known.render;
    const parts = this.#smoothed({ ...known, rest: lag_ms === null ? null : Math.max(0, lag_ms - known_ms) });
    return {
      parts,
      total_ms: lag_ms === null ? total(parts) : (capture_ms ?? 0) + lag_ms,
      trip_ms: parts.trip ?? 0,
      seen: lag_ms !== null,
      fps: this.#rate(inbound),
      dropped: this.#dropped + (inbound?.framesDropped ?? 0),
      size: inbound?.frameWidth ? `${inbound.frameWidth} x ${inbound.frameHeight}` : "–",
    };
  }

  /** @returns {Record<string, number>} Means by stage since the last sample; the old ones when no frame came. */
  #serverMeans() {
    if (this.#timed > 0) {
      for (const [stage, sum] of this.#stages) this.#means.set(stage, sum / this.#timed);
      this.#stages.clear();
      this.#timed = 0;
    }
    return Object.fromEntries(this.#means);
  }

  /** Figures that can be read: half a second alone jumps about. @param {Record<Part, number | null>} now */
  #smoothed(now) {
    const parts = { ...now };
    for (const [part] of PARTS) {
      const [before, value] = [this.#shown[part], now[part]];
      if (value !== null && typeof before === "number") parts[part] = before + SMOOTHING * (value - before);
    }
    this.#shown = parts;
    return parts;
  }

  /** @param {string} name @param {any} stats @param {string} sum @param {string} count */
  #mean(name, stats, sum, count) {
    const now = /** @type {[number, number]} */ ([stats?.[sum] ?? 0, stats?.[count] ?? 0]);
    const [seconds, times] = this.#before.get(name) ?? [0, 0];
    this.#before.set(name, now);
    if (now[1] > times) this.#means.set(name, (1000 * (now[0] - seconds)) / (now[1] - times));
  }

  /** Frames a second since the last sample. @param {any} inbound */
  #rate(inbound) {
    const now = /** @type {[number, number]} */ ([inbound?.framesDecoded ?? 0, (inbound?.timestamp ?? 0) / 1000]);
    const [frames, at] = this.#before.get("rate") ?? [0, 0];
    this.#before.set("rate", now);
    return at > 0 && now[1] > at ? Math.max(0, (now[0] - frames) / (now[1] - at)) : 0;
  }
}

/** @param {Record<Part, number | null>} parts */
function total(parts) {
  return Object.values(parts).reduce((/** @type {number} */ sum, ms) => sum + (ms ?? 0), 0);
}
