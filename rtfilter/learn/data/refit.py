"""A synthetic track as a tracker would give it: landmarks with noise, fitted by the product's `FaceFit`.

Called by `data.corpus`; `data.cache` fits real landmarks alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.face.fit import FaceFit, FaceState, IdentityState
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.face.model import MorphableModel
from rtfilter.learn.data.track import Track

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

# A tracker's error changes slowly: from frame to frame so much of it stays.
STAYS: Final = 0.7
DEPTH_NOISE: Final = 3.0  # of z, beside x and y


@dataclass(frozen=True, slots=True)
class Fitted:
    """The fit of T frames, as the arrays of a Track."""

    expression: F32
    shape_iod: F32
    neutral_iod: F32
    rotation: F32
    scale_px: F32


def fit_all(
    fit: FaceFit, points_px: Iterable[F32], time_s: Iterable[float], identity: IdentityState | None = None
) -> tuple[Fitted, IdentityState]:
    """Fit frames in order. identity: what is known of the person; it is then kept as it is, so that all
    frames have one neutral. Without it, it is learned in a first pass over the same frames."""
    points, times = list(points_px), list(time_s)
    if identity is None:
        identity = fit.first_identity()
        for one, time in zip(points, times, strict=True):
            _, identity = fit.step(identity, one, time)
    states: list[FaceState] = [fit.step(identity, one, identity.time_s)[0] for one in points]
    return Fitted(
        expression=np.array([state.expression for state in states], np.float32),
        shape_iod=np.array([state.shape_iod for state in states], np.float32),
        neutral_iod=states[0].neutral_iod.astype(np.float32),
        rotation=np.array([state.pose.rotation for state in states], np.float32),
        scale_px=np.array([state.pose.scale_px_per_iod for state in states], np.float32),
    ), identity


def observed(track: Track, model: MorphableModel, noise_iod: float, random: np.random.Generator) -> Track:
    """`track` seen with noise (standard deviation in x and y) and fitted; what it was is in its truth, as
    `exact_expression`, `exact_shape_iod` and `exact_neutral_iod`."""
    fresh = random.standard_normal((track.frames, LANDMARK_COUNT, 3))
    noise = fresh.copy()
    for frame in range(1, track.frames):
        noise[frame] = STAYS * noise[frame - 1] + np.sqrt(1.0 - STAYS**2) * fresh[frame]
    noise *= noise_iod * track.scale_px[:, None, None] * np.array([1.0, 1.0, DEPTH_NOISE])
    seen = np.einsum("tcd,tnd->tnc", track.rotation, track.shape_iod) * track.scale_px[:, None, None]
    points = (seen + noise + np.array([320.0, 240.0, 0.0])).astype(np.float32)
    fitted, _ = fit_all(FaceFit(model), points, track.time_s)
    exact = {
        "exact_expression": track.expression,
        "exact_shape_iod": track.shape_iod,
        "exact_neutral_iod": track.neutral_iod,
    }
    return replace(
        track,
        expression=fitted.expression,
        shape_iod=fitted.shape_iod,
        neutral_iod=fitted.neutral_iod,
        rotation=fitted.rotation,
        scale_px=fitted.scale_px,
        truth={**track.truth, **exact},
    )
