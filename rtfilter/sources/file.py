"""`FileSource`: every frame of a video file; `PartSource`: a part. Called by `cli` and `quality`."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer

from rtfilter.errors import InputError, UsageError
from rtfilter.frame import MAX_SIDE_PX, NANOSECONDS, Frame
from rtfilter.media.container import (
    fine_fps,
    frame_count,
    nominal_fps,
    open_input,
    reason,
    seek_before,
    steady_fps,
    video_stream,
)
from rtfilter.media.contents import labels_in_words, other_tracks
from rtfilter.media.info import SourceInfo
from rtfilter.media.pixels import Conformer, FilterChain, PixelReader
from rtfilter.media.side_data import PROFILE_NAMED_BY, WITHOUT_PROFILE
from rtfilter.sources.base import Source
from rtfilter.sources.cut import lacks_end, stated_bytes
from rtfilter.sources.decoder import Decoder, timed
from rtfilter.system.process import MadeHere

_LOG = logging.getLogger(__name__)


class FileSource:
    """A reader of one video stream of any container that FFmpeg reads: upright, frame by frame.

    `Frame.native` is the decoded picture, upright, in its own pixel format (above 8 bits: the planar one with
    its samples) and colour tags. `Frame.pts` is in the stream's time base and rises, see `Continuous` and
    `timed`. All frames have the size of the first, see `Conformer`.

    Args:
        path: the file; the name in messages where `opened` is given.
        opened: a container that is open already, such as a pipe's or an address's.
        start_s: frames before it may be left out.

    Attributes:
        damage: None, or, once the end was read, one line on what could not be decoded.
        sample_aspect_ratio: width / height of a pixel of the upright picture.
        steady_fps: the constant rate that most frames have, gaps not counted.
        fine_fps: a constant rate on whose ticks all frames lie, or nearly.
        origin_s: when the first picture begins, where the file states it.
        rereadable: whether `path` can be opened once more, for its other tracks.
        other_tracks, labels: tracks, and tags and chapters, beside the pictures, in words.

    Raises:
        InputError: not one frame can be decoded: missing, empty, no video in it, over 16384 px a side.
    """

    def __init__(
        self, path: str | Path, *, opened: InputContainer | None = None, start_s: float = 0.0
    ) -> None:
        self.path, self.name = Path(path), str(path)
        self.rereadable = opened is None
        self.damage: str | None = None
        self._made = MadeHere(f"the reader of {self.name}")
        self._lock = threading.Lock()
        self._container: InputContainer | None = opened or open_input(path)
        self._format = self._container.format.name
        try:
            self._stream = video_stream(self._container, self.name)
            self._fps = nominal_fps(self._stream)
            start, base = self._stream.start_time, self._stream.time_base
            self.origin_s = None if start is None or base is None else float(start * base)
            if start_s and self.rereadable:
                seek_before(self._container, self._stream, start_s)
            self._decoder = Decoder(self._container, self._stream)
            self._pictures = timed(self._decoder, self._fps)
            unsafe = self._stream.codec_context.name in PROFILE_NAMED_BY
            self._unprofiled = FilterChain() if unsafe else None
            self._conformer, self._reader = Conformer(), PixelReader()
            self._seq = 0
            # One frame ahead: the size that it is shown at is known from a decoded picture alone.
            first = self._pending = self._next_frame()
        except BaseException:
            self.close()
            raise
        if first is None:
            self.close()
            advice = "copy or record it again"
            if not self.rereadable and self._format.startswith("mov"):
                # Its index came last, and the data that it points at has passed.
                advice = (
                    "an MP4 or MOV with its index at the end is read from a file only: name the file "
                    "(of an address: download it first), or send MKV or MPEG-TS"
                )
            why = self._decoder.error or "no video data"
            raise InputError(f"{self.name}: not one frame could be decoded ({why}): {advice}")
        self.other_tracks = other_tracks(self._container, self._stream)
        self.labels = labels_in_words(self._container, self._stream)
        self.steady_fps = steady_fps(self._stream, self._fps)
        self.fine_fps = fine_fps(self._stream, self._fps)
        # FFmpeg's readers of picture files, which state no length.
        self._still = self.rereadable and self._format.endswith(("_pipe", "image2"))
        count = 1 if self._still else frame_count(self._stream)
        self.info = SourceInfo(self.name, first.width, first.height, self._fps, False, count)
        ratio = self._stream.sample_aspect_ratio or Fraction(1)
        self.sample_aspect_ratio = 1 / ratio if self._reader.sideways else ratio

    @property
    def notes(self) -> list[str]:
        """Messages for the user on what was changed, one line each; complete at the end."""
        notes, joins = [], self._decoder.joins
        if joins:
            often = "once" if joins == 1 else f"{joins} times"
            notes.append(f"{self.name}: its timestamps start anew {often}; what follows was joined on")
        if self._conformer.changed is not None:
            notes.append(f"{self.name}: {self._conformer.changed}")
        return notes

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The next frame; None at the end and after `close()`. `timeout_s` is unused: files don't wait.

        Raises InputError when a picture turns out too large or in a format that cannot be shown.
        """
        self._made.check()  # a decoder's threads do not survive fork
        with self._lock:
            if self._container is None:
                return None
            frame = self._pending
            if frame is None:
                frame = self._next_frame()
                if frame is None:
                    self._report_damage()
            self._pending = None
            return frame

    def close(self) -> None:
        """Release the file. May be called twice and from another thread."""
        with self._lock:
            container, self._container, self._pending = self._container, None, None
            if container is not None:
                container.close()

    def _next_frame(self) -> Frame | None:
        found = next(self._pictures, None)
        if found is None:
            return None
        picture, pts = found
        if max(picture.width, picture.height) > MAX_SIDE_PX:
            raise InputError(
                f"{self.name} is {picture.width}x{picture.height}, expected at most {MAX_SIDE_PX} px a side: "
                "scale it down first"
            )
        if self._unprofiled is not None:
            picture = self._unprofiled.run(picture, WITHOUT_PROFILE)
        time_base = picture.time_base or NANOSECONDS
        try:
            native = self._conformer.conformed(self._reader.upright(self._reader.planar(picture)))
            pixels = self._reader.pixels(native)
        except av.FFmpegError as error:
            raise InputError(
                f"{self.name}: pixel format {picture.format.name} cannot be shown ({reason(error)}): "
                "convert the file to H.264 first"
            ) from error
        captured_ns, duration = int(pts * time_base / NANOSECONDS), self._duration(picture)
        self._seq += 1
        return Frame(pixels, pts, time_base, captured_ns, self._seq - 1, native, duration=duration)

    def _duration(self, picture: av.VideoFrame) -> int:
        stream, stated = self._stream, picture.duration or 0
        if self._seq + 1 != stream.frames or stream.duration is None or picture.pts is None:
            return stated
        # The last one. In files with B-frames its packet is not, and states the time to another.
        return max(stated, (stream.start_time or 0) + stream.duration - picture.pts)

    def _report_damage(self) -> None:
        if self.damage is not None:
            return
        decoder = self._decoder
        wrongs = []
        # Where transport streams were joined the demuxer misses a packet, which never was.
        corrupt = decoder.corrupt - min(decoder.corrupt, decoder.joins)
        if corrupt:
            wrongs.append(f"damaged in {corrupt} place{'s' * (corrupt > 1)}")
        elif decoder.error:
            wrongs.append(decoder.error)
        if self.rereadable and (stated := stated_bytes(self.path, self._format)) is not None:
            wrongs.append(f"cut off: {self.path.stat().st_size:,} of {stated:,} bytes are there")
        elif self._still and lacks_end(self.path):
            wrongs.append("cut off: its end is missing")
        if wrongs:
            self.damage = f"{self.name}: {', '.join(wrongs)}; used what could be decoded"
            _LOG.info("%s", self.damage)


class PartSource:
    """The frames of `source` from `start_s` on, counted from its first one, and for `length_s` from there.

    whole: the source, which is closed with this; its times stay. Raises UsageError where no frame is left.
    """

    def __init__(self, source: Source, start_s: float, length_s: float | None) -> None:
        self.whole = source
        frame = first = source.read()
        origin_s = _start_s(first)
        if isinstance(source, FileSource) and source.origin_s is not None:
            origin_s = source.origin_s
        # A frame belongs to the moment when it begins; a nanosecond is what rounding may take.
        from_s = origin_s + start_s - 1e-9
        self._end_s = float("inf") if length_s is None else from_s + length_s
        last_s = origin_s
        while frame is not None and _start_s(frame) < from_s:
            last_s = _start_s(frame)
            frame = source.read()
        if frame is None or _start_s(frame) >= self._end_s:
            last = f"the last picture is at {last_s - origin_s:.2f} s"
            there = last if frame is None else "no picture is there"
            name = f"--start {start_s:g} of {source.info.name}"
            raise UsageError(f"{name}: {there}; begin earlier or take more")
        self._pending: Frame | None = frame
        count = None if length_s is None else max(1, round(length_s * float(source.info.fps)))
        all_frames = source.info.frame_count
        if all_frames is not None:
            rest = max(1, all_frames - round(start_s * float(source.info.fps)))
            count = rest if count is None else min(count, rest)
        self.info = replace(source.info, frame_count=count)
        self._ended = False

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The next frame of the part; None after its last."""
        frame, self._pending = self._pending, None
        if frame is None and not self._ended:
            frame = self.whole.read(timeout_s)
        if frame is None or _start_s(frame) >= self._end_s:
            self._ended = True
            return None
        return frame

    def close(self) -> None:
        """Close the source."""
        self.whole.close()


def _start_s(frame: Frame | None) -> float:
    return 0.0 if frame is None else float(frame.pts * frame.time_base)
