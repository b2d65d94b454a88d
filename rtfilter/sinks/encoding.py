"""Pixel format, colour tags and samples of the pictures in a video file. Called by `FileSink`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import av

from rtfilter.colour import (
    PLANAR_FORMATS,
    RANGE_FULL,
    RANGE_LIMITED,
    TAG_OF_NAME,
    UNSPECIFIED,
    YuvSpec,
    planes_of,
    spec_for_size,
    spec_of,
)
from rtfilter.frame import Frame
from rtfilter.media.depth import DeepFormat, has_alpha, sample_bits, words_of
from rtfilter.media.pixels import FilterChain
from rtfilter.sinks.codecs import ENCODERS
from rtfilter.sinks.samples import (
    Palettes,
    components,
    deep_format,
    deep_samples,
    exact_format,
    exact_picture,
    in_form,
    yuv_samples,
)

# FFV1's RGB: decoding gives exactly the RGB that was encoded.
_LOSSLESS_RGB = "bgr0"
_RGB_MATRIX_TAG = 0

# Colour space, range, primaries and transfer function: FFmpeg's numbers (ITU-T H.273).
Tags = tuple[int, int, int, int]


@dataclass(frozen=True)
class Encoding:
    """The form that every picture of one file has.

    spec: None when the file stores RGB itself. deep: the format where it has more than 8 bits a sample.
    exact: whether the format is the source's own, of `exact_format`. palettes: for GIF.
    lost: what the file cannot keep of its source, one line each.
    """

    codec: str
    pix_fmt: str
    width: int
    height: int
    spec: YuvSpec | None
    tags: Tags
    deep: DeepFormat | None = None
    lost: tuple[str, ...] = ()
    exact: bool = False
    palettes: Palettes | None = None
    copier: FilterChain = field(default_factory=FilterChain)

    def picture(self, frame: Frame) -> av.VideoFrame:
        """`frame` as a new picture of this encoding, without timestamps. Its size must match."""
        if self.palettes is not None:
            return self.palettes.picture(frame)
        picture = self._exact(frame) if self.exact else self._blank(frame)
        self.tag(picture)
        if self.exact:
            return picture
        if self.deep is not None:
            deep = deep_samples(frame, self.deep, self.spec)
            for words, edited in zip(words_of(picture), deep, strict=True):
                words[...] = edited
        elif self.spec is None:
            for samples, component in components(picture):
                samples[...] = frame.rgb[..., component] if component < 3 else 0
        else:
            planes = yuv_samples(frame, self.spec, PLANAR_FORMATS[self.pix_fmt])
            for target, plane in zip(planes_of(picture), planes, strict=True):
                target[...] = plane
        return picture

    def tag(self, target: Any) -> None:
        """Set the colour tags of a picture or an encoder."""
        target.colorspace, target.color_range, target.color_primaries, target.color_trc = self.tags

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
        if native is None or exact_format(native) != self.pix_fmt:
            return in_form(av.VideoFrame.from_ndarray(frame.rgb), self.pix_fmt)
        same = native.format.name == self.pix_fmt
        return exact_picture(frame, self._copy(native) if same else in_form(native, self.pix_fmt))

    def _blank(self, frame: Frame) -> av.VideoFrame:
        """A picture to write samples into, with the fields and side data (captions) of the source's."""
        native = frame.source.native
        if native is not None:
            form = (native.width, native.height, native.format.name)
            if form == (self.width, self.height, self.pix_fmt):
                blank = self._copy(native)
                if blank.format.name == self.pix_fmt:  # FFmpeg's filters know no yuvj
                    return blank
        return av.VideoFrame(self.width, self.height, self.pix_fmt)

    def _copy(self, native: av.VideoFrame) -> av.VideoFrame:
        copy = self.copier.run(native, ("copy", ""))
        # What the source's encoder chose for this picture is not for ours.
        copy.pict_type = 0
        return copy


def encoding_for(frame: Frame, codec: str) -> Encoding:
    """The encoding of a file that begins with `frame`, for a codec of `ENCODERS`.

    The source's samples are kept where the codec can. Otherwise FFV1 stores RGB, the others 4:2:0, H.264 and
    HEVC 4:4:4 for odd sides, which their 4:2:0 cannot have, and GIF 256 colours.
    """
    size = width, height = frame.width, frame.height
    if codec == "gif":
        none = (UNSPECIFIED, RANGE_FULL, UNSPECIFIED, UNSPECIFIED)
        return Encoding(codec, "pal8", *size, None, none, palettes=Palettes(*size))
    native = frame.source.native
    light = (UNSPECIFIED, UNSPECIFIED)
    if native is not None:
        light = (int(native.color_primaries), int(native.color_trc))
    deep, kept = deep_format(native, ENCODERS[codec]), _kept(frame, native, codec)
    if native is not None and codec == "ffv1" and (has_alpha(native) or (deep is None and kept is None)):
        own = exact_format(native)
        if own is not None and (native.width, native.height) == size:
            matrix_tag = _RGB_MATRIX_TAG if native.format.is_rgb else int(native.colorspace)
            range_tag = RANGE_FULL if native.format.name.startswith("yuvj") else int(native.color_range)
            return Encoding(codec, own, *size, None, (matrix_tag, range_tag, *light), exact=True)
    if kept is not None:
        name = kept[0] if deep is None else deep.name
        lost = _lost(native, codec, deep, name)
        return Encoding(codec, name, *size, kept[1], (*kept[2:], *light), deep, lost)
    if codec == "ffv1":
        deep = deep if deep is not None and deep.family == "gbrp" else None
        name = _LOSSLESS_RGB if deep is None else deep.name
        lost = _lost(native, codec, deep, name)
        if native is not None and deep is None and not native.format.is_rgb:
            lost = (f"the pixel format {native.format.name} becomes 8-bit RGB in ffv1", *lost)
        return Encoding(codec, name, *size, None, (_RGB_MATRIX_TAG, RANGE_FULL, *light), deep, lost)
    same = spec_of(native) if native is not None and not native.format.is_rgb else None
    spec = YuvSpec((same or spec_for_size(*size)).matrix, full_range=False)
    pix_fmt = "yuv444p" if codec in ("h264", "hevc") and (width % 2 or height % 2) else "yuv420p"
    lost = _lost(native, codec, None, pix_fmt)
    tags = (TAG_OF_NAME[spec.matrix], RANGE_LIMITED, *light)
    return Encoding(codec, pix_fmt, *size, spec, tags, None, lost)


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
    if has_alpha(native):
        lost.append("transparency is left out")
    return tuple(lost)


def _bits_kept(native: av.VideoFrame, codec: str) -> int:
    """Bits a sample that a codec would keep."""
    if codec == "ffv1" and exact_format(native) is not None:
        return sample_bits(native)
    deep = deep_format(native, ENCODERS[codec])
    odd = codec != "ffv1" and (native.width % 2 or native.height % 2)
    return 8 if deep is None or odd else deep.bits


def _kept(frame: Frame, native: av.VideoFrame | None, codec: str) -> tuple[str, YuvSpec, int, int] | None:
    """Pixel format, spec, colour space and range that keep the samples of the frame's planes, if any do."""
    planes = frame.to_planes()
    if planes is None:
        return None
    (height, width), spec = planes.shape, planes.spec
    if codec in ("h264", "hevc") and (width % (1 << planes.shift[0]) or height % (1 << planes.shift[1])):
        return None
    name = next(name for name, shift in PLANAR_FORMATS.items() if shift == planes.shift)
    if native is None:
        return name, spec, TAG_OF_NAME[spec.matrix], RANGE_FULL if spec.full_range else RANGE_LIMITED
    # As it was tagged, or not. FFV1 and VP9 state the range beside the samples, H.264 in the name.
    if not native.format.name.startswith("yuvj"):
        return name, spec, int(native.colorspace), int(native.color_range)
    name = name.replace("yuv", "yuvj") if codec in ("h264", "hevc") else name
    return name, spec, int(native.colorspace), RANGE_FULL if spec.full_range else RANGE_LIMITED
