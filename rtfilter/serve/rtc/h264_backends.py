"""H.264 encoders of this machine: which there are, which of them work, and what each is told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

_log = logging.getLogger(__name__)

_TRIAL_PX = (640, 360)
_TRIAL_BPS = 1_000_000
# Pictures given to an encoder on trial; one that still holds the first back then is no use for live video.
_TRIAL_PICTURES = 3
_FAILURES = (av.FFmpegError, ValueError, RuntimeError, OSError)


@dataclass(frozen=True, slots=True)
class Backend:
    """One encoder of libavcodec. changes_rate: whether a running one takes a new bitrate over."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None
    pix_fmt: str = "yuv420p"
    changes_rate: bool = False
    level_option: bool = False

    def configure(self, context: VideoCodecContext, ceiling_bps: int, level_idc: int) -> None:
        """Set a context of this encoder, not yet open, up for live video of `ceiling_bps` at most."""
        rate = {"maxrate": str(ceiling_bps), "bufsize": str(ceiling_bps // 2)}
        level = {"level": str(level_idc)} if self.level_option else {}
        context.pix_fmt = self.pix_fmt
        context.max_b_frames = 0
        context.options = {**rate, **level, **self.options}
        if self.profile is not None:
            context.profile = self.profile


SOFTWARE = Backend(
    "libx264",
    # superfast: 6 to 8 ms for 720p; veryfast takes 11 for 0.1 dB more, ultrafast 4 and loses 0.6 dB.
    {"preset": "superfast", "tune": "zerolatency", "sc_threshold": "0", "forced-idr": "1"},
    profile="Baseline",
    changes_rate=True,
    level_option=True,
)
HARDWARE = (
    Backend(
        "h264_nvenc",
        {"preset": "p3", "tune": "ull", "rc": "cbr", "zerolatency": "1", "delay": "0", "forced-idr": "1",
         "profile": "baseline"},
        changes_rate=True,
    ),
    Backend("h264_videotoolbox", {"realtime": "1", "prio_speed": "1", "profile": "constrained_baseline"}),
    Backend(
        "h264_qsv",
        {"preset": "veryfast", "async_depth": "1", "forced_idr": "1", "profile": "baseline"},
        pix_fmt="nv12",
    ),
    Backend(
        "h264_amf",
        {"usage": "ultralowlatency", "rc": "cbr", "forced_idr": "1", "profile": "constrained_baseline"},
        pix_fmt="nv12",
    ),
    # Without a hardware frames context it takes no picture from memory; the trial finds out.
    Backend("h264_vaapi", {"async_depth": "1", "profile": "constrained_baseline"}, pix_fmt="nv12"),
    Backend("h264_v4l2m2m", {"num_capture_buffers": "4"}),
)  # fmt: skip

_lock = threading.Lock()
_chosen: Backend | None = None
_condemned: dict[str, str] = {}


def chosen_backend() -> Backend:
    """The first hardware encoder that encoded a picture here, else x264. Tried once in this process."""
    global _chosen
    with _lock:
        if _chosen is None:
            _chosen = _first_that_works()
        return _chosen


def condemn(backend: Backend, reason: Exception) -> None:
    """Never choose `backend` again in this process: it failed at work."""
    global _chosen
    with _lock:
        _condemned[backend.name] = _one_line(reason)
        _chosen = None
    _log.warning("H.264: %s failed (%s); libx264 goes on in its place", backend.name, _one_line(reason))


def trial_problem(backend: Backend) -> str | None:
    """What goes wrong when `backend` encodes a few pictures at once, as one line; None when it works."""
    if backend.name in _condemned:
        return _condemned[backend.name]
    if backend.name not in av.codecs_available:
        return "this PyAV was built without it"
    width_px, height_px = _TRIAL_PX
    try:
        context = av.CodecContext.create(backend.name, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height = width_px, height_px
        context.bit_rate = _TRIAL_BPS
        context.framerate, context.time_base = Fraction(30, 1), Fraction(1, 30)
        backend.configure(context, _TRIAL_BPS, 31)
        for index in range(_TRIAL_PICTURES):
            picture = VideoFrame(width_px, height_px, "yuv420p")
            for plane in picture.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            picture.pts, picture.time_base = index, Fraction(1, 30)
            picture.pict_type = PictureType.NONE if index else PictureType.I
            if any(packet.size for packet in context.encode(picture)):
                return None
    except _FAILURES as error:
        return _one_line(error)
    return f"it holds back {_TRIAL_PICTURES} pictures and more"


def _first_that_works() -> Backend:
    problems = []
    for backend in HARDWARE:
        if backend.name not in av.codecs_available:
            continue
        problem = trial_problem(backend)
        if problem is None:
            _log.info("H.264 is encoded by %s", backend.name)
            return backend
        problems.append(f"{backend.name}: {problem}")
    tried = "; ".join(problems) or "this PyAV was built without any"
    _log.info("H.264 is encoded by libx264, as no hardware encoder works here (%s)", tried)
    return SOFTWARE


def _one_line(error: Exception) -> str:
    # PyAV adds all options to the text; what went wrong comes first.
    said = (error.strerror if isinstance(error, (OSError, av.FFmpegError)) else None) or str(error)
    return said.splitlines()[0][:120] if said else type(error).__name__
