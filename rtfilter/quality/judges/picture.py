"""`PictureInput`: how a network takes its picture, read from its tensor. Called by the judges."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError
from rtfilter.quality.judges.card import Card
from rtfilter.quality.judges.network import Network, Tensor

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

_EXPECTED = "expected one square picture, [1, 1 or 3, side, side] or [1, side, side, 1 or 3]"


@dataclass(frozen=True, slots=True)
class PictureInput:
    """side_px: of the square picture; channels: 1 (grey) or 3; channels_first: NCHW rather than NHWC."""

    side_px: int
    channels: int
    channels_first: bool
    card: Card

    @classmethod
    def of(cls, network: Network, card: Card) -> PictureInput:
        """How `network`, which has one input, takes pictures. Raises InputError: it takes something else."""
        if len(network.inputs) != 1:
            names = ", ".join(f"{one.name} {shown(one)}" for one in network.inputs)
            raise InputError(
                f"{network.name} has {len(network.inputs)} inputs ({names}); {_EXPECTED}: give a "
                "network that takes a picture alone"
            )
        shape = network.inputs[0].shape
        layout = _layout(shape)
        if layout is None or shape[0] not in (1, None):
            raise InputError(
                f"{network.name} takes {shown(network.inputs[0])}; {_EXPECTED}: export it with such an input"
            )
        first, (height, width) = layout
        height, width = height or card.size_px, width or card.size_px
        if not height or not width:
            raise InputError(
                f"{network.name} leaves the size of its picture free: write "
                f'{{"size_px": SIDE}} into {network.name}.json'
            )
        if height != width:
            raise InputError(
                f"{network.name} takes a picture of {width}x{height}; {_EXPECTED}: export it with "
                "such an input"
            )
        channels = shape[1] if first else shape[3]
        assert channels is not None
        if len(card.mean) > channels:
            raise InputError(
                f"{network.name}.json gives mean and std of {len(card.mean)} channels, and the network has "
                f"{channels}: give one number each"
            )
        if network.inputs[0].dtype.kind in "iu" and not network.inputs[0].step:
            card = replace(card, low=0.0, high=255.0, mean=(), std=())  # bytes without a scale: pixels
        return cls(height, channels, first, card)

    def values(self, crop: U8) -> F32:
        """A crop, uint8 RGB [side, side, 3], as the network takes it without its batch: float32 [C, H, W] or
        [H, W, C], in the card's range and order of channels."""
        seen = crop
        if self.channels == 1 or self.card.grey:
            seen = np.repeat(_grey(crop), self.channels, 2)
        scaled = self.card.values(seen)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1) if self.channels_first else scaled)


def shown(tensor: Tensor) -> str:
    """A tensor's type and shape, as a message shows them; `?` is free."""
    return f"{tensor.dtype} [{', '.join('?' if size is None else str(size) for size in tensor.shape)}]"


def _layout(shape: tuple[int | None, ...]) -> tuple[bool, tuple[int | None, int | None]] | None:
    """Whether channels come first, and (height, width); None where it is no picture."""
    if len(shape) != 4:
        return None
    if shape[1] in (1, 3) and shape[3] not in (1, 3):
        return True, (shape[2], shape[3])
    if shape[3] in (1, 3) and shape[1] not in (1, 3):
        return False, (shape[1], shape[2])
    return None


def _grey(crop: U8) -> U8:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
