"""The learned editor at work: `learn.editor.network.EditorNetwork` in NumPy, frame by frame.

Called by `face.edit` for `--editor learned`; `engines.expression.learned` has the same arithmetic as a graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPES, EMOTIONS, Controls
from rtfilter.face import emotion
from rtfilter.face.learned_weights import EditorWeights
from rtfilter.face.smooth import OneEuro

F64 = npt.NDArray[np.float64]

# That own expression and edit may reach together; a blink ends at 1.
LIMITS: Final = np.where(emotion.IS_BLINK > 0.0, 1.0, emotion.LIMIT)
LEAST_ROOM: Final = 1e-3
# How fast amounts follow the controls beyond the offset's cut-off, so that calm smoothing is not slow.
AMOUNTS_CUTOFF_HZ: Final = 0.5
# Gaze and tongue are not feeling.
EDITABLE_MASK: Final = np.array([not name.startswith(("eyeLook", "tongue")) for name in BLENDSHAPES], float)


def direct_only(controls: Controls) -> Controls:
    """`controls` without emotions, which are the editor's: offsets by name stay with the closed form."""
    return controls.with_(emotions={}, valence=0.0, arousal=0.0)


def emphasis(name: str) -> float:
    """The factor of the closed form on what an emotion was measured to be; the editor has the same."""
    return emotion.EMPHASIS.get(name, 1.0)


def amounts_of(controls: Controls) -> F64:
    """The intensities that are requested of the editor, float64 [8]."""
    return np.asarray(emotion.mix(controls) * np.array([emphasis(name) for name in EMOTIONS]))


@dataclass(frozen=True, slots=True)
class LearnedState:
    """The state between two frames. memory: float64 [M], amounts: float64 [8], both averages; valid: 0.0
    before the first frame, 1.0 after."""

    memory: F64
    amounts: F64
    time_s: float
    valid: float


class LearnedEditor:
    """An editor's arithmetic, without state of a face. A frame costs four small products."""

    def __init__(self, weights: EditorWeights) -> None:
        self.weights = weights
        self._memory = len(weights.tau_s)
        self._tau_s = weights.tau_s.astype(np.float64)
        self._gap_s = OneEuro().gap_s

    def first_state(self) -> LearnedState:
        """The state before the first frame."""
        return LearnedState(np.zeros(self._memory), np.zeros(len(EMOTIONS)), 0.0, 0.0)

    def step(
        self,
        state: LearnedState,
        expression: F64,
        amounts: F64,
        mouth: float,
        cutoff_hz: float,
        time_s: float,
    ) -> tuple[F64, LearnedState]:
        """The target offset [52], before the mouth guard, and the next state.

        expression: float64 [52], 0..1. amounts: float64 [8], `amounts_of`. mouth: 0..1. cutoff_hz: of the
        offset's smoothing at rest (`edit.offset_cutoff_hz`); here it smooths the amounts.
        """
        w = self.weights
        interval_s = time_s - state.time_s
        keep = state.valid * float(0.0 <= interval_s <= self._gap_s)
        safe_s = min(max(interval_s, 0.0), self._gap_s)
        seen = w.remember @ expression.astype(np.float32)
        memory = seen + keep * self._tau_s / (safe_s + self._tau_s) * (state.memory - seen)
        reach = 2.0 * np.pi * (cutoff_hz + AMOUNTS_CUTOFF_HZ) * safe_s
        smooth = amounts + keep / (1.0 + reach) * (state.amounts - amounts)
        given = np.concatenate([expression, memory, [mouth]]).astype(np.float32)
        hidden = np.tanh(w.first @ given + w.first_bias)
        hidden = np.tanh(w.second @ hidden + w.second_bias)
        # (einsum, since a BLAS product of this size wakes every thread; see docs/decisions.md.)
        each = w.base + np.einsum("oh,h->o", w.last, hidden).reshape(w.base.shape)
        target = smooth @ each.astype(np.float64)
        room = np.maximum(LIMITS - expression, LEAST_ROOM)
        offset = room * np.tanh(np.maximum(target, 0.0) / room)
        offset -= expression * np.tanh(np.maximum(-target, 0.0))
        offset[emotion.LIDS] *= np.clip(1.0 - emotion.LID_SHARE * expression[emotion.BLINKS], 0.0, 1.0)
        return offset, LearnedState(memory, smooth, time_s, 1.0)
