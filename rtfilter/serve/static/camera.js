/** The browser's camera: opened, chosen, resized, and what to do when it will not. */

/** Why there is no camera, for people. */
export class CameraError extends Error {
  /** @param {string} title @param {string} text What happened. @param {string[]} steps What to do. */
  constructor(title, text, ...steps) {
    super(text);
    this.title = title;
    this.steps = steps;
  }
}

export const SIZES = ["640x360", "640x480", "960x540", "1280x720", "1920x1080"];

/**
 * @param {string} device Its deviceId; "" is the browser's choice.
 * @param {string} size As "1280x720": a preference, the camera gives what it has nearest.
 * @returns {Promise<MediaStreamTrack>}
 * @throws {CameraError}
 */
export async function openCamera(device, size) {
  if (!navigator.mediaDevices?.getUserMedia) throw noAccess();
  const video = { ...constraintsOf(size), ...(device && { deviceId: { ideal: device } }) };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video });
    const [track] = stream.getVideoTracks();
    track.contentHint = "motion";
    return track;
  } catch (error) {
    throw explained(/** @type {Error} */ (error));
  }
}

/** @param {string} size @returns {MediaTrackConstraints} */
export function constraintsOf(size) {
  const [width, height] = size.split("x").map(Number);
  return { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30, max: 30 } };
}

/** Cameras by deviceId and name; names are known once one was permitted. */
export async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter(({ kind }) => kind === "videoinput")
    .map(({ deviceId, label }, index) => ({ device: deviceId, name: label || `Camera ${index + 1}` }));
}

/** What is missing in this browser, if anything. @returns {CameraError | null} */
export function unsupported() {
  if (typeof RTCPeerConnection === "undefined") {
    return new CameraError(
      "This browser cannot do this",
      "It has no WebRTC, or has it switched off.",
      "Open the link in a current Chrome, Edge, Firefox or Safari.",
      "An extension that blocks WebRTC must be off for this page.",
    );
  }
  return null;
}

function noAccess() {
  return window.isSecureContext
    ? new CameraError(
        "This browser gives no camera",
        "It has no camera access for pages, or a rule of your organisation forbids it.",
        "Open the link in a current Chrome, Edge, Firefox or Safari.",
      )
    : new CameraError(
        "The camera needs a secure page",
        "Browsers give the camera only to https pages and to this machine itself.",
        "On this machine: open the link that the server printed.",
        "From another: start the server with `--tls`, and open the https link.",
      );
}

/** Where a camera is permitted, as this browser shows it. */
function permit() {
  if (/firefox/i.test(navigator.userAgent)) return "Click the camera symbol left of the address, and take the block away.";
  if (/chrom|edg/i.test(navigator.userAgent)) return "Click the symbol left of the address, and switch Camera on.";
  return "Open this website's settings in the address bar, and allow the camera.";
}

/** Where the system itself permits it. */
function permitInSystem() {
  if (/mac/i.test(navigator.userAgent)) return "Still refused? System Settings, Privacy & Security, Camera: allow this browser.";
  if (/windows/i.test(navigator.userAgent)) return "Still refused? Settings, Privacy, Camera: allow desktop apps.";
  return "Still refused? Look whether the system lets this browser use the camera.";
}

/** @param {Error} error @returns {CameraError} */
function explained(error) {
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return new CameraError(
        "The camera is not permitted",
        "The browser, or the system, refused. Your picture would go only to the server that made this page.",
        permit(), permitInSystem(), "Then press Try again.",
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return new CameraError(
        "No camera was found",
        "The browser sees none on this machine.",
        "Connect one, open its shutter, or switch it on (some laptops have a key for it).",
        "No camera at all? `rtfilter run --input clip.mp4` filters a file, `rtfilter demo` shows a built-in face.",
      );
    case "NotReadableError":
    case "AbortError":
      return new CameraError(
        "The camera is in use",
        "Another program or page holds it.",
        "Close the meeting, camera program or page that uses it.",
        "If none does: pull the camera out and put it in again.",
      );
    default:
      return new CameraError("The camera did not start", `${error.name}: ${error.message}`);
  }
}
