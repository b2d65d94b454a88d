"""What a file says of itself and its tracks: title, artist, date, language, chapters, flags, timecode."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from av.container import Container, InputContainer, OutputContainer
from av.stream import Disposition, Stream

from rtfilter.media.contents import made_by_muxer, tags_in_words, written


@dataclass
class Labels:
    """All labels of a file, as they are to be written.

    tracks: of each new track, by its position: tags and flags.
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
        """What is said of `source` shall be said of `new`."""
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
        """The chapters into `output`, so many seconds later, before its header is written.

        part_s: only those of the part from zero to there; None for all.
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
        """What of it a file that was written does not give back, in words."""
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
    return [f"the {words}" for words in tags_in_words(lost)]


def _same(wanted: str, found: str | None) -> bool:
    if found is None:
        return not wanted.strip()
    # Containers keep whole seconds of a date.
    date = wanted[10:11] == "T"
    return found.strip() == wanted.strip() or (date and found[:19] == wanted[:19])
