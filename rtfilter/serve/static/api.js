/** Requests to the server: the token on each, and errors that say what to do. */

import { takeToken } from "./settings.js";

const PATIENCE_MS = 15_000;

let token = "";

/** Read the link's token anew. @returns {boolean} Whether there is one. */
export function renewToken() {
  token = takeToken();
  return token !== "";
}

/** Whether the link had a token, or the tab has one from before. */
export function hasToken() {
  return token !== "";
}

/** The server answered with a refusal. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} reason The server's one line.
   */
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

/** No answer came. */
export class Unreachable extends Error {}

/**
 * @param {string} method
 * @param {string} path
 * @param {{json?: object, sdp?: string, keepalive?: boolean, signal?: AbortSignal}} [body]
 * @returns {Promise<Response>}
 * @throws {Refused | Unreachable}
 */
export async function request(method, path, { json, sdp, keepalive, signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Authorization: `Bearer ${token}` };
  if (json) headers["Content-Type"] = "application/json";
  if (sdp) headers["Content-Type"] = "application/sdp";
  const patience = AbortSignal.timeout(PATIENCE_MS);
  let response;
  try {
    response = await fetch(path, {
      method, headers, keepalive, cache: "no-store",
      body: json ? JSON.stringify(json) : sdp,
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
    });
  } catch (error) {
    throw new Unreachable(error instanceof Error ? error.message : String(error));
  }
  if (!response.ok) throw new Refused(response.status, await reasonOf(response));
  return response;
}

/** @param {string} path @param {AbortSignal} [signal] */
export async function getJson(path, signal) {
  return (await request("GET", path, { signal })).json();
}

/** The session's WebSocket: browsers permit no headers there, so the token is a subprotocol. @param {string} path */
export function openSocket(path) {
  const address = new URL(path, location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(address, ["rtfilter", `token.${token}`]);
}

/** @param {Response} response */
async function reasonOf(response) {
  const fallback = `the server answered ${response.status}`;
  try {
    const { error } = await response.json();
    return typeof error === "string" ? error : fallback;
  } catch {
    return fallback;
  }
}
