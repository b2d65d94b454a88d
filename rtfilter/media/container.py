"""Media files on disk: opened with errors for users; their rates and lengths. For `sources` and `sinks`."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from rtfilter.errors import InputError

DEFAULT_FPS = Fraction(25)
# Files may name others (playlists, external references): only local ones are opened.
_OPEN_OPTIONS = {"protocol_whitelist": "file"}
# FFmpeg draws any text file that has one of their suffixes, or escape codes, as a terminal would show it.
_TEXT_FORMATS = {"tty", "bin", "xbin", "adf", "idf"}
# How much two rates may differ and be one, as where times are rounded to 1 ms.
_SAME_RATE = Fraction(1, 200)
# Half a tick is 2 ms, and a gap costs few bytes.
_FINE_FPS = Fraction(240)
_SEEKABLE = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
# Beyond this, decoding on one core would be the slowest stage of the whole way.
_FRAME_THREADS_ABOVE_PX = 1920 * 1088


def reason(error: Exception) -> str:
    """The message of FFmpeg or the system, in one line and without its numbers."""
    if isinstance(error, av.error.ExitError):
        return "no data came in time"
    return str(getattr(error, "strerror", None) or error).splitlines()[0]


def open_input(path: str | Path) -> InputContainer:
    """Open a media file for reading. Raises InputError: missing, folder, empty, or not media."""
    file = Path(path)
    try:
        if file.is_dir():
            raise InputError(f"{file} is a folder: name one video file inside it")
        if not file.exists():
            raise InputError(f"{file}: no such file; check the name and the folder")
        if not file.is_file():
            raise InputError(f"{file} is not a regular file: record it to a file first")
        if file.stat().st_size == 0:
            raise InputError(f"{file} is empty (0 bytes): copy or record it again")
        # The prefix keeps FFmpeg from reading a protocol into a name that has a colon.
        container = av.open(f"file:{file}", "r", options=_OPEN_OPTIONS, metadata_errors="replace")
    except PermissionError as error:
        raise InputError(f"{file} may not be read: check its permissions") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(
            f"{file} cannot be opened as a video ({reason(error)}): it is another kind of file, damaged, "
            "or cut off before its index was written"
        ) from error
    refuse_text(container, str(file))
    return container


def refuse_text(container: InputContainer, name: str) -> None:
    """Close the container and raise InputError when FFmpeg would draw it as text."""
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise InputError(f"{name} is text, expected a video: name a video file")


def video_stream(container: InputContainer, path: Path | str) -> VideoStream:
    """The first moving picture of a file that can be decoded (cover art is none). Raises InputError."""
    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not moving:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise InputError(f"{path} holds {kinds} but no moving picture: name a file with a video stream")
    if moving[0].disposition & Disposition.dependent:
        # FFmpeg gives its tiles one by one, and PyAV not the plan of how they lie.
        raise InputError(f"{path} is a picture in tiles, as phones' HEIC: convert it to JPEG first")
    stream = next((s for s in moving if getattr(s, "codec_context", None) is not None), None)
    if stream is None:
        raise InputError(f"{path}: no decoder for its video codec here: convert the file to H.264 first")
    # Frame threads drop what they hold when a damaged packet comes by (measured: two frames of a cut
    # file), slice threads keep it.
    large = stream.width * stream.height > _FRAME_THREADS_ABOVE_PX
    stream.thread_type = "AUTO" if large else "SLICE"
    return stream


def nominal_fps(stream: VideoStream) -> Fraction:
    """Frames a second as the file states them; 25 where it states none within 0..1000."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate is not None and 0 < rate <= 1000:
            return Fraction(rate)
    return DEFAULT_FPS


def steady_fps(stream: VideoStream, mean_fps: Fraction) -> Fraction:
    """The lowest rate on whose ticks FFmpeg found the frames to lie; the mean where that is absurd."""
    if stream.base_rate is None:
        return mean_fps
    rate = Fraction(stream.base_rate)
    return rate if mean_fps <= rate <= max(2 * mean_fps, Fraction(60)) else mean_fps


def fine_fps(stream: VideoStream, mean_fps: Fraction) -> Fraction:
    """A constant rate on whose ticks all frames lie, or nearly: for a container that has no times."""
    rate = Fraction(stream.base_rate or mean_fps)
    if abs(rate / mean_fps - 1) < _SAME_RATE:
        return rate
    guessed = Fraction(stream.guessed_rate or rate)
    if abs(rate / mean_fps - 2) < _SAME_RATE and abs(guessed / mean_fps - 1) < _SAME_RATE:
        return mean_fps  # a rate of fields
    return rate if mean_fps < rate <= _FINE_FPS else max(_FINE_FPS, mean_fps)


def seek_before(container: InputContainer, stream: VideoStream, start_s: float) -> None:
    """Go to the last picture that stands alone at most `start_s` after the beginning, where that is certain.

    Elsewhere (transport streams, whose times may start anew; files without an index) nothing is done.
    """
    if stream.start_time is None or stream.time_base is None or container.format.name not in _SEEKABLE:
        return
    # If it fails the reader goes through everything from the beginning.
    with contextlib.suppress(av.FFmpegError):
        ticks = stream.start_time + int(start_s / stream.time_base)
        container.seek(ticks, backward=True, stream=stream)


def duration_s(stream: VideoStream) -> float | None:
    """Length of the stream in seconds, where the file states it. An estimate, too."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    parts = stream.metadata.get("DURATION", "").split(":")  # Matroska: "00:01:02.345000000"
    if len(parts) == 3 and all(part.replace(".", "", 1).isdigit() for part in parts):
        stated_s = int(parts[0]) * 3600.0 + int(parts[1]) * 60.0 + float(parts[2])
        # FFmpeg, GStreamer and OBS state the time of the end there, which counts from the clock's zero.
        start_s = 0.0
        if stream.start_time is not None and stream.time_base is not None:
            start_s = float(stream.start_time * stream.time_base)
        return stated_s - start_s if 0.0 < start_s < stated_s else stated_s
    return None


def frame_count(stream: VideoStream) -> int | None:
    """The file's own count, else length times rate, else None. An estimate: for progress bars."""
    if stream.frames > 0:
        return stream.frames
    length_s = duration_s(stream)
    return None if length_s is None else max(1, round(length_s * float(nominal_fps(stream))))
