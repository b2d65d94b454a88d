"""The expression network: landmarks, target and state in; shown landmarks, offsets and the next state out.

It computes what `cpu.lane.CpuLane` does between tracker and renderer, for a batch of faces. There are no
branches: what does not apply is multiplied by 0, or not selected. Called by `engines.prepare.files`.
"""

from __future__ import annotations

import numpy as np

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.engines.expression import edit, fit, learned, light, visibility
from rtfilter.engines.expression.layout import EXPRESSION, IDENTITY_ROOM, STATE, TARGET, Row, model_key
from rtfilter.engines.expression.pose import align
from rtfilter.engines.expression.values import Formula, Value
from rtfilter.engines.onnx.graph import OnnxGraph
from rtfilter.errors import InputError
from rtfilter.face.edit import VIEW_COUNT
from rtfilter.face.fit import FitConstants
from rtfilter.face.landmarks import FARTHEST_SIDES, LANDMARK_COUNT
from rtfilter.face.light import Shading
from rtfilter.face.model import MorphableModel
from rtfilter.face.mouth import MouthGuard
from rtfilter.face.visibility import Visibility

_STAND_IN_PX = 100.0
_NOTHING = 1e-6  # strength that rounding leaves of a fade that is over
_HELD = (
    "held_iod_px", "motion_value", "motion_slope", "learned_memory", "learned_amounts", "held_points_px",
    "held_offset_px", "held_skin", "held_gain_log",
)  # fmt: skip


def expression_graph(model: MorphableModel) -> bytes:
    """The ONNX file for one face model. InputError for a model with too many identity directions."""
    identities = len(model.identity_basis)
    if identities > IDENTITY_ROOM:
        raise InputError(
            f"the face model has {identities} identity directions, expected at most {IDENTITY_ROOM}: "
            "build it with fewer, or use --lane cpu"
        )
    graph = OnnxGraph()
    _Whole(Formula(graph), model).build()
    return graph.finish(EXPRESSION, model_key(model))


class _Whole:
    """The parts of the graph, in order."""

    def __init__(self, f: Formula, model: MorphableModel) -> None:
        self._f = f
        self._known, self._guard, self._editor = FitConstants(model), MouthGuard(model), model.editor
        self._shading, self._visibility = Shading.of(model), Visibility.of(model)
        self._edit_basis = model.edit_basis.reshape(BLENDSHAPE_COUNT, -1)
        self._target, self._state = _fields(f, TARGET), _fields(f, STATE)

    def build(self) -> None:
        f, target, state = self._f, self._target, self._state
        seeding = target["seeding"]
        face, points = self._checked()
        person = fit.Learned(state["weight"], state["off_mean_iod"])
        neutral, identity = fit.neutral(self._known, person, seeding)
        pose = align(f, neutral, points, self._known.rigidity)
        difference = (pose.turned_iod - pose.neutral_iod).reshape(-1, fit.NUMBERS)
        coefficients = fit.expression(self._known, difference, seeding)
        shape = (pose.turned_iod + pose.neutral_mean_iod).reshape(-1, fit.NUMBERS)
        motion, editor_state, offset = self._edited(
            coefficients, pose.rotation, shape, neutral.reshape(-1, fit.NUMBERS)
        )
        moved, edited = coefficients @ self._known.basis, offset @ self._edit_basis

        sample = shape - moved - self._known.mean_iod.reshape(1, -1)
        taught = fit.learn(person, sample, coefficients, pose, target["since_fit_s"], seeding, face)
        # Only the rotation is smoothed; landmarks and size are this frame's own.
        view = motion.value.part(BLENDSHAPE_COUNT, BLENDSHAPE_COUNT + VIEW_COUNT)
        kept, kept_skin = visibility.kept(self._visibility, view, target["parts"])
        gain = light.gain_log(self._shading, target["light"], pose.rotation, offset)
        base = edited.reshape(-1, LANDMARK_COUNT, 3) @ (view * pose.scale).reshape(-1, 2, 3).turned()
        base = base * kept.reshape(-1, LANDMARK_COUNT, 1)
        now = f.joined(
            pose.scale,
            motion.value,
            motion.slope,
            editor_state.memory,
            editor_state.amounts,
            points.reshape(-1, fit.NUMBERS),
            base.reshape(-1, 2 * LANDMARK_COUNT),
            offset * kept_skin * target["skin"],
            gain * kept * target["skin"],
        )
        visible = edit.visibility(f, pose.rotation, self._inside(points)) * face
        held, strength, shown = self._shown(now, face, visible)
        shown_iod, _, _, _, _, shown_points, shown_base, shown_skin, shown_light = shown.split(
            *(STATE[name].size for name in _HELD)
        )
        shown_points.reshape(-1, LANDMARK_COUNT, 3).called("shown_points_px")
        (shown_base * strength).reshape(-1, LANDMARK_COUNT, 2).called("offset_px")
        shown_iod.reshape(-1).called("iod_px")
        (shown_skin * strength).called("skin_offset")
        (shown_light * strength).called("gain_log")
        f.joined(taught.weight, held, strength, shown, taught.off_mean_iod).called("new_state")
        body = f.joined(
            fit.residual(difference - moved),
            pose.scale,
            pose.rotation,
            pose.translation_px(),
            coefficients,
            offset,
            identity @ np.eye(len(self._known.identity_basis), IDENTITY_ROOM),
            shape,
            neutral.reshape(-1, fit.NUMBERS),
        )
        f.joined(face, held, strength, body * face).called("report")

    def _checked(self) -> tuple[Value, Value]:
        """Whether there is a face, 1 or 0 [B, 1], and its landmarks, or stand-ins: never NaN."""
        f = self._f
        points, present = f.input("points_px"), f.input("present").reshape(-1, 1)
        limit = self._target["width_px"].at_least(self._target["height_px"]) * FARTHEST_SIDES
        near = (points.function("Abs") <= limit.reshape(-1, 1, 1)).number()  # false for NaN
        face = near.reduce("ReduceMin", [1, 2], keep=False).reshape(-1, 1) * (present > 0.5).number()
        stand_in = _STAND_IN_PX * self._known.mean_iod[None]
        return face, f.where((face > 0.5).reshape(-1, 1, 1), points, stand_in)

    def _inside(self, points: Value) -> Value:
        """Share of the landmarks within the picture, [B, 1]."""
        flat = points.part(0, 2, axis=2)
        size = self._f.joined(self._target["width_px"], self._target["height_px"]).reshape(-1, 1, 2)
        inside = (flat >= 0.0).both(flat < size).number().reduce("ReduceMin", [2], keep=False)
        return inside.reduce("ReduceMean", [1])

    def _edited(
        self, coefficients: Value, rotation: Value, shape: Value, neutral: Value
    ) -> tuple[edit.Motion, learned.EditorState, Value]:
        """The smoothed motion, a learned editor's state, and the offset [B, 52] before fading."""
        target, state = self._target, self._state
        sample = self._f.joined(
            edit.target_offset(target["rising"], target["falling"], target["direct"], coefficients),
            rotation.part(0, VIEW_COUNT),
        )
        motion = edit.smoothed(
            edit.Motion(state["motion_value"], state["motion_slope"]),
            state["held"],
            sample,
            target["offset_cutoff_hz"],
            target["since_motion_s"],
        )
        offset = motion.value.part(0, BLENDSHAPE_COUNT)
        editor_state = learned.EditorState(state["learned_memory"], state["learned_amounts"])
        if self._editor is not None:
            request = learned.Request(
                target["amounts"],
                target["mouth"],
                target["offset_cutoff_hz"],
                target["since_motion_s"],
                state["held"],
            )
            added, editor_state = learned.learned_offset(
                self._f, self._editor, coefficients, request, editor_state
            )
            offset = offset + added
        offset = offset * edit.lid_room(neutral, self._known.mean_iod)
        return motion, editor_state, edit.guarded(self._guard, offset, shape, neutral, target["mouth"])

    def _shown(self, now: Value, face: Value, visible: Value) -> tuple[Value, Value, Value]:
        """held and strength, [B, 1] each, and the fields _HELD.

        These are this frame's, or those of a lost face while its edit fades, or 0. When seeding, unchanged.
        """
        f, target, state = self._f, self._target, self._state
        seeding, held, strength = target["seeding"], state["held"], state["strength"]
        change = edit.fade(strength, visible, held, target["fade_s"], target["since_edit_s"])
        strength = strength + change * (1.0 - seeding)
        fresh = face * (1.0 - seeding)
        kept = fresh.at_least(seeding, (strength > _NOTHING).number())
        before = f.input(STATE.name).part(STATE[_HELD[0]].start, STATE[_HELD[-1]].slice.stop)
        return fresh.at_least(held * kept), strength * kept, f.where(fresh > 0.5, now, before) * kept


def _fields(f: Formula, row: Row) -> dict[str, Value]:
    values = f.input(row.name).split(*(field.size for field in row))
    return dict(zip((field.name for field in row), values, strict=True))
