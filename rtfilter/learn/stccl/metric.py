"""`Metric`: the trained correlation network as a loss and as a measure, frozen.

Called by `learn.editor`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from rtfilter.errors import UsageError
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.learn.stccl import losses, weights
from rtfilter.learn.stccl.network import KINDS, CorrelationNetwork
from rtfilter.learn.stccl.settings import FRAMES_APART, WINDOW

BUILTIN: Final = "builtin"
# Frames between the windows that a clip is cut into: neighbouring windows share one frame.
STRIDE: Final = WINDOW - 1


class Metric(nn.Module):
    """A frozen correlation metric over mesh motion: low where an edited face moves as its source says.

    It compares the *pattern* of motion, not its size: keep another loss for amplitude and closures.
    """

    def __init__(self, network: CorrelationNetwork) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    @classmethod
    def load(cls, path: Path | str = BUILTIN) -> Metric:
        """A saved metric, or a committed one: `builtin` (VD), `builtin-cm`. Raises InputError, UsageError."""
        if str(path) in (BUILTIN, f"{BUILTIN}-cm"):
            file = "metric_cm.npz" if str(path).endswith("-cm") else "metric_vd.npz"
            asset = resources.files("rtfilter.learn.stccl").joinpath("assets", file)
            network, form = weights.parse(asset.read_bytes(), f"the built-in metric {file}")
        else:
            network, form = weights.load(Path(path))
        if form.signal != "mesh":
            raise UsageError(
                f"{path}: compares images ({form.signal}); an editor of meshes needs signal = mesh"
            )
        return cls(network)

    def loss(
        self,
        edited_motion: Tensor,
        source_motion: Tensor,
        *,
        kinds: Sequence[str] = KINDS,
        adaptive: bool = True,
    ) -> Tensor:
        """spatial + 5 x temporal, the mean of the levels; differentiable in `edited_motion` alone.

        edited_motion, source_motion: float [B, T, 478, 3], T >= 9, displacements from the person's neutral in
        the head frame, IOD, frame by frame. kinds: of space and time, what counts. adaptive: whether hard
        elements count more. With CM, B x T must make at least two windows of 9 frames.

        The edited face is q, the source the fixed target k: no gradient reaches the source.
        """
        edited, source = windows(edited_motion), windows(source_motion.detach())
        if self.network.variant == "cm" and len(edited) < 2:
            raise ValueError("CM tells moments apart: give at least two windows of 9 frames, or two clips")
        found = self.network.losses(edited, source, adaptive=adaptive, stride=FRAMES_APART, kinds=kinds)
        parts = {kind: each.mean() for kind, each in found.items()}
        zero = edited_motion.new_zeros(())
        return losses.joint(parts.get("space", zero), parts.get("time", zero))

    def similarity(self, edited_motion: Tensor, source_motion: Tensor) -> dict[str, Tensor]:
        """Mean cosine by kind and level, float [B, windows, L] each; 1 is full agreement."""
        batch = len(edited_motion)
        found = self.network.scores(windows(edited_motion), windows(source_motion))
        return {kind: each.reshape(batch, -1, each.shape[-1]) for kind, each in found.items()}


def windows(motion: Tensor) -> Tensor:
    """[B, T, 478, 3] cut into windows [B x W, 9, 478, 3]; a rest shorter than a step is left out."""
    if motion.ndim != 4 or tuple(motion.shape[2:]) != (LANDMARK_COUNT, 3) or motion.shape[1] < WINDOW:
        wanted = f"[B, T >= {WINDOW}, {LANDMARK_COUNT}, 3]"
        raise ValueError(f"motion: expected {wanted}, got {list(motion.shape)}")
    cut = motion.unfold(1, WINDOW, STRIDE)  # [B, W, 478, 3, 9]
    return cut.permute(0, 1, 4, 2, 3).flatten(0, 1)


def motion_of(shape_iod: Tensor, neutral_iod: Tensor) -> Tensor:
    """Displacement from the neutral: [..., T, 478, 3] and [..., 478, 3] to [..., T, 478, 3]."""
    moved: Tensor = torch.sub(shape_iod, neutral_iod.unsqueeze(-3))
    return moved
