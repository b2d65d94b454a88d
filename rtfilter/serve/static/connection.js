/** Keeps one session alive: opens it, notices when it is lost, and reopens it until it is refused or stopped. */

import { getJson, Refused, Unreachable } from "./api.js";
import { Link } from "./link.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;
const CONNECT_PATIENCE_MS = 15_000;
const DISCONNECTED_PATIENCE_MS = 2_500;

/**
 * @typedef {import("./peer.js").Session} Session
 * @typedef {import("./link.js").Message} Message
 * @typedef {"connecting" | "live" | "lost" | "busy" | "ended" | "no_link" | "old_link" | "failed"} Phase
 * @typedef {object} Owner
 * @property {(signal: AbortSignal) => Promise<Session>} open
 * @property {(phase: Phase, detail: string) => void} phase
 * @property {(message: Message) => void} received
 */

export class Connection {
  /** @type {Session | null} */
  session = null;
  /** @type {Link | null} */
  link = null;
  /** Counts the attempts, so that events of an older one are ignored. */
  #attempt = 0;
  #wait_ms = FIRST_WAIT_MS;
  /** @type {AbortController | null} */
  #opening = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Owner} owner */
  constructor(owner) {
    this.owner = owner;
  }

  start() {
    this.#wait_ms = FIRST_WAIT_MS;
    return this.#open("connecting");
  }

  /** @param {boolean} [gone] Whether the server has ended the session already. */
  stop(gone = false) {
    this.#attempt += 1;
    clearTimeout(this.#timer);
    this.#opening?.abort();
    this.link?.close();
    if (gone) this.session?.peer.close();
    else this.session?.close();
    this.session = this.link = null;
  }

  /** @param {Phase} phase What it is called until it is live. */
  async #open(phase) {
    this.stop();
    const attempt = this.#attempt;
    const mine = () => attempt === this.#attempt;
    this.#opening = new AbortController();
    if (phase === "connecting") this.owner.phase(phase, "");
    try {
      const session = await this.owner.open(this.#opening.signal);
      if (!mine()) return session.close();
      this.#keep(session, mine);
    } catch (error) {
      if (mine()) this.#failed(/** @type {Error} */ (error));
    }
  }

  /** @param {Session} session @param {() => boolean} mine */
  #keep(session, mine) {
    this.session = session;
    const { peer } = session;
    this.#timer = setTimeout(() => mine() && this.#lost("no connection for the picture came about"), CONNECT_PATIENCE_MS);
    peer.addEventListener("connectionstatechange", () => {
      if (!mine()) return;
      if (peer.connectionState === "failed") this.#lost("the connection for the picture broke");
      if (peer.connectionState === "disconnected") {
        setTimeout(() => mine() && peer.connectionState === "disconnected" && this.#lost("the picture's connection was cut"),
          DISCONNECTED_PATIENCE_MS);
      }
      this.#perhapsLive();
    });
    this.link = new Link(session.id, session.channel, {
      opened: () => this.#perhapsLive(),
      received: (message) => this.#received(message, mine),
      lost: (why) => mine() && this.#lost(why),
    });
  }

  #perhapsLive() {
    if (this.session?.peer.connectionState !== "connected" || !this.link?.open) return;
    clearTimeout(this.#timer);
    this.#wait_ms = FIRST_WAIT_MS;
    this.owner.phase("live", "");
  }

  /** @param {Message} message @param {() => boolean} mine */
  #received(message, mine) {
    if (!mine()) return;
    this.owner.received(message);
    if (message.type === "state" && message.state === "ended") this.#ended(message.reason ?? "");
  }

  /** Ended by request, or by a server that is stopping: only a server that still answers has ended it. @param {string} reason */
  #ended(reason) {
    this.stop(true);
    const attempt = this.#attempt;
    this.#timer = setTimeout(async () => {
      try {
        await getJson("/api/info");
        if (attempt === this.#attempt) this.owner.phase("ended", reason);
      } catch (error) {
        if (attempt === this.#attempt) this.#failed(/** @type {Error} */ (error));
      }
    }, FIRST_WAIT_MS);
  }

  /** @param {string} why */
  #lost(why) {
    this.stop();
    this.#again("lost", why);
  }

  /** @param {Error} error */
  #failed(error) {
    this.stop();
    if (error instanceof Refused && error.status === 401) this.owner.phase("old_link", error.message);
    else if (error instanceof Refused && (error.status === 503 || error.status === 429)) this.#again("busy", error.message);
    else if (error instanceof Unreachable) this.#again("lost", "the server does not answer");
    else this.owner.phase("failed", error.message);
  }

  /** @param {Phase} phase @param {string} why */
  #again(phase, why) {
    this.owner.phase(phase, why);
    this.#timer = setTimeout(() => this.#open(phase), this.#wait_ms);
    this.#wait_ms = Math.min(this.#wait_ms * 1.7, LONGEST_WAIT_MS);
  }
}
