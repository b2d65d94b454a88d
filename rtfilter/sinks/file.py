"""`FileSink`: a video file that appears under its name only when it is whole. Called by `cli.endpoints`."""

from __future__ import annotations

import contextlib
import errno
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer

from rtfilter.errors import OutputError, RtfilterError
from rtfilter.frame import Frame
from rtfilter.media.container import reason
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.codecs import (
    DEFAULT_QUALITY,
    ENCODERS,
    Quality,
    chosen_codec,
    codec_settings,
    property_options,
)
from rtfilter.sinks.encoding import Encoding, encoding_for
from rtfilter.sinks.fit import Target, fit
from rtfilter.sinks.place import FilePlace, PipePlace
from rtfilter.sinks.timing import PictureTimes, time_base_for
from rtfilter.sinks.tracks import TrackCopy

_MUXER_OPTIONS = {
    # The index in front, so that a browser can play while it loads.
    **{muxer: {"movflags": "+faststart"} for muxer in ("mp4", "mov")},
    # The source states which track plays.
    **{muxer: {"default_mode": "passthrough"} for muxer in ("matroska", "webm")},
}
# Sound may begin this much before zero: an encoder's lead-in, which players skip.
_LEAD_IN_S = 0.2
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileSink:
    """A writer of H.264, HEVC, FFV1 (lossless), VP9 or GIF, with the source's times and other tracks.

    What the filter left alone keeps the source's YUV bytes, see `rtfilter.planes`. The size is that of the
    first frame. Timestamps are exact in MP4 and MOV; AVI has a constant rate, GIF hundredths of a second.
    Matroska and WebM round to 1 ms and have none below zero: where the sound begins earlier (an encoder's
    lead-in), pictures and sound move together. In all of them they do where pictures begin before zero.

    Args:
        path: .mp4, .m4v, .mov, .mkv, .webm, .avi or .gif; it is written under a hidden name beside it and
            renamed at the end. With `place`, only a name for messages.
        info: of the source; only its nominal rate is used.
        codec: h264, hevc, ffv1, vp9 or gif; None for the usual one of the suffix.
        tracks_from: a media file whose sound, subtitles, chapters, covers and tags are kept: copied, or
            where the container cannot hold them converted or left out.
        strict: refuse a loss: of the tracks at once, of the pictures at the first frame.
        sample_aspect_ratio: width / height of a pixel (`FileSource.sample_aspect_ratio`).
        place: where to write instead of the file `path`.
        part_s: the longest that the frames can last, in seconds, where they are a part of `tracks_from`: the
            first is then at zero, and tracks around them are left out. None for the whole.

    Attributes:
        notes: what the file cannot hold, one line each; complete when it is closed.

    Raises:
        UsageError: a suffix or codec is not known, or does not fit.
        OutputError: the target exists, cannot be written, or (strict) cannot hold all tracks.
        InputError: `tracks_from` cannot be opened.
    """

    def __init__(
        self,
        path: str | Path,
        info: SourceInfo,
        *,
        codec: str | None = None,
        quality: Quality = DEFAULT_QUALITY,
        tracks_from: str | Path | None = None,
        strict: bool = False,
        overwrite: bool = False,
        sample_aspect_ratio: Fraction = Fraction(1),
        place: PipePlace | None = None,
        part_s: float | None = None,
    ) -> None:
        self.path = Path(path)
        suffix = self.path.suffix.lower() if place is None else place.suffix
        self._muxer, self._codec = chosen_codec(suffix, codec, str(path))
        self._quality = quality
        quality.settings(self._codec)
        self._place = FilePlace(self.path, overwrite) if place is None else place
        self._encoding: Encoding | None = None
        self._fps = info.fps.limit_denominator(100_000)
        self._times = PictureTimes(Fraction(1, 90_000), self._muxer, self._fps)
        self._container: OutputContainer | None = None
        self._tracks: TrackCopy | None = None
        self._part, self._strict = part_s is not None, strict
        self.notes: list[str] = []
        try:
            with self._failures("cannot be written"):
                self._open(suffix, tracks_from, sample_aspect_ratio, part_s)
        except BaseException:
            self.close(complete=False)
            raise

    def _open(
        self, suffix: str, tracks_from: str | Path | None, sample_aspect_ratio: Fraction, part_s: float | None
    ) -> None:
        options: Mapping[str, str] = _MUXER_OPTIONS.get(self._muxer, {})
        placed = None
        if self._muxer == "gif":
            lacks = "no sound, no other tracks, 256 colours and at most 50 frames a second"
            self.notes.append(f"{self.path}: a GIF has {lacks}")
            if self._strict:
                raise OutputError(f"{self.notes[0]}: choose another suffix, or leave --strict away")
        elif tracks_from is not None:
            target = Target(self.path, suffix, self._muxer, ENCODERS[self._codec], self._fps, options)
            placed = fit(Path(tracks_from), target, strict=self._strict)
            options = placed.options
            self.notes += placed.notes
        name = self._place.open()
        self._container = av.open(name, "w", format=self._muxer, container_options=dict(options))
        self._stream = self._container.add_stream(ENCODERS[self._codec], rate=self._fps)
        self._stream.codec_context.sample_aspect_ratio = sample_aspect_ratio
        if tracks_from is not None and placed is not None:
            self._tracks = TrackCopy(Path(tracks_from), self._container, placed, part_s)

    def write(self, frame: Frame) -> None:
        """Encode one frame. Raises OutputError: another size than the first, disk full, encoder failure."""
        if self._container is None:
            raise OutputError(f"{self.path} is closed: make a new FileSink to write again")
        with self._failures("cannot be written further"):
            encoding = self._encoding or self._start(frame, self._container)
            if (frame.width, frame.height) != (encoding.width, encoding.height):
                got, expected = f"{frame.width}x{frame.height}", f"{encoding.width}x{encoding.height}"
                raise OutputError(
                    f"{self.path}: frame {frame.seq} is {got}, expected {expected} like the first one: "
                    "cut the input where its size changes"
                )
            tick = self._times.place(frame)
            if tick is None:
                return
            picture = encoding.picture(frame)
            picture.pts, picture.time_base = tick, self._times.time_base
            packets = self._stream.encode(picture)
            self._times.give(packets)
            self._container.mux(packets)
            if self._tracks is not None:
                self._tracks.feed(self._container, float(tick * self._times.time_base))

    def close(self, complete: bool) -> None:
        """Finish: with `complete` the file gets its name, otherwise it is removed. Only once has effect.

        Raises OutputError when the end cannot be written, when there was no frame, or when the target
        has appeared meanwhile; then nothing is left but what was there before.
        """
        container, self._container = self._container, None
        try:
            if complete and container is not None:
                with self._failures("could not be finished"):
                    self._finish(container)
        finally:
            if self._tracks is not None:
                self._tracks.close()
            if container is not None:
                # After _finish this does nothing; otherwise what it writes is removed right away.
                with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                    container.close()
            self._place.discard()

    def _finish(self, container: OutputContainer) -> None:
        if self._encoding is None:
            raise OutputError(f"{self.path} was not written: there was not one frame")
        times = self._times
        if self._muxer == "avi" and times.late_s > float(times.time_base):
            late = f"AVI has a constant rate: pictures are up to {times.late_s:.2g} s late in it"
            self.notes.append(f"{self.path}: {late}; .mkv and .mp4 keep their times")
            if self._strict:
                raise OutputError(f"{self.notes[-1]}: choose one, or leave --strict away")
        packets = self._stream.encode(None)
        times.give(packets, last=True)
        container.mux(packets)
        if self._tracks is not None:
            self._tracks.end(container, float(times.end * times.time_base))
            self.notes += self._tracks.notes
        container.close()
        self._place.publish()

    def _start(self, frame: Frame, container: OutputContainer) -> Encoding:
        """Set up the encoder for files that begin with `frame`."""
        encoding = self._encoding = encoding_for(frame, self._codec)
        time_base = time_base_for(frame.time_base, self._muxer, self._fps)
        self._times = PictureTimes(time_base, self._muxer, self._fps)
        self._move(frame, container)
        context = self._stream.codec_context
        context.options = {
            **codec_settings(self._codec, encoding.width, encoding.height),
            **self._quality.settings(self._codec),
        }
        # FFmpeg's own default, 200 kbit/s, would hold down what a CRF asks for.
        context.bit_rate = self._quality.bitrate or 0
        if self._muxer == "avi":
            context.max_b_frames = 0  # AVI has no times to put them in order by
        context.width, context.height, context.pix_fmt = encoding.width, encoding.height, encoding.pix_fmt
        context.time_base = time_base
        encoding.tag(context)
        if self._codec == "hevc" and self._muxer in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the other one, FFmpeg's default, is not played on Apple's systems
        lost = [*encoding.lost]
        native = frame.source.native
        if native is not None and self._codec != "gif":
            options, notes = property_options(native, context, self._codec)
            for name, text in options.items():
                context.options[name] = ":".join(filter(None, (context.options.get(name), text)))
            lost += notes
        if lost and self._strict:
            raise OutputError(
                f"{self.path} cannot keep all of the pictures ({'; '.join(lost)}): use another codec, or "
                "allow it (leave --strict away)"
            )
        self.notes += [f"{self.path}: {note}" for note in (*lost, encoding.rare) if note]
        return encoding

    def _move(self, frame: Frame, container: OutputContainer) -> None:
        """Move all times to zero or later: players hide pictures before zero, and sound but for a lead-in."""
        start_s = float(frame.pts * frame.time_base)
        sound_s = None if self._tracks is None else self._tracks.start_s
        earliest_s = start_s if sound_s is None or self._part else min(start_s, sound_s)
        if self._part or start_s < 0 or earliest_s < -_LEAD_IN_S:
            self._times.moved = math.ceil(-earliest_s / self._times.time_base)
            if self._tracks is not None:
                self._tracks.move(container, float(self._times.moved * self._times.time_base))

    @contextlib.contextmanager
    def _failures(self, what: str) -> Iterator[None]:
        """Errors of FFmpeg and the system as OutputError with advice."""
        try:
            yield
        except (RtfilterError, BrokenPipeError):
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            if getattr(error, "errno", None) in _DISK_FULL:
                advice = "free some space or write to another disk"
            elif isinstance(error, PermissionError):
                advice = "choose a folder that you may write to"
            else:
                advice = "try another folder or another suffix"
            raise OutputError(f"{self.path} {what} ({reason(error)}): {advice}") from error
