"""`Frame`: a picture with its timing. Timing travels with the pixels from source to sink."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rtfilter.errors import FrameError

if TYPE_CHECKING:
    from rtfilter.planes import Planes

U8 = npt.NDArray[np.uint8]

MAX_SIDE_PX = 16384
NANOSECONDS = Fraction(1, 1_000_000_000)


class Box(NamedTuple):
    """Half-open pixel rectangle: columns `x0 <= x < x1`, rows `y0 <= y < y1`."""

    x0: int
    y0: int
    x1: int
    y1: int

    def union(self, other: Box) -> Box:
        """The smallest box that holds both."""
        return Box(
            min(self.x0, other.x0),
            min(self.y0, other.y0),
            max(self.x1, other.x1),
            max(self.y1, other.y1),
        )


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
    """

    pixels: U8 | Planes
    pts: int = 0
    time_base: Fraction = NANOSECONDS
    captured_ns: int = 0
    seq: int = 0
    native: Any = None
    original: Frame | None = None
    changed: Box | None = None

    @property
    def rgb(self) -> U8:
        """uint8 [H, W, 3]; made of the planes once, when first asked for. Read-only."""
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

    def filtered(self, pixels: U8 | Planes, changed: Box | None) -> Frame:
        """This frame's timing with other pixels; remembers this frame as the original."""
        return replace(self, pixels=pixels, original=self, changed=changed)

    def unchanged(self) -> Frame:
        """What a filter returns that changed nothing: these very pixels, this frame as the original."""
        return self.filtered(self.pixels, None)

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
