"""What a file holds beside its filtered pictures, in words: its other tracks, its tags, its chapters."""

from __future__ import annotations

import re
from collections.abc import Mapping

import av
from av.container import InputContainer
from av.stream import DataStream, Discard, Disposition, Stream

_WORDS = {"audio": "sound", "subtitle": "subtitles", "video": "picture", "data": "data"}
# What tells of the container or the encoding of the source, which the new file has of its own.
_OF_THE_FORMAT = {
    "alpha_mode",
    *("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "rotate", "vendor_id"),
    *("bps", "number_of_frames", "number_of_bytes", "variant_bitrate", "handler_name"),
    *("filename", "mimetype"),  # of covers and attached files, which are written with these
}
_STATISTICS = "_statistics_"  # of mkvmerge
_FFMPEG = ("Lavf", "Lavc")  # its name for itself, under several keys
# Nothing that anybody would miss: the language "undetermined".
_EMPTY = {("language", "und")}


def other_tracks(source: InputContainer, picture: Stream) -> list[str]:
    """The tracks beside `picture`."""
    return [
        describe(stream, source)
        for stream in source.streams
        if stream is not picture and not made_by_muxer(stream)
    ]


def has_alpha_beside(picture: Stream) -> bool:
    """Whether a track of Matroska has transparency beside its pictures, where FFmpeg leaves it."""
    return any(key.lower() == "alpha_mode" and value == "1" for key, value in picture.metadata.items())


def labels_in_words(source: InputContainer, picture: Stream) -> list[str]:
    """The tags of the file and of its picture track, and its chapters."""
    words = tags_in_words({**written(picture.metadata), **written(source.metadata)})
    return [*words, "chapters"] if source.chapters() else words


def tags_in_words(tags: Mapping[str, str]) -> list[str]:
    return [f'tag {key} "{" ".join(value.split())[:40]}"' for key, value in tags.items()]


def written(metadata: Mapping[str, str]) -> dict[str, str]:
    """The tags that a person or a device has written, with MP4's "name" of a track as "title"."""
    kept = {
        key: value
        for key, value in metadata.items()
        if key.lower() not in _OF_THE_FORMAT
        and not key.lower().startswith(_STATISTICS)
        and (key.lower(), value) not in _EMPTY
        and not value.startswith(_FFMPEG)
    }
    if "name" in kept and "title" not in kept:
        kept["title"] = kept.pop("name")
    return kept


def made_by_muxer(stream: Stream) -> bool:
    """Whether a muxer makes this track by itself: of the chapters (FFmpeg discards it) or of the timecode."""
    return stream.discard == Discard.all or (stream.type == "data" and "timecode" in stream.metadata)


def describe(stream: Stream, source: InputContainer) -> str:
    """A track as a person would look for it: "sound track 2 (flac, ger)"."""
    context = getattr(stream, "codec_context", None)
    word = _WORDS.get(stream.type, stream.type)
    if stream.disposition & Disposition.attached_pic:
        return f"cover picture ({stream.name})"
    if stream.type == "attachment":
        return f"attached file {stream.name or ''}".strip()
    number = sum(1 for other in source.streams if other.type == stream.type and other.index <= stream.index)
    codec = context.codec.canonical_name if context is not None else _four_letters(stream, source)
    details = [codec, stream.metadata.get("language", "und")]
    return f"{word} track {number} ({', '.join(part for part in details if part not in ('', 'und'))})"


def _four_letters(stream: Stream, source: InputContainer) -> str:
    """What a format without decoder calls itself: PyAV gives it only in FFmpeg's description of the file."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)  # else there is no description
    try:
        text = source.dumps_format()  # type: ignore[attr-defined]
    finally:
        av.logging.set_level(level)
    line = re.search(rf"Stream #0:{stream.index}\b.*", text)
    code = re.search(r"\((\w{4}) / 0x", line.group()) if line else None
    named = stream.name if isinstance(stream, DataStream) else None
    return code.group(1) if code else named or "?"
