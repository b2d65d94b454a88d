"""The edit of one face over time: target, smoothing, mouth guard, fading; state in, state out.

Called by `filter`; `engines.expression` has the same arithmetic as a graph.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, Controls
from rtfilter.face import emotion, lids
from rtfilter.face.deform import Displacement
from rtfilter.face.fit import FaceState
from rtfilter.face.learned import LearnedEditor, LearnedState, amounts_of, direct_only
from rtfilter.face.light import NO_LIGHT, Shading
from rtfilter.face.model import MorphableModel
from rtfilter.face.mouth import Lips, MouthGuard
from rtfilter.face.skin import SkinMaps
from rtfilter.face.smooth import OneEuro, OneEuroState
from rtfilter.face.visibility import ALL_PARTS, Visibility, part_shares
from rtfilter.kernels.cpu.edit import projected

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

VIEW_COUNT = 6
# One-Euro: the offset's cut-off at rest is the user's, the view's (the rotation) is fixed.
OFFSET_BETA = 0.1
OFFSET_FALL = 0.65  # measured: expressions come within 0.15 s and go within 0.23 s
VIEW_CUTOFF_HZ, VIEW_BETA = 2.0, 8.0
LONGEST_STEP_S = 0.1  # a fade counts at most this much after a pause
# Beyond these angles all landmarks are guesses. Before, those of the hidden half are: `face.visibility`.
YAW_FADE_DEG = (55.0, 70.0)
PITCH_FADE_DEG = (30.0, 48.0)
INSIDE_FADE = (0.55, 0.85)  # share of the landmarks within the picture


@dataclass(frozen=True, slots=True)
class EditState:
    """The state of an edit between two frames.

    motion: One-Euro over the target's offset [52] and the rotation's first two rows [6]. strength: fade,
    0..1. learned: of the learned editor, where there is one.
    """

    motion: OneEuroState
    strength: float
    time_s: float
    learned: LearnedState | None = None


class Held(NamedTuple):
    """What a frame is edited with, kept for frames that lost the face.

    points_px: float32 [478, 3]. offset: float64 [52], before fading. skin: `Controls.skin`. light: float32
    [4], `LightWatch.value`. parts: float32 [P], 0..1, how much of the edit each of `visibility.PARTS` keeps.
    """

    face: FaceState
    points_px: F32
    offset: F64
    skin: float = 1.0
    light: F32 = NO_LIGHT
    parts: F32 = ALL_PARTS


class FaceEditor:
    """Face state and controls to an offset of the expression and a displacement of landmarks.

    A model with an editor has the emotions' part of the offset from it, in place of `emotion.Target`.
    skin: of the renderer's maps, what turns an offset into weights; `use_skin` swaps them between frames.

    Attributes:
        shading: how edits turn skin to the light.
    """

    def __init__(self, model: MorphableModel, fade_s: float, skin: SkinMaps | None = None) -> None:
        self.shading = Shading.of(model)
        self._visibility = Visibility.of(model)
        self._edit_basis = model.edit_basis.reshape(BLENDSHAPE_COUNT, -1)
        self.use_skin(skin or SkinMaps.none())
        self._guard, self._mean_iod = MouthGuard(model), model.mean_iod.astype(np.float64)
        self._fade_s = fade_s
        self._controls: Controls | None = None
        self._target, self._filter = emotion.Target.of_controls(Controls()), OneEuro()
        self._learned = None if model.editor is None else LearnedEditor(model.editor)
        self._amounts = amounts_of(Controls())

    def another(self) -> FaceEditor:
        """An editor for another face, which shares all that does not change."""
        return copy(self)

    def use_skin(self, skin: SkinMaps) -> None:
        """Weigh these maps from now on."""
        self._skin = skin

    def first_state(self) -> EditState:
        """The state before the first frame."""
        learned = None if self._learned is None else self._learned.first_state()
        return EditState(OneEuroState.empty(BLENDSHAPE_COUNT + VIEW_COUNT), 0.0, 0.0, learned)

    def step(
        self, state: EditState, face: FaceState, controls: Controls, inside: float, time_s: float
    ) -> tuple[F64, EditState]:
        """The offset [52] for this frame, before fading, and the next state.

        inside: share of the landmarks within the picture, 0..1.
        """
        if controls is not self._controls:
            self._controls = controls
            closed = controls if self._learned is None else direct_only(controls)
            self._target, self._filter = emotion.Target.of_controls(closed), _smoothing(controls)
            self._amounts = amounts_of(controls)
        sample = np.concatenate([self._target.offset(face.expression), face.pose.rotation[:2].ravel()])
        smooth, motion = self._filter.step(state.motion, sample, time_s)
        target, learned = smooth[:BLENDSHAPE_COUNT], state.learned
        if self._learned is not None and learned is not None:
            cutoff_hz = offset_cutoff_hz(controls)
            added, learned = self._learned.step(
                learned, face.expression, self._amounts, controls.mouth, cutoff_hz, time_s
            )
            target = target + added
        target = target * lids.room(face.neutral_iod, self._mean_iod)
        offset = self._guard.solve(target, Lips.of(face.shape_iod, face.neutral_iod), controls.mouth)
        yaw, pitch, _ = face.pose.yaw_pitch_roll_deg
        visible = _fall(abs(yaw), YAW_FADE_DEG) * _fall(abs(pitch), PITCH_FADE_DEG)
        visible *= 1.0 - _fall(inside, INSIDE_FADE)
        strength = self._faded(state, visible, time_s)
        return offset, EditState(motion, strength, time_s, learned)

    def fade_out(self, state: EditState, time_s: float) -> EditState:
        """The state when the face is gone: only the strength changes."""
        return replace(state, strength=self._faded(state, 0.0, time_s), time_s=time_s)

    def displace(self, state: EditState, held: Held) -> Displacement:
        """project(shape(e + offset)) - project(shape(e)) at the landmarks, skin weights and light, faded.

        The model is linear in expression, so this is the projected `basis . offset` whatever identity
        and expression are. Parts that are covered and landmarks that are turned away let go of it. Only the
        rotation is smoothed; landmarks and size are this frame's own. (Smoothing the landmarks too was tried:
        it made no measurable difference.)
        """
        face, offset = held.face, held.offset
        scale, view = face.pose.scale_px_per_iod, state.motion.value[BLENDSHAPE_COUNT:]
        seen = self._visibility.turned(view) * part_shares(held.parts)
        offset_px = projected(self._edit_basis, offset, view, scale * state.strength, seen)
        share = np.float32(state.strength * held.skin)
        kept = self._visibility.coefficients(held.parts)
        weights = self._skin.weights(face.expression, offset * kept) * share
        gain = self.shading.gain_log(held.light, face.pose.rotation, offset) * (share * seen)
        return Displacement(held.points_px, offset_px, scale, weights, gain)

    def _faded(self, state: EditState, target: float, time_s: float) -> float:
        elapsed_s = min(max(time_s - state.time_s, 0.0), LONGEST_STEP_S) if state.motion.valid else 0.0
        reach = elapsed_s / self._fade_s if self._fade_s > 0.0 else 1.0
        return state.strength + min(max(target - state.strength, -reach), reach)


def offset_cutoff_hz(controls: Controls) -> float:
    """The cut-off at rest of the offset's smoothing: 0.5 Hz at smoothing 0.5.

    OFFSET_BETA makes it quick when a slider moves or the face changes for good.
    """
    return float(12.0 * 0.0017**controls.smoothing)


def _smoothing(controls: Controls) -> OneEuro:
    counts = (BLENDSHAPE_COUNT, VIEW_COUNT)
    return OneEuro(
        min_cutoff_hz=np.repeat((offset_cutoff_hz(controls), VIEW_CUTOFF_HZ), counts),
        beta=np.repeat((OFFSET_BETA, VIEW_BETA), counts),
        fall=np.repeat((OFFSET_FALL, 1.0), counts),
    )


def _fall(value: float, span: tuple[float, float]) -> float:
    """1 below the span, 0 above it, smooth between."""
    t = min(max((value - span[0]) / (span[1] - span[0]), 0.0), 1.0)
    return 1.0 - t * t * (3.0 - 2.0 * t)
