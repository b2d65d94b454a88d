/** A call for every picture that a video element shows. */

/**
 * @param {HTMLVideoElement} video
 * @param {(now: number, about: {captureTime?: number}) => void} picture
 */
export function everyFrame(video, picture) {
  if (typeof video.requestVideoFrameCallback === "function") {
    /** @type {VideoFrameRequestCallback} */
    const next = (now, about) => {
      picture(now, about);
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
    return;
  }
  let shown = -1;
  const look = (/** @type {number} */ now) => {
    if (video.currentTime !== shown && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
      shown = video.currentTime;
      picture(now, {});
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
