"""How far a person's own regression is believed, by expression and by texel. Called by `profiles.fit`."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import EMOTIONS, Controls
from rtfilter.face import emotion
from rtfilter.profiles.textures import Stack

F32 = npt.NDArray[np.float32]

# An edit goes this many times as far, in each direction of expression, as the own regression is trusted half.
# Farther, it would be extrapolated from speech that hardly moves there.
REACH: Final = 3.0
EDIT_AMOUNT: Final = 0.7
SEEN, MOST_SEEN = 0.3, 0.97  # what a texel is seen at least; the quantile of its change that is the most seen
EDGE_SHARE: Final = 4.0 / 256.0  # width of the fade at the border of the own maps, of a side


def edits_of(faces: F32) -> F32:
    """What the emotions ask of a quiet face of this person, float32 [7, 52]."""
    quiet = faces[int(np.argmin(np.square(faces).sum(1)))].astype(np.float64)
    offsets = [
        emotion.Target.of_controls(Controls({name: EDIT_AMOUNT})).offset(quiet) for name in EMOTIONS[:-1]
    ]
    return np.asarray(offsets, np.float32)


def bound(stack: Stack, asked: F32) -> F32:
    """A factor for each texel, float32 [M], 0..1, so that no emotion changes it more than was ever seen.

    asked: float32 [7, M], what the emotions would do.
    """
    change = np.abs(stack.change - np.median(stack.change, axis=0)) * (stack.seen > SEEN)
    most = np.quantile(change, MOST_SEEN, axis=0)
    share = np.minimum(most / np.maximum(np.abs(asked).max(0), 1e-6), 1.0)
    image = stack.image(share)
    known = stack.inside.astype(np.float32)
    sigma = EDGE_SHARE * len(known) / 2
    smooth = cv2.GaussianBlur(image, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(known, (0, 0), sigma), 1e-3)
    return np.asarray(smooth[stack.inside], np.float32)


def trust(faces: F32, edits: F32) -> F32:
    """How far the own regression is trusted in each direction of expression, float32 [52, 52].

    By principal direction of what was shown: its variance, against that of what edits ask for there.
    """
    shown = np.cov(faces.T)
    power, axes = np.linalg.eigh(shown)
    asked = np.square(edits @ axes).mean(0) / REACH**2
    share = np.maximum(power, 0.0) / (np.maximum(power, 0.0) + asked + 1e-6)
    return np.asarray((axes * share) @ axes.T, np.float32)


def fade_of(inside: npt.NDArray[np.bool_]) -> F32:
    """1 inside, falling to 0 at its border, float32 [S, S]: the person's own maps have no edge."""
    distance = cv2.distanceTransform(np.pad(inside.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    share = np.clip(distance / (EDGE_SHARE * len(inside)), 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share), np.float32)
