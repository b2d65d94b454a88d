"""Dynamic time warping on sound or on lips: the path that brings a clip to the times of another.

By librosa's MFCCs and its warping. Called by `data.align`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, MissingExtraError
from rtfilter.face import landmarks as lm
from rtfilter.learn.data.alignment import Alignment, digest_of
from rtfilter.learn.data.track import SOUND_HZ, Track
from rtfilter.system.installation import install_extra

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

AUTO: Final = "auto"
COEFFICIENTS: Final = 13
WINDOW: Final = 1024  # samples of sound a spectrum is taken of
MELS: Final = 40
LEAST_STEPS: Final = 3
QUIET: Final = 1e-4  # the loudest sample of a clip that counts as silent
# What a step costs in which one clip stands still, in the features' unit, so that a path does not dawdle.
STILL: Final = 1.0


def sound_features(sound: F32, step_s: float) -> F64:
    """MFCCs float64 [A, 13], one row each `step_s`, each coefficient of mean 0 and deviation 1 over the clip:
    what the voice, the room and the feeling add to all of it is thus gone."""
    try:
        import librosa
    except ImportError as error:
        raise MissingExtraError(f"alignment by sound needs librosa: {install_extra('learn')}") from error
    mfcc = librosa.feature.mfcc(
        y=sound,
        sr=SOUND_HZ,
        n_mfcc=COEFFICIENTS,
        n_fft=WINDOW,
        hop_length=round(step_s * SOUND_HZ),
        n_mels=MELS,
    )
    return _standard(np.asarray(mfcc, np.float64).T)


def lip_features(track: Track, step_s: float) -> F64:
    """Motion of the lips float64 [A, 4], one row each `step_s`: gap, width and their speeds, as `_standard`.

    From the clip's start, as the sound's rows: before the first frame with a face the lips count as still.

    A feeling changes how far lips go, and hardly when: speeds count as much as places.
    """
    shape = track.shape_iod.astype(np.float64)
    gap = (shape[:, lm.LIPS_INNER_LOWER, 1] - shape[:, lm.LIPS_INNER_UPPER, 1]).mean(1)
    width = shape[:, lm.INNER_CORNER_LEFT, 0] - shape[:, lm.INNER_CORNER_RIGHT, 0]
    times = np.arange(0.0, track.time_s[-1] + 1.0 / track.fps, step_s)
    places = np.stack([np.interp(times, track.time_s, each) for each in (gap, width)], axis=1)
    speeds = np.gradient(places, axis=0) if len(places) > 1 else np.zeros_like(places)
    return _standard(np.concatenate([places, speeds], axis=1))


def _standard(features: F64) -> F64:
    return np.asarray((features - features.mean(0)) / np.maximum(features.std(0), 1e-9))


def align(track: Track, twin: Track, step_s: float, band: float, by: str = AUTO) -> Alignment:
    """The path from `track` to `twin`: by sound where both have some, else by lips.

    step_s: seconds of a step. band: how far the path may leave the diagonal, as a share of the clip; 1 is no
    limit. by: sound or lips, to have no choice. Raises InputError for clips that are too short.
    """
    settings = asked(by, step_s, band)
    heard = all(one.sound is not None and np.abs(one.sound).max(initial=0.0) > QUIET for one in (track, twin))
    if by == "sound" and not heard:
        mute = [one.name for one in (track, twin) if one.sound is None or np.abs(one.sound).max() <= QUIET]
        raise InputError(f"{' and '.join(mute) or track.name}: no sound to align by; by lips is possible")
    if track.sound is not None and twin.sound is not None and heard and by != "lips":
        by, step_s = "sound", round(step_s * SOUND_HZ) / SOUND_HZ
        own, other = (sound_features(sound, step_s) for sound in (track.sound, twin.sound))
    else:
        by = "lips"
        own, other = (lip_features(one, step_s) for one in (track, twin))
    for one, rows in ((track, own), (twin, other)):
        if min(len(rows), one.frames) < LEAST_STEPS:
            raise InputError(f"{one.name}: {one.seconds:.2f} s are too short to be aligned; leave it out")
    path, cost = warp(own, other, band)
    return Alignment(track.name, twin.name, by, step_s, path, cost, digest_of(track, twin), settings)


def asked(by: str, step_s: float, band: float) -> str:
    """The settings of `align` in words, to tell whether a path was made with them."""
    return f"by {by}, step {step_s:.6g} s, band {band:.6g}"


def warp(own: F64, other: F64, band: float, still: float = STILL) -> tuple[npt.NDArray[np.int32], float]:
    """The cheapest path int32 [P, 2] through features [A, F] and [B, F], and its mean cost."""
    import librosa

    steps = np.array([[1, 1], [1, 0], [0, 1]])
    # Wide enough that a path exists, whatever the lengths.
    shorter, longer = sorted((len(own), len(other)))
    wide = min(1.0, max(band, 2.0 / shorter, 1.0 - shorter / longer + 2.0 / shorter))
    total, path = librosa.sequence.dtw(
        own.T, other.T, step_sizes_sigma=steps, weights_add=np.array([0.0, still, still]),
        global_constraints=wide < 1.0, band_rad=wide,
    )  # fmt: skip
    return path[::-1].astype(np.int32), float(total[-1, -1] / len(path))
