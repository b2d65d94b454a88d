"""What a file keeps of a source with more than 8 bits a sample: the format for it, and the samples."""

from __future__ import annotations

from collections.abc import Sequence

import av
import numpy as np
from av.codec import Codec

from rtfilter.colour import YuvSpec, rgb_to_yuv
from rtfilter.frame import Frame
from rtfilter.media.depth import DEEP_FORMATS, DeepFormat, add_edit, opaque_name, rescaled, words_of
from rtfilter.system.arrays import U8, U16


def deep_format(native: av.VideoFrame | None, encoder: str) -> DeepFormat | None:
    """The format of `encoder` that keeps most of a source's samples; None where one of them has 8 bits."""
    own = None if native is None else DEEP_FORMATS.get(opaque_name(native.format.name))
    if own is None or (own.family == "gbrp" and encoder != "ffv1"):
        return None
    names = {known.name for known in Codec(encoder, "w").video_formats or ()}
    able = [deep for deep in DEEP_FORMATS.values() if deep.family == own.family and deep.name in names]
    enough = [deep for deep in able if deep.bits >= own.bits]
    return min(enough, key=_bits) if enough else max(able, key=_bits, default=None)


def _bits(deep: DeepFormat) -> int:
    return deep.bits


def deep_samples(frame: Frame, deep: DeepFormat, spec: YuvSpec | None) -> Sequence[U16]:
    """The planes of `frame` in a deep format: its source's own, and what was edited since.

    spec: of the file's samples; None for RGB. A frame of another kind than the file's is widened from 8 bits.
    """
    source, full_range = frame.source, spec is None or spec.full_range
    native = source.native
    own = DEEP_FORMATS.get(opaque_name(native.format.name)) if isinstance(native, av.VideoFrame) else None
    before, after = _eight_bits(source, deep, spec), _eight_bits(frame, deep, spec)
    size = (source.width, source.height)
    fits = own is not None and own.family == deep.family and size == (frame.width, frame.height)
    if own is None or not fits or before is None:
        samples = after or rgb_to_yuv(frame.rgb, spec or YuvSpec("bt709", False), *deep.shift)
        scale = np.float32(deep.scale(full_range))
        return [np.rint(plane * scale).astype(np.uint16) for plane in samples]
    words, box = words_of(native)[:3], frame.edited
    if box is not None and after is not None:
        words = add_edit(words, before, after, own, full_range, box)
    return rescaled(words, own.bits, deep.bits)


def _eight_bits(frame: Frame, deep: DeepFormat, spec: YuvSpec | None) -> list[U8] | None:
    """The frame's 8-bit planes in the order of a format; None where it has none like that."""
    if spec is None:
        return [frame.rgb[..., channel] for channel in (1, 2, 0)]
    planes = frame.to_planes()
    same = planes is not None and planes.spec == spec and planes.shift == deep.shift
    return planes.all if planes is not None and same else None
