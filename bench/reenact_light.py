"""Shading by normals: what a change of expression does to the light on skin, first-order spherical harmonics.

A stage of `bench reenact`. After Ramamoorthi and Hanrahan 2001: the light that a matt surface sends back is
`ambient + direction . normal`, four numbers. An edit turns normals; to first order by `basis . offset`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.face import landmarks as lm
from rtfilter.face.dense import DenseFace
from rtfilter.face.fit import FaceState
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

STEP: Final = 0.5  # of a coefficient, for the derivative of normals
LIMIT_LOG: Final = 0.35
DARKEST: Final = 0.1  # of the median shading: skin in the shadow is not lit by dividing
PATCH_IOD: Final = 0.03  # over which a landmark's luma is averaged
LEAST_FACING: Final = 0.15  # cosine to the line of sight; what is turned further away is not measured
ROBUST_STEPS: Final = 4
RIDGE: Final = 1e-3
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
_BROWS: Final = (
    *(*lm.BROW_RIGHT_UPPER, *lm.BROW_LEFT_UPPER),
    *(46, 53, 52, 65, 55, 276, 283, 282, 295, 285),
)


@lru_cache(maxsize=1)
def normal_basis() -> tuple[F64, F64]:
    """Unit normals of the mean face at the landmarks, float64 [468, 3], and their change with each
    coefficient, float64 [52, 468, 3], in the head frame; of the dense face, whose first vertices they are."""
    dense = DenseFace.builtin()
    rest = dense.normals_of(dense.mean_iod)[: lm.SURFACE_COUNT].astype(np.float64)
    basis = np.empty((BLENDSHAPE_COUNT, lm.SURFACE_COUNT, 3))
    for index, moved in enumerate(dense.expression_basis):
        turned = dense.normals_of(np.asarray(dense.mean_iod + STEP * moved, np.float32))
        basis[index] = (turned[: lm.SURFACE_COUNT] - rest) / STEP
    return rest, basis


@lru_cache(maxsize=1)
def bare_skin() -> npt.NDArray[np.int64]:
    """Landmarks on skin: neither lips, lids nor brows."""
    lips = {index for name, rows in vars(lm).items() if name.startswith("LIPS_") for index in rows}
    eyes = {index for name, rows in vars(lm).items() if name.startswith("EYE_") for index in np.ravel(rows)}
    return np.array(sorted(set(range(lm.SURFACE_COUNT)) - lips - eyes - set(_BROWS)), np.int64)


def luma_at(rgb: U8, points_px: F64, iod_px: float) -> F64:
    """Encoded luma 0..1 around landmarks [N, 2+], float64 [N]."""
    soft = cv2.GaussianBlur(rgb.astype(np.float32) @ _LUMA, (0, 0), max(PATCH_IOD * iod_px, 0.8))
    x, y = (np.ascontiguousarray(points_px[:, k, None], np.float32) - np.float32(0.5) for k in (0, 1))
    found = cv2.remap(soft, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found[:, 0], np.float64) / 255.0


def normals_of(face: FaceState) -> F64:
    """Normals at the landmarks in the camera's frame, float64 [468, 3]; not quite of unit length."""
    rest, basis = normal_basis()
    return np.asarray((rest + np.einsum("e,enc->nc", face.expression, basis)) @ face.pose.rotation.T)


def estimate(rgb: U8, face: FaceState) -> F64:
    """Light float64 [4] in the camera's frame: ambient and direction, of encoded luma 0..1.

    Robust least squares over bare skin that faces the camera.
    """
    normals, skin = normals_of(face), bare_skin()
    luma = luma_at(rgb, face.pose.project(face.shape_iod)[: lm.SURFACE_COUNT], face.pose.scale_px_per_iod)
    skin = skin[normals[skin, 2] < -LEAST_FACING]
    rows = np.concatenate([np.ones((len(skin), 1)), normals[skin]], axis=1)
    ridge = RIDGE * len(skin) * np.diag([0.0, 1.0, 1.0, 1.0])
    weights, light = np.ones(len(skin)), np.zeros(4)
    for _ in range(ROBUST_STEPS):
        light = np.linalg.solve((rows.T * weights) @ rows + ridge, (rows.T * weights) @ luma[skin])
        off = luma[skin] - rows @ light
        scale = 2.0 * 1.48 * float(np.median(np.abs(off))) + 1e-6
        weights = 1.0 / (1.0 + np.square(off / scale))
    return np.asarray(light)


def gain_log(light: F64, face: FaceState, offset: F64, strength: float) -> F32:
    """Log gain float32 [478] at the landmarks that an offset [52] makes under a light [4]; irises get 0."""
    _, basis = normal_basis()
    before = light[0] + normals_of(face) @ light[1:]
    turned = np.einsum("e,enc->nc", offset, basis) @ face.pose.rotation.T
    least = max(DARKEST * float(np.median(before)), 1e-3)
    after = np.maximum(before + strength * (turned @ light[1:]), least)
    gain = np.zeros(lm.LANDMARK_COUNT, np.float32)
    gain[: lm.SURFACE_COUNT] = np.clip(np.log(after / np.maximum(before, least)), -LIMIT_LOG, LIMIT_LOG)
    return gain
