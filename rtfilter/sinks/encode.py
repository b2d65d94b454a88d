"""What a video file stores for a frame: pixel format, colour tags and planes, by its codec."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

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
from rtfilter.frame import Frame
from rtfilter.media.depth import DeepFormat, sample_bits, words_of
from rtfilter.sinks.containers import ENCODERS
from rtfilter.sinks.deep import deep_format, deep_samples
from rtfilter.sinks.exact import exact_format, exact_picture, in_form
from rtfilter.sinks.properties import Blanks
from rtfilter.system.arrays import U8

# FFV1's RGB: what is decoded from it is the very RGB that was given.
_LOSSLESS_RGB = "bgr0"
_RGB_MATRIX_TAG = 0
# FFV1 version 3 cuts pictures into slices, and FFmpeg's refuses some sizes too small for that (measured:
# sides of up to 5 px); version 1 has none.
_FFV1_SLICED_FROM_PX = 64
# GIF counts in 1/100 s.
_GIF_TIME_BASE = Fraction(1, 100)


@dataclass(frozen=True)
class Encoding:
    """The form that every picture of one file has. Tags are FFmpeg's numbers (ITU-T H.273).

    spec: None when the file stores RGB itself. deep: the format where it has more than 8 bits a sample.
    exact: whether the format is the source's own, one of `exact_format`.
    lost: what the file cannot keep of its source, one line each.
    """

    codec: str
    pix_fmt: str
    width: int
    height: int
    spec: YuvSpec | None
    colorspace: int
    color_range: int
    color_primaries: int
    color_trc: int
    deep: DeepFormat | None = None
    lost: tuple[str, ...] = ()
    blanks: Blanks = field(default_factory=Blanks)
    exact: bool = False

    def picture(self, frame: Frame) -> av.VideoFrame:
        """`frame` as a new picture of this encoding, without timestamps. Its size must match."""
        picture = self._exact(frame) if self.exact else self._blank(frame)
        picture.colorspace, picture.color_range = self.colorspace, self.color_range
        picture.color_primaries, picture.color_trc = self.color_primaries, self.color_trc
        if self.exact:
            return picture
        if self.deep is not None:
            deep = deep_samples(frame, self.deep, self.spec)
            for words, edited in zip(words_of(picture), deep, strict=True):
                words[...] = edited
            return picture
        if self.spec is None:
            packed = planes_of_packed(picture)
            packed[..., 0], packed[..., 1], packed[..., 2] = (frame.rgb[..., c] for c in (2, 1, 0))
            packed[..., 3] = 0
            return picture
        shift, planes = PLANAR_FORMATS[self.pix_fmt], frame.to_planes()
        if planes is not None and planes.spec == self.spec and planes.shift == shift:
            samples = planes.all
        else:
            samples = rgb_to_yuv(frame.rgb, self.spec, *shift)
        for target, plane in zip(planes_of(picture), samples, strict=True):
            target[...] = plane
        return picture

    @property
    def rare(self) -> str | None:
        """What is kept in a form that only few players show; None where all do."""
        if self.deep is None or self.codec != "h264" or self.lost:
            return None
        return (
            f"{self.deep.bits} bits a sample are kept, as H.264 High 10, which not every player shows: "
            "--codec hevc is shown by more"
        )

    def _exact(self, frame: Frame) -> av.VideoFrame:
        native = frame.source.native
        if isinstance(native, av.VideoFrame) and exact_format(native) == self.pix_fmt:
            same = native.format.name == self.pix_fmt
            return exact_picture(frame, self.blanks.like(native) if same else in_form(native, self.pix_fmt))
        return in_form(av.VideoFrame.from_ndarray(frame.rgb), self.pix_fmt)

    def _blank(self, frame: Frame) -> av.VideoFrame:
        native = frame.source.native
        if isinstance(native, av.VideoFrame):
            form = (native.width, native.height, native.format.name)
            if form == (self.width, self.height, self.pix_fmt):
                blank = self.blanks.like(native)
                if blank.format.name == self.pix_fmt:  # FFmpeg's filters know no yuvj
                    return blank
        return av.VideoFrame(self.width, self.height, self.pix_fmt)


def planes_of_packed(picture: av.VideoFrame) -> U8:
    """A writable view uint8 [H, W, 4] of a picture with four interleaved 8-bit components."""
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width * 4].reshape(plane.height, plane.width, 4)


def encoding_for(frame: Frame, codec: str) -> Encoding:
    """The encoding of a file that begins with `frame`, for a codec of `ENCODERS`.

    The source's samples are kept where the codec can: 8-bit planar YUV. Otherwise FFV1 stores RGB, the
    others 4:2:0, H.264 4:4:4 for odd sides, which its 4:2:0 cannot have. GIF: see `palette`.
    """
    width, height = frame.width, frame.height
    if codec == "gif":
        return Encoding(codec, "pal8", width, height, None, UNSPECIFIED, RANGE_FULL, UNSPECIFIED, UNSPECIFIED)
    found = frame.source.native
    native = found if isinstance(found, av.VideoFrame) else None
    primaries, trc = (UNSPECIFIED,) * 2
    if native is not None:
        primaries, trc = int(native.color_primaries), int(native.color_trc)
    deep, kept = deep_format(native, ENCODERS[codec]), _kept(frame, native, codec)
    alpha = native is not None and any(component.is_alpha for component in native.format.components)
    own = None
    if native is not None and codec == "ffv1" and (alpha or (deep is None and kept is None)):
        own = exact_format(native)
    if native is not None and own is not None and (native.width, native.height) == (width, height):
        matrix_tag = _RGB_MATRIX_TAG if native.format.is_rgb else int(native.colorspace)
        range_tag = RANGE_FULL if native.format.name.startswith("yuvj") else int(native.color_range)
        tags = (matrix_tag, range_tag, primaries, trc)
        return Encoding(codec, own, width, height, None, *tags, exact=True)
    if kept is not None:
        name = kept[0] if deep is None else deep.name
        lost = _lost(native, codec, deep, name)
        return Encoding(codec, name, *kept[1:], primaries, trc, deep, lost)
    if codec == "ffv1":
        deep = deep if deep is not None and deep.family == "gbrp" else None
        name = _LOSSLESS_RGB if deep is None else deep.name
        tags = (_RGB_MATRIX_TAG, RANGE_FULL, primaries, trc)
        lost = _lost(native, codec, deep, name)
        if native is not None and deep is None and not native.format.is_rgb:
            lost = (f"the pixel format {native.format.name} becomes 8-bit RGB in ffv1", *lost)
        return Encoding(codec, name, width, height, None, *tags, deep, lost)
    same = spec_of(native) if native is not None and not native.format.is_rgb else None
    matrix = (same or spec_for_size(width, height)).matrix
    pix_fmt = "yuv444p" if codec in ("h264", "hevc") and (width % 2 or height % 2) else "yuv420p"
    spec = YuvSpec(matrix, full_range=False)
    tags = (TAG_OF_NAME[matrix], RANGE_LIMITED, primaries, trc)
    return Encoding(codec, pix_fmt, width, height, spec, *tags, None, _lost(native, codec, None, pix_fmt))


def _lost(native: av.VideoFrame | None, codec: str, deep: DeepFormat | None, pix_fmt: str) -> tuple[str, ...]:
    """What an encoding does not keep of a source's samples."""
    if native is None:
        return ()
    lost = []
    bits, kept = sample_bits(native), 8 if deep is None else deep.bits
    if bits > kept:
        better = [name for name in ("hevc", "ffv1") if _bits_kept(native, name) > kept]
        advice = f"; --codec {' or '.join(better)} keeps more" if better else ""
        lost.append(f"{bits} bits a sample become {kept} in {codec}{advice}")
    if not native.format.is_rgb and len(native.format.components) > 2:
        there = av.VideoFormat(pix_fmt, native.width, native.height).components[1]
        chroma = native.format.components[1]
        if not there.is_alpha and (chroma.width > there.width or chroma.height > there.height):
            lost.append(f"chroma has fewer samples: {native.format.name} becomes {pix_fmt}")
    if any(component.is_alpha for component in native.format.components):
        lost.append("transparency is left out")
    return tuple(lost)


def _bits_kept(native: av.VideoFrame, codec: str) -> int:
    """Bits a sample that a codec would keep."""
    if codec == "ffv1" and exact_format(native) is not None:
        return sample_bits(native)
    deep = deep_format(native, ENCODERS[codec])
    odd = codec != "ffv1" and (native.width % 2 or native.height % 2)
    return 8 if deep is None or odd else deep.bits


def _kept(
    frame: Frame, native: av.VideoFrame | None, codec: str
) -> tuple[str, int, int, YuvSpec, int, int] | None:
    """The first fields of an encoding that keeps the samples of the frame's planes; None where none does."""
    planes = frame.to_planes()
    if planes is None:
        return None
    (height, width), spec = planes.shape, planes.spec
    if codec in ("h264", "hevc") and (width % (1 << planes.shift[0]) or height % (1 << planes.shift[1])):
        return None
    name = next(name for name, shift in PLANAR_FORMATS.items() if shift == planes.shift)
    tag, colour_range = TAG_OF_NAME[spec.matrix], RANGE_FULL if spec.full_range else RANGE_LIMITED
    if native is not None:
        # As it was tagged, or not. FFV1 and VP9 state the range beside the samples, H.264 in the name.
        tag = int(native.colorspace)
        if native.format.name.startswith("yuvj"):
            name = name.replace("yuv", "yuvj") if codec in ("h264", "hevc") else name
        else:
            colour_range = int(native.color_range)
    return name, width, height, spec, tag, colour_range


def codec_settings(codec: str, width: int, height: int) -> dict[str, str]:
    """Options of FFmpeg's encoder, but for the quality."""
    if codec == "h264":
        return {"preset": "veryfast"}
    if codec == "hevc":
        return {"preset": "veryfast", "x265-params": "log-level=error"}
    if codec == "vp9":
        return {"deadline": "good", "cpu-used": "5", "row-mt": "1"}
    if codec == "gif":
        return {}
    if min(width, height) < _FFV1_SLICED_FROM_PX:
        return {"level": "1"}
    return {"level": "3", "slicecrc": "1"}


def time_base_for(time_base: Fraction, muxer: str, fps: Fraction) -> Fraction:
    """A time base that the container can write: the source's, or 1/90000 in place of a finer one.

    Nanoseconds (live and generated pictures) overflow MP4's 32-bit durations; 1/90000 s is 11 us. AVI
    counts frames at a constant rate, GIF hundredths of a second.
    """
    if muxer == "avi":
        return 1 / fps
    if muxer == "gif":
        return _GIF_TIME_BASE
    return time_base if time_base.denominator <= 1_000_000 else Fraction(1, 90_000)
