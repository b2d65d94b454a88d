"""Sound whose channels lie in an order of their own, as MOV has it: PyAV aborts the process on its layout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
FFMPEG = shutil.which("ffmpeg")
pytestmark = pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg program to write such a file with")


def ffmpeg(*words: str) -> bytes:
    command = [str(FFMPEG), "-v", "error", "-y", *words]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def loudness(samples: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(samples**2, axis=0))


def by_its_tag(path: Path, layout: str) -> list[float]:
    """How loud each channel of `layout` is, by the names that the file gives its channels."""
    with av.open(str(path)) as container:
        context = container.streams.audio[0].codec_context
        found = context.layout
        names = [channel.name for channel in found.channels]
        context.layout = layout  # see `PlainChannels`
        parts = [frame.to_ndarray().reshape(-1, len(names)) for frame in container.decode(audio=0)]
    scale = 1.0 if parts[0].dtype == np.float32 else 1.0 / 32768
    level = dict(zip(names, loudness(np.concatenate(parts) * scale), strict=True))
    return [level[channel.name] for channel in av.AudioLayout(layout).channels]


def decoded(path: Path, layout: str) -> np.ndarray:
    data = ffmpeg("-i", str(path), "-af", f"aformat=channel_layouts={layout}", "-f", "f32le", "-")
    return np.frombuffer(data, np.float32).reshape(-1, av.AudioLayout(layout).nb_channels)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("layout", ["6.1", "7.1"])
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le"])
def test_channels_of_another_order_are_converted_each_to_its_place(
    tmp_path: Path, codec: str, layout: str, suffix: str
) -> None:
    count = av.AudioLayout(layout).nb_channels
    # The low-frequency channel gets a tone that encoders keep there.
    waves = [f"{0.05 * (n + 1):.2f}*sin(2*PI*{60 if n == 3 else 400}*t)" for n in range(count)]
    source, out = tmp_path / "in.mov", tmp_path / f"out{suffix}"
    sound = f"aevalsrc={'|'.join(waves)}:s=48000:c={layout}:d=1"
    picture = "testsrc=s=64x48:r=10:d=1"
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:a", codec, str(source))
    # In a process of its own: it was aborted.
    words = [sys.executable, "-m", "rtfilter", "run", "-i", str(source), "-o", str(out)]
    done = subprocess.run(words, capture_output=True, cwd=ROOT, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    assert b"sound track 1" in done.stderr
    wanted = by_its_tag(source, layout)
    if (layout, suffix) == ("6.1", ".webm"):
        # As 7.1: FL, FR, FC, LFE, what was in the back's middle on both sides of it, SL, SR.
        layout, wanted = "7.1", [*wanted[:4], wanted[4] / 2**0.5, wanted[4] / 2**0.5, *wanted[5:]]
    assert loudness(decoded(out, layout)) == pytest.approx(wanted, rel=0.15)
