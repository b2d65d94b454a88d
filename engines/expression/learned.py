"""The learned editor as a graph: `rtfilter.face.learned.LearnedEditor` for a batch.

Called by `expression.graph`, and by `learn.editor.export` for a file with the editor alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, EMOTIONS
from rtfilter.engines.expression.values import Formula, Value
from rtfilter.engines.onnx.graph import OnnxGraph
from rtfilter.engines.spec import NetworkSpec, TensorSpec
from rtfilter.face import emotion
from rtfilter.face.learned import AMOUNTS_CUTOFF_HZ, LEAST_ROOM, LIMITS
from rtfilter.face.learned_weights import MEMORY_ROOM, VERSION, EditorWeights
from rtfilter.face.smooth import OneEuro

F32 = npt.NDArray[np.float32]

EDITOR: Final = NetworkSpec(
    name="editor",
    version=1,
    inputs=(
        TensorSpec("expression", (None, BLENDSHAPE_COUNT), "own coefficients in ARKit's order, 0..1"),
        TensorSpec("amounts", (None, len(EMOTIONS)), "intensity of each emotion, >= 0"),
        TensorSpec("mouth", (None, 1), "speech against emotion, 0..1"),
        TensorSpec("cutoff_hz", (None, 1), "of the smoothing of the amounts, >= 0"),
        TensorSpec("since_s", (None, 1), "since the frame before; may be negative"),
        TensorSpec("held", (None, 1), "1 where there was a frame before, else 0"),
        TensorSpec("memory", (None, MEMORY_ROOM), "of the frame before; zero for the first"),
        TensorSpec("smooth_amounts", (None, len(EMOTIONS)), "of the frame before; zero for the first"),
    ),
    outputs=(
        TensorSpec("offset", (None, BLENDSHAPE_COUNT), "of each coefficient, before the mouth guard"),
        TensorSpec("new_memory", (None, MEMORY_ROOM), "for the next frame"),
        TensorSpec("new_smooth_amounts", (None, len(EMOTIONS)), "for the next frame"),
    ),
    half=False,
)


@dataclass(frozen=True, slots=True)
class EditorState:
    """`face.learned.LearnedState` without its time: memory [B, MEMORY_ROOM], amounts [B, 8]."""

    memory: Value
    amounts: Value


@dataclass(frozen=True, slots=True)
class Request:
    """The request of one frame: amounts [B, 8], mouth, cutoff_hz, since_s and held [B, 1]."""

    amounts: Value
    mouth: Value
    cutoff_hz: Value
    since_s: Value
    held: Value


def learned_offset(
    f: Formula, weights: EditorWeights, expression: Value, request: Request, before: EditorState
) -> tuple[Value, EditorState]:
    """`LearnedEditor.step`: the offset [B, 52], and the state for the next frame."""
    gap_s = OneEuro().gap_s
    safe_s = request.since_s.clip(0.0, gap_s)
    keep = request.held * (request.since_s >= 0.0).both(request.since_s <= gap_s).number()
    seen = expression @ _roomy(weights.remember).T
    per_tau = np.zeros((1, MEMORY_ROOM))
    per_tau[0, : len(weights.tau_s)] = 1.0 / weights.tau_s
    memory = seen + (before.memory - seen) * (keep / (safe_s * per_tau + 1.0))
    reach = (request.cutoff_hz + AMOUNTS_CUTOFF_HZ) * safe_s * (2.0 * math.pi)
    amounts = request.amounts + (before.amounts - request.amounts) * (keep / (reach + 1.0))

    count = BLENDSHAPE_COUNT
    own, past, mouth = np.split(weights.first.T, [count, count + len(weights.tau_s)])
    given = expression @ own + memory @ _roomy(past) + request.mouth * mouth + weights.first_bias[None]
    hidden = given.function("Tanh") @ weights.second.T + weights.second_bias[None]
    each = hidden.function("Tanh") @ weights.last.T + weights.base.reshape(1, -1)
    # Batched: [B, 1, 8] by [B, 8, 52].
    target = amounts.reshape(-1, 1, len(EMOTIONS)) @ each.reshape(-1, len(EMOTIONS), count)
    target = target.reshape(-1, count)
    room = (LIMITS[None] - expression).at_least(LEAST_ROOM)
    offset = (target.at_least(0.0) / room).function("Tanh") * room
    offset = offset - (-target).at_least(0.0).function("Tanh") * expression
    return offset * lids_left(expression), EditorState(memory, amounts)


def lids_left(expression: Value) -> Value:
    """The share of an offset that a lid takes while the eye closes, [B, 52]; 1 for all that is no lid."""
    blink, share = list(range(BLENDSHAPE_COUNT)), np.zeros((1, BLENDSHAPE_COUNT))
    for lid, lowered in zip(emotion.LIDS, emotion.BLINKS, strict=True):
        blink[lid], share[0, lid] = lowered, emotion.LID_SHARE
    return (1.0 - expression.columns(blink) * share).clip(0.0, 1.0)


def editor_graph(weights: EditorWeights) -> bytes:
    """The ONNX file of the editor alone (EDITOR); its comment names the face model and the command."""
    f = Formula(graph := OnnxGraph())
    request = Request(*(f.input(name) for name in ("amounts", "mouth", "cutoff_hz", "since_s", "held")))
    before = EditorState(f.input("memory"), f.input("smooth_amounts"))
    offset, after = learned_offset(f, weights, f.input("expression"), request, before)
    offset.called("offset")
    after.memory.called("new_memory")
    after.amounts.called("new_smooth_amounts")
    return graph.finish(EDITOR, editor_comment(weights))


def editor_comment(weights: EditorWeights) -> str:
    """What the file says of itself."""
    made = f"format {VERSION}, face model {weights.face_model}, made by {weights.made_by}"
    return f"rtfilter editor {weights.key[:16]}, {made}"


def _roomy(rows: F32) -> F32:
    """[M, N] with rows of 0 up to MEMORY_ROOM."""
    return np.concatenate([rows, np.zeros((MEMORY_ROOM - len(rows), rows.shape[1]), np.float32)])
