"""Linear regression of texture on expression, as strong, and where, as left-out parts bear out.

Called by `profiles.fit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

COMPONENTS: Final = 32
# Ridge penalties that are tried; on coefficients of 0..1.
PENALTIES: Final = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
# Left-out parts: blocks of so many samples, a second or two, dealt out in turn.
# What lies within GAP samples of one is left out of the fit as well: neighbours in time know too much.
FOLDS, BLOCK_SAMPLES, GAP = 5, 16, 3
# Share of the variance of left-out parts from which on a texel's regression is used whole; none at 0.
GOOD_SHARE: Final = 0.1
# What is left unexplained, against the median over the face: a texel is used whole up to the first, and not
# at all from the second on. Strands of hair.
RESTLESS: Final = (3.0, 6.0)
LEAST_SEEN: Final = 0.1  # of a texel, on average; what is seen less is drawn towards no change
SMOOTH_SHARE: Final = 4.0 / 256.0  # of a side: over this distance texels decide together


@dataclass(frozen=True)
class Regression:
    """response: float32 [52, M], log gain by coefficient. held_out: float32 [N, M], each sample as predicted
    without the part that it is in. penalty: the one that was chosen."""

    response: F32
    held_out: F32
    penalty: float


def regress(faces: F32, change: F32, seen: F32, inside: Bools) -> Regression:
    """The regression of `change` [N, M], weighted by `seen` [N, M], on `faces` [N, 52].

    inside: bool [S, S], where the M texels lie.
    """
    # A texel that was not seen counts as its mean: it draws towards no change.
    mean = (seen * change).sum(0) / (seen.sum(0) + 1e-3)
    centred = (change - mean) * np.sqrt(seen)
    axes, scores = _components(centred)
    fold = np.arange(len(faces)) // BLOCK_SAMPLES % FOLDS
    tried = [(_left_out(faces, scores, fold, penalty), penalty) for penalty in PENALTIES]
    errors = [float(np.square(scores - guess).sum()) for guess, _ in tried]
    guess, penalty = tried[int(np.argmin(errors))]
    held_out = guess.astype(np.float32) @ axes
    reliable = _reliable(centred, held_out, inside)
    rows = _ridge(faces - faces.mean(0), scores - scores.mean(0), penalty).astype(np.float32)
    # Back from what counts to what is seen.
    factor = reliable / np.sqrt(np.maximum(seen.mean(0), LEAST_SEEN))
    return Regression((rows @ axes) * factor, held_out * factor, penalty)


def _components(centred: F32) -> tuple[F32, F64]:
    """Principal axes float32 [P, M] and scores float64 [N, P]."""
    power, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    count = min(COMPONENTS, int((power > 1e-6 * max(float(power[-1]), 1e-12)).sum()))
    power, vectors = power[::-1][:count], vectors[:, ::-1][:, :count]
    root = np.sqrt(power)
    axes = (vectors / root).astype(np.float32).T @ centred
    return np.asarray(axes, np.float32), np.asarray(vectors * root, np.float64)


def _ridge(faces: npt.NDArray[np.floating[Any]], scores: F64, penalty: float) -> F64:
    wide = faces.astype(np.float64)
    normal = wide.T @ wide + penalty * np.eye(wide.shape[1])
    return np.asarray(np.linalg.solve(normal, wide.T @ scores))


def _left_out(faces: F32, scores: F64, fold: npt.NDArray[np.int_], penalty: float) -> F64:
    """Scores [N, P] of each fold as the others predict them."""
    guess = np.zeros_like(scores)
    for number in range(FOLDS):
        out = fold == number
        if not out.any() or out.all():
            continue
        middle, level = faces[~out].mean(0), scores[~out].mean(0)
        guess[out] = (faces[out] - middle) @ _ridge(
            faces[~out] - middle, scores[~out] - level, penalty
        ) + level
    return guess


def _reliable(centred: F32, held_out: F32, inside: Bools) -> F32:
    """How far each texel's regression is borne out by what was left out, float32 [M], 0..1."""
    power = np.einsum("nm,nm->m", centred, centred)
    left = centred - held_out
    gained = power - np.einsum("nm,nm->m", left, left)
    side = len(inside)
    images = []
    for values in (gained, power):
        image = np.zeros(inside.shape, np.float32)
        image[inside] = values
        images.append(cv2.GaussianBlur(image, (0, 0), SMOOTH_SHARE * side)[inside])
    share = images[0] / np.maximum(images[1], 1e-9)
    unexplained = np.sqrt(np.maximum(images[1] - images[0], 0.0))
    restless = unexplained / max(float(np.median(unexplained)), 1e-9)
    calm = (RESTLESS[1] - restless) / (RESTLESS[1] - RESTLESS[0])
    return np.asarray(np.clip(share / GOOD_SHARE, 0.0, 1.0) * np.clip(calm, 0.0, 1.0), np.float32)
