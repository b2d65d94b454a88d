"""What a source's pictures have beside their samples, on the way into a file: fields, captions, mastering."""

from __future__ import annotations

import struct

import av
from av.codec.context import Flags
from av.filter import Graph
from av.video.codeccontext import VideoCodecContext

from rtfilter.media.filters import chain
from rtfilter.media.side_data import side_data

# AVMasteringDisplayMetadata: x and y of red, green, blue and white, darkest and brightest, as fractions; and
# whether there are the former and the latter.
_MASTERING = struct.Struct("=20i2i")
_LIGHT = struct.Struct("=2I")
# Steps of HEVC's and H.264's message.
_CHROMATICITY, _LUMINANCE = 50_000, 10_000
_INTERLACED = int(Flags.interlaced_dct | Flags.interlaced_me)


class Blanks:
    """Pictures to write samples into, that have the properties of another."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._key: tuple[object, ...] = ()

    def like(self, native: av.VideoFrame) -> av.VideoFrame:
        """A picture of its own with the size, format, fields and side data (captions) of `native`."""
        key = (native.width, native.height, native.format.name)
        if self._graph is None or key != self._key:
            self._graph, self._key = chain(native, ("copy", "")), key
        self._graph.vpush(native)
        copy = self._graph.vpull()
        # What the source's encoder chose for this picture is not for ours.
        copy.pict_type = 0
        return copy


def field_options(
    native: av.VideoFrame, context: VideoCodecContext, codec: str
) -> tuple[dict[str, str], str | None]:
    """Have interlaced pictures encoded as such: options of the encoder; or what is to be told where that
    can't be had."""
    if not native.interlaced_frame or codec == "ffv1":
        return {}, None
    if codec != "h264":
        told = f"interlaced pictures are stored as progressive: {codec} has no fields here; use --codec h264"
        return {}, told
    context.flags |= _INTERLACED
    # FFmpeg tells x264 at the first picture, when its headers have said that the top field is first.
    return {"x264-params": "bff=1" if _bottom_first(native) else "tff=1"}, None


def _bottom_first(native: av.VideoFrame) -> bool:
    """Whether an interlaced picture's bottom field is the one that is shown first."""
    graph = chain(native, ("select", "expr=eq(interlace_type,BOTTOMFIRST)"))
    graph.vpush(native)
    try:
        graph.vpull()
    except av.BlockingIOError:
        return False
    return True


def mastering_options(native: av.VideoFrame, codec: str) -> tuple[dict[str, str], str | None]:
    """Options of an encoder that keep the HDR10 metadata of a picture; or what is to be told of them."""
    display, light = _display(native), _light(native)
    if display is None and light is None:
        return {}, None
    if codec not in ("h264", "hevc"):
        return {}, f"HDR10 mastering metadata is left out: {codec} has none here; --codec hevc keeps it"
    names = ("master-display", "max-cll") if codec == "hevc" else ("mastering-display", "cll")
    pairs = [f"{name}={text}" for name, text in zip(names, (display, light), strict=True) if text]
    return {"x265-params" if codec == "hevc" else "x264-params": ":".join(pairs)}, None


def _display(native: av.VideoFrame) -> str | None:
    data = side_data(native, "MASTERING_DISPLAY_METADATA")
    if data is None or len(data) < _MASTERING.size:
        return None
    *numbers, has_primaries, has_luminance = _MASTERING.unpack_from(data)
    if not (has_primaries and has_luminance):
        return None
    values = [numbers[i] / (numbers[i + 1] or 1) for i in range(0, 20, 2)]
    points = [f"({round(x * _CHROMATICITY)},{round(y * _CHROMATICITY)})" for x, y in _pairs(values[:8])]
    dark, bright = (round(value * _LUMINANCE) for value in values[8:])
    red, green, blue, white = points
    return f"G{green}B{blue}R{red}WP{white}L({bright},{dark})"


def _pairs(values: list[float]) -> list[tuple[float, float]]:
    return list(zip(values[::2], values[1::2], strict=True))


def _light(native: av.VideoFrame) -> str | None:
    data = side_data(native, "CONTENT_LIGHT_LEVEL")
    if data is None or len(data) < _LIGHT.size:
        return None
    brightest, average = _LIGHT.unpack_from(data)
    return f"{brightest},{average}"
