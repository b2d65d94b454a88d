"""Samples of a frame as a file stores them: the source's own, with what was edited since.

Called by `sinks.encoding` and `sinks.pipe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.codec import Codec
from av.filter import Graph
from av.video.reformatter import VideoReformatter

from rtfilter.colour import RANGE_FULL, YuvSpec, block_mean, rgb_to_yuv, spec_for_size, spec_of
from rtfilter.frame import Frame
from rtfilter.media.depth import DEEP_FORMATS, DeepFormat, add_edit, opaque_name, rescaled, words_of
from rtfilter.system.arrays import U8, U16

# A format -> the one of FFV1's that has the same samples in another order.
_SAME_SAMPLES = {
    **dict.fromkeys(("yuyv422", "uyvy422", "yvyu422", "nv16"), "yuv422p"),
    **dict.fromkeys(("nv24", "nv42"), "yuv444p"),
    **dict.fromkeys(("rgba", "argb", "abgr", "gbrap"), "bgra"),
    **{"nv12": "yuv420p", "nv21": "yuv420p", "yuvj411p": "yuv411p", "yuvj440p": "yuv440p"},
    **{f"gray{bits}be": f"gray{bits}le" for bits in (9, 10, 12, 14, 16)},
    **{f"yuv440p{bits}be": f"yuv440p{bits}le" for bits in (10, 12)},
    **{f"yuva{c}p{bits}be": f"yuva{c}p{bits}le" for c in (420, 422, 444) for bits in (9, 10, 12, 16)},
    **{f"gbrap{bits}be": f"gbrap{bits}le" for bits in (10, 12, 14, 16)},
    **dict.fromkeys(("rgba64le", "rgba64be", "bgra64le", "bgra64be"), "gbrap16le"),
}
# Components of a packed sample, in their order in memory: red, green and blue are 0, 1 and 2.
_PACKED = {"bgr0": (2, 1, 0, 3), "bgra": (2, 1, 0, 3), "ya8": (0, 1)}


def yuv_samples(frame: Frame, spec: YuvSpec, shift: tuple[int, int]) -> list[U8]:
    """Y, Cb, Cr of a frame in 8 bits: its own planes where they are of this kind, else made of its RGB."""
    return _own_planes(frame, spec, shift) or rgb_to_yuv(frame.rgb, spec, *shift)


def _own_planes(frame: Frame, spec: YuvSpec, shift: tuple[int, int]) -> list[U8] | None:
    planes = frame.to_planes()
    return planes.all if planes is not None and (planes.spec, planes.shift) == (spec, shift) else None


def deep_format(native: av.VideoFrame | None, encoder: str) -> DeepFormat | None:
    """The format of `encoder` that keeps most of a source's samples; None for samples of 8 bits."""
    own = None if native is None else DEEP_FORMATS.get(opaque_name(native.format.name))
    if own is None or (own.family == "gbrp" and encoder != "ffv1"):
        return None
    names = _formats(encoder)
    able = [deep for deep in DEEP_FORMATS.values() if deep.family == own.family and deep.name in names]
    enough = [deep for deep in able if deep.bits >= own.bits]
    return min(enough, key=_bits) if enough else max(able, key=_bits, default=None)


def _bits(deep: DeepFormat) -> int:
    return deep.bits


def _formats(encoder: str) -> set[str]:
    return {known.name for known in Codec(encoder, "w").video_formats or ()}


def deep_samples(frame: Frame, deep: DeepFormat, spec: YuvSpec | None) -> Sequence[U16]:
    """The planes of a frame in a deep format: its source's own, with what was edited since.

    spec: of the file's samples; None for RGB. A frame of another kind than the file is widened from 8 bits.
    """
    source, full_range = frame.source, spec is None or spec.full_range
    native = source.native
    own = None if native is None else DEEP_FORMATS.get(opaque_name(native.format.name))
    before, after = _eight_bits(source, deep, spec), _eight_bits(frame, deep, spec)
    same_size = (source.width, source.height) == (frame.width, frame.height)
    if native is None or own is None or own.family != deep.family or before is None or not same_size:
        samples = after or rgb_to_yuv(frame.rgb, spec or YuvSpec("bt709", False), *deep.shift)
        scale = np.float32(deep.scale(full_range))
        return [np.rint(plane * scale).astype(np.uint16) for plane in samples]
    words, box = words_of(native)[:3], frame.edited
    if box is not None and after is not None:
        words = add_edit(words, before, after, own, full_range, box)
    return rescaled(words, own.bits, deep.bits)


def _eight_bits(frame: Frame, deep: DeepFormat, spec: YuvSpec | None) -> list[U8] | None:
    """The frame's 8-bit planes in the order of a format; None where it has none of that kind."""
    if spec is None:
        return [frame.rgb[..., channel] for channel in (1, 2, 0)]
    return _own_planes(frame, spec, deep.shift)


def exact_format(native: av.VideoFrame) -> str | None:
    """The format of FFV1 that has the samples of a picture; None where there is none.

    For formats that the filter sees as RGB alone: grey, 4:1:1, 4:1:0, 4:4:0, and all with transparency.
    """
    name = _SAME_SAMPLES.get(native.format.name, native.format.name)
    if "f16" in name or "f32" in name or name in ("bgr0", "rgb48le"):
        return None  # no edit is defined here on floating point; the others have no transparency to keep
    if name == "yuv410p" and native.height % 4:
        return None  # FFmpeg's FFV1 loses the last row of its chroma then (measured)
    return name if name in _formats("ffv1") else None


def exact_picture(frame: Frame, blank: av.VideoFrame) -> av.VideoFrame:
    """`blank`, a copy of the source's picture in a format of `exact_format`, with the frame's edits added."""
    box = frame.edited
    if box is None:
        return blank
    whole = (slice(box.y0, box.y1), slice(box.x0, box.x1))
    change = np.zeros(frame.rgb.shape, np.float32)
    change[whole] = frame.rgb[whole].astype(np.float32) - frame.source.rgb[whole]
    form = blank.format
    if not form.is_rgb:
        spec = spec_of(blank) or spec_for_size(blank.width, blank.height)
        change = change @ spec.yuv_from_rgb[:, :3].T.astype(np.float32)
    full = form.is_rgb or int(blank.color_range) == RANGE_FULL
    for samples, component in components(blank):
        if form.components[component].is_alpha:
            continue
        # Grey's luma and everything of RGB has the picture's size.
        plane = np.ascontiguousarray(change[..., component])
        tall, wide = (round(np.log2(a / b)) for a, b in zip(plane.shape, samples.shape, strict=True))
        bits = form.components[component].bits
        scale = (2**bits - 1) / 255 if full else 2.0 ** (bits - 8)
        steps = np.rint(block_mean(plane, wide, tall) * np.float32(scale))
        samples[...] = np.clip(samples + steps, 0, 2**bits - 1)
    return blank


def in_form(native: av.VideoFrame, name: str) -> av.VideoFrame:
    """A picture in another format, by FFmpeg."""
    return VideoReformatter().reformat(native, format=name)


def components(picture: av.VideoFrame) -> list[tuple[npt.NDArray[Any], int]]:
    """Writable views [h, w] of a picture's components, each with its number."""
    form, views = picture.format, []
    order = _PACKED.get(form.name)
    kind = np.dtype("<u2" if form.components[0].bits > 8 else "u1")
    for index, plane in enumerate(picture.planes):
        rows = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)
        if order is not None:
            packed = rows[:, : plane.width * len(order)].reshape(plane.height, plane.width, len(order))
            views += [(packed[..., place], component) for place, component in enumerate(order)]
        else:
            # Planes of RGB are green, blue, red.
            component = (1, 2, 0, 3)[index] if form.is_rgb else index
            views.append((rows[:, : plane.width], component))
    return views


class Palettes:
    """RGB -> 256 colours for GIF, by FFmpeg's palettegen and paletteuse; each picture has its own palette."""

    def __init__(self, width: int, height: int) -> None:
        graph = self._graph = Graph()
        form = av.VideoFormat("rgb24")
        buffer = graph.add_buffer(width=width, height=height, format=form, time_base=Fraction(1))
        split, palette = graph.add("split"), graph.add("palettegen", "stats_mode=single")
        used, sink = graph.add("paletteuse", "new=1:dither=sierra2_4a"), graph.add("buffersink")
        buffer.link_to(split)
        split.link_to(palette, 0, 0)
        split.link_to(used, 1, 0)
        palette.link_to(used, 0, 1)
        used.link_to(sink)
        graph.configure()
        self._count = 0

    def picture(self, frame: Frame) -> av.VideoFrame:
        """`frame` in the format "pal8"."""
        picture = av.VideoFrame.from_ndarray(frame.rgb, format="rgb24")
        # The filter pairs picture and palette by their time.
        picture.pts = self._count
        self._count += 1
        self._graph.vpush(picture)
        return self._graph.vpull()
