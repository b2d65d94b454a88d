/** The browser's camera: opened, chosen, resized, and what to do when it will not. */

/** Why there is no camera, for people. */
export class CameraError extends Error {
  /** @param {string} title @param {string} advice */
  constructor(title, advice) {
    super(advice);
    this.title = title;
  }
}

export const SIZES = ["640x360", "640x480", "960x540", "1280x720", "1920x1080"];

/**
 * @param {string} device Its deviceId; "" is the browser's choice.
 * @param {string} size As "1280x720": a wish, the camera gives what it has nearest.
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
      "It has no WebRTC, or has it switched off. A current Chrome, Edge, Firefox or Safari works.",
    );
  }
  return null;
}

function noAccess() {
  return window.isSecureContext
    ? new CameraError("This browser gives no camera", "It has no camera access for pages, or a rule of your organisation forbids it.")
    : new CameraError(
        "The camera needs a secure page",
        "Browsers give the camera only to https pages and to this machine itself. Open the link that the server printed, or start it with --tls.",
      );
}

/** @param {Error} error @returns {CameraError} */
function explained(error) {
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return new CameraError(
        "The camera is not permitted",
        "Permit it with the camera symbol beside the address, or in the system's privacy settings, and try again.",
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return new CameraError("No camera was found", "Connect one, or switch it on, and try again.");
    case "NotReadableError":
    case "AbortError":
      return new CameraError("The camera is in use", "Another program or page holds it, such as a meeting. Close it there and try again.");
    default:
      return new CameraError("The camera did not start", `${error.name}: ${error.message}`);
  }
}
