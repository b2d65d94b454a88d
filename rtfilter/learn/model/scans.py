"""ICT-FaceKit light as arrays: a head of light-stage scans with identity modes and FACS shapes.

Licence: MIT, USC Institute for Creative Technologies. Called by `learn.model.binding` and
`learn.model.rigging`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPES
from rtfilter.errors import InputError

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]

FACE = slice(0, 9409)  # skin of the face, without ears' backs, neck and scalp
IDENTITY_VERTICES = 11248  # the first ones, which the identity modes move
EYEBALLS = slice(21451, 24591)
HEAD_FROM_SCAN = np.array([1.0, -1.0, -1.0])  # x to the subject's left; then y up to down, z forward to back
OUTER_CORNERS = (36, 45)  # of the 68 landmarks
MIRROR_IOD = 2e-3
# The scans' eyes do not turn with the lids. These turns at coefficient 1, in degrees, give an iris a way of
# 0.06 IOD to the side and 0.04 up or down, what people do who look as far as they comfortably can.
GAZE_DEG = {"In": (25.0, 0.0), "Out": (25.0, 0.0), "Up": (0.0, 17.0), "Down": (0.0, 17.0)}
# Shapes of other names. The scans' own cheek squint hardly moves; the cheek raiser is action unit 6.
SOURCES = {
    "browInnerUp": ("browInnerUp_L", "browInnerUp_R"),
    "cheekPuff": ("cheekPuff_L", "cheekPuff_R"),
    "cheekSquintLeft": ("cheekRaiser_L",),
    "cheekSquintRight": ("cheekRaiser_R",),
    "tongueOut": (),
}
ARRAYS = (
    "neutral", "faces", "uv", "faces_uv", "identity", "expression", "expression_names", "landmarks68",
)  # fmt: skip


@dataclass(frozen=True)
class Scans:
    """Vertices in the head frame's axes and in inter-ocular distances of the scans' own mean.

    neutral: float64 [V, 3]. quads: int32 [Q, 4], -1 last where it is a triangle; quads_uv: the same in `uv`
    [*, 2]. identity: float64 [100, 11248, 3], at one standard deviation. expression: float64 [52, V, 3], in
    the order of BLENDSHAPES. landmarks68: int32 [68], Multi-PIE's order.
    """

    neutral: F64
    quads: I32
    uv: F64
    quads_uv: I32
    identity: F64
    expression: F64
    landmarks68: I32

    @cached_property
    def mirror(self) -> I32:
        """The vertex [V] that mirrors each one of the face and of the eyeballs; the others are their own."""
        index = np.arange(len(self.neutral), dtype=np.int32)
        for part in (FACE, EYEBALLS):  # apart: lacrimal vertices lie on those of the lids
            own = self.neutral[part]
            distance, nearest = cKDTree(own * (-1, 1, 1)).query(own)
            if distance.max() > MIRROR_IOD:
                raise InputError("the scans' mean face is not symmetric: expected ICT-FaceKit's neutral")
            index[part] = part.start + nearest
        return index


def load_scans(path: Path) -> Scans:
    """The scans of a file (arrays: docs/face-model.md). Raises InputError."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in ARRAYS}
    except (OSError, KeyError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path}: not ICT-FaceKit as arrays ({error}); expected an .npz with {', '.join(ARRAYS)}"
        ) from error
    neutral = arrays["neutral"].astype(np.float64)
    marks = arrays["landmarks68"].astype(np.int32)
    right, left = (neutral[marks[corner]] for corner in OUTER_CORNERS)
    unit = HEAD_FROM_SCAN / float(np.linalg.norm(left - right))
    names = [str(name) for name in arrays["expression_names"]]
    expression = np.zeros((BLENDSHAPE_COUNT, *neutral.shape))
    for index, name in enumerate(BLENDSHAPES):
        theirs = name.removesuffix("Left") + "_L" if name.endswith("Left") else name
        theirs = name.removesuffix("Right") + "_R" if name.endswith("Right") else theirs
        for source in SOURCES.get(name, (theirs if theirs in names else name,)):
            if source not in names:
                raise InputError(f"{path}: no shape {source!r} for {name}: expected ICT-FaceKit's 57 shapes")
            expression[index] += arrays["expression"][names.index(source)] * unit
    for name, turned in gaze(neutral * unit).items():
        expression[BLENDSHAPES.index(name)] += turned
    return Scans(
        neutral=neutral * unit,
        quads=arrays["faces"].astype(np.int32),
        uv=arrays["uv"].astype(np.float64),
        quads_uv=arrays["faces_uv"].astype(np.int32),
        identity=arrays["identity"].astype(np.float64) * unit,
        expression=expression,
        landmarks68=marks,
    )


def gaze(neutral: F64) -> dict[str, F64]:
    """Displacements [V, 3] of the eyeballs by the name of a gaze, turned about their centres."""
    moved = {}
    balls = np.arange(EYEBALLS.start, EYEBALLS.stop)
    for name, (across_deg, along_deg) in GAZE_DEG.items():
        for side, sign in (("Left", 1), ("Right", -1)):
            ball = balls[neutral[balls, 0] * sign > 0]
            centre = 0.5 * (neutral[ball].max(0) + neutral[ball].min(0))
            across = np.radians(across_deg) * sign * (-1 if name == "In" else 1)
            along = np.radians(along_deg) * (-1 if name == "Up" else 1)
            # z is away from the camera: a pupil lies at -z of its centre.
            x, y, z = (neutral[ball] - centre).T
            x, z = np.cos(across) * x - np.sin(across) * z, np.sin(across) * x + np.cos(across) * z
            y, z = np.cos(along) * y - np.sin(along) * z, np.sin(along) * y + np.cos(along) * z
            shape = np.zeros_like(neutral)
            shape[ball] = np.stack([x, y, z], axis=1) + centre - neutral[ball]
            moved[f"eyeLook{name}{side}"] = shape
    return moved


def triangles_of(quads: I32) -> I32:
    """Triangles [T, 3] of quads [Q, 4]."""
    first, second = quads[:, :3], quads[:, [0, 2, 3]]
    return np.concatenate([first, second[quads[:, 3] >= 0]])


def edges_of(quads: I32) -> I32:
    """Every edge [E, 2] of quads [Q, 4] once, smaller index first."""
    rings = [np.stack([quad, np.roll(quad, -1)], axis=1) for quad in (row[row >= 0] for row in quads)]
    return np.asarray(np.unique(np.sort(np.concatenate(rings), axis=1), axis=0), np.int32)
