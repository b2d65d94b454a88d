/** The way for messages: the data channel, or a WebSocket where there is none. */

import { openSocket } from "./api.js";

const CHANNEL_PATIENCE_MS = 4_000;
const PING_MS = 1_000;
const SILENCE_MS = 5_000;

/**
 * @typedef {Record<string, any> & {type: string}} Message
 * @typedef {object} Listener
 * @property {() => void} opened
 * @property {(message: Message) => void} received
 * @property {(why: string) => void} lost Called once.
 */

export class Link {
  /** Round trip of a message to the server and back; null before the first. @type {number | null} */
  roundTripMs = null;

  /**
   * @param {string} sessionId
   * @param {RTCDataChannel | null} channel
   * @param {Listener} listener
   */
  constructor(sessionId, channel, listener) {
    this.listener = listener;
    this.sessionId = sessionId;
    this.heard = performance.now();
    this.closed = false;
    /** @type {RTCDataChannel | WebSocket | null} */
    this.way = null;
    this.pinging = setInterval(() => this.#ping(), PING_MS);
    if (channel) {
      this.#use(channel);
      this.falling = setTimeout(() => channel.readyState !== "open" && this.#useSocket(), CHANNEL_PATIENCE_MS);
    } else {
      this.#useSocket();
    }
  }

  get open() {
    return this.way?.readyState === "open" || this.way?.readyState === WebSocket.OPEN;
  }

  /** @param {Message} message @returns {boolean} Whether it went out. */
  send(message) {
    if (!this.way || !this.open) return false;
    this.way.send(JSON.stringify(message));
    return true;
  }

  close() {
    this.closed = true;
    clearInterval(this.pinging);
    clearTimeout(this.falling);
    this.way?.close();
  }

  #useSocket() {
    this.#use(openSocket(`/api/sessions/${encodeURIComponent(this.sessionId)}/events`));
  }

  /** @param {RTCDataChannel | WebSocket} way */
  #use(way) {
    if (this.closed) return;
    const before = this.way;
    this.way = way;
    before?.close();
    const mine = () => this.way === way && !this.closed;
    way.addEventListener("open", () => {
      if (!mine()) return;
      this.heard = performance.now();
      this.listener.opened();
    });
    way.addEventListener("close", () => mine() && this.#lose("the connection closed"));
    way.addEventListener("message", (event) => {
      if (mine()) this.#hear(JSON.parse(/** @type {MessageEvent} */ (event).data));
    });
    if (way.readyState === "open") queueMicrotask(() => mine() && this.listener.opened());
  }

  /** @param {Message} message */
  #hear(message) {
    this.heard = performance.now();
    if (message.type === "pong") this.roundTripMs = performance.now() - message.t;
    else this.listener.received(message);
  }

  #ping() {
    this.send({ type: "ping", t: performance.now() });
    // A server that is killed closes nothing: only its silence shows that it is gone.
    if (this.open && performance.now() - this.heard > SILENCE_MS) this.#lose("the server has gone silent");
  }

  /** @param {string} why */
  #lose(why) {
    if (this.closed) return;
    this.close();
    this.listener.lost(why);
  }
}
