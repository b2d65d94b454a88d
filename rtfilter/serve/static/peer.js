/** WebRTC: one connection that carries the camera up and the filtered picture down, or watches the server's. */

import { request } from "./api.js";

const GATHERING_MS = 1_500;
const START_KBPS = 2_000;

/**
 * @typedef {object} Session
 * @property {string} id
 * @property {RTCPeerConnection} peer
 * @property {RTCDataChannel | null} channel
 * @property {RTCRtpSender | null} sender
 * @property {() => void} close Ends it here and on the server.
 */

/**
 * The browser's camera goes up and comes back filtered.
 *
 * @param {MediaStreamTrack} camera
 * @param {object | undefined} controls The controls to start with; the server's own when undefined.
 * @param {(stream: MediaStream) => void} onFiltered
 * @param {AbortSignal} signal
 * @returns {Promise<Session>}
 */
export async function filterCamera(camera, controls, onFiltered, signal) {
  const peer = new RTCPeerConnection({ iceServers: [] });
  try {
    const transceiver = peer.addTransceiver(camera, { direction: "sendrecv" });
    const channel = peer.createDataChannel("rtfilter");
    receiveAtOnce(transceiver.receiver);
    peer.addEventListener("track", ({ track }) => onFiltered(new MediaStream([track])));
    const offer = await gathered(peer);
    const answer = await request("POST", "/api/sessions", {
      json: { sdp: offer, type: "offer", ...(controls && { controls }) }, signal,
    });
    const { id, sdp } = await answer.json();
    await peer.setRemoteDescription({ type: "answer", sdp: startFast(sdp) });
    // Not waited for: the channel's first message may come within that time, and its listener comes after this.
    void keepSize(transceiver.sender);
    return { id, peer, channel, sender: transceiver.sender, close: () => end(peer, `/api/sessions/${encodeURIComponent(id)}`) };
  } catch (error) {
    peer.close();
    throw error;
  }
}

/**
 * The server has the camera; this page watches: the filtered picture and the original.
 *
 * @param {(stream: MediaStream) => void} onFiltered
 * @param {(stream: MediaStream) => void} onOriginal
 * @param {AbortSignal} signal
 * @returns {Promise<Session>}
 */
export async function watchCamera(onFiltered, onOriginal, signal) {
  const peer = new RTCPeerConnection({ iceServers: [] });
  try {
    for (const show of [onFiltered, onOriginal]) {
      const { receiver } = peer.addTransceiver("video", { direction: "recvonly" });
      receiveAtOnce(receiver);
      show(new MediaStream([receiver.track]));
    }
    const answer = await request("POST", "/whep/cam", { sdp: await gathered(peer), signal });
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    const place = answer.headers.get("Location");
    return { id: "cam", peer, channel: null, sender: null, close: () => end(peer, place) };
  } catch (error) {
    peer.close();
    throw error;
  }
}

/** The offer with its candidates inside: the server takes no trickle here. @param {RTCPeerConnection} peer */
async function gathered(peer) {
  await peer.setLocalDescription();
  await new Promise((resolve) => {
    const done = () => peer.iceGatheringState === "complete" && resolve(undefined);
    peer.addEventListener("icegatheringstatechange", done);
    setTimeout(resolve, GATHERING_MS);
    done();
  });
  return /** @type {RTCSessionDescription} */ (peer.localDescription).sdp;
}

/** Hold no frame back to smooth its arrival. @param {RTCRtpReceiver} receiver */
function receiveAtOnce(receiver) {
  if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
  if ("playoutDelayHint" in receiver) receiver.playoutDelayHint = 0;
}

/** A face shrunk to save bandwidth is edited worse than one with fewer frames. @param {RTCRtpSender} sender */
async function keepSize(sender) {
  const parameters = sender.getParameters();
  /** @type {any} */ (parameters).degradationPreference = "maintain-resolution";
  await sender.setParameters(parameters).catch(() => undefined); // Firefox has no such preference
}

/**
 * Chromium starts every video at 300 kbit/s and creeps up; between neighbours that is a blurred first
 * ten seconds for nothing.
 * @param {string} sdp
 */
function startFast(sdp) {
  const hint = `x-google-start-bitrate=${START_KBPS}`;
  return sdp.replace(/^a=rtpmap:(\d+) (?:VP8|H264)\/90000\r\n(a=fmtp:\1 .*\r\n)?/gm, (line, type, format) =>
    format ? line.replace(format, `${format.trimEnd()};${hint}\r\n`) : `${line}a=fmtp:${type} ${hint}\r\n`,
  );
}

/** @param {RTCPeerConnection} peer @param {string | null} place */
function end(peer, place) {
  const close = () => peer.close();
  if (!place) return close();
  // In this order, or the connection ends first and the server has forgotten the session. Also while
  // the page is unloaded. Without an answer there is nothing to end.
  request("DELETE", place, { keepalive: true }).then(close, close);
}
