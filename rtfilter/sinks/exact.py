"""FFV1 of a source's own pixel format: every sample as it was decoded, and the edit's difference added.

For formats that the filter sees as RGB alone: grey, 4:1:1, 4:1:0, 4:4:0, and all with transparency.
"""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.codec import Codec
from av.video.reformatter import VideoReformatter

from rtfilter.colour import block_mean, spec_for_size, spec_of
from rtfilter.frame import Frame

# The same samples in another order -> the format of FFV1's that has them.
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
# Components of a sample in the order that they lie in: red, green and blue are 0, 1 and 2.
_PACKED = {"bgra": (2, 1, 0, 3), "ya8": (0, 1)}


def exact_format(native: av.VideoFrame) -> str | None:
    """The format of FFV1 that has the very samples of a picture; None where there is none."""
    name = _SAME_SAMPLES.get(native.format.name, native.format.name)
    if "f16" in name or "f32" in name or name in ("bgr0", "rgb48le"):
        return None  # of floating point there is no edit here; the others have no transparency to keep
    if name == "yuv410p" and native.height % 4:
        return None  # FFmpeg's FFV1 loses the last row of its chroma then (measured)
    return name if name in {known.name for known in Codec("ffv1", "w").video_formats or ()} else None


def exact_picture(frame: Frame, blank: av.VideoFrame) -> av.VideoFrame:
    """`frame` in the format of `blank`, which is its source's picture or a copy to write into."""
    source = frame.source
    box = frame.edited
    if box is None:
        return blank
    whole = (slice(box.y0, box.y1), slice(box.x0, box.x1))
    change = np.zeros(frame.rgb.shape, np.float32)
    change[whole] = frame.rgb[whole].astype(np.float32) - source.rgb[whole]
    form = blank.format
    if not form.is_rgb:
        spec = spec_of(blank) or spec_for_size(blank.width, blank.height)
        change = change @ spec.yuv_from_rgb[:, :3].T.astype(np.float32)
    for samples, component in _components(blank):
        if form.components[component].is_alpha:
            continue
        # Grey's luma and everything of RGB has the picture's size.
        plane = np.ascontiguousarray(change[..., component])
        tall, wide = (round(np.log2(a / b)) for a, b in zip(plane.shape, samples.shape, strict=True))
        bits = form.components[component].bits
        full = form.is_rgb or int(blank.color_range) == 2
        scale = (2**bits - 1) / 255 if full else 2.0 ** (bits - 8)
        steps = np.rint(block_mean(plane, wide, tall) * np.float32(scale))
        samples[...] = np.clip(samples + steps, 0, 2**bits - 1)
    return blank


def in_form(native: av.VideoFrame, name: str) -> av.VideoFrame:
    """A picture in another format, by FFmpeg."""
    return VideoReformatter().reformat(native, format=name)


def _components(picture: av.VideoFrame) -> list[tuple[npt.NDArray[Any], int]]:
    """Writable views [h, w] of a picture's components, each with its number."""
    form, views = picture.format, []
    order = _PACKED.get(form.name)
    kind = np.dtype("<u2" if form.components[0].bits > 8 else "u1")
    for index, plane in enumerate(picture.planes):
        rows = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)
        if order is not None:
            lying = rows[:, : plane.width * len(order)].reshape(plane.height, plane.width, len(order))
            views += [(lying[..., place], component) for place, component in enumerate(order)]
        else:
            # Planes of RGB are green, blue, red.
            component = (1, 2, 0, 3)[index] if form.is_rgb else index
            views.append((rows[:, : plane.width], component))
    return views
