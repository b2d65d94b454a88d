"""Which tracks and labels of a file another container takes, by a trial file in memory. Called by `FileSink`.

FFmpeg's tables list codecs that its muxers refuse: some at the header, some at a packet, some at the trailer.
So a track counts as fitting only after the first packet of every track was written with it.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from rtfilter.errors import OutputError
from rtfilter.media.container import open_input, video_stream
from rtfilter.media.contents import Labels, describe, has_alpha_beside, made_by_muxer, written
from rtfilter.sinks.convert import AnyPacket, route

# The usual codec of sound and subtitles in a container, for those that it cannot hold as they are.
_SOUND = {"mp4": "aac", "mov": "aac", "matroska": "flac", "webm": "libopus", "avi": "libmp3lame"}
_SUBTITLES = {"mp4": "mov_text", "mov": "mov_text", "matroska": "ass", "webm": "webvtt"}
# For the advice, in this order: a container that takes a track as it is.
_OTHERS = {".mkv": "matroska", ".mov": "mov", ".mp4": "mp4"}
# Where the first packet of each track is looked for. Subtitles may begin later; they are tried without.
_PACKETS = 400


@dataclass(frozen=True)
class Target:
    """The file to be written. encoder: of its pictures; options: of its muxer."""

    path: Path
    suffix: str
    muxer: str
    encoder: str
    fps: Fraction
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fit:
    """How tracks will be written.

    encoders: by the source's stream index, in order; None for a copy. covers: the picture of each cover
        track. notes: one line for each track that is converted, and for what is left out.
    options: of the muxer. timecode: whether the source's, if it has one, can be written.
    """

    encoders: Mapping[int, str | None]
    covers: Mapping[int, AnyPacket]
    notes: Sequence[str]
    options: Mapping[str, str]
    timecode: bool = True


def fit(path: Path, target: Target, *, strict: bool = False) -> Fit:
    """How the tracks of `path` beside its picture track go into `target`.

    Raises InputError when `path` cannot be opened. strict: raises OutputError where not all can be kept.
    """
    with open_input(path) as source:
        found = _Fitting(source, picture_of(source, path), target).result()
    if strict and found.notes:
        raise OutputError(
            f"{target.path} cannot keep all of {path} ({'; '.join(found.notes)}): write to another kind of "
            "file, or allow it (leave --strict away)"
        )
    return replace(found, notes=[f"{target.path}: {note}" for note in found.notes])


def picture_of(source: InputContainer, path: Path) -> VideoStream | None:
    """The track that is filtered; None in a file of sound alone."""
    if all(stream.disposition & Disposition.attached_pic for stream in source.streams.video):
        return None
    return video_stream(source, path)


class _Fitting:
    def __init__(self, source: InputContainer, picture: VideoStream | None, target: Target) -> None:
        self._source, self._picture, self._target = source, picture, target
        self._firsts = _first_packets(source)
        self._notes: list[str] = []

    def result(self) -> Fit:
        target, encoders = self._target, dict[int, str | None]()
        if self._picture is not None and has_alpha_beside(self._picture):
            self._notes.append("transparency is left out")
        for stream in self._source.streams:
            if stream is self._picture or made_by_muxer(stream):
                continue
            self._place(stream, encoders)
        pictures = {stream.index for stream in self._source.streams.video}
        covers = {index: self._firsts[index] for index in encoders if index in pictures & self._firsts.keys()}
        bare, plain = self._together(Fit(encoders, covers, self._notes, target.options))
        if plain and target.muxer in ("mp4", "mov"):
            # Phones' own tags are lost in the usual form and kept in QuickTime's newer one.
            flags = target.options.get("movflags", "") + "+use_metadata_tags"
            newer = replace(bare, options={**target.options, "movflags": flags})
            kept = self._lost(newer)
            if kept is not None and len(kept) < len(plain):
                bare, plain = newer, kept
        if plain:
            suffix = self._target.suffix
            self._notes.append(f"left out: {', '.join(plain)}: {suffix} files have no place for that")
        return bare

    def _together(self, wanted: Fit) -> tuple[Fit, list[str]]:
        """As much of `wanted` as can be written into one file, and the labels that are lost then."""
        lost = self._lost(wanted)
        if lost is not None:
            return wanted, lost
        lost = self._lost(replace(wanted, timecode=False))
        if lost is not None:
            return replace(wanted, timecode=False), [*lost, "the timecode"]
        if not wanted.encoders:
            return wanted, []  # not because of the tracks: the writing itself will fail
        *others, last = wanted.encoders
        name, suffix = describe(self._source.streams[last], self._source), self._target.suffix
        self._notes.append(f"left out: {name}: {suffix} files cannot hold it beside the other tracks")
        return self._together(replace(wanted, encoders={index: wanted.encoders[index] for index in others}))

    def _place(self, stream: Stream, encoders: dict[int, str | None]) -> None:
        suffix, muxer = self._target.suffix, self._target.muxer
        cover = bool(stream.disposition & Disposition.attached_pic)
        name = describe(stream, self._source)
        if stream.type == "video" and not cover:
            self._notes.append(f"left out: {name}: only one picture track is filtered")
        elif stream.type == "data" and stream.name in (None, "bin_data"):
            # Its description is not in what FFmpeg reads: a copy could not be read again.
            self._notes.append(f"left out: {name}: a format that is not known here")
        elif self._holds(muxer, stream, None):
            encoders[stream.index] = None
        elif (encoder := self._encoder(stream)) and self._holds(muxer, stream, encoder):
            encoders[stream.index] = encoder
            codec = av.Codec(encoder, "w").canonical_name
            self._notes.append(f"{name} becomes {codec} in {suffix} files{self._advice(stream)}")
        elif getattr(stream, "codec_context", None) is None and stream.type in ("audio", "subtitle"):
            self._notes.append(f"left out: {name}: a format that is not known here")
        else:
            self._notes.append(f"left out: {name}: {suffix} files cannot hold it{self._advice(stream)}")

    def _encoder(self, stream: Stream) -> str | None:
        if getattr(stream, "codec_context", None) is None:
            return None
        table = {"audio": _SOUND, "subtitle": _SUBTITLES}.get(stream.type, {})
        return table.get(self._target.muxer)

    def _advice(self, stream: Stream) -> str:
        able = (suffix for suffix, muxer in _OTHERS.items() if self._holds(muxer, stream, None))
        return next((f"; {suffix} keeps it as it is" for suffix in able), "")

    def _holds(self, muxer: str, stream: Stream, encoder: str | None) -> bool:
        # FFmpeg writes PCM into MP4 by a late part of the standard; VLC 3 and browsers are silent then.
        if muxer == "mp4" and encoder is None and stream.type == "audio":
            context = getattr(stream, "codec_context", None)
            if context is not None and context.name.startswith("pcm_"):
                return False
        return self._trial(muxer, [(stream, encoder)], {}) is not None

    def _lost(self, wanted: Fit) -> list[str] | None:
        """The labels that are not found in what was written; None when nothing can be written."""
        tracks = [(self._source.streams[index], encoder) for index, encoder in wanted.encoders.items()]
        labels = labels_of(self._source, self._picture, wanted)
        options = {**wanted.options, "movflags": wanted.options.get("movflags", "").replace("+faststart", "")}
        data = self._trial(self._target.muxer, tracks, options, labels)
        if data is None:
            return None
        with av.open(io.BytesIO(data), metadata_errors="replace") as found:
            return labels.lost(found)

    def _trial(
        self,
        muxer: str,
        tracks: Iterable[tuple[Stream, str | None]],
        options: Mapping[str, str],
        labels: Labels | None = None,
    ) -> bytes | None:
        memory = io.BytesIO()
        used = {key: value for key, value in options.items() if value}
        output = av.open(memory, "w", format=muxer, container_options=used)
        try:
            if labels is not None:
                output.add_stream(self._target.encoder, rate=self._target.fps)
            routes = []
            for stream, encoder in tracks:
                first = self._firsts.get(stream.index)
                routes.append((route(stream, output, encoder, first), first))
                if labels is not None:
                    labels.track(routes[-1][0].stream, stream)
            if labels is not None:
                labels.write(output)
                _one_picture(output, output.streams.video[0])
            output.start_encoding()
            for way, first in routes:
                output.mux([*(way.packets(first) if first is not None else ()), *way.rest()])
            output.close()
        except (av.FFmpegError, ValueError):
            return None
        finally:
            with contextlib.suppress(av.FFmpegError, ValueError):
                output.close()
        return memory.getvalue()


def labels_of(source: InputContainer, picture: Stream | None, wanted: Fit) -> Labels:
    """The labels of the file and of its picture track, which is the first of the new file."""
    labels = Labels.of(source)
    labels.tracks[0] = ({}, Disposition.default)
    if picture is not None:
        labels.tracks[0] = (written(picture.metadata), picture.disposition)
    if not wanted.timecode:
        for tags in (labels.tags, labels.tracks[0][0]):
            for key in [key for key in tags if key.lower() == "timecode"]:
                del tags[key]
    return labels


def _first_packets(source: InputContainer) -> dict[int, AnyPacket]:
    firsts: dict[int, AnyPacket] = {}
    with contextlib.suppress(av.FFmpegError, OSError):
        for _, packet in zip(range(_PACKETS), source.demux(), strict=False):
            timed = packet.pts is not None or packet.dts is not None
            cover = packet.stream.disposition & Disposition.attached_pic
            if packet.size and (timed or cover):
                firsts.setdefault(packet.stream_index, packet)
            if len(firsts) == len(source.streams):
                break
    return firsts


def _one_picture(output: OutputContainer, stream: VideoStream) -> None:
    stream.width, stream.height = 64, 64
    if stream.codec_context.name == "libx265":
        stream.codec_context.options = {"x265-params": "log-level=error"}
    picture = av.VideoFrame(64, 64, stream.pix_fmt or "yuv420p")
    picture.pts = 0
    packets = [*stream.encode(picture), *stream.encode(None)]
    for packet in packets:
        packet.dts = packet.pts  # of one picture x265 leaves it unset: any number, which muxers refuse
    output.mux(packets)
