"""points.cu in plain NumPy, for tests and to read beside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


def points(
    landmarks: F32, presence: F32, picture_from_crop: F64, z_scale: float, threshold: float
) -> tuple[F64, F64]:
    """Landmarks [B, N, 3] in the picture, all matrices alike, and float64 [B] whether there is a face."""
    moved = np.einsum("rc,bnc->bnr", picture_from_crop[:, :2], landmarks[:, :, :2].astype(np.float64))
    moved = moved + picture_from_crop[:, 2]
    out = np.concatenate([moved, landmarks[:, :, 2:].astype(np.float64) * z_scale], axis=2)
    whole = (np.abs(np.nan_to_num(out, nan=np.inf)) < 1e9).all((1, 2))
    out[~whole] = 0.0
    return out, (whole & (presence >= threshold)).astype(np.float64)
