"""Perceived emotion: a recogniser of the user's looks at source and edit. Called by `judges.panel`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtfilter.controls import Controls
from rtfilter.errors import InputError, UsageError, nearest
from rtfilter.quality.judges import crops
from rtfilter.quality.judges.card import Card, card_path, read_card
from rtfilter.quality.judges.network import open_network
from rtfilter.quality.judges.picture import PictureInput

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

# Values -1..1 in the square that OpenCV's frontal-face cascade finds (side 2.07 IODs, centre 0.24 below the
# eyes: medians over 13 clips) and a little more, as recognisers trained on FER2013 are fed.
DEFAULT_CARD = Card(low=-1.0, high=1.0, side_iod=2.2, down_iod=0.24)
# Outputs that add up to 1 within this are probabilities; others are logits.
_SUM_TOLERANCE = 5e-3


@dataclass(frozen=True, slots=True)
class PerceivedEmotion:
    """What a recogniser sees: mean probability of every emotion, over `frames` frames, before and after.

    target: the emotion that was requested, or None; target_before, target_after, target_change: its
    probabilities and their difference.
    """

    judge: str
    frames: int
    before: dict[str, float]
    after: dict[str, float]
    target: str | None
    target_before: float | None
    target_after: float | None
    target_change: float | None


class EmotionJudge:
    """A recogniser of expressions: TFLite or ONNX, one picture in, one number an emotion out.

    Args:
        path: the network. labels: its outputs in order; empty: those of the card beside it.
        target: an emotion to single out.

    Raises:
        InputError: no network that takes a picture and gives as many numbers as there are labels.
        UsageError: no labels, one twice, or a target that is none of them.
    """

    def __init__(self, path: Path, labels: Sequence[str] = (), target: str | None = None) -> None:
        self._network = open_network(path)
        self.name = path.name
        self._picture = PictureInput.of(self._network, read_card(path, DEFAULT_CARD))
        side = self._picture.side_px
        count = len(self._outputs(np.zeros((side, side, 3), np.uint8)))
        given = tuple(labels) or self._picture.card.labels
        if not given:
            raise UsageError(
                f"{path} gives {count} numbers, of emotions that are not known: name them in order, as "
                f'--emotion-labels angry,disgusted,..., or in {card_path(path).name} as "labels"'
            )
        self.labels = tuple(emotion_name(label) for label in given)
        if len(self.labels) != count:
            raise InputError(
                f"{path} gives {count} numbers, and {len(self.labels)} emotion labels were given "
                f"({', '.join(given)}): give one a number"
            )
        if len(set(self.labels)) != count:
            raise UsageError(f"emotion labels: one is there twice in {', '.join(given)}")
        self.target = None if target is None else emotion_name(target)
        if self.target is not None and self.target not in self.labels:
            raise UsageError(
                f"--emotion-target {target}: {path} has none such.{nearest(target or '', self.labels)}"
            )
        self._before: list[F64] = []
        self._after: list[F64] = []

    def add(self, source: U8, edited: U8, points_px: F32) -> None:
        """One pair of frames, uint8 RGB [H, W, 3], and the source's landmarks."""
        self._before.append(self.look(source, points_px))
        self._after.append(self.look(edited, points_px))

    def look(self, rgb: U8, points_px: F32) -> F64:
        """The network's own numbers [labels] for a picture uint8 RGB [H, W, 3], cut where landmarks lie."""
        card, side = self._picture.card, self._picture.side_px
        return self._outputs(
            crops.cut(rgb, crops.square(points_px, card.side_iod, card.down_iod, side), side)
        )

    def measure(self) -> PerceivedEmotion | None:
        """Mean probabilities so far; None without frames."""
        if not self._before:
            return None
        outputs = np.array([self._before, self._after])
        before, after = probabilities(outputs).mean(1)
        at = None if self.target is None else self.labels.index(self.target)
        return PerceivedEmotion(
            judge=self.name,
            frames=len(self._before),
            before={label: float(value) for label, value in zip(self.labels, before, strict=True)},
            after={label: float(value) for label, value in zip(self.labels, after, strict=True)},
            target=self.target,
            target_before=None if at is None else float(before[at]),
            target_after=None if at is None else float(after[at]),
            target_change=None if at is None else float(after[at] - before[at]),
        )

    def _outputs(self, crop: U8) -> F64:
        return np.asarray(self._network.run(self._picture.values(crop)[None])[0], np.float64).ravel()


def probabilities(outputs: F64) -> F64:
    """`outputs` [..., emotions] as probabilities: as they are where all add up to 1, else by softmax."""
    sums = outputs.sum(-1)
    if outputs.min() >= -_SUM_TOLERANCE and np.abs(sums - 1.0).max() <= _SUM_TOLERANCE:
        return outputs
    raised = np.exp(outputs - outputs.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True), np.float64)


def emotion_name(label: str) -> str:
    """The product's word for an emotion (`anger` is `angry`), or the label itself in lower case."""
    word = label.strip().lower()
    try:
        return next(iter(Controls(emotions={word: 1.0}).emotions), word)
    except UsageError:
        return word
