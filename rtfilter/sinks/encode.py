"""What a video file stores for a frame: pixel format, colour tags and planes, for H.264 and FFV1."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import av
import numpy as np

from rtfilter.colour import (
    PLANAR_FORMATS,
    RANGE_FULL,
    RANGE_LIMITED,
    TAG_OF_NAME,
    UNSPECIFIED,
    YuvSpec,
    planes_of,
    rgb_to_yuv,
    spec_for_size,
    spec_of,
)
from rtfilter.frame import U8, Box, Frame
from rtfilter.sinks.yuv import add_edit

# FFV1's RGB: what is decoded from it is the very RGB that was given.
_LOSSLESS_RGB = "bgr0"
_RGB_MATRIX_TAG = 0
# FFV1 version 3 cuts pictures into slices, and FFmpeg's refuses some sizes too small for that (measured:
# sides of up to 5 px); version 1 has none.
_FFV1_SLICED_FROM_PX = 64
ENCODERS: dict[str, Literal["libx264", "ffv1"]] = {"h264": "libx264", "ffv1": "ffv1"}


@dataclass(frozen=True)
class Encoding:
    """The form that every picture of one file has. Tags are FFmpeg's numbers (ITU-T H.273).

    spec: None when the file stores RGB itself.
    """

    pix_fmt: str
    width: int
    height: int
    spec: YuvSpec | None
    colorspace: int
    color_range: int
    color_primaries: int
    color_trc: int

    def picture(self, frame: Frame) -> av.VideoFrame:
        """`frame` as a new picture of this encoding, without timestamps. Its size must match."""
        picture = av.VideoFrame(self.width, self.height, self.pix_fmt)
        picture.colorspace, picture.color_range = self.colorspace, self.color_range
        picture.color_primaries, picture.color_trc = self.color_primaries, self.color_trc
        if self.spec is None:
            packed = planes_of_packed(picture)
            packed[..., 0], packed[..., 1], packed[..., 2] = (frame.rgb[..., c] for c in (2, 1, 0))
            packed[..., 3] = 0
            return picture
        shift = PLANAR_FORMATS[self.pix_fmt]
        planes = planes_of(picture)
        native = native_picture(frame)
        if native is None or not self._same_samples(native):
            for target, plane in zip(planes, rgb_to_yuv(frame.rgb, self.spec, *shift), strict=True):
                target[...] = plane
            return picture
        for target, plane in zip(planes, planes_of(native), strict=True):
            target[...] = plane
        origin, box = edit_of(frame)
        if box is not None:
            add_edit(planes, origin.rgb, frame.rgb, box, self.spec, shift)
        return picture

    def _same_samples(self, native: av.VideoFrame) -> bool:
        return PLANAR_FORMATS[native.format.name] == PLANAR_FORMATS[self.pix_fmt] and (
            spec_of(native) == self.spec
        )


def planes_of_packed(picture: av.VideoFrame) -> U8:
    """A writable view uint8 [H, W, 4] of a picture with four interleaved 8-bit components."""
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width * 4].reshape(plane.height, plane.width, 4)


def native_picture(frame: Frame) -> av.VideoFrame | None:
    """The source's own picture of `frame` where its samples can be kept: 8-bit planar YUV, same size."""
    native = edit_of(frame)[0].native
    if not isinstance(native, av.VideoFrame):
        return None
    if native.format.name == "nv12":
        native = native.reformat(format="yuv420p")  # the same samples, chroma taken apart
    if native.format.name not in PLANAR_FORMATS or spec_of(native) is None:
        return None
    return native if (native.width, native.height) == (frame.width, frame.height) else None


def edit_of(frame: Frame) -> tuple[Frame, Box | None]:
    """The source's frame behind `frame`, and the box of all that was changed since; None: nothing."""
    box: Box | None = None
    while frame.original is not None:
        changed = frame.changed
        if changed is not None:
            box = changed if box is None else _union(box, changed)
        frame = frame.original
    return frame, box


def _union(a: Box, b: Box) -> Box:
    return Box(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))


def encoding_for(frame: Frame, codec: str) -> Encoding:
    """The encoding of a file that begins with `frame`, for codec "h264" or "ffv1".

    The source's samples are kept where the codec can: 8-bit planar YUV. Otherwise FFV1 stores RGB, and
    H.264 4:2:0, or 4:4:4 for odd sides, which its 4:2:0 cannot have.
    """
    width, height = frame.width, frame.height
    native = native_picture(frame)
    if native is not None:
        name = native.format.name
        full = name.startswith("yuvj")
        if codec == "ffv1":
            name = name.replace("yuvj", "yuv")  # FFV1 states the range beside the samples
        shift_x, shift_y = PLANAR_FORMATS[name]
        if codec == "ffv1" or (width % (1 << shift_x) == 0 and height % (1 << shift_y) == 0):
            return Encoding(
                name,
                width,
                height,
                spec_of(native),
                int(native.colorspace),
                RANGE_FULL if full else int(native.color_range),
                int(native.color_primaries),
                int(native.color_trc),
            )
    source = edit_of(frame)[0].native
    tagged = isinstance(source, av.VideoFrame)
    primaries, trc = (int(source.color_primaries), int(source.color_trc)) if tagged else (UNSPECIFIED,) * 2
    if codec == "ffv1":
        return Encoding(_LOSSLESS_RGB, width, height, None, _RGB_MATRIX_TAG, RANGE_FULL, primaries, trc)
    same = spec_of(source) if tagged and not source.format.is_rgb else None
    matrix = (same or spec_for_size(width, height)).matrix
    pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
    spec = YuvSpec(matrix, full_range=False)
    return Encoding(pix_fmt, width, height, spec, TAG_OF_NAME[matrix], RANGE_LIMITED, primaries, trc)


def codec_settings(codec: str, width: int, height: int) -> dict[str, str]:
    """Options of FFmpeg's encoder. H.264: CRF 18, below what an eye notices; FFV1: lossless."""
    if codec == "h264":
        return {"crf": "18", "preset": "veryfast"}
    if min(width, height) < _FFV1_SLICED_FROM_PX:
        return {"level": "1"}
    return {"level": "3", "slicecrc": "1"}


def time_base_for(time_base: Fraction) -> Fraction:
    """A time base that containers can write: the source's, or 1/90000 in place of a finer one.

    Nanoseconds (live and generated pictures) overflow MP4's 32-bit durations; 1/90000 s is 11 us.
    """
    return time_base if time_base.denominator <= 1_000_000 else Fraction(1, 90_000)
