"""`FileSink`: a video file that appears under its name only when it is whole."""

from __future__ import annotations

import contextlib
import errno
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer

from rtfilter.errors import OutputError, RtfilterError
from rtfilter.frame import Frame
from rtfilter.media.container import reason
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.containers import DEFAULT_QUALITY, ENCODERS, Quality, chosen_codec
from rtfilter.sinks.encode import Encoding, codec_settings, encoding_for, time_base_for
from rtfilter.sinks.fit import Target, fit
from rtfilter.sinks.lengths import Lengths
from rtfilter.sinks.palette import Palettes
from rtfilter.sinks.place import FilePlace, Place
from rtfilter.sinks.properties import field_options, mastering_options
from rtfilter.sinks.tracks import TrackCopy

# The index in front, so that a browser can play while it loads.
_INDEX_FIRST = {"movflags": "+faststart"}
# Which track plays is what the source says, not a guess.
_FLAGS_AS_GIVEN = {"default_mode": "passthrough"}
_MUXER_OPTIONS = {
    **{"mp4": _INDEX_FIRST, "mov": _INDEX_FIRST},
    **{"matroska": _FLAGS_AS_GIVEN, "webm": _FLAGS_AS_GIVEN},
}
# In 1/100 s: browsers show a picture that is shorter for 1/10 s.
_GIF_SHORTEST = 2
# Sound may begin this much before zero: an encoder's lead-in, which is not to be heard.
_LEAD_IN_S = 0.2
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileSink:
    """Writes frames as H.264, HEVC, FFV1 (lossless), VP9 or GIF, each at its own time, with the
    other tracks of the source.

    What the filter left alone keeps the source's YUV bytes, see `rtfilter.planes`. The size is that of the
    first frame. Timestamps are exact in MP4 and MOV; AVI has a constant rate, GIF hundredths of a second.
    Matroska and WebM round to 1 ms and have none below zero: where the sound begins earlier (an encoder's
    lead-in), pictures and sound move together. In all of them they do where pictures begin before zero.

    path: .mp4, .m4v, .mov, .mkv, .webm, .avi or .gif; it is written under a hidden name beside it and renamed
        at the end.
    info: of the source; only its nominal rate is used.
    tracks_from: a media file whose sound, subtitles, chapters, covers and tags are kept; None for none.
        Packets are copied as they are; what the container cannot hold is converted or left out.
    strict: refuse instead: at once what of the tracks, at the first frame what of the pictures is lost.
    sample_aspect_ratio: width / height of a pixel (`FileSource.sample_aspect_ratio`).
    codec: h264, hevc, ffv1, vp9 or gif; None for what is usual for the suffix.
    notes: what the file cannot hold, for the caller to show.
    part_s: the longest that the frames can last, in seconds, where they are a part of `tracks_from`: the
        first is at zero then, and what of the tracks is before or after them is left out. None for the whole.
    place: another one than the file `path`; `path` is then only a name for messages.

    Raises UsageError for a suffix or codec that cannot be had, OutputError for a target that exists, or
    cannot be written, or (strict) cannot hold all tracks, InputError when `tracks_from` cannot be opened.
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
        place: Place | None = None,
        part_s: float | None = None,
    ) -> None:
        self.path = Path(path)
        suffix = self.path.suffix.lower() if place is None else place.suffix
        self._muxer, self._codec = chosen_codec(suffix, codec, str(path))
        self._quality = quality
        quality.settings(self._codec)
        self._place = FilePlace(self.path, overwrite) if place is None else place
        self._encoding: Encoding | None = None
        self._time_base = Fraction(1, 90_000)
        self._last_pts: int | None = None
        # The most that a picture was put off, as one tick holds no two.
        self._late_s = 0.0
        self._lengths = Lengths()
        # What was added to all times, in ticks of the time base.
        self._moved = 0
        self._fps = info.fps.limit_denominator(100_000)
        self._container: OutputContainer | None = None
        self._tracks: TrackCopy | None = None
        self._part, self._strict = part_s is not None, strict
        self._palettes: Palettes | None = None
        self.notes: list[str] = []
        try:
            options: Mapping[str, str] = _MUXER_OPTIONS.get(self._muxer, {})
            placed = None
            if self._muxer == "gif":
                self.notes.append(
                    f"{self.path}: a GIF has no sound, no other tracks, 256 colours and at most 50 frames "
                    "a second"
                )
                if strict:
                    raise OutputError(f"{self.notes[0]}: choose another suffix, or leave --strict away")
            elif tracks_from is not None:
                target = Target(self.path, suffix, self._muxer, ENCODERS[self._codec], self._fps, options)
                placed = fit(Path(tracks_from), target, strict=strict)
                options = placed.options
                self.notes += placed.notes
            name = self._place.open()
            self._container = av.open(name, "w", format=self._muxer, container_options=dict(options))
            self._stream = self._container.add_stream(ENCODERS[self._codec], rate=self._fps)
            self._stream.codec_context.sample_aspect_ratio = sample_aspect_ratio
            if tracks_from is not None and placed is not None:
                self._tracks = TrackCopy(Path(tracks_from), self._container, placed, part_s)
        except (RtfilterError, BrokenPipeError):
            self.close(complete=False)
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            self.close(complete=False)
            raise self._failed("cannot be written", error) from error

    def write(self, frame: Frame) -> None:
        """Encode one frame. Raises OutputError: another size than the first, disk full, encoder failure."""
        if self._container is None:
            raise OutputError(f"{self.path} is closed: make a new FileSink to write again")
        try:
            encoding = self._encoding or self._start(frame)
            if (frame.width, frame.height) != (encoding.width, encoding.height):
                got, expected = f"{frame.width}x{frame.height}", f"{encoding.width}x{encoding.height}"
                raise OutputError(
                    f"{self.path}: frame {frame.seq} is {got}, expected {expected} like the first one: "
                    "cut the input where its size changes"
                )
            exact = frame.pts * frame.time_base / self._time_base + self._moved
            pts = round(exact)
            if self._last_pts is not None:
                if self._palettes is not None and pts < self._last_pts + _GIF_SHORTEST:
                    return
                # Times finer than the time base may fall on one tick, which no container takes.
                pts = max(pts, self._last_pts + 1)
            self._late_s = max(self._late_s, float((pts - exact) * self._time_base))
            picture = encoding.picture(frame) if self._palettes is None else self._palettes.picture(frame)
            self._last_pts = picture.pts = pts
            picture.time_base = self._time_base
            if frame.duration:
                self._lengths.note(pts, round(frame.duration * frame.time_base / self._time_base))
            packets = self._stream.encode(picture)
            self._lengths.give(packets)
            self._container.mux(packets)
            if self._tracks is not None:
                self._tracks.feed(self._container, float(pts * self._time_base))
        except (RtfilterError, BrokenPipeError):
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failed("cannot be written further", error) from error

    def close(self, complete: bool) -> None:
        """Finish: with `complete` the file gets its name, otherwise it is removed. Only once has effect.

        Raises OutputError when the end cannot be written, when there was no frame, or when the target
        has appeared meanwhile; then nothing is left but what was there before.
        """
        container, self._container = self._container, None
        try:
            if complete and container is not None:
                self._finish(container)
        except (RtfilterError, BrokenPipeError):
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failed("could not be finished", error) from error
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
        self._tell_late()
        packets = self._stream.encode(None)
        self._lengths.give(packets, last=True)
        container.mux(packets)
        if self._tracks is not None:
            self._tracks.end(container, float(self._lengths.end * self._time_base))
            self.notes += self._tracks.notes
        container.close()
        self._place.publish()

    def _tell_late(self) -> None:
        if self._muxer == "avi" and self._late_s > float(self._time_base):
            late = f"AVI has a constant rate: pictures are up to {self._late_s:.2g} s late in it"
            self.notes.append(f"{self.path}: {late}; .mkv and .mp4 keep their times")
            if self._strict:
                raise OutputError(f"{self.notes[-1]}: choose one, or leave --strict away")

    def _start(self, frame: Frame) -> Encoding:
        encoding = self._encoding = encoding_for(frame, self._codec)
        self._time_base = time_base_for(frame.time_base, self._muxer, self._fps)
        self._lengths = Lengths(max(1, round(1 / (self._fps * self._time_base))))
        if self._codec == "gif":
            self._palettes = Palettes(encoding.width, encoding.height)
        self._move(frame)
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
        context.time_base = self._time_base
        context.colorspace, context.color_range = encoding.colorspace, encoding.color_range
        context.color_primaries, context.color_trc = encoding.color_primaries, encoding.color_trc
        if self._codec == "hevc" and self._muxer in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the other one, FFmpeg's default, is not played on Apple's systems
        self._keep_properties(frame, encoding)
        return encoding

    def _keep_properties(self, frame: Frame, encoding: Encoding) -> None:
        context = self._stream.codec_context
        lost = [*encoding.lost]
        native = frame.source.native
        if isinstance(native, av.VideoFrame) and self._codec != "gif":
            for options, told in (
                mastering_options(native, self._codec),
                field_options(native, context, self._codec),
            ):
                for name, text in options.items():
                    context.options[name] = ":".join(filter(None, (context.options.get(name), text)))
                lost += filter(None, (told,))
        if lost and self._strict:
            raise OutputError(
                f"{self.path} cannot keep all of the pictures ({'; '.join(lost)}): use another codec, or "
                "allow it (leave --strict away)"
            )
        self.notes += [f"{self.path}: {note}" for note in (*lost, encoding.rare) if note]

    def _move(self, frame: Frame) -> None:
        """Move everything to where no picture is before zero: players hide what is, unless it is lead-in."""
        start_s = float(frame.pts * frame.time_base)
        sound_s = None if self._tracks is None else self._tracks.start_s
        earliest_s = start_s if sound_s is None else min(start_s, sound_s)
        if self._part:
            earliest_s = start_s
        if self._part or start_s < 0 or earliest_s < -_LEAD_IN_S:
            self._moved = math.ceil(-earliest_s / self._time_base)
            if self._tracks is not None and self._container is not None:
                self._tracks.move(self._container, float(self._moved * self._time_base))

    def _failed(self, what: str, error: Exception) -> OutputError:
        if getattr(error, "errno", None) in _DISK_FULL:
            advice = "free some space or write to another disk"
        elif isinstance(error, PermissionError):
            advice = "choose a folder that you may write to"
        else:
            advice = "try another folder or another suffix"
        return OutputError(f"{self.path} {what} ({reason(error)}): {advice}")
