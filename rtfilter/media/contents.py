"""Tracks, tags and chapters beside a file's pictures: in words, and as `Labels` to be written into another.

Called by `sources.file`, `sinks.fit` and `sinks.tracks`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import av
from av.container import Container, InputContainer, OutputContainer
from av.stream import DataStream, Discard, Disposition, Stream

_WORDS = {"audio": "sound", "subtitle": "subtitles", "video": "picture", "data": "data"}
# Tags of the container or the encoding of the source; the new file has its own.
_OF_THE_FORMAT = {
    "alpha_mode",
    *("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "rotate", "vendor_id"),
    *("bps", "number_of_frames", "number_of_bytes", "variant_bitrate", "handler_name"),
    *("filename", "mimetype"),  # of covers and attached files, which are written with these
}
_STATISTICS = "_statistics_"  # of mkvmerge
_FFMPEG = ("Lavf", "Lavc")  # its name for itself, under several keys
# Without meaning: the language "undetermined".
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
    words = _tags_in_words({**written(picture.metadata), **written(source.metadata)})
    return [*words, "chapters"] if source.chapters() else words


def _tags_in_words(tags: Mapping[str, str]) -> list[str]:
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


@dataclass
class Labels:
    """Tags, chapters and flags of a file, as they are to be written.

    tracks: tags and flags of each new track, by its position.
    """

    tags: dict[str, str] = field(default_factory=dict)
    chapters: list[dict[str, Any]] = field(default_factory=list)
    tracks: dict[int, tuple[dict[str, str], Disposition]] = field(default_factory=dict)

    @classmethod
    def of(cls, source: InputContainer) -> Labels:
        """The labels of the file itself; those of its tracks are added with `track`."""
        chapters: list[dict[str, Any]] = [
            {**chapter, "metadata": dict(chapter["metadata"])} for chapter in source.chapters()
        ]
        return cls(written(source.metadata), chapters)

    def track(self, new: Stream, source: Stream) -> None:
        """Give the track `new` the labels of `source`."""
        self.tracks[new.index] = (written(source.metadata), source.disposition)

    def write(self, output: OutputContainer) -> None:
        """Into `output`, before its header is written."""
        output.metadata.update(self.tags)
        self.write_chapters(output, moved_s=0.0)
        for index, (tags, flags) in self.tracks.items():
            stream = output.streams[index]
            stream.metadata.update(tags)
            if stream.type != "attachment":
                stream.disposition = flags

    def write_chapters(self, output: OutputContainer, moved_s: float, part_s: float | None = None) -> None:
        """Into `output`, `moved_s` later, before its header is written.

        part_s: the chapters from zero to there alone; None for all.
        """
        later: list[dict[str, Any]] = []
        for chapter in self.chapters:
            ticks = round(moved_s / chapter["time_base"])
            start, end = chapter["start"] + ticks, chapter["end"] + ticks
            if part_s is not None:
                if end <= 0 or start * chapter["time_base"] >= part_s:
                    continue
                if part_s < math.inf:
                    end = min(end, int(part_s / chapter["time_base"]))
                start = max(start, 0)
            later.append({**chapter, "start": start, "end": end})
        if later or part_s is not None:
            output.set_chapters(later)  # type: ignore[arg-type]

    def lost(self, found: Container) -> list[str]:
        """The labels that are not in `found`, a file that was written with them, in words."""
        missing = _missing(self.tags, found.metadata)
        there = [stream for stream in found.streams if not made_by_muxer(stream)]
        # MP4 has covers among its tags, and FFmpeg lists them last.
        for (tags, flags), stream in zip(
            sorted(self.tracks.values(), key=lambda track: bool(track[1] & Disposition.attached_pic)),
            sorted(there, key=lambda stream: bool(stream.disposition & Disposition.attached_pic)),
            strict=False,
        ):
            missing += _missing(tags, written(stream.metadata))
            gone = flags & ~stream.disposition
            missing += [f"the flag {flag.name}" for flag in Disposition if flag in gone and flag.name]
            if stream.type == "subtitle" and Disposition.default in stream.disposition & ~flags:
                missing.append("the flag that keeps subtitles off")
        if len(found.chapters()) < len(self.chapters):
            missing.append("the chapters")
        return list(dict.fromkeys(missing))


def _missing(tags: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    there = {key.lower(): value for key, value in found.items()}
    lost = {key: value for key, value in tags.items() if not _same(value, there.get(key.lower()))}
    return [f"the {words}" for words in _tags_in_words(lost)]


def _same(wanted: str, found: str | None) -> bool:
    if found is None:
        return not wanted.strip()
    # Containers keep whole seconds of a date.
    date = wanted[10:11] == "T"
    return found.strip() == wanted.strip() or (date and found[:19] == wanted[:19])
