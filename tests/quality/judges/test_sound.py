"""Sound as MFCCs: against the package that SyncNet's authors used, and out of files."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from rtfilter.errors import InputError
from rtfilter.quality.judges.sound import mfcc, read_sound

RATE = 16000


def tone(seconds: float, hz: float = 440.0, rate: int = RATE) -> np.ndarray:
    return np.round(5000 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate))


def write_sound(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    """A file with one audio track of 16-bit PCM."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], "s16", "mono")
        frame.rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def test_a_tone_gives_the_coefficients_of_python_speech_features() -> None:
    # Its mfcc(tone, 16000)[3], release 0.6; ours agrees to 1e-12 on noise and on every length tried.
    expected = [18.1259, 26.0533, 9.4134, -7.542, -21.8853, -29.2145, -25.8577, -15.1912, -0.2381, 12.5338,
                19.9311, 19.164, 12.2183]  # fmt: skip
    np.testing.assert_allclose(mfcc(tone(0.1))[3], expected, atol=1e-4)


@pytest.mark.parametrize(("samples", "steps"), [(1, 1), (400, 1), (401, 2), (560, 2), (561, 3), (16000, 99)])
def test_there_is_a_row_every_10_ms(samples: int, steps: int) -> None:
    found = mfcc(tone(2.0)[:samples])
    assert found.shape == (steps, 13)
    assert np.isfinite(found).all()


def test_silence_is_finite() -> None:
    assert np.isfinite(mfcc(np.zeros(4000))).all()


def test_sound_comes_out_of_a_file_as_it_was(tmp_path: Path) -> None:
    wanted = tone(0.5)
    found, start_s = read_sound(write_sound(tmp_path / "tone.mkv", wanted))
    assert start_s == 0.0
    np.testing.assert_array_equal(found, wanted)


def test_other_rates_are_brought_to_16_khz(tmp_path: Path) -> None:
    found, _ = read_sound(write_sound(tmp_path / "tone.wav", tone(0.5, rate=44100), 44100))
    assert len(found) == pytest.approx(8000, abs=20)
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found))))
    assert spectrum.argmax() * RATE / len(found) == pytest.approx(440, abs=3)


def test_what_has_no_sound_is_said(tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("no sound")
    with pytest.raises(InputError, match=r"text\.wav"):
        read_sound(path)
    silent = tmp_path / "silent.mkv"
    with av.open(str(silent), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    with pytest.raises(InputError, match=r"silent\.mkv has no sound, which --sync-judge"):
        read_sound(silent)
