"""`Frame`: a picture with its timing. Timing travels with the pixels from source to sink."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rtfilter.errors import FrameError

U8 = npt.NDArray[np.uint8]

MAX_SIDE_PX = 16384
NANOSECONDS = Fraction(1, 1_000_000_000)


class Box(NamedTuple):
    """Half-open pixel rectangle: columns `x0 <= x < x1`, rows `y0 <= y < y1`."""

    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture.

    rgb: uint8 [H, W, 3], C-contiguous, RGB. Treat as read-only: it may be shared.
    pts: presentation timestamp in units of `time_base` seconds.
    captured_ns: `time.monotonic_ns()` when the picture was taken; a file's is its pts in ns.
    seq: 0, 1, 2, ... from the source; a gap means frames that were dropped on purpose.
    native: the decoded picture as the source had it (an `av.VideoFrame` for files), so that a
        sink can keep its untouched bytes; None when there is none.
    original: the frame that this one was filtered from; None for a frame out of a source.
    changed: an even-aligned box holding every pixel that differs from `original`; None
        when `rgb` is `original.rgb`, bit for bit (or when there is no original).
    """

    rgb: U8
    pts: int = 0
    time_base: Fraction = NANOSECONDS
    captured_ns: int = 0
    seq: int = 0
    native: Any = None
    original: Frame | None = None
    changed: Box | None = None

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def pts_ns(self) -> int:
        """Presentation time in nanoseconds."""
        return int(self.pts * self.time_base / NANOSECONDS)

    def filtered(self, rgb: U8, changed: Box | None) -> Frame:
        """This frame's timing with other pixels; remembers this frame as the original."""
        return replace(self, rgb=rgb, original=self, changed=changed)

    @classmethod
    def from_rgb(cls, rgb: npt.NDArray[Any], pts: int = 0, seq: int = 0) -> Frame:
        """A frame from an array, validated. `pts` is in nanoseconds.

        Raises FrameError for anything but uint8 [H, W, 3] with 1 <= H, W <= 16384.
        """
        return cls(checked_rgb(rgb), pts=pts, captured_ns=pts, seq=seq)


def checked_rgb(rgb: npt.NDArray[Any]) -> U8:
    """`rgb` as a C-contiguous uint8 [H, W, 3] array, or a FrameError that says how to convert."""
    expected = "expected uint8 [H, W, 3] RGB"
    if not isinstance(rgb, np.ndarray):
        raise FrameError(f"{expected}, got {type(rgb).__name__}: pass a NumPy array")
    got = f"got {rgb.dtype} {list(rgb.shape)}"
    if rgb.ndim == 2 or (rgb.ndim == 3 and rgb.shape[2] == 1):
        raise FrameError(f"{expected}, {got}: grey; use np.repeat(img.reshape(*img.shape[:2], 1), 3, axis=2)")
    if rgb.ndim == 3 and rgb.shape[2] == 4:
        raise FrameError(f"{expected}, {got}: RGBA; drop the alpha channel with img[..., :3]")
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
