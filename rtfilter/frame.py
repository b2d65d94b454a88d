"""`Frame`: a picture with its timing. Timing travels with the pixels from source to sink."""

from __future__ import annotations

import numbers
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rtfilter.errors import FrameError
from rtfilter.system.arrays import U8, Box

if TYPE_CHECKING:
    import av

    from rtfilter.planes import Planes

MAX_SIDE_PX = 16384
NANOSECONDS = Fraction(1, 1_000_000_000)


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture.

    pixels: uint8 [H, W, 3], C-contiguous, RGB; or the YUV planes that a decoder gave (`rtfilter.planes`),
        which stay what they are wherever nothing is edited. Treat as read-only: it may be shared.
    pts: presentation timestamp in units of `time_base` seconds.
    captured_ns: `time.monotonic_ns()` when the picture was taken; a file's is its pts in ns.
    seq: 0, 1, 2, ... from the source; a gap means frames that were dropped on purpose.
    native: the decoded picture as the source had it (an `av.VideoFrame` for files), so that a
        sink can keep its format and tags; None when there is none.
    original: the frame that this one was filtered from; None for a frame out of a source.
    changed: an even-aligned box holding every sample of `pixels` that differs from `original`; None
        when they are `original.pixels`, bit for bit (or when there is no original).
    duration: how long it is shown, in units of `time_base`; 0 where the next frame ends it. The last frame
        of a file has no other end.
    """

    pixels: U8 | Planes
    pts: int = 0
    time_base: Fraction = NANOSECONDS
    captured_ns: int = 0
    seq: int = 0
    native: av.VideoFrame | None = None
    original: Frame | None = None
    changed: Box | None = None
    duration: int = 0

    @property
    def rgb(self) -> U8:
        """uint8 [H, W, 3]; made of the planes at the first access. Read-only."""
        return self.pixels if isinstance(self.pixels, np.ndarray) else self.pixels.rgb

    @property
    def planes(self) -> Planes | None:
        """The picture as YUV planes; None where it came as RGB."""
        return None if isinstance(self.pixels, np.ndarray) else self.pixels

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[1])

    @property
    def pts_ns(self) -> int:
        """Presentation time in nanoseconds."""
        return int(self.pts * self.time_base / NANOSECONDS)

    @property
    def source(self) -> Frame:
        """The frame out of the source that this one was filtered from, or itself."""
        frame = self
        while frame.original is not None:
            frame = frame.original
        return frame

    @property
    def edited(self) -> Box | None:
        """The box of everything that was edited since the source; None where nothing was."""
        box: Box | None = None
        frame = self
        while frame.original is not None:
            if frame.changed is not None:
                box = frame.changed if box is None else box.union(frame.changed)
            frame = frame.original
        return box

    def to_planes(self) -> Planes | None:
        """The picture as YUV planes: the source's, with every edit since, in planes or in RGB.

        None where the source gave RGB, and where the picture has another size than its source.
        """
        box: Box | None = None
        origin = self
        while origin.planes is None:
            if origin.original is None or origin.original.pixels.shape[:2] != self.pixels.shape[:2]:
                return None
            if origin.changed is not None:
                box = origin.changed if box is None else box.union(origin.changed)
            origin = origin.original
        return origin.planes if box is None else origin.planes.with_edit(origin.rgb, self.rgb, box)

    def filtered(self, pixels: U8 | Planes, changed: Box | None) -> Frame:
        """This frame's timing with other pixels; remembers this frame as the original."""
        return replace(self, pixels=pixels, original=self, changed=changed)

    def unchanged(self) -> Frame:
        """What a filter returns that changed nothing: these very pixels, this frame as the original."""
        return self.filtered(self.pixels, None)

    @property
    def bgr(self) -> U8:
        """uint8 [H, W, 3], newly made: what OpenCV shows and writes."""
        return np.ascontiguousarray(self.rgb[:, :, ::-1])

    @classmethod
    def from_rgb(
        cls,
        rgb: npt.NDArray[Any],
        pts: int | None = None,
        seq: int = 0,
        *,
        fps: float | Fraction | None = None,
    ) -> Frame:
        """A frame from an array, validated.

        pts: presentation time in nanoseconds; with `fps`, the frame's number. Left out, the frame is of now
        (`time.monotonic_ns()`), which is right for a camera, and for pictures that are shown as they come.

        Raises FrameError for anything but uint8 [H, W, 3] with 1 <= H, W <= 16384, for a `pts` that is no
        whole number, and for an `fps` without one.
        """
        pts, time_base = _timing(pts, fps)
        captured_ns = int(pts * time_base / NANOSECONDS)
        return cls(checked_rgb(rgb), pts=pts, time_base=time_base, captured_ns=captured_ns, seq=seq)

    @classmethod
    def from_bgr(
        cls,
        bgr: npt.NDArray[Any],
        pts: int | None = None,
        seq: int = 0,
        *,
        fps: float | Fraction | None = None,
    ) -> Frame:
        """A frame from an array as OpenCV reads it; else as `from_rgb`."""
        return cls.from_rgb(checked_rgb(bgr, "BGR")[:, :, ::-1], pts, seq, fps=fps)

    @classmethod
    def from_av(cls, picture: av.VideoFrame, seq: int = 0) -> Frame:
        """A frame from a picture that PyAV decoded, with its own pts and time base.

        8-bit planar YUV stays in its planes, as the decoder gave it, deeper YUV gets 8-bit planes beside it;
        all else becomes RGB. The picture is not turned by its orientation. One without a pts is of now.

        Raises FrameError for what is no picture of PyAV's, for one that is too large, and
        for a format that FFmpeg cannot convert.
        """
        import av  # which most users of arrays never need

        from rtfilter.media.pixels import PixelReader

        if not isinstance(picture, av.VideoFrame):
            got = type(picture).__name__
            raise FrameError(f"expected an av.VideoFrame, got {got}: arrays go in by from_rgb")
        if max(picture.width, picture.height) > MAX_SIDE_PX:
            got = f"{picture.width}x{picture.height}"
            raise FrameError(f"expected a picture with sides of 1..{MAX_SIDE_PX} px, got {got}")
        pts, time_base, duration = picture.pts, picture.time_base, picture.duration or 0
        if pts is None or time_base is None:
            (pts, time_base), duration = _timing(None, None), 0
        try:
            reader = PixelReader()
            native = reader.planar(picture)
            pixels = reader.pixels(native)
        except av.FFmpegError as error:
            raise FrameError(f"a picture in {picture.format.name} cannot be converted: {error}") from error
        captured_ns = int(pts * time_base / NANOSECONDS)
        return cls(pixels, pts, time_base, captured_ns, seq, native=native, duration=duration)


def _timing(pts: int | None, fps: float | Fraction | None) -> tuple[int, Fraction]:
    """A whole pts and its time base, of what a caller gave."""
    if pts is None:
        if fps is not None:
            raise FrameError("fps needs the frame's number: expected such as pts=number, fps=30, got no pts")
        return time.monotonic_ns(), NANOSECONDS
    if isinstance(pts, bool) or not isinstance(pts, numbers.Integral):
        got = f"{repr(pts)[:40]} ({type(pts).__name__})"
        raise FrameError(f"pts: expected whole nanoseconds, got {got}: from seconds, round(seconds * 1e9)")
    if fps is None:
        return int(pts), NANOSECONDS
    try:
        rate = Fraction(fps).limit_denominator(1001)
    except (TypeError, ValueError, OverflowError):
        rate = Fraction(0)
    if rate <= 0:
        raise FrameError(f"fps: expected frames a second, such as 30, got {fps!r}")
    return int(pts), 1 / rate


def checked_rgb(rgb: npt.NDArray[Any], order: str = "RGB") -> U8:
    """`rgb` as a C-contiguous uint8 [H, W, 3] array, or a FrameError with how to convert it.

    order: of the colours, for the message.
    """
    expected = f"expected uint8 [H, W, 3] {order}"
    if not isinstance(rgb, np.ndarray):
        raise FrameError(f"{expected}, got {type(rgb).__name__}: pass a NumPy array")
    got = f"got {rgb.dtype} {list(rgb.shape)}"
    if rgb.ndim == 2 or (rgb.ndim == 3 and rgb.shape[2] == 1):
        raise FrameError(f"{expected}, {got}: grey; use np.repeat(img.reshape(*img.shape[:2], 1), 3, axis=2)")
    if rgb.ndim == 3 and rgb.shape[2] == 4:
        raise FrameError(f"{expected}, {got}: {order}A; drop the alpha channel with img[..., :3]")
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise FrameError(f"{expected}, {got}: put height first and the three colours last")
    if rgb.dtype != np.uint8:
        if np.issubdtype(rgb.dtype, np.floating) and not np.isfinite(rgb).all():
            raise FrameError(f"{expected}, {got} with NaN or infinity: clean the picture first")
        raise FrameError(f"{expected}, {got}: scale to 0..255 and use .astype(np.uint8)")
    height, width = rgb.shape[:2]
    if not (1 <= height <= MAX_SIDE_PX and 1 <= width <= MAX_SIDE_PX):
        raise FrameError(f"{expected} with sides of 1..{MAX_SIDE_PX} px, {got}")
    return np.ascontiguousarray(rgb)
