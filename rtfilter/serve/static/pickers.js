/** The camera and resolution pickers: of this browser, or of the server that has the camera. */

import { getJson, Refused, request } from "./api.js";
import { listCameras, SIZES } from "./camera.js";
import { element, make } from "./dom.js";

/** @typedef {{device: string, name: string}} Camera */

class Pickers {
  device = element("device", HTMLSelectElement);
  size = element("size", HTMLSelectElement);
  #note = element("camera-note", HTMLElement);

  /** @param {() => Promise<void>} choose Called after a choice; its error is shown. */
  constructor(choose) {
    const chosen = async () => {
      this.note("");
      try {
        await choose();
      } catch (error) {
        this.note(/** @type {Error} */ (error).message);
      }
    };
    this.device.addEventListener("change", chosen);
    this.size.addEventListener("change", chosen);
  }

  /** @param {string} text */
  note(text) {
    this.#note.textContent = text;
  }

  /** @param {Camera[]} cameras @param {string} device @param {string} size */
  fill(cameras, device, size) {
    options(this.device, cameras.map((camera) => [camera.device, camera.name]), device);
    const sizes = SIZES.includes(size) ? SIZES : [...SIZES, size];
    options(this.size, sizes.map((text) => [text, text.replace("x", " x ")]), size);
  }
}

/**
 * @param {() => MediaStreamTrack | null} track The camera in use.
 * @param {(device: string, size: string) => Promise<void>} choose
 */
export function ownCameras(track, choose) {
  const pickers = new Pickers(async () => {
    await choose(pickers.device.value, pickers.size.value);
    await fill();
  });
  const fill = async () => {
    const { deviceId = "", width = 0, height = 0 } = track()?.getSettings() ?? {};
    pickers.fill(await listCameras(), deviceId, `${width}x${height}`);
  };
  navigator.mediaDevices?.addEventListener("devicechange", fill);
  return { fill, note: (/** @type {string} */ text) => pickers.note(text) };
}

/** With `rtfilter cam --panel`. */
export function serverCameras() {
  const fill = async () => {
    const { cameras, current } = await getJson("/api/cameras");
    const known = cameras.some((/** @type {Camera} */ { device }) => device === current.device);
    const all = known ? cameras : [{ device: current.device, name: current.device }, ...cameras];
    fps = current.fps;
    pickers.fill(all, current.device, `${current.width}x${current.height}`);
  };
  let fps = 30;
  const pickers = new Pickers(async () => {
    const [width, height] = pickers.size.value.split("x").map(Number);
    try {
      await request("PUT", "/api/sessions/cam/camera", { json: { device: pickers.device.value, width, height, fps } });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      await fill();
      throw new Error(`That camera did not open, and the one before goes on: ${error.message}`);
    }
    await fill();
  });
  return { fill, note: (/** @type {string} */ text) => pickers.note(text) };
}

/** @param {HTMLSelectElement} select @param {string[][]} choices value, text @param {string} chosen */
function options(select, choices, chosen) {
  select.replaceChildren(...choices.map(([value, textContent]) => make("option", { value, textContent })));
  select.value = chosen;
}
