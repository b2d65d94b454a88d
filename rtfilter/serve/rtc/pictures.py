"""Decoded pictures of a WebRTC stream as frames of the filter, and back; unedited planes keep their bytes.

Called by `app.pipeline` and `rtc.encoders`.
"""

from __future__ import annotations

import av
import cv2
import numpy as np

from rtfilter.colour import RANGE_FULL, UNSPECIFIED, YuvSpec, planes_of, spec_of
from rtfilter.frame import Frame
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8

# The matrix of a picture without colour tags in browsers and WebRTC stacks, whatever its size.
UNTAGGED = "bt601"


def as_420(picture: av.VideoFrame, formats: tuple[str, ...] = ("yuv420p", "yuvj420p")) -> av.VideoFrame:
    """`picture` itself if its format is in `formats`, else as yuv420p with the same timing."""
    if picture.format.name in formats:
        return picture
    converted = picture.reformat(format="yuv420p")
    converted.pts, converted.time_base = picture.pts, picture.time_base
    return converted


def spec_for(picture: av.VideoFrame) -> YuvSpec:
    """Matrix and range of `picture`."""
    full = picture.format.name.startswith("yuvj") or int(picture.color_range) == RANGE_FULL
    if int(picture.colorspace) == UNSPECIFIED:
        return YuvSpec(UNTAGGED, full)
    return spec_of(picture) or YuvSpec(UNTAGGED, full)


def frame_of(picture: av.VideoFrame, captured_ns: int, seq: int) -> Frame:
    """A frame of a 4:2:0 picture with a pts; the picture itself is `Frame.native`."""
    planes = Planes.of_picture(picture, spec_for(picture))
    assert picture.pts is not None
    assert picture.time_base is not None
    return Frame(planes, picture.pts, picture.time_base, captured_ns, seq, native=picture)


def picture_of(frame: Frame) -> av.VideoFrame:
    """The picture of a filtered frame: the native one, or a new one with its timing and colour tags."""
    native = frame.native
    assert native is not None
    planes = frame.to_planes() if frame.changed is not None else None
    return native if planes is None else _like(native, planes.all)


def copy_of(picture: av.VideoFrame) -> av.VideoFrame:
    """A copy with the same planes, timing and colour tags."""
    return _like(picture, planes_of(picture))


def even(picture: av.VideoFrame) -> av.VideoFrame:
    """`picture` itself, or a copy without the last row or column where their number is odd (4:2:0)."""
    width, height = picture.width // 2 * 2, picture.height // 2 * 2
    if (width, height) == (picture.width, picture.height):
        return picture
    planes = zip(planes_of(picture), (0, 1, 1), strict=True)
    return _like(picture, [plane[: height >> shift, : width >> shift] for plane, shift in planes])


def _like(picture: av.VideoFrame, planes: list[U8]) -> av.VideoFrame:
    """A new picture of `planes`, with the format, timing and colour tags of `picture`."""
    height, width = planes[0].shape
    copy = av.VideoFrame(width, height, picture.format.name)
    for target, plane in zip(planes_of(copy), planes, strict=True):
        target[...] = plane
    copy.pts, copy.time_base = picture.pts, picture.time_base
    copy.colorspace, copy.color_range = picture.colorspace, picture.color_range
    copy.color_primaries, copy.color_trc = picture.color_primaries, picture.color_trc
    return copy


def picture_like(picture: av.VideoFrame, rgb: U8) -> av.VideoFrame:
    """`rgb` (uint8 [H, W, 3]) as 4:2:0 in place of `picture`: scaled to its size, with its timing."""
    size = (picture.width, picture.height)
    if (rgb.shape[1], rgb.shape[0]) != size:
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    made = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
    made.pts, made.time_base = picture.pts, picture.time_base
    return made
