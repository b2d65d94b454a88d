"""Talkers' faces, sampled from clips, edited as the product would and shown to recognisers.

Called by `learn.emotions.accent`. Tracked and fitted once; then a direction costs one rendering and one look
of each judge a view.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.errors import InputError, UsageError, nearest
from rtfilter.face import landmarks as lm
from rtfilter.face import lids
from rtfilter.face.deform import Displacement
from rtfilter.face.emotion import Target
from rtfilter.face.fit import FaceFit, FaceState
from rtfilter.face.light import NO_LIGHT, LightWatch, Shading
from rtfilter.face.model import MorphableModel
from rtfilter.face.mouth import Lips, MouthGuard
from rtfilter.face.pose import Pose
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.quality.judges.card import card_path, read_card
from rtfilter.quality.judges.emotion import DEFAULT_CARD, EmotionJudge, probabilities
from rtfilter.quality.judges.network import open_network
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.luma import look
from rtfilter.render.mesh import RingedMesh
from rtfilter.sources.base import Source
from rtfilter.sources.file import FileSource
from rtfilter.tracking.engine import EngineTracker

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

LONGEST_S: Final = 6.0  # of a clip
SETTLED: Final = 8  # faces after which the person's neutral is roughly known
VIEW_IOD: Final = 2.6  # half a view's side: more than any judge's crop and than what an edit moves
LARGEST_IOD_PX: Final = 110.0  # larger faces are reduced: judges look at 2 IODs in 50 to 200 pixels


@dataclass(frozen=True, slots=True)
class View:
    """One frame's face: its picture, cut out and reduced; landmarks [478, 3] and fit, both in it.

    room: float64 [52], the factor on an offset, of `face.lids`.
    """

    frame: Frame
    points_px: F32
    face: FaceState
    lips: Lips
    room: F64


def views_of(source: Source, tracker: EngineTracker, model: MorphableModel, count: int) -> list[View]:
    """Up to `count` views, evenly over the faces in a source's first 6 s.

    Raises InputError where there is none.
    """
    tracker.reset()
    fit, mean_iod = FaceFit(model), model.mean_iod.astype(np.float64)
    found, identity, frames = [], fit.first_identity(), 0
    limit = round(LONGEST_S * float(source.info.fps))
    while frames < limit and (frame := source.read()) is not None:
        frames += 1
        landmarks = tracker.track(frame)
        if landmarks is not None:
            state, identity = fit.step(identity, landmarks.points_px, frame.pts_ns * 1e-9)
            found.append(_view(frame.rgb, landmarks.points_px, state, mean_iod))
    if not found:
        raise InputError(
            f"{source.info.name}: no face in {frames} frames; expected one person who speaks, seen from the "
            "front: leave the clip out, or give another one"
        )
    usable = found[SETTLED:] or found[-1:]
    picks = np.unique(np.linspace(0, len(usable) - 1, count).round().astype(int))
    return [usable[pick] for pick in picks]


def views_of_clips(clips: Sequence[Path], model: MorphableModel, count: int) -> list[list[View]]:
    """`views_of` every file. Raises InputError: one that cannot be read, or shows no face."""
    with closing(EngineTracker()) as tracker:
        found = []
        for clip in clips:
            with closing(FileSource(clip)) as source:
                found.append(views_of(source, tracker, model, count))
    return found


def _view(rgb: U8, points_px: F32, state: FaceState, mean_iod: F64) -> View:
    iod_px = state.pose.scale_px_per_iod
    centre = points_px[[lm.EYE_OUTER_RIGHT, lm.EYE_OUTER_LEFT], :2].mean(0)
    size = np.array(rgb.shape[1::-1])
    low = np.clip(np.floor(centre - VIEW_IOD * iod_px), 0, size - 1).astype(int)
    high = np.clip(np.ceil(centre + VIEW_IOD * iod_px), low + 1, size).astype(int)
    picture = rgb[low[1] : high[1], low[0] : high[0]]
    share = min(1.0, LARGEST_IOD_PX / iod_px)
    if share < 1.0:
        picture = np.asarray(
            cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8
        )
    shifted = points_px.astype(np.float64) - [*low, 0.0]
    pose = Pose(
        state.pose.rotation,
        (state.pose.translation_px - [*low, 0.0]) * share,
        state.pose.scale_px_per_iod * share,
    )
    return View(
        Frame.from_rgb(np.ascontiguousarray(picture)),
        (shifted * share).astype(np.float32),
        replace(state, pose=pose),
        Lips.of(state.shape_iod, state.neutral_iod),
        lids.room(state.neutral_iod, mean_iod),
    )


class Audience:
    """Judges who look at edited views.

    Args:
        views: of all talkers. judges: recognisers, opened. mouth: 0..1, the guard's setting.

    Attributes:
        lights: float32 [4] of each view, what lights its face.
    """

    def __init__(
        self, model: MorphableModel, views: Sequence[View], judges: Sequence[EmotionJudge], mouth: float
    ) -> None:
        self._model, self._views, self._judges, self._mouth = model, views, judges, mouth
        self._guard = MouthGuard(model)
        self._skin, self._shading = SkinMaps.builtin(), Shading.of(model)
        self.lights = [self._light_on(view) for view in views]
        self._renderer = CpuRenderer(RingedMesh(model.triangles, model.holes), self._skin)

    def close(self) -> None:
        self._renderer.close()

    def _light_on(self, view: View) -> F32:
        watch = LightWatch(self._shading)
        look(watch, view.frame, view.points_px, view.face)
        return watch.value

    def look(self, direction: F64) -> list[dict[str, float]]:
        """Each judge's mean probability by emotion, with all views edited by a direction float64 [52]."""
        pictures = [
            self.edited(view, direction, light) for view, light in zip(self._views, self.lights, strict=True)
        ]
        found = []
        for judge in self._judges:
            seen = [judge.look(rgb, view.points_px) for rgb, view in zip(pictures, self._views, strict=True)]
            means = probabilities(np.array(seen)).mean(0)
            found.append({name: float(value) for name, value in zip(judge.labels, means, strict=True)})
        return found

    def edited(self, view: View, direction: F64, light: F32 = NO_LIGHT) -> U8:
        """A view as the product would edit it, without its smoothing over time: uint8 RGB [H, W, 3].

        direction: float64 [52]; negative: the share to take away. light: float32 [4], of `lights`.
        """
        falling = np.minimum(np.maximum(-direction, 0.0), 1.0)
        target = Target(np.maximum(direction, 0.0), falling, np.zeros(BLENDSHAPE_COUNT))
        wanted = target.offset(view.face.expression) * view.room
        offset = self._guard.solve(wanted, view.lips, self._mouth)
        offset_px = view.face.pose.project_vectors(self._model.edited_iod(offset)).astype(np.float32)
        weights = self._skin.weights(view.face.expression, offset)
        pose = view.face.pose
        gain = self._shading.gain_log(light, pose.rotation, offset)
        moved = Displacement(view.points_px, offset_px, pose.scale_px_per_iod, weights, gain)
        return np.array(self._renderer.render(view.frame, moved).rgb)


def open_judge(path: Path, emotions: Sequence[str]) -> EmotionJudge:
    """A recogniser that knows `emotions`, its labels from the card beside it.

    Raises InputError: no such network. UsageError: no labels, or none of these emotions among them.
    """
    if not read_card(path, DEFAULT_CARD).labels:
        open_network(path)  # what is no network at all is said first
        raise UsageError(
            f"{path}: which emotions its outputs stand for is not known: write them in order into "
            f'{card_path(path)}, as {{"labels": ["angry", "happy", ...]}} (docs/evaluation.md)'
        )
    judge = EmotionJudge(path)
    for emotion in emotions:
        if emotion not in judge.labels:
            raise UsageError(
                f"{path} knows no {emotion!r}.{nearest(emotion, judge.labels)} Give another judge"
            )
    return judge
