"""Real clips, made with real codecs where a test needs them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.colour import planes_of

RATE = 48_000
VFR_STEPS = (3000, 1501, 4500, 3003)  # in 1/90000 s


def picture_rgb(index: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """A coloured, moving pattern: red top left corner, no two frames alike."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(x / 9 + index / 3), np.cos(y / 7 - index / 5), np.sin((x + y) / 11 + index / 2)]
    rgb = np.stack([128 + 70 * wave for wave in waves], axis=-1).astype(np.uint8)
    rgb[: max(1, height // 4), : max(1, width // 4)] = (250, 10, 10)
    return rgb


def clip(
    path: Path,
    *,
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    pix_fmt: str = "yuv420p",
    codec: str = "libx264",
    steps: tuple[int, ...] = VFR_STEPS,
    first_pts: int = 0,
    time_base: Fraction = Fraction(1, 90_000),
    rotation: tuple[float, bool] | None = None,
    audio: str | None = None,
    audio_offset_s: float = 0.0,
    tags: tuple[int, int] = (2, 0),
    options: dict[str, str] | None = None,
    muxer_options: dict[str, str] | None = None,
) -> list[int]:
    """Write a clip; the pts of its frames, in units of `time_base`, as `steps` are.

    rotation: degrees and whether mirrored. audio: codec of a sine that begins `audio_offset_s` late.
    tags: colour matrix and range, FFmpeg's numbers.
    """
    width, height = size
    with av.open(str(path), "w", container_options=muxer_options or {}) as container:
        video = container.add_stream(codec, rate=30, options=options or {})
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        video.codec_context.time_base = time_base
        video.codec_context.colorspace, video.codec_context.color_range = tags
        if rotation is not None:
            video.set_display_rotation(rotation[0], hflip=rotation[1])
        sound = container.add_stream(audio, rate=RATE) if audio else None
        times, pts = [], first_pts
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture_rgb(index, width, height)).reformat(format=pix_fmt)
            frame.pts, frame.time_base = pts, time_base
            frame.colorspace, frame.color_range = tags
            container.mux(video.encode(frame))
            times.append(pts)
            pts += steps[index % len(steps)]
        container.mux(video.encode(None))
        if sound is not None:
            _sine(container, sound, length_s=float((pts - first_pts) * time_base), offset_s=audio_offset_s)
    return times


def _sine(container, sound, length_s: float, offset_s: float) -> None:
    block = sound.codec_context.frame_size or 1024
    wave = np.sin(np.arange(int(length_s * RATE)) * 0.06).astype(np.float32) * 0.3
    resampler = av.AudioResampler(sound.codec_context.format, "stereo", RATE)
    for start in range(0, len(wave) - block, block):
        part = np.stack([wave[start : start + block]] * 2)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = start + round(offset_s * RATE)
        for ready in resampler.resample(frame):
            container.mux(sound.encode(ready))
    container.mux(sound.encode(None))


def video_times(path: Path) -> list[Fraction]:
    """Presentation time of every decoded picture, in seconds."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def audio_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    """Time in seconds and bytes of every packet of the first audio stream."""
    with av.open(str(path)) as container:
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(audio=0) if p.size]


def video_planes(path: Path) -> list[list[npt.NDArray[np.uint8]]]:
    """The Y, Cb and Cr planes of every picture."""
    with av.open(str(path)) as container:
        return [[p.copy() for p in planes_of(frame)] for frame in container.decode(video=0)]


def opencv_frames(path: Path) -> list[npt.NDArray[np.uint8]]:
    """What an independent reader sees: BGR pictures."""
    reader = cv2.VideoCapture(str(path))
    pictures = []
    while True:
        there, picture = reader.read()
        if not there:
            reader.release()
            return pictures
        pictures.append(np.asarray(picture, np.uint8))
