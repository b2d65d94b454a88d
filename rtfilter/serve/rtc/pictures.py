"""Decoded pictures of a WebRTC stream to frames and back: the same planes wherever nothing was edited."""

from __future__ import annotations

import av
import cv2
import numpy as np

from rtfilter.colour import RANGE_FULL, UNSPECIFIED, YuvSpec, planes_of, spec_of
from rtfilter.frame import Frame
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8

# What browsers and WebRTC stacks mean by a picture without colour tags, whatever its size.
UNTAGGED = "bt601"


def as_420(picture: av.VideoFrame) -> av.VideoFrame:
    """`picture` as 8-bit 4:2:0, itself when it is; its timing stays."""
    if picture.format.name in ("yuv420p", "yuvj420p"):
        return picture
    converted = picture.reformat(format="yuv420p")
    converted.pts, converted.time_base = picture.pts, picture.time_base
    return converted


def spec_for(picture: av.VideoFrame) -> YuvSpec:
    """The matrix and range that a peer means by `picture`."""
    full = picture.format.name.startswith("yuvj") or int(picture.color_range) == RANGE_FULL
    if int(picture.colorspace) == UNSPECIFIED:
        return YuvSpec(UNTAGGED, full)
    return spec_of(picture) or YuvSpec(UNTAGGED, full)


def frame_of(picture: av.VideoFrame, captured_ns: int, seq: int) -> Frame:
    """A frame for the filter from a 4:2:0 picture with a pts; the picture goes along as `native`."""
    planes = Planes.of_picture(picture, spec_for(picture))
    assert picture.pts is not None
    assert picture.time_base is not None
    return Frame(planes, picture.pts, picture.time_base, captured_ns, seq, native=picture)


def picture_of(frame: Frame) -> av.VideoFrame:
    """The filtered `frame`, made of a picture by `frame_of`, with that picture's timing and tags.

    The very same picture when nothing was changed.
    """
    native: av.VideoFrame = frame.native
    planes = frame.to_planes() if frame.changed is not None else None
    return native if planes is None else _like(native, planes.all)


def copy_of(picture: av.VideoFrame) -> av.VideoFrame:
    """A picture of its own with the same planes, timing and colour tags."""
    return _like(picture, planes_of(picture))


def _like(picture: av.VideoFrame, planes: list[U8]) -> av.VideoFrame:
    """A picture of its own with other planes of the same sizes, and this one's timing and colour tags."""
    copy = av.VideoFrame(picture.width, picture.height, picture.format.name)
    for target, plane in zip(planes_of(copy), planes, strict=True):
        target[...] = plane
    copy.pts, copy.time_base = picture.pts, picture.time_base
    copy.colorspace, copy.color_range = picture.colorspace, picture.color_range
    copy.color_primaries, copy.color_trc = picture.color_primaries, picture.color_trc
    return copy


def picture_like(picture: av.VideoFrame, rgb: U8) -> av.VideoFrame:
    """`rgb`, scaled to the size of `picture`, with its timing: what is shown in place of it."""
    size = (picture.width, picture.height)
    if (rgb.shape[1], rgb.shape[0]) != size:
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    made = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
    made.pts, made.time_base = picture.pts, picture.time_base
    return made
