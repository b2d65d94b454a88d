"""The eigen-texture: a person's own skin maps, from textures with known expressions. Seconds on a processor.

The built-in maps, each scaled to what this person shows of it, are the start. What they leave is reduced to
principal components, and these are regressed on the expression. How strong the regression is, and where on
the face it is used, is decided by how well it predicts parts of the enrolment that were left out. An
expression that was rarely shown stays with the built-in maps. Called by `cli.enroll` and by the bench of
re-enactment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import MAPS_MAX, SIDE_MAX, SkinMaps
from rtfilter.profiles.guard import bound, edits_of, fade_of, trust
from rtfilter.profiles.regress import regress
from rtfilter.profiles.textures import Stack, colour_of_change, skin_likeness, smooth_functions, stack_of
from rtfilter.render.unwrap import Unwrapper

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

SIDE: Final = SIDE_MAX
LEAST_SAMPLES: Final = 12
MOST_SAMPLES: Final = 360  # more change nothing that can be seen, and cost memory
# Of the built-in maps' scale: evidence worth so many samples of typical expression says that it is 1.
PRIOR_SAMPLES: Final = 30.0
SCALE_RANGE: Final = (0.0, 1.5)
COLOUR_RANGE: Final = (0.4, 1.6)
COLOUR_PRIOR: Final = 0.5  # share of the built-in colour


class Seen(NamedTuple):
    """One frame: picture uint8 [H, W, 3], landmarks float32 [478, 3] in pixels, expression [52]."""

    rgb: U8
    points_px: F32
    expression: npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Fitted:
    """What an enrolment comes to.

    neutral: uint8 [S, S, 3], the mean texture; weight: uint8 [S, S], how well it was seen. explained: share
    of the variance of left-out parts that the maps predict. shown: float32 [52], range of each coefficient.
    covered: textures with something in front of the face. scales: of the built-in maps.
    """

    skin: SkinMaps
    neutral: U8
    weight: U8
    explained: float
    shown: F32
    covered: int
    scales: F32


def fit_person(
    frames: Iterable[Seen],
    builtin: SkinMaps | None = None,
    *,
    model: MorphableModel | None = None,
    unwrapper: Unwrapper | None = None,
) -> SkinMaps:
    """A person's skin maps from frames in order of time. Raises InputError for fewer than LEAST_SAMPLES.

    builtin: where to start; default the built-in maps.
    """
    model = model or MorphableModel.builtin()
    unwrapper = unwrapper or Unwrapper(SIDE, model.triangles)
    textures, weights, expressions = [], [], []
    for frame in frames:
        texture, weight = unwrapper.unwrap(frame.rgb, frame.points_px)
        textures.append(as_bytes(texture))
        weights.append(as_bytes(255.0 * weight))
        expressions.append(frame.expression)
    if len(textures) < LEAST_SAMPLES:
        raise InputError(f"expected at least {LEAST_SAMPLES} frames of the person, got {len(textures)}")
    return fit_textures(textures, weights, np.array(expressions), unwrapper.mask, model, builtin).skin


def as_bytes(values: F32) -> U8:
    """Values 0..255, rounded."""
    return np.asarray(np.clip(np.rint(values), 0.0, 255.0), np.uint8)


def fit_textures(
    textures: Sequence[U8],
    weights: Sequence[U8],
    expressions: npt.NDArray[np.floating[Any]],
    mask: F32,
    model: MorphableModel,
    builtin: SkinMaps | None = None,
) -> Fitted:
    """The fit of textures uint8 [S, S, 3], weights uint8 [S, S] (255 is 1) and expressions [N, 52].

    mask: of the unwrapping. All in order of time.
    """
    used = np.linspace(0, len(textures) - 1, min(len(textures), MOST_SAMPLES)).astype(int).tolist()
    pixels, seen = np.stack([textures[k] for k in used]), np.stack([weights[k] for k in used])
    shown = _range_of(expressions)
    faces = expressions[used].astype(np.float32)
    stack = stack_of(pixels, seen, mask)
    start = resized(builtin or SkinMaps.builtin(), len(mask))
    scales, by_start = _scaled(stack, faces, start, model)
    neutral, weight = _mean_texture(pixels, seen)
    bare = skin_likeness(neutral, mask)
    own = regress(faces, stack.change - by_start, stack.seen * bare[stack.inside], stack.inside)
    edits = edits_of(faces)
    trusted = trust(faces, edits) @ own.response
    trusted *= bound(stack, edits @ trusted)
    skin = mask > 0.0
    fade = fade_of(stack.inside)
    response = (start.mixing * scales[:, None]).T @ start.maps[:, skin]
    response += np.stack([(fade * bare * stack.image(row))[skin] for row in trusted])
    maps, mixing = reduced(response, _usual(model, faces))
    painted = np.zeros((len(maps), *mask.shape), np.float32)
    painted[:, skin] = maps
    predicted = by_start + own.held_out
    colour = colour_of_change(pixels, stack, predicted)
    return Fitted(
        SkinMaps(painted, mixing, _colour(colour, start.colour)),
        neutral,
        weight,
        _explained(stack, predicted),
        shown,
        stack.covered,
        scales,
    )


def reduced(response: F32, usual: F64) -> tuple[F32, F32]:
    """The response [52, M] as maps [K, M] and mixing [K, 52], K <= MAPS_MAX.

    usual: float64 [52, 52], the covariance of the expressions for which they are to be best.
    """
    power, axes = np.linalg.eigh(usual)
    root = np.sqrt(np.maximum(power, 1e-3 * power[-1]))
    weighted = ((root * axes).T).astype(np.float32) @ response
    _, vectors = np.linalg.eigh((weighted @ weighted.T).astype(np.float64))
    vectors = vectors[:, ::-1][:, :MAPS_MAX]
    maps = vectors.T.astype(np.float32) @ weighted
    peak = np.maximum(np.abs(maps).max(1, initial=0.0), 1e-9)
    mixing = peak[:, None] * ((axes / root) @ vectors).T
    return np.asarray(maps / peak[:, None], np.float32), np.asarray(mixing, np.float32)


def _usual(model: MorphableModel, faces: F32) -> F64:
    """Covariance of what talking people show and of what this person showed, in equal parts."""
    parts = (model.expression_covariance.astype(np.float64), np.cov(faces.T))
    return np.asarray(sum(part / max(float(np.trace(part)), 1e-9) for part in parts))


def resized(skin: SkinMaps, side: int) -> SkinMaps:
    """The same maps with `side` texels a side."""
    if skin.side == side or not skin.count:
        return (
            SkinMaps(np.zeros((0, side, side), np.float32), skin.mixing, skin.colour)
            if not skin.count
            else skin
        )
    maps = np.stack([cv2.resize(each, (side, side), interpolation=cv2.INTER_LINEAR) for each in skin.maps])
    return SkinMaps(maps, skin.mixing, skin.colour)


def _range_of(expressions: npt.NDArray[np.floating[Any]]) -> F32:
    low, high = np.percentile(expressions, (5.0, 95.0), axis=0)
    return np.asarray(high - low, np.float32)


def _scaled(stack: Stack, faces: F32, start: SkinMaps, model: MorphableModel) -> tuple[F32, F32]:
    """How much of each built-in map this person shows, [K], and the change [N, M] that they then predict."""
    if not start.count:
        return np.ones(0, np.float32), np.zeros_like(stack.change)
    smooth = smooth_functions(stack.inside)
    rows = start.maps[:, stack.inside]
    # The light that was taken out of the textures took the slow part of the maps with it.
    rows = rows - (smooth @ np.linalg.lstsq(smooth, rows.T, rcond=None)[0]).T
    weights = (faces - faces.mean(0)) @ start.mixing.T
    weight = stack.seen.mean(0)
    texels = (rows * weight) @ rows.T
    usual = np.sqrt(np.einsum("ki,ij,kj->k", start.mixing, model.expression_covariance, start.mixing))
    prior = np.diag(PRIOR_SAMPLES * np.square(usual) * np.diag(texels) + 1e-6)
    normal = (weights.T @ weights) * texels
    seen_change = (stack.seen * stack.change) @ rows.T
    right = np.einsum("nk,nk->k", weights, seen_change) + np.diag(prior)
    scales = np.clip(np.linalg.solve(normal + prior, right), *SCALE_RANGE).astype(np.float32)
    return scales, np.asarray((weights * scales) @ rows, np.float32)


def _colour(measured: F32, builtin: F32) -> F32:
    mixed = COLOUR_PRIOR * builtin + (1.0 - COLOUR_PRIOR) * np.clip(measured, *COLOUR_RANGE)
    return np.asarray(mixed, np.float32)


def _mean_texture(pixels: U8, seen: U8) -> tuple[U8, U8]:
    total = np.zeros(pixels.shape[1:], np.float64)
    weight = np.zeros(pixels.shape[1:3], np.float64)
    for picture, share in zip(pixels, seen, strict=True):
        total += picture * (share[..., None] / 255.0)
        weight += share / 255.0
    mean = (total / np.maximum(weight, 1e-3)[..., None]).astype(np.float32)
    mean = np.where(weight[..., None] > 0.1, mean, mean[:, ::-1])
    return as_bytes(mean), as_bytes((255.0 * np.minimum(weight, 1.0)).astype(np.float32))


def _explained(stack: Stack, predicted: F32) -> float:
    """Share of the variance that left-out parts have in common with their prediction."""
    mean = (stack.seen * stack.change).sum(0) / (stack.seen.sum(0) + 1e-3)
    change = stack.change - mean
    left = change - predicted
    power = float((stack.seen * change * change).sum())
    return 1.0 - float((stack.seen * left * left).sum()) / max(power, 1e-9)
