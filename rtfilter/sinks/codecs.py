"""Containers, their codecs and the options of encoders. Called by `FileSink` and `cli`."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

import av
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from rtfilter.errors import UsageError, nearest
from rtfilter.media.side_data import side_data

Encoder = Literal["libx264", "libx265", "ffv1", "libvpx-vp9", "gif"]
ENCODERS: dict[str, Encoder] = {
    "h264": "libx264",
    "hevc": "libx265",
    "ffv1": "ffv1",
    "vp9": "libvpx-vp9",
    "gif": "gif",
}
# Suffix -> FFmpeg's muxer and the codecs that it takes, the default first (FFmpeg's own table has no
# FFV1 in QuickTime).
_CONTAINERS: dict[str, tuple[str, tuple[str, ...]]] = {
    ".mp4": ("mp4", ("h264", "hevc", "ffv1")),
    ".m4v": ("mp4", ("h264", "hevc", "ffv1")),
    ".mov": ("mov", ("h264", "hevc")),
    ".mkv": ("matroska", ("h264", "hevc", "ffv1", "vp9")),
    ".webm": ("webm", ("vp9",)),
    ".avi": ("avi", ("h264", "ffv1")),
    ".gif": ("gif", ("gif",)),
}
VIDEO_SUFFIXES = tuple(_CONTAINERS)
# The best and the worst constant rate factor of an encoder, and ours, below what an eye notices.
_CRF = {"h264": (0, 51, 18), "hevc": (0, 51, 20), "vp9": (0, 63, 20)}
_BITRATE_MIN, _BITRATE_MAX = 10_000, 1_000_000_000

# AVMasteringDisplayMetadata: x and y of red, green, blue and white, darkest and brightest, as fractions; and
# whether there are the former and the latter.
_MASTERING = struct.Struct("=20i2i")
_LIGHT = struct.Struct("=2I")
# Steps of HEVC's and H.264's message.
_CHROMATICITY, _LUMINANCE = 50_000, 10_000
_INTERLACED = int(Flags.interlaced_dct | Flags.interlaced_me)
# FFV1 version 3 cuts pictures into slices, and FFmpeg's refuses some sizes too small for that (measured:
# sides of up to 5 px); version 1 has none.
_FFV1_SLICED_FROM_PX = 64


@dataclass(frozen=True, slots=True)
class Quality:
    """A constant rate factor (smaller is better), or an average in bits a second; at most one of them."""

    crf: int | None = None
    bitrate: int | None = None

    def settings(self, codec: str) -> dict[str, str]:
        """Options of the encoder. Raises UsageError where `codec` has no such option."""
        if self.crf is None and self.bitrate is None:
            return {"crf": str(_CRF[codec][2])} if codec in _CRF else {}
        option = "--crf" if self.crf is not None else "--bitrate"
        if codec not in _CRF:
            why = "is lossless" if codec == "ffv1" else "has 256 colours, whatever is asked for"
            raise UsageError(f"{option}: {codec} {why}; leave {option} out or use another codec")
        if self.crf is not None:
            if self.bitrate is not None:
                raise UsageError("--crf and --bitrate exclude each other: one fixes quality, the other size")
            low, high, _ = _CRF[codec]
            if not low <= self.crf <= high:
                raise UsageError(f"--crf for {codec}: expected {low} (best)..{high}, got {self.crf}")
            return {"crf": str(self.crf)}
        if not _BITRATE_MIN <= (self.bitrate or 0) <= _BITRATE_MAX:
            raise UsageError(f"--bitrate: expected 10k..1000M bits a second, got {self.bitrate}")
        return {}


DEFAULT_QUALITY = Quality()


def codec_of_settings(suffix: str, codec: str, quality: Quality, name: str) -> tuple[str | None, str | None]:
    """The codec of the user's settings for one file, or None and a message where its container has another.

    name: of the output, for the message. Unknown names are left to `chosen_codec`.
    """
    if suffix not in _CONTAINERS or codec not in ENCODERS:
        return codec, None
    able = _CONTAINERS[suffix][1]
    if codec not in able:
        why = f"which {suffix} files cannot hold"
    elif codec not in _CRF and codec != able[0] and quality != DEFAULT_QUALITY:
        why = "which has no " + ("--crf" if quality.crf is not None else "--bitrate")
    else:
        return codec, None
    return None, f"{name} is {able[0]}, not {codec} as in your settings, {why}"


def chosen_codec(suffix: str, codec: str | None, name: str) -> tuple[str, str]:
    """FFmpeg's muxer and the codec for a suffix; its default for None. name: of the output, for messages.

    Raises UsageError for a suffix or codec that is unknown, does not fit, or has no encoder here.
    """
    if codec is not None and codec not in ENCODERS:
        raise UsageError(f"unknown codec {codec!r}:{nearest(codec, ENCODERS)}")
    if suffix not in _CONTAINERS:
        known = ", ".join(sorted(_CONTAINERS))
        raise UsageError(f"{name}: suffix {suffix!r} is none of {known}: name the output like clip.mp4")
    muxer, codecs = _CONTAINERS[suffix]
    chosen = codec or codecs[0]
    if chosen not in codecs:
        fitting = ", ".join(sorted(known for known, (_, able) in _CONTAINERS.items() if chosen in able))
        raise UsageError(f"{name}: {suffix} files cannot hold {chosen}: use one of {fitting}")
    try:
        Codec(ENCODERS[chosen], "w")
    except UnknownCodecError as error:
        raise UsageError(
            f"{name}: {suffix} needs the encoder {ENCODERS[chosen]}, which this PyAV was built without: "
            "use .mkv, or PyAV from its wheels"
        ) from error
    return muxer, chosen


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


def property_options(
    native: av.VideoFrame, context: VideoCodecContext, codec: str
) -> tuple[dict[str, str], list[str]]:
    """Encoder options that keep HDR10 metadata and fields of a source's pictures; notes on what is lost."""
    mastering, mastering_note = _mastering_options(native, codec)
    fields, fields_note = _field_options(native, context, codec)
    options = dict(mastering)
    for name, text in fields.items():
        options[name] = ":".join(filter(None, (options.get(name), text)))
    return options, [note for note in (mastering_note, fields_note) if note]


def _field_options(
    native: av.VideoFrame, context: VideoCodecContext, codec: str
) -> tuple[dict[str, str], str | None]:
    from rtfilter.media.pixels import bottom_first  # OpenCV, which a list of suffixes does without

    if not native.interlaced_frame or codec == "ffv1":
        return {}, None
    if codec != "h264":
        note = f"interlaced pictures are stored as progressive: {codec} has no fields here; use --codec h264"
        return {}, note
    context.flags |= _INTERLACED
    # FFmpeg passes it to x264 at the first picture, after headers that state the top field as first.
    return {"x264-params": "bff=1" if bottom_first(native) else "tff=1"}, None


def _mastering_options(native: av.VideoFrame, codec: str) -> tuple[dict[str, str], str | None]:
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
    points = [
        f"({round(x * _CHROMATICITY)},{round(y * _CHROMATICITY)})"
        for x, y in zip(values[:8:2], values[1:8:2], strict=True)
    ]
    dark, bright = (round(value * _LUMINANCE) for value in values[8:])
    red, green, blue, white = points
    return f"G{green}B{blue}R{red}WP{white}L({bright},{dark})"


def _light(native: av.VideoFrame) -> str | None:
    data = side_data(native, "CONTENT_LIGHT_LEVEL")
    if data is None or len(data) < _LIGHT.size:
        return None
    brightest, average = _LIGHT.unpack_from(data)
    return f"{brightest},{average}"
