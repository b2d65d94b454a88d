"""A stack of one person's textures as logs of brightness, with the light taken out. Called by `profiles.fit`.

Light is what changes slowly over the face: exposure and a few smooth functions of the place, fitted to each
frame. What is left is skin: the person's neutral, and what expressions do to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm
from rtfilter.face.uv import skin_uv

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

LUMA: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)
DARKEST: Final = 12.0  # of 255: what is darker counts as this, so that noise in shadows has no large log
# The mask of the unwrapping fades at the face's outline; beyond this share there is hair and wall as well.
MASK_SHARE: Final = 0.5
MASK_ERODED: Final = 5  # texels at 256
SEEN_SHARE: Final = 0.3  # a texel that is seen less is filled from the other side
MIRRORED_SHARE: Final = 0.5  # what such a fill counts
LIGHT_STEPS: Final = 3  # of reweighting
LIGHT_RIDGE: Final = 1e-3
# A block of 16 x 16 texels whose brightness is this far off what it is in the other frames is covered by
# something: in logs, and in robust standard deviations.
COVERED_LOG, COVERED_SIGMAS, BLOCK = 0.45, 6.0, 16
# What skin is, by its colour and brightness against the cheeks' (logs): as far as the second number it counts
# whole, from the first on not at all. Hair, brows, lips, lashes and walls move, and have no folds.
OFF_COLOUR, OFF_BRIGHTNESS, OFF_AROUND = (0.45, 0.30), (1.3, 1.0), (0.42, 0.27)
# Brows move further than the landmarks around them tell: skin that their hair sweeps over would flash.
SWEPT_SHARE: Final = 6.0 / 256.0
NEAR_SHARE, AROUND_SHARE = (
    1.5 / 256.0,
    14.0 / 256.0,
)  # how far texels are averaged, and their surroundings: of a side
CHEEKS: Final = (
    (0.43, 0.59, 0.23, 0.39),
    (0.43, 0.59, 0.61, 0.77),
)  # top, bottom, left, right: shares of a side


@dataclass
class Stack:
    """N textures of one person, the M texels of the mask of each.

    inside: bool [S, S], the mask. change: float32 [N, M], log brightness less light less `neutral`. seen:
    float32 [N, M], 0..1. neutral: float32 [M]. covered: how many textures had something in front of the face.
    """

    inside: Bools
    change: F32
    seen: F32
    neutral: F32
    covered: int

    def image(self, values: F32) -> F32:
        """Values [M] as a texture float32 [S, S], 0 outside."""
        out = np.zeros(self.inside.shape, np.float32)
        out[self.inside] = values
        return out


def skin_inside(mask: F32) -> Bools:
    """The texels, bool [S, S], of an unwrapping's mask that are surely skin; the same on both sides."""
    width = max(1, round(MASK_ERODED * len(mask) / 256))
    inside = cv2.erode((mask > MASK_SHARE).astype(np.uint8), np.ones((width, width), np.uint8)) > 0
    both: Bools = inside & inside[:, ::-1]
    return both


def smooth_functions(inside: Bools) -> F32:
    """The functions of the place that light may follow, float32 [M, 6]: up to second order."""
    rows, columns = np.nonzero(inside)
    side = len(inside)
    u, v = (columns + 0.5) / side - 0.5, (rows + 0.5) / side - 0.5
    return np.asarray(np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], 1), np.float32)


def stack_of(textures: U8, weights: U8, mask: F32) -> Stack:
    """The stack of textures uint8 [N, S, S, 3] with weights uint8 [N, S, S] (255 is 1)."""
    inside = skin_inside(mask)
    bright = np.log(np.maximum(textures[:, inside].astype(np.float32) @ LUMA, DARKEST))
    seen = weights[:, inside].astype(np.float32) / 255.0
    smooth = smooth_functions(inside)
    neutral = _mean(bright, seen)
    _without_light(bright, seen, neutral, smooth)
    stack = Stack(inside, bright, seen, neutral, 0)
    stack.covered = _uncover(stack)
    stack.neutral = _mean(bright, stack.seen)
    stack.change -= stack.neutral
    _mirror(stack)
    return stack


def colour_of_change(textures: U8, stack: Stack, predicted: F32) -> F32:
    """How much each channel takes part in a change of brightness, float32 [3]; 1 is as much as brightness.

    predicted: float32 [N, M], the change that is to be painted.
    """
    weights = stack.seen * predicted
    power = float((weights * predicted).sum())
    pixels = np.maximum(textures[:, stack.inside].astype(np.float32), DARKEST)
    bright = np.log(np.maximum(pixels @ LUMA, DARKEST))
    shares = np.ones(3, np.float32)
    for channel in range(3):
        ratio = np.log(pixels[..., channel]) - bright
        ratio -= (stack.seen * ratio).sum(1, keepdims=True) / (stack.seen.sum(1, keepdims=True) + 1e-3)
        ratio -= _mean(ratio, stack.seen)
        shares[channel] += float((weights * ratio).sum()) / max(power, 1e-6)
    return shares


def skin_likeness(neutral: U8, mask: F32) -> F32:
    """How surely each texel of a mean texture uint8 [S, S, 3] is bare skin, float32 [S, S], 0..1."""
    side = len(mask)
    known = (mask > 0.05).astype(np.float32)
    logs = np.log(neutral.astype(np.float32) + 4.0)
    bright = logs @ LUMA
    colour = logs[..., ::2] - logs[..., 1:2]
    cheeks = np.zeros(mask.shape, bool)
    for top, bottom, left, right in CHEEKS:
        cheeks[round(top * side) : round(bottom * side), round(left * side) : round(right * side)] = True
    cheeks &= mask > MASK_SHARE
    near = _blurred(np.dstack([colour, bright]), known, NEAR_SHARE * side)
    usual = np.median(near[cheeks], axis=0)
    around = _blurred(bright[..., None], known, AROUND_SHARE * side)[..., 0]
    likely = _within(np.linalg.norm(near[..., :2] - usual[:2], axis=2), OFF_COLOUR)
    likely *= _within(np.maximum(usual[2] - near[..., 2], 0.0), OFF_BRIGHTNESS)
    likely *= _within(np.maximum(around - near[..., 2], 0.0), OFF_AROUND)
    sure = cv2.erode(likely * known, np.ones((3, 3), np.uint8)) * (1.0 - brows(side))
    return np.asarray(cv2.GaussianBlur(sure, (0, 0), NEAR_SHARE * side) * known, np.float32)


@lru_cache(maxsize=2)
def brows(side: int) -> F32:
    """Both brows and what their hair sweeps over, float32 [side, side], 0..1."""
    mask = np.zeros((side, side), np.uint8)
    uv = skin_uv()
    for upper, lower in (
        (lm.BROW_RIGHT_UPPER, lm.BROW_RIGHT_LOWER),
        (lm.BROW_LEFT_UPPER, lm.BROW_LEFT_LOWER),
    ):
        corners = np.rint(uv[[*upper, *lower]] * side - 0.5).astype(np.int32)
        cv2.fillConvexPoly(mask, cv2.convexHull(corners), (255,))
    reach = 2 * round(SWEPT_SHARE * side) + 1
    grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), SWEPT_SHARE * side / 3) / 255.0, np.float32)


def _within(off: F32, limits: tuple[float, float]) -> F32:
    return np.asarray(np.clip((limits[0] - off) / (limits[0] - limits[1]), 0.0, 1.0), np.float32)


def _blurred(values: F32, known: F32, sigma: float) -> F32:
    """Values [S, S, C] averaged over what is known around each texel."""
    total = cv2.GaussianBlur(values * known[..., None], (0, 0), sigma).reshape(values.shape)
    return np.asarray(total / np.maximum(cv2.GaussianBlur(known, (0, 0), sigma), 1e-3)[..., None], np.float32)


def _mean(values: F32, weights: F32) -> F32:
    total = np.einsum("nm,nm->m", weights, values)
    return np.asarray(total / (weights.sum(0) + 1e-3), np.float32)


def _without_light(bright: F32, seen: F32, neutral: F32, smooth: F32) -> None:
    """Take the light of each frame out of `bright`, in place: reweighted least squares against the mean."""
    for row, weight in zip(bright, seen, strict=True):
        off = row - neutral
        counted = weight.copy()
        light = np.zeros_like(row)
        for _ in range(LIGHT_STEPS):
            weighted = smooth * counted[:, None]
            normal = weighted.T @ smooth + LIGHT_RIDGE * np.eye(smooth.shape[1], dtype=np.float32)
            light = smooth @ np.linalg.solve(normal, weighted.T @ off)
            left = off - light
            scale = 3.0 * float(np.median(np.abs(left))) + 1e-3
            counted = weight / (1.0 + np.square(left / scale))
        row -= light


def _uncover(stack: Stack) -> int:
    """Weight 0 for blocks in which something is in front of the face; in how many textures."""
    side = len(stack.inside)
    coarse = max(1, side // BLOCK)
    share = cv2.resize(stack.inside.astype(np.float32), (coarse, coarse), interpolation=cv2.INTER_AREA)
    off = stack.change - stack.neutral
    blocks = np.stack(
        [cv2.resize(stack.image(row), (coarse, coarse), interpolation=cv2.INTER_AREA) for row in off]
    ) / np.maximum(share, 0.2)
    middle = np.median(blocks, axis=0)
    spread = 1.4826 * np.median(np.abs(blocks - middle), axis=0)
    covered = np.abs(blocks - middle) > np.maximum(COVERED_SIGMAS * spread, COVERED_LOG)
    found = np.flatnonzero(covered.any((1, 2)))
    for number in found:
        grown = cv2.dilate(covered[number].astype(np.uint8), np.ones((3, 3), np.uint8))
        hidden = cv2.resize(grown, (side, side), interpolation=cv2.INTER_NEAREST)
        stack.seen[number] *= hidden[stack.inside] == 0
    return len(found)


def _mirror(stack: Stack) -> None:
    """Fill the change of texels that a frame does not show from the other side of the face, in place."""
    for number in np.flatnonzero((stack.seen < SEEN_SHARE).any(1)):
        change, seen = stack.change[number], stack.seen[number]
        other_change = stack.image(change)[:, ::-1][stack.inside]
        other_seen = stack.image(seen)[:, ::-1][stack.inside]
        unseen = seen < SEEN_SHARE
        known = unseen & (other_seen >= SEEN_SHARE)
        change[known] = other_change[known]
        seen[known] = MIRRORED_SHARE * other_seen[known]
        change[unseen & ~known] = 0.0
        seen[unseen & ~known] = 0.0
