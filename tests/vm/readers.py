"""What reads the virtual camera in the guest: FFmpeg, OpenCV and Chromium, each down to the frame numbers."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from rtfilter.sources.capture import silence_opencv
from tests.vm import stamps

DEVICE = "/dev/video0"
READ_S = 40.0
SETTLED = 5  # the first frames may have lain in a buffer
# An emulated machine loses or repeats a frame when its host is busy; it never may mix them up.
EVEN = 0.6


@dataclass
class Seen:
    """The frames that a reader got: numbers (None: no stamp, a card) and when, on the monotonic clock."""

    described: str = ""
    numbers: list[int | None] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    problem: str = ""

    @property
    def stamped(self) -> list[int]:
        return [number for number in self.numbers if number is not None]

    @property
    def rate(self) -> float:
        """Frames a second, from the second half: the first may have lain in a buffer."""
        half = len(self.times_s) // 2
        took_s = self.times_s[-1] - self.times_s[half] if half else 0.0
        return (len(self.times_s) - 1 - half) / took_s if took_s > 0 else 0.0

    @property
    def even(self) -> float:
        """Share of the steps from frame to frame that are +1, after the first frames."""
        return float(np.mean(np.diff(self.stamped[SETTLED:]) == 1))

    def faults(self) -> str:
        """ "", or what is wrong with the order: a step back, or too few of +1."""
        steps = np.diff(self.stamped[SETTLED:])
        if len(steps) < 10:
            return f"only {len(self.stamped)} stamped of {len(self.numbers)} frames; {self.problem}"
        if steps.min() < 0:
            return f"a step back by {-steps.min()}: {self.stamped}"
        return "" if self.even >= EVEN else f"only {self.even:.0%} of the steps are +1: {self.stamped}"


def ffmpeg(width: int, height: int, frames: int, kill: bool = False) -> Seen:
    """`frames` frames as FFmpeg gets them, unconverted. kill: it is then killed while it streams."""
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-f", "v4l2", "-i", DEVICE]
    limit = [] if kill else ["-frames:v", str(frames)]
    process = subprocess.Popen(
        [*command, *limit, "-c", "copy", "-f", "rawvideo", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    guard = threading.Timer(READ_S, process.kill)
    guard.start()
    said: list[bytes] = []
    drain = threading.Thread(target=lambda: said.append(process.stderr.read()))
    drain.start()
    seen = Seen()
    for _ in range(frames):
        data = process.stdout.read(width * height * 3 // 2)
        if len(data) < width * height * 3 // 2:
            seen.problem = "the stream ended"
            break
        seen.times_s.append(time.monotonic())
        luma = np.frombuffer(data, np.uint8, width * height).reshape(height, width)
        seen.numbers.append(stamps.read(luma))
    if kill:
        process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait()
    guard.cancel()
    drain.join(5)
    text = b"".join(said).decode(errors="replace")
    match = re.search(r"Video: .*", text)
    seen.described = match[0] if match else ""
    if not seen.numbers:
        seen.problem = " / ".join(text.splitlines()[-3:])
    return seen


def opencv(width: int, height: int, frames: int) -> Seen:
    """`frames` frames as an OpenCV program gets them."""
    video = cv2.VideoCapture(0, cv2.CAP_V4L2)
    video.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    video.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    seen = Seen()
    until_s = time.monotonic() + READ_S
    while len(seen.numbers) < frames and time.monotonic() < until_s:
        taken, picture = video.read()
        if not taken:
            seen.problem = "no picture"
            break
        seen.times_s.append(time.monotonic())
        seen.described = f"{picture.shape[1]}x{picture.shape[0]}"
        seen.numbers.append(stamps.read(np.ascontiguousarray(picture[:, :, 1])))
    video.release()
    return seen


def picture() -> np.ndarray | None:
    """The next picture as any program gets it, RGB."""
    silence_opencv()
    video = cv2.VideoCapture(0, cv2.CAP_V4L2)
    taken, bgr = video.read()
    video.release()
    return np.ascontiguousarray(bgr[:, :, ::-1]) if taken else None


PAGE = """<!doctype html><video id=v autoplay muted playsinline></video><script>
const say = (path, body) => fetch(path, {method: 'POST', body: JSON.stringify(body)});
(async () => {
  try {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const stream = await navigator.mediaDevices.getUserMedia({video: {width: WIDTH, height: HEIGHT}});
    const track = stream.getVideoTracks()[0];
    v.srcObject = stream;
    await v.play();
    const canvas = document.createElement('canvas');
    canvas.width = v.videoWidth; canvas.height = v.videoHeight;
    const context = canvas.getContext('2d', {willReadFrequently: true});
    const rows = [], times = [];
    const take = (now) => {
      context.drawImage(v, 0, 0);
      const data = context.getImageData(AT_X, AT_Y + 4, BITS * BLOCK, 1).data;
      const row = [];
      for (let bit = 0; bit < BITS; bit++) row.push(data[4 * (bit * BLOCK + BLOCK / 2) + 1]);
      rows.push(row); times.push(now / 1000);
      const done = rows.length >= FRAMES;
      const shape = {label: track.label, width: v.videoWidth, height: v.videoHeight};
      if (rows.length % 10 == 0) say(done ? '/done' : '/some', {...shape, rows, times});
      if (!done) v.requestVideoFrameCallback(take);
    };
    v.requestVideoFrameCallback(take);
  } catch (error) { say('/done', {error: String(error)}); }
})();
</script>"""


def chromium(width: int, height: int, frames: int, limit_s: float = 80.0) -> Seen | None:
    """Frames, at most about `frames`, as a page in headless Chromium gets them from getUserMedia.

    None: it did not even load the page in time.
    """
    answers: list[dict] = []
    loaded, done = threading.Event(), threading.Event()
    words = {"WIDTH": width, "HEIGHT": height, "AT_X": stamps.AT_PX[0], "AT_Y": stamps.AT_PX[1],
             "BITS": stamps.BITS, "BLOCK": stamps.BLOCK_PX, "FRAMES": frames}  # fmt: skip
    page = re.sub("|".join(words), lambda match: str(words[match[0]]), PAGE).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)
            loaded.set()

        def do_POST(self) -> None:
            answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            if self.path == "/done":
                done.set()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    profile = Path(os.environ["TMPDIR"]) / "chromium"
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-extensions", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required",
             f"--user-data-dir={profile}"]  # fmt: skip
    log = (Path(os.environ["TMPDIR"]) / "chromium.log").open("wb")
    process = subprocess.Popen(
        ["chromium", *flags, f"http://127.0.0.1:{server.server_port}/"], stdout=log, stderr=log,
        start_new_session=True,
    )  # fmt: skip
    if loaded.wait(limit_s):
        done.wait(limit_s)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    server.shutdown()
    if not loaded.is_set():
        return None
    if not answers:
        return Seen(problem=f"the page got nothing within {limit_s:g} s")
    answer = answers[-1]
    if "error" in answer:
        return Seen(problem=answer["error"])
    seen = Seen(f"{answer['label']}, {answer['width']}x{answer['height']}", times_s=answer["times"])
    for row in answer["rows"]:
        luma = np.repeat(np.repeat(np.array(row, np.uint8), stamps.BLOCK_PX)[None], stamps.BLOCK_PX, axis=0)
        canvas = np.zeros((64, stamps.AT_PX[0] + luma.shape[1]), np.uint8)
        canvas[stamps.AT_PX[1] : stamps.AT_PX[1] + stamps.BLOCK_PX, stamps.AT_PX[0] :] = luma
        seen.numbers.append(stamps.read(canvas))
    return seen
