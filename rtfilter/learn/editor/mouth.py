"""The mouth guard in PyTorch, and what a change of coefficients does to the lips and to the whole face.

`face.mouth.MouthGuard` is the reference; the constants are its own. Called by `editor.losses` and `train`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.face import landmarks as lm
from rtfilter.face.model import MorphableModel
from rtfilter.face.mouth import CLOSURE_STEPS, OPEN_SHARE, MouthGuard

F64 = npt.NDArray[np.float64]


class Mouth(nn.Module):
    """Constants of one face model, as buffers; float32.

    basis: [52, 1434]. gaps: [52, 9], change of the inner-lip gaps, IOD. width: [52], of the distance of the
    mouth's corners. gram: [52, 52], d gram d is the mean square of a landmark's displacement, IOD^2.
    """

    basis: Tensor
    gaps: Tensor
    width: Tensor
    gram: Tensor
    rows: Tensor
    restore: Tensor
    gap_rows: Tensor
    repair: Tensor

    def __init__(self, model: MorphableModel) -> None:
        super().__init__()
        guard = MouthGuard(model)
        basis = model.expression_basis.astype(np.float64)
        flat = basis.reshape(BLENDSHAPE_COUNT, -1)
        width = basis[:, lm.MOUTH_CORNER_LEFT, 0] - basis[:, lm.MOUTH_CORNER_RIGHT, 0]
        for name, array in (
            ("basis", flat),
            ("gaps", guard.gap_rows.T),
            ("width", width),
            ("gram", flat @ flat.T / lm.LANDMARK_COUNT),
            ("rows", guard.rows),
            ("restore", guard.restore),
            ("gap_rows", guard.gap_rows),
            ("repair", guard.repair),
        ):
            self.register_buffer(name, torch.tensor(array, dtype=torch.float32), persistent=False)

    def guard(self, target: Tensor, openness: Tensor, gaps_iod: Tensor, mouth: Tensor) -> Tensor:
        """`MouthGuard.solve`, differentiable in `target`.

        target: [..., 52]. openness: [..., 2, R], `Lips.openness`. gaps_iod: [..., 9]. mouth: [...].
        """
        speech, (raised, lowered) = target @ self.rows.T, openness.unbind(-2)
        permitted = raised * speech.clamp_min(0.0) + lowered * speech.clamp_max(0.0)
        offset = target - (speech - (1.0 - mouth[..., None]) * permitted) @ self.restore.T
        bound = OPEN_SHARE * gaps_iod.clamp_min(0.0)
        for _ in range(CLOSURE_STEPS):
            change = offset @ self.gap_rows.T
            offset = offset - (change - change.clamp(-bound, bound)) @ self.repair.T
        return offset

    def motion(self, offset: Tensor) -> Tensor:
        """Displacement of the landmarks [..., 478, 3] in IOD, for coefficients [..., 52]."""
        return (offset @ self.basis).reshape(*offset.shape[:-1], lm.LANDMARK_COUNT, 3)

    def distance(self, difference: Tensor) -> Tensor:
        """Root mean square displacement of a landmark, IOD [...]; smooth at 0."""
        square = ((difference @ self.gram) * difference).sum(-1)
        return (square.clamp_min(0.0) + 1e-8).sqrt()
