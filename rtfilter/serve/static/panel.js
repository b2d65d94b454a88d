/** The panel of a server that was found: one session, its picture and its controls. */

import { Before } from "./before.js";
import { Capture } from "./capture.js";
import { CameraError, constraintsOf, openCamera } from "./camera.js";
import { Connection } from "./connection.js";
import { Controls, mixOfValues } from "./controls.js";
import { element, press } from "./dom.js";
import { Enrol } from "./enrol.js";
import { followKeys } from "./keys.js";
import { Latency } from "./latency.js";
import { filterCamera, watchCamera } from "./peer.js";
import { People } from "./people.js";
import { ownCameras, serverCameras } from "./pickers.js";
import { Presets } from "./presets.js";
import { Profiles } from "./profiles.js";
import { Readout } from "./readout.js";
import { keepControls, keptControls, remember, settings } from "./settings.js";
import { Sliders } from "./sliders.js";
import { Stage } from "./stage.js";
import { Wheel } from "./wheel.js";

const SAMPLE_MS = 500;
/** The preset that a panel begins with. */
const GENTLE = "friendly";

/**
 * @typedef {object} Info
 * @property {"serve" | "cam"} mode
 * @property {string[]} emotions
 * @property {number} intensity_max
 * @property {import("./presets.js").Preset[]} presets
 * @property {boolean} presets_can_be_saved
 * @property {boolean} profiles Whether profiles can be used here.
 * @property {number} faces How many are followed.
 * @property {import("./controls.js").Values} controls What the server begins a session with.
 * @typedef {import("./link.js").Message} Message
 */

export class Panel {
  /** @type {MediaStreamTrack | null} */
  #camera = null;
  #latency = new Latency();
  #readout = new Readout();
  #stage = new Stage();
  /** @type {{profiles: Profiles, enrol: Enrol} | null} */
  #skin = null;

  /** @param {Info} info @param {import("./states.js").States} states */
  constructor(info, states) {
    this.states = states;
    this.info = info;
    this.own = info.mode !== "cam";
    /** @type {Controls} */
    this.controls = new Controls((message) => this.connection.link?.send(message) ?? false, () => this.#showControls());
    this.views = [
      new Sliders(this.controls, info.emotions, info.intensity_max),
      new Wheel(this.controls, info.emotions),
      new Presets(this.controls, info.presets, info.presets_can_be_saved),
    ];
    this.before = new Before(this.#stage.video, () => this.#stage.showsBefore, this.own);
    this.capture = new Capture(() => ({ before: this.before.stream, after: /** @type {MediaStream | null} */ (this.#stage.video.srcObject) }));
    this.pickers = this.own ? ownCameras(() => this.#camera, (device, size) => this.#choose(device, size)) : serverCameras();
    /** @type {Connection} */
    this.connection = new Connection({
      open: (signal) => this.#open(signal),
      phase: (phase, detail) => this.#phase(phase, detail),
      received: (message) => this.#received(message),
    });
    this.people = new People({
      pick: (person) => this.controls.pick(person),
      choose: (x, y) => void this.connection.link?.send({ type: "choose", x, y }),
      placed: (box) => this.#stage.placed(box),
      shares: (event) => this.#stage.shares(event),
    }, info.faces > 1);
    this.#skin = info.profiles ? this.#ownSkin() : null;
    this.#followButtons(/** @type {Presets} */ (this.views[2]));
    setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** The card's button: start, try again, go on. */
  act() {
    if (this.states.now.phase === "live" && this.states.now.paused) this.#pause(false);
    else this.start();
  }

  async start() {
    const opens = this.own && this.#camera?.readyState !== "live";
    this.states.set({ phase: opens ? "asking" : "connecting" });
    try {
      if (opens) await this.#openCamera(settings.device, settings.size);
    } catch (error) {
      return this.#cameraFailed(error);
    }
    await this.connection.start();
  }

  stop() {
    this.capture.stop();
    this.connection.stop();
    this.#camera?.stop();
  }

  /** @param {AbortSignal} signal @returns {Promise<import("./peer.js").Session>} */
  #open(signal) {
    this.#latency.restart();
    const filtered = (/** @type {MediaStream} */ stream) => this.#stage.show(stream);
    if (!this.own) return watchCamera(filtered, (stream) => this.before.show(stream), signal);
    const controls = this.controls.known ? this.controls.everybody : (keptControls() ?? this.#gentle?.values);
    return filterCamera(/** @type {MediaStreamTrack} */ (this.#camera), controls, filtered, signal);
  }

  /** A gentle edit, so that there is something to see, unless the server was started with controls of its own. */
  get #gentle() {
    const { controls, presets } = this.info;
    const amounts = [...Object.values(mixOfValues(controls)), ...Object.values(controls.blendshapes ?? {})];
    const preset = controls.bypass || amounts.some((amount) => amount !== 0);
    return this.own && !preset ? presets.find(({ name }) => name === GENTLE) : undefined;
  }

  /** What the first picture will be, for the start screen. */
  get begins() {
    if (!this.own) return "Before and after side by side. What you change here shows in your call at once.";
    const first = this.#gentle;
    if (!first) return "It begins with the server's own settings, before and after side by side.";
    return `It begins with ${first.saved ? `your preset ${first.name}` : first.description}, before and after side by side.`;
  }

  /** @param {string} device @param {string} size */
  async #openCamera(device, size) {
    const track = await openCamera(device, size);
    this.#camera?.stop();
    this.#camera = track;
    track.enabled = !this.states.now.paused;
    track.addEventListener("ended", () => {
      if (this.#camera === track) this.#cameraFailed(new CameraError("The camera is gone", "It was unplugged or switched off.", "Connect it, or choose another one.", "Then press Try again."));
    });
    this.before.show(new MediaStream([track]));
    await this.pickers.fill();
  }

  /** @param {string} device @param {string} size */
  async #choose(device, size) {
    if (!this.#camera) return;
    remember({ device, size });
    if (device === this.#camera.getSettings().deviceId) return this.#camera.applyConstraints(constraintsOf(size));
    await this.#openCamera(device, size);
    await this.connection.session?.sender?.replaceTrack(this.#camera);
  }

  /** @param {unknown} error */
  #cameraFailed(error) {
    if (!(error instanceof CameraError)) throw error;
    this.connection.stop();
    this.states.set({ phase: "camera", title: error.title, detail: error.message, steps: error.steps });
  }

  /** @param {import("./connection.js").Phase} phase @param {string} detail */
  #phase(phase, detail) {
    this.states.set({ phase, detail });
    if (phase === "live" && !this.own) this.pickers.fill().catch((error) => this.pickers.note(error.message));
  }

  /** @param {Message} message */
  #received(message) {
    if (message.type === "timings") {
      this.#latency.timings(/** @type {any} */ (message));
      this.#stage.face(this.people.boxOf(message.people ?? []) ?? message.face_box ?? null);
      this.people.show(message.people ?? [], this.controls.bypass);
      if (message.face !== this.states.now.face) this.states.set({ face: message.face });
    } else if (message.type === "controls") this.controls.echo(message.controls, message.seq);
    else if (message.type === "people") this.controls.echoPeople(message.people, message.seq);
    else if (message.type === "profile") this.#skin?.profiles.worn(message.profile);
    else if (message.type === "enrolment") this.#skin?.enrol.show(message.enrolment);
    else if (message.type === "state") this.#sessionState(/** @type {any} */ (message));
    else if (message.type === "hello") {
      // Paused stays paused through a lost connection.
      if (this.states.now.paused && !message.session.paused) this.#pause(true);
      else this.#sessionState(message.session);
      this.people.forget();
      this.controls.begin(message.session.controls, ownControls(message.session.people));
      this.#skin?.enrol.show(message.session.enrolment);
      void this.#skin?.profiles.begin(message.session.profile);
    } else if (message.type === "error") this.controls.refused(message.seq);
  }

  #ownSkin() {
    element("own-skin", HTMLElement).hidden = false;
    element("skin-where", HTMLElement).textContent = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname)
      ? "It stays on this machine." : `It is kept on ${location.hostname}.`;
    const session = () => this.connection.session?.id;
    const enrol = new Enrol({ session, find: (name) => profiles.find(name), changed: () => void profiles.refresh() });
    const profiles = new Profiles({ session, goOn: (name) => enrol.goOn(name), report: () => void enrol.report() }, this.own);
    return { profiles, enrol };
  }

  /** @param {{state: string, face: boolean, paused: boolean}} session */
  #sessionState({ state, face, paused }) {
    if (this.#camera) this.#camera.enabled = !paused;
    this.states.set({ video: state, face, paused });
    press(element("pause", HTMLButtonElement), paused);
  }

  /** @param {boolean} paused */
  #pause(paused) {
    // At once, without waiting for the server: from now on no picture leaves.
    if (this.#camera && paused) this.#camera.enabled = false;
    this.connection.link?.send({ type: "paused", paused });
  }

  /** @param {Presets} presets */
  #followButtons(presets) {
    const bypass = element("bypass", HTMLButtonElement);
    bypass.addEventListener("click", () => this.controls.set({ bypass: !this.controls.bypass }));
    const pause = () => this.#pause(!this.states.now.paused);
    element("pause", HTMLButtonElement).addEventListener("click", pause);
    element("reset", HTMLButtonElement).addEventListener("click", () => this.controls.reset());
    followKeys({
      preset: (number) => presets.choose(number),
      reset: () => this.controls.reset(),
      mirror: () => this.#stage.mirror(),
      view: () => this.#stage.nextView(),
      pause,
      off: (off) => this.controls.set({ bypass: off }),
    });
  }

  #showControls() {
    for (const view of this.views) view.show();
    press(element("bypass", HTMLButtonElement), this.controls.bypass);
    this.states.set({ bypass: this.controls.bypass, edits: this.controls.edits });
    keepControls({ ...this.controls.everybody, bypass: false });
  }

  async #sample() {
    const { session, link } = this.connection;
    if (!session || this.states.now.phase !== "live" || this.states.now.paused) return this.#readout.draw();
    const { capture_ms, lag } = this.before;
    const sample = await this.#latency.sample(session, capture_ms, lag.ms, link?.roundTripMs ?? null);
    if (session !== this.connection.session) return;
    this.before.estimated_ms = sample.total_ms - (sample.parts.capture ?? 0);
    this.#readout.add(sample);
  }
}

/** Controls by number of those who have their own. @param {{person: number, controls: import("./controls.js").Values | null}[]} people */
function ownControls(people) {
  return Object.fromEntries(people.flatMap(({ person, controls }) => (controls ? [[String(person), controls]] : [])));
}
