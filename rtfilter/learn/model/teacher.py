"""The teacher's scores as coefficients: relative to what it gives a face at rest.

It scores squinting at 0.4 on most faces that do nothing; a coefficient of 0 is to be that face, and 1 its
score of 1. Called by `learn.model.build_face_model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rtfilter.controls import MIRROR
from rtfilter.learn.model.observe import Clip

F64 = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

QUIET_SHARE, QUIET_LEAST = 0.05, 5  # of a clip's frames


def quietest(clip: Clip) -> Indices:
    """The frames with the smallest sums of scores."""
    order = np.argsort(clip.scores.sum(1))
    return np.asarray(order[: max(QUIET_LEAST, int(len(order) * QUIET_SHARE))])


def resting_scores(clips: Sequence[Clip]) -> F64:
    """The median [52] over people of the scores of their quietest frames, left and right alike."""
    rest = np.median([clip.scores[quietest(clip)].mean(0) for clip in clips], axis=0)
    return np.asarray(0.5 * (rest + rest[list(MIRROR)]))


def relative(clips: Sequence[Clip], rest: F64) -> list[Clip]:
    """The clips with scores of 0 where the teacher gives `rest` [52], and 1 where it gives 1."""
    return [replace(clip, scores=(clip.scores - rest) / (1.0 - rest)) for clip in clips]


def covariance(clips: Sequence[Clip]) -> F64:
    """How scores vary within a clip, [52, 52]: the mean over clips, left and right alike."""
    mean = np.mean([np.cov(clip.scores.T, bias=True) for clip in clips], axis=0)
    return np.asarray(0.5 * (mean + mean[np.ix_(MIRROR, MIRROR)]))
