"""What an editor does to clips of people: emotion against the twin, speech, steadiness, growth.

Both editors run as in the product, by `face.edit.FaceEditor` frame by frame, so that a network is measured
with the mouth guard and everything else behind it. Definitions of the mouth's measures and of jitter are
`rtfilter evaluate`'s. Called by `editor.ablation`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from rtfilter.controls import Controls
from rtfilter.face.edit import FaceEditor, offset_cutoff_hz
from rtfilter.face.fit import FaceState
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.face.learned import LearnedEditor, amounts_of, emphasis
from rtfilter.face.model import MorphableModel
from rtfilter.face.pose import Pose
from rtfilter.learn.data.track import Track
from rtfilter.learn.editor.pairs import Pair, spread
from rtfilter.learn.stccl.metric import Metric
from rtfilter.quality.measures import FacePairs, jitter
from rtfilter.quality.mouth import mouth

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Edit = Callable[[Track, Controls], F64]

# Frames that an edit may take to come are left out of all measures.
ARRIVAL_S: Final = 0.5
SPOKEN: Final = Controls().mouth  # the default
LEVELS: Final = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
# An edit that grows by less than this between two levels has stopped growing.
_LEAST_GROWTH_IOD = 1e-5
_JUDGED = 3  # one clip in so many is seen by STCCL


@dataclass(frozen=True, slots=True)
class EditorMeasure:
    """Means over clips; lengths in IODs.

    At mouth 0, and at the intensity that is the twin's level: emotion_error: root mean square distance of the
    landmarks from the twin's, over that of no edit; bias: the same of the clip's mean face. At mouth SPOKEN
    and intensity 1, as in `quality.mouth`: gap_r, gap_gain, width_r, width_gain, closures_kept (of all clips
    together); jitter: of the edit alone; space, time: STCCL's agreement of source and edited mesh, 1 is the
    most. growth: share of frames and steps of LEVELS in which the edit grows with the intensity, at mouth 0.
    """

    emotion_error: float
    bias: float
    gap_r: float
    gap_gain: float
    width_r: float
    width_gain: float
    closures_kept: float
    jitter: float
    space: float
    time: float
    growth: float

    def cells(self) -> list[str]:
        """The numbers as text, in order."""
        return [f"{getattr(self, one.name):.{5 if one.name == 'jitter' else 3}f}" for one in fields(self)]


def edited(model: MorphableModel, clip: Track, controls: Controls, guard: bool = True) -> F64:
    """The offset of every frame of a clip, float64 [T, 52], by the product's editor of `model`.

    guard: whether the mouth guard stands behind it; without it, `model` needs a learned editor.
    """
    if not guard:
        return _unguarded(model, clip, controls)
    editor = FaceEditor(model, 0.0)
    state, offsets = editor.first_state(), []
    for k, time_s in enumerate(clip.time_s):
        pose = Pose(clip.rotation[k].astype(np.float64), np.zeros(3), float(clip.scale_px[k]))
        face = FaceState(
            pose,
            np.zeros(len(model.identity_scale)),
            clip.expression[k].astype(np.float64),
            clip.shape_iod[k].astype(np.float64),
            clip.neutral_iod.astype(np.float64),
            0.0,
        )
        offset, state = editor.step(state, face, controls, 1.0, float(time_s))
        offsets.append(offset)
    return np.array(offsets)


def _unguarded(model: MorphableModel, clip: Track, controls: Controls) -> F64:
    """What a learned editor gives, as it is."""
    assert model.editor is not None
    editor, amounts = LearnedEditor(model.editor), amounts_of(controls)
    state, offsets = editor.first_state(), []
    for face, time_s in zip(clip.expression.astype(np.float64), clip.time_s, strict=True):
        cutoff_hz = offset_cutoff_hz(controls)
        offset, state = editor.step(state, face, amounts, controls.mouth, cutoff_hz, float(time_s))
        offsets.append(offset)
    return np.array(offsets)


def measure(
    model: MorphableModel, pairs: Sequence[Pair], guard: bool = True, metric: Metric | None = None
) -> EditorMeasure:
    """The measures of the editor of `model`, over the clips of `pairs`.

    guard: see `edited`. metric: for space and time, which are NaN without; it is slow, and sees a third of
    the clips, but every emotion and level.
    """
    edit = partial(edited, model, guard=guard)
    kinds = len({(one.emotion, one.level) for one in pairs})
    judged = {id(one) for one in spread(pairs, max(kinds, -(-len(pairs) // _JUDGED)))}
    found = [_of_pair(edit, model, one, metric if id(one) in judged else None) for one in pairs]

    def mean(name: str) -> float:
        values = [one[name] for one in found if one[name] is not None]
        return float(np.mean(values)) if values else float("nan")  # type: ignore[arg-type]

    closures = sum(one["closures"] or 0.0 for one in found)
    kept = sum((one["closures"] or 0.0) * (one["closures_kept"] or 0.0) for one in found)
    names = [one.name for one in fields(EditorMeasure) if one.name != "closures_kept"]
    return EditorMeasure(
        **{name: mean(name) for name in names}, closures_kept=kept / closures if closures else float("nan")
    )


def _of_pair(edit: Edit, model: MorphableModel, pair: Pair, metric: Metric | None) -> dict[str, float | None]:
    clip, since = pair.clip, round(ARRIVAL_S * pair.clip.fps)
    free = edit(clip, Controls({pair.emotion: pair.level / emphasis(pair.emotion)}, mouth=0.0))[since:]
    kept = edit(clip, Controls({pair.emotion: 1.0}, mouth=SPOKEN))[since:]
    twin = pair.change[since:].astype(np.float64)
    speech, shake = mouth(_faces(model, clip, kept, since)), jitter(_faces(model, clip, kept, since))
    return {
        "emotion_error": _size(model, free - twin) / _size(model, twin),
        "bias": _size(model, (free - twin).mean(0)[None]) / _size(model, twin.mean(0)[None]),
        "gap_r": speech.gap_r,
        "gap_gain": speech.gap_gain,
        "width_r": speech.width_r,
        "width_gain": speech.width_gain,
        "closures": float(speech.closures),
        "closures_kept": speech.closures_kept,
        "jitter": shake.edit_iod,
        **_agreement(metric, model, clip, kept, since),
        "growth": _growth(edit, model, pair, since),
    }


def _agreement(
    metric: Metric | None, model: MorphableModel, clip: Track, offsets: F64, since: int
) -> dict[str, float | None]:
    """STCCL's cosine between the mesh before and after, mean over windows and levels."""
    if metric is None:
        return {"space": None, "time": None}
    source = torch.from_numpy(clip.shape_iod[since:] - clip.neutral_iod)[None]
    moved = torch.from_numpy(model_moves(model, offsets).astype(np.float32)).view_as(source)
    with torch.no_grad():
        found = metric.similarity(source + moved, source)
    return {kind: float(each.mean()) for kind, each in found.items()}


def _growth(edit: Edit, model: MorphableModel, pair: Pair, since: int) -> float:
    """Share of steps between LEVELS in which the edit of a frame goes on in its own direction, at mouth 0."""
    offsets = [edit(pair.clip, Controls({pair.emotion: level}, mouth=0.0))[since:] for level in LEVELS]
    moved = [model_moves(model, one) for one in offsets]
    along = moved[-1] / np.maximum(np.linalg.norm(moved[-1], axis=1, keepdims=True), 1e-9)
    sizes = np.stack([(one * along).sum(1) for one in moved]) / np.sqrt(LANDMARK_COUNT)
    return float((np.diff(sizes, axis=0) > _LEAST_GROWTH_IOD).mean())


def model_moves(model: MorphableModel, offsets: F64) -> F64:
    """Displacements float64 [T, 1434] of offsets [T, 52], IOD."""
    basis = model.expression_basis.reshape(len(model.expression_basis), -1)
    return np.asarray(np.einsum("te,en->tn", offsets, basis.astype(np.float64)))


def _size(model: MorphableModel, offsets: F64) -> float:
    """Root mean square displacement of a landmark, IOD."""
    return float(np.sqrt(np.square(model_moves(model, offsets)).sum(1).mean() / LANDMARK_COUNT))


def _faces(model: MorphableModel, clip: Track, offsets: F64, since: int) -> FacePairs:
    """Source and edited faces in the head frame, as `rtfilter evaluate` compares them in pictures."""
    source = clip.shape_iod[since:]
    moved = model_moves(model, offsets).reshape(source.shape)
    frames = len(source)
    return FacePairs(
        np.arange(frames, dtype=np.int64),
        source,
        (source + moved).astype(np.float32),
        np.ones(frames),
        np.tile((0.0, 1.0), (frames, 1)),
        offsets,
    )
