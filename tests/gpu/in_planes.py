"""Pictures in YUV planes, and how far apart two frames are in their own format."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtfilter.colour import YuvSpec, rgb_to_yuv, spec_for_size
from rtfilter.frame import Frame
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8, Box


def planes_of_rgb(rgb: U8, shift: tuple[int, int] = (1, 1), spec: YuvSpec | None = None) -> Planes:
    """As a decoder might give them: rows padded."""
    spec = spec or spec_for_size(rgb.shape[1], rgb.shape[0])
    padded = []
    for plane in rgb_to_yuv(rgb, spec, *shift):
        rows = np.full((plane.shape[0], plane.shape[1] + 13), 77, np.uint8)
        rows[:, : plane.shape[1]] = plane
        padded.append(rows[:, : plane.shape[1]])
    return Planes(*padded, shift, spec)


def in_planes(frame: Frame, shift: tuple[int, int] = (1, 1), spec: YuvSpec | None = None) -> Frame:
    """The same picture as it would come from a decoder."""
    return replace(frame, pixels=planes_of_rgb(frame.rgb, shift, spec))


def in_rgb(frame: Frame) -> Frame:
    return replace(frame, pixels=frame.rgb)


def parts_of(frame: Frame, box: Box) -> list[U8]:
    """What lies in a box: RGB, or three planes."""
    planes = frame.planes
    return [frame.rgb[box.y0 : box.y1, box.x0 : box.x1]] if planes is None else planes.part(box)


def apart(ours: Frame, theirs: Frame, box: Box) -> U8:
    """By how much all pixels of a box differ, or, in planes, all samples; flat."""
    found = []
    for a, b in zip(parts_of(ours, box), parts_of(theirs, box), strict=True):
        levels = np.abs(a.astype(np.int16) - b)
        found.append((levels.max(2) if levels.ndim == 3 else levels).ravel())
    return np.concatenate(found).astype(np.uint8)


def same(ours: Frame, theirs: Frame) -> bool:
    """Whether they are the same picture in the same format, bit for bit."""
    whole = Box(0, 0, ours.width, ours.height)
    return (ours.planes is None) == (theirs.planes is None) and not apart(ours, theirs, whole).any()


def same_outside(ours: Frame, theirs: Frame, box: Box) -> bool:
    """Whether nothing but the box differs: pixels, or samples of its blocks."""
    whole = Box(0, 0, ours.width, ours.height)
    a, b = (replace(one, pixels=one.pixels.copy()) for one in (ours, theirs))
    for one in (a, b):
        for part in parts_of(one, box):
            part[...] = 0
    return not apart(a, b, whole).any()
