"""`evaluate`: an edited video measured against its source. Called by `rtfilter evaluate`.

By the product's own tracker and face fit: good for choosing settings and for regressions, no evidence for a
claim. And by networks of the user's, see `quality.judges`. Definitions: docs/evaluation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.errors import InputError, UsageError
from rtfilter.face.change import ChangeFit
from rtfilter.face.fit import FaceFit, FaceState
from rtfilter.face.model import MorphableModel
from rtfilter.frame import Frame
from rtfilter.quality import measures
from rtfilter.quality.judges.panel import Judged, JudgeFiles, Panel
from rtfilter.quality.judges.realism import RealismJudge
from rtfilter.quality.measures import F32, FacePairs, PixelMeasure
from rtfilter.quality.mouth import mouth
from rtfilter.quality.report import Evaluation
from rtfilter.sources.file import FileSource
from rtfilter.tracking.base import LANDMARK_COUNT

# Centres farther apart are two people's: the two trackers may each have chosen another one.
SAME_FACE_IOD = 0.5

Progress = Callable[[int, int | None], None]


@dataclass(slots=True)
class Tracks:
    """Landmarks of both clips by frame; None where there was no face."""

    time_s: list[float] = field(default_factory=list)
    source: list[F32 | None] = field(default_factory=list)
    edited: list[F32 | None] = field(default_factory=list)


def evaluate(
    source_path: str | Path,
    edited_path: str | Path,
    progress: Progress | None = None,
    judges: JudgeFiles | None = None,
) -> Evaluation:
    """Measure `edited_path` against `source_path`, frame by frame.

    progress: called after every frame with the frames done and their number (None: unknown).
    judges: networks to ask as well.

    Raises InputError when a file cannot be read, holds no face, or a face that is not the source's, or when a
    judge is no network of its kind; UsageError when the two are not one clip before and after: other sizes,
    or other numbers of frames.
    """
    with closing(FileSource(source_path)) as source, closing(FileSource(edited_path)) as edited:
        _check_sizes(source, edited)
        panel = None if judges is None else Panel(judges, Path(source_path), float(source.info.fps))
        if panel is not None and panel.realism is not None:
            _observe_reference(panel.realism, progress)
        tracks, pixels = _observe(source, edited, panel, progress)
    before, after = source.info.name, edited.info.name
    for name, points in ((before, tracks.source), (after, tracks.edited)):
        if all(found is None for found in points):
            raise InputError(
                f"{name}: no face in any of {len(points)} frames, so there is nothing to measure"
            )
    pairs = paired(tracks, MorphableModel.builtin())
    if len(pairs.frame) == 0:
        raise InputError(
            f"{after}: its face is never where that of {before} is: give a clip and an edit of that clip"
        )
    return Evaluation(
        source=before,
        edited=after,
        frames=len(tracks.source),
        source_faces=sum(points is not None for points in tracks.source),
        edited_faces=sum(points is not None for points in tracks.edited),
        faces=len(pairs.frame),
        mouth=mouth(pairs),
        emotion=measures.emotion(pairs),
        jitter=measures.jitter(pairs),
        pixels=pixels,
        judged=Judged() if panel is None else panel.measure(),
    )


def paired(tracks: Tracks, model: MorphableModel) -> FacePairs:
    """Poses and changes of expression in the frames where both clips show the same face.

    Both are measured against the neutral of the *source's* person, learned from the whole source and then
    held: one learned from the edited clip would take a lasting smile for the person's own face.
    """
    fit = FaceFit(model)
    neutral = fit.first_identity()
    for time_s, points_px in zip(tracks.time_s, tracks.source, strict=True):
        if points_px is not None:
            _, neutral = fit.step(neutral, points_px, time_s)
    kept: list[tuple[int, F32, F32, FaceState]] = []
    for number, (before_px, after_px) in enumerate(zip(tracks.source, tracks.edited, strict=True)):
        if before_px is None or after_px is None:
            continue
        state, _ = fit.step(neutral, before_px, tracks.time_s[number])
        apart_px = np.hypot(*(after_px - before_px)[:, :2].mean(0))
        if apart_px < SAME_FACE_IOD * state.pose.scale_px_per_iod:
            kept.append((number, before_px, after_px, state))
    states = [state for *_, state in kept]
    down = np.array([state.pose.rotation[:2, 1] for state in states]).reshape(-1, 2)
    moved_iod = [state.pose.unproject(after_px) - state.shape_iod for _, _, after_px, state in kept]
    expression = np.array([state.expression for state in states]).reshape(-1, BLENDSHAPE_COUNT)
    person_iod = states[0].neutral_iod if states else model.mean_iod.astype(np.float64)
    change = ChangeFit(model, person_iod)
    return FacePairs(
        frame=np.array([number for number, *_ in kept], np.int64),
        source_px=np.array([points for _, points, *_ in kept], np.float32).reshape(-1, LANDMARK_COUNT, 3),
        edited_px=np.array([points for _, _, points, _ in kept], np.float32).reshape(-1, LANDMARK_COUNT, 3),
        px_per_iod=np.array([state.pose.scale_px_per_iod for state in states]),
        down=down / np.maximum(np.hypot(down[:, 0], down[:, 1]), 1e-9)[:, None],
        change=change.solve(np.array(moved_iod).reshape(-1, LANDMARK_COUNT, 3), expression),
    )


def _observe(
    source: FileSource, edited: FileSource, panel: Panel | None, progress: Progress | None
) -> tuple[Tracks, PixelMeasure]:
    from rtfilter.tracking.engine import EngineTracker

    tracks, pixels = Tracks(), measures.Pixels()
    with closing(EngineTracker()) as source_tracker, closing(EngineTracker()) as edited_tracker:
        for before, after in _together(source, edited):
            found, edited_found = source_tracker.track(before), edited_tracker.track(after)
            points_px = None if found is None else found.points_px
            tracks.time_s.append(before.pts_ns * 1e-9)
            tracks.source.append(points_px)
            tracks.edited.append(None if edited_found is None else edited_found.points_px)
            if points_px is not None:
                pixels.add(before.rgb, after.rgb, points_px)
            if panel is not None:
                panel.add(before.rgb, after.rgb, points_px, tracks.time_s[-1])
            if progress is not None:
                progress(len(tracks.source), source.info.frame_count)
    return tracks, pixels.measure()


def _observe_reference(judge: RealismJudge, progress: Progress | None) -> None:
    """Show every face of the reference clip to `judge`. Raises InputError where there is none."""
    from rtfilter.tracking.engine import EngineTracker

    faces = 0
    with closing(FileSource(judge.reference)) as clip, closing(EngineTracker()) as tracker:
        for count, frame in enumerate(iter(clip.read, None), 1):
            found = tracker.track(frame)
            if found is not None:
                judge.add_reference(frame.rgb, found.points_px)
                faces += 1
            if progress is not None:
                progress(count, clip.info.frame_count)
    if not faces:
        raise InputError(f"{judge.reference}: no face in the reference clip: give one that shows a face")


def _together(source: FileSource, edited: FileSource) -> Iterator[tuple[Frame, Frame]]:
    pairs = zip_longest(iter(source.read, None), iter(edited.read, None))
    for count, (before, after) in enumerate(pairs):
        if before is None or after is None:
            short, long = (source, edited) if before is None else (edited, source)
            raise UsageError(
                f"{short.damage or short.info.name} ends after {count} frames and {long.info.name} goes on: "
                "expected every frame of the source in the edit; filter the whole source again"
            )
        if before.rgb.shape != after.rgb.shape:
            raise UsageError(
                f"frame {count} is {before.width}x{before.height} before and {after.width}x{after.height} "
                "after: cut the source where its size changes"
            )
        yield before, after


def _check_sizes(source: FileSource, edited: FileSource) -> None:
    before, after = source.info, edited.info
    if (before.width, before.height) == (after.width, after.height):
        return
    size, expected = f"{after.width}x{after.height}", f"{before.width}x{before.height}"
    got = f"{after.name} is {size}, expected {expected} as in the source"
    if (after.width, after.height) == (2 * before.width, before.height):
        raise UsageError(f"{got}: it looks like one made with --compare; make it without and evaluate that")
    raise UsageError(f"{got}: evaluate the edit at its own size")
