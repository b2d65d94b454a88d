"""Which codecs a container takes, which of them this FFmpeg can encode, and how good they are asked to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from av.codec import Codec
from av.codec.codec import UnknownCodecError

from rtfilter.errors import UsageError, nearest

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


@dataclass(frozen=True, slots=True)
class Quality:
    """A constant rate factor (smaller is better), or an average in bits a second; at most one of them."""

    crf: int | None = None
    bitrate: int | None = None

    def settings(self, codec: str) -> dict[str, str]:
        """Options of the encoder. Raises UsageError for what `codec` does not know."""
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
    """The codec that the settings name, for one file: itself, or None and a line on what it gives way to.

    name: of the output, for the line. What nothing can be made of is left to `chosen_codec`.
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

    Raises UsageError for what is not known or does not fit, or cannot be encoded here.
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
