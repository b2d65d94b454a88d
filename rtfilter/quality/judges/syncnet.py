"""`SyncNetwork`: a SyncNet-like pair of encoders in one ONNX file or two. Called by `judges.sync`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, UsageError
from rtfilter.quality.judges.card import Card, read_card
from rtfilter.quality.judges.network import Network, Tensor, open_network
from rtfilter.quality.judges.picture import shown
from rtfilter.quality.judges.sound import COEFFICIENTS

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

WINDOW: Final = 5  # pictures
SOUND_STEPS: Final = 20  # of 10 ms
# BGR 0..255, in the square that SyncNet's crop of a detector's box comes to: from the brows to the throat.
DEFAULT_CARD: Final = Card(low=0.0, high=255.0, bgr=True, side_iod=2.5, down_iod=0.75)

_LIPS = "five mouth pictures, [1, 3, 5, side, side] or [1, 5, 3, side, side]"
_SOUND = "20 steps of 13 MFCCs, [1, 1, 13, 20] or [1, 13, 20]"


class SyncNetwork:
    """Embeddings of five mouth pictures and of 0.2 s of sound.

    Args:
        paths: one file with both inputs and both outputs, the lips' output first; or one with the lips'
            encoder and one with the sound's, in any order.

    Raises:
        InputError: other inputs, or embeddings of two lengths. UsageError: not one file or two.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        if not 1 <= len(paths) <= 2:
            raise UsageError(
                f"--sync-judge: {len(paths)} files, expected one network, or two: of lips and of sound"
            )
        networks = [open_network(path) for path in paths]
        self.name = " + ".join(path.name for path in paths)
        places = [(network, at) for network in networks for at in range(len(network.inputs))]
        lips = [place for place in places if len(place[0].inputs[place[1]].shape) == 5]
        sound = [place for place in places if place not in lips]
        if len(lips) != 1 or len(sound) != 1:
            found = ", ".join(shown(network.inputs[at]) for network, at in places)
            raise InputError(f"{self.name} takes {found}; expected {_LIPS}, and {_SOUND}: export it so")
        (self._lips, _), (self._sound, _) = lips[0], sound[0]
        self.card = read_card(Path(self._lips.name), DEFAULT_CARD)
        self.side_px, self._time_first = _lips_layout(lips[0][0].inputs[lips[0][1]], self.card, self.name)
        self._sound_shape = _sound_layout(sound[0][0].inputs[sound[0][1]], self.name)
        self._lips_first = lips[0][1] == 0
        seen = self.lips([self.picture(np.zeros((self.side_px, self.side_px, 3), np.uint8))] * WINDOW)
        heard = self.sound(np.zeros((SOUND_STEPS, COEFFICIENTS)))
        if seen.shape != heard.shape:
            raise InputError(
                f"{self.name} gives {seen.size} numbers for lips and {heard.size} for sound, expected as many"
                ": give the two halves of one network"
            )

    def picture(self, crop: U8) -> F32:
        """A crop, uint8 RGB [side, side, 3], as the network takes one of five: float32 [3, side, side]."""
        return np.ascontiguousarray(self.card.values(crop).transpose(2, 0, 1))

    def lips(self, pictures: Sequence[F32]) -> F64:
        """The embedding of five of `picture`."""
        axis = 0 if self._time_first else 1
        return self._run(self._lips, np.stack(pictures, axis)[None], lips=True)

    def sound(self, steps: F64) -> F64:
        """The embedding of MFCCs [20, 13]."""
        turned = steps.T if self._sound_shape[-1] == SOUND_STEPS else steps
        return self._run(self._sound, turned.astype(np.float32).reshape(self._sound_shape), lips=False)

    def _run(self, network: Network, values: F32, lips: bool) -> F64:
        if self._lips is not self._sound:
            return np.asarray(network.run(values)[0], np.float64).ravel()
        # One file: the other input is fed with zeros, and its output left aside.
        other = self._zeros_for_sound() if lips else self._zeros_for_lips()
        first = lips == self._lips_first
        outputs = network.run(*((values, other) if first else (other, values)))
        if len(outputs) != 2:
            raise InputError(
                f"{self.name} gives {len(outputs)} outputs, expected two embeddings, the lips' first"
            )
        return np.asarray(outputs[0 if lips else 1], np.float64).ravel()

    def _zeros_for_sound(self) -> F32:
        return np.zeros(self._sound_shape, np.float32)

    def _zeros_for_lips(self) -> F32:
        side = self.side_px
        shape = (1, WINDOW, 3, side, side) if self._time_first else (1, 3, WINDOW, side, side)
        return np.zeros(shape, np.float32)


def _lips_layout(tensor: Tensor, card: Card, name: str) -> tuple[int, bool]:
    """The side of the pictures, and whether time comes before colour."""
    batch, one, other, height, width = tensor.shape
    height, width = height or card.size_px, width or card.size_px
    time_first = (one, other) == (WINDOW, 3)
    if batch not in (1, None) or (one, other) not in ((3, WINDOW), (WINDOW, 3)) or height != width:
        raise InputError(f"{name} takes {shown(tensor)}; expected {_LIPS}: export it so")
    if not height:
        raise InputError(
            f'{name} leaves the size of its pictures free: write {{"size_px": SIDE}} into its FILE.json'
        )
    return height, time_first


def _sound_layout(tensor: Tensor, name: str) -> tuple[int, ...]:
    shape = tuple(size or 1 for size in tensor.shape[:-2]) + tensor.shape[-2:]
    sizes = (COEFFICIENTS, SOUND_STEPS)
    if len(shape) not in (3, 4) or set(shape[:-2]) != {1} or shape[-2:] not in (sizes, sizes[::-1]):
        raise InputError(f"{name} takes {shown(tensor)}; expected {_SOUND}: export it so")
    return tuple(size or 1 for size in shape)
