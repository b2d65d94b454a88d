"""The sound of a clip as MFCCs, for networks that judge lip sync. Called by `judges.sync`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError
from rtfilter.media.container import open_input, reason

F64 = npt.NDArray[np.float64]

RATE: Final = 16000
COEFFICIENTS: Final = 13
STEPS_PER_S: Final = 100
_STEP: Final = RATE // STEPS_PER_S
_WINDOW: Final = 400  # 25 ms
_FFT: Final = 512
_BANDS: Final = 26
_EMPHASIS: Final = 0.97
_LIFTER: Final = 22


def read_sound(path: Path) -> tuple[F64, float]:
    """The first audio track, mono, 16 kHz, in 16-bit sample values, and when its first sample is, in seconds.

    Raises InputError: no sound, or none that can be decoded.
    """
    pieces: list[F64] = []
    start_s: float | None = None
    with open_input(path) as container:
        if not container.streams.audio:
            raise InputError(f"{path} has no sound, which --sync-judge listens to: give a clip with sound")
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        try:
            for frame in container.decode(stream):
                if start_s is None:
                    start_s = float((frame.pts or 0) * (frame.time_base or Fraction(0)))
                pieces += [_samples(part) for part in resampler.resample(frame)]
            pieces += [_samples(part) for part in resampler.resample(None)]
        except av.FFmpegError as error:
            if not pieces:
                raise InputError(f"{path}: its sound cannot be decoded ({reason(error)})") from error
    if not pieces:
        raise InputError(f"{path}: its audio track holds no sound: give a clip with sound")
    return np.concatenate(pieces), start_s or 0.0


def _samples(frame: av.AudioFrame) -> F64:
    return frame.to_ndarray().ravel().astype(np.float64)


def mfcc(samples: F64) -> F64:
    """13 mel-frequency cepstral coefficients every 10 ms: float64 [steps, 13].

    samples: float64 [S] at 16 kHz, in 16-bit values. Windows of 25 ms without a taper, pre-emphasis 0.97, 26
    mel bands, lifter 22, the log energy in place of the first coefficient: what SyncNet was trained on.
    """
    steps = 1 + max(0, -(-(len(samples) - _WINDOW) // _STEP))
    emphasised = np.append(samples[:1], samples[1:] - _EMPHASIS * samples[:-1])
    padded = np.append(emphasised, np.zeros(max(0, (steps - 1) * _STEP + _WINDOW - len(samples))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_STEP][:steps]
    power = np.square(np.abs(np.fft.rfft(windows, _FFT))) / _FFT
    tiny = np.finfo(np.float64).eps
    energy = np.maximum(power.sum(1), tiny)
    bands = np.log(np.maximum(power @ _mel_bands().T, tiny))
    order, band = np.arange(COEFFICIENTS)[:, None], np.arange(_BANDS)
    basis = np.sqrt(2.0 / _BANDS) * np.cos(np.pi * order * (band + 0.5) / _BANDS)
    cepstra = bands @ basis.T
    cepstra *= 1.0 + _LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / _LIFTER)
    cepstra[:, 0] = np.log(energy)
    return np.asarray(cepstra, np.float64)


def _mel_bands() -> F64:
    """Triangles over the bins of the spectrum, [26, 257], evenly spaced in mel from 0 to 8 kHz."""
    top_mel = 2595.0 * np.log10(1.0 + RATE / 2 / 700.0)
    corners_hz = 700.0 * (10.0 ** (np.linspace(0.0, top_mel, _BANDS + 2) / 2595.0) - 1.0)
    corners = np.floor((_FFT + 1) * corners_hz / RATE)
    bins = np.arange(_FFT // 2 + 1)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising = (bins - low) / np.maximum(middle - low, 1.0)
    falling = (high - bins) / np.maximum(high - middle, 1.0)
    inside = (bins >= low) & (bins < high)
    return np.asarray(np.where(inside, np.where(bins < middle, rising, falling), 0.0), np.float64)
