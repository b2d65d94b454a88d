"""Re-enactment against the real frames: frame A of a clip, edited to the expression of frame B, beside B.

B really shows what A was asked to show, so no judge is needed. What each stage of the edit adds is measured
on the part of the clip from which nothing was learned. Definitions: docs/reenactment.md. Called by
`rtfilter bench reenact`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rtfilter.bench.common import provenance
from rtfilter.bench.reenact_compare import measured, median_luma, truth_of
from rtfilter.bench.reenact_figures import all_figures, clip_figures
from rtfilter.bench.reenact_footage import Clip, opened, read_clips
from rtfilter.bench.reenact_maps import maps_for
from rtfilter.bench.reenact_pairs import Pair, pairs_across, pairs_within
from rtfilter.bench.reenact_stages import Lesson, Stage, compared_with, open_stages
from rtfilter.errors import InputError, Notify, OutputError, UsageError
from rtfilter.face.model import MorphableModel
from rtfilter.frame import Frame
from rtfilter.system.arrays import U8
from rtfilter.tracking.base import Tracker

PAIRS = 24
LEARN_SHARE = 0.5
SHOWN = 3  # pairs of a clip in a sheet
SHOWN_PX = 300


def reenact(
    clips: Sequence[str],
    takes: Sequence[tuple[str, str]],
    notify: Notify,
    *,
    count: int = PAIRS,
    maps: Path | None = None,
    texture: Path | None = None,
    sheets: Path | None = None,
) -> dict[str, Any]:
    """All figures of all clips, and of all pairs of takes (neutral, feeling) of one sentence by one person.

    count: at most so many pairs of frames each. maps: a file, or a folder as of `maps_for`. texture: see
    `Lesson`. sheets: a folder for pictures of the first pairs. Raises InputError for what cannot be read or
    shows no face, UsageError without a clip.
    """
    if not clips and not takes:
        raise UsageError("bench reenact: give clips, such as `rtfilter bench reenact talk.mp4`, or --pairs")
    head, model = provenance(), MorphableModel.builtin()
    jobs = [*((clip,) for clip in clips), *takes]
    for path in dict.fromkeys(path for job in jobs for path in job):
        opened(path).close()
    if texture is not None and not texture.exists():
        raise InputError(
            f"{texture}: no such file or folder: expected what `rtfilter learn texture-export` wrote"
        )
    given = [None if maps is None else maps_for(maps, Path(paths[0]).stem) for paths in jobs]
    results: list[dict[str, Any]] = []
    stages_left_out: dict[str, str] = {}
    clips_left_out: dict[str, str] = {}
    for paths, own in zip(jobs, given, strict=True):
        try:
            tracked = read_clips(paths, LEARN_SHARE, notify)
            pairs = _pairs(tracked, count, model)
        except InputError as error:
            if len(jobs) == 1:
                raise
            clips_left_out[" to ".join(Path(path).stem for path in paths)] = str(error)
            notify(f"left out: {error}")
            continue
        stages, missing = open_stages(Lesson(model, tracked, own, texture))
        stages_left_out |= missing
        try:
            results.append(_clip_result(tracked, pairs, stages, model, sheets))
        finally:
            for stage in stages:
                stage.close()
        notify(f"{results[-1]['name']}: {len(pairs)} pairs compared in {len(stages)} stages")
    if not results:
        raise InputError(f"none of {len(jobs)} clips can be compared: {next(iter(clips_left_out.values()))}")
    return {
        **head,
        "maps": None if maps is None else maps.name,
        "texture": None if texture is None else texture.name,
        "left_out": stages_left_out,
        "clips_left_out": clips_left_out,
        "clips": results,
        "all": all_figures(results),
    }


def _pairs(clips: Sequence[Clip], count: int, model: MorphableModel) -> list[Pair]:
    """Of one clip, or from the first of two to the second."""
    if len(clips) == 1:
        return pairs_within(clips[0], count, model)
    return pairs_across(clips[0], clips[1], count, model)


def _clip_result(
    clips: Sequence[Clip],
    pairs: Sequence[Pair],
    stages: Sequence[Stage],
    model: MorphableModel,
    sheets: Path | None,
) -> dict[str, Any]:
    from rtfilter.tracking.engine import EngineTracker

    clip_a, clip_b = clips[0], clips[-1]
    if clip_a is clip_b:
        pictures_a = clip_a.pictures(seen.number for pair in pairs for seen in (pair.a, pair.b))
        pictures_b = pictures_a
    else:
        pictures_a = clip_a.pictures(pair.a.number for pair in pairs)
        pictures_b = clip_b.pictures(pair.b.number for pair in pairs)
    rows: dict[str, list[dict[str, float | None]]] = {stage.name: [] for stage in stages}
    exposure, rows_shown = [], []
    with closing(EngineTracker()) as tracker:
        for number, pair in enumerate(pairs):
            before, scale = pictures_a[pair.a.number], pair.a.face.pose.scale_px_per_iod
            size = (before.shape[1], before.shape[0])
            real = pictures_b[pair.b.number]
            truth = truth_of(real, pair.b.points_px, pair.a.points_px, size, scale, model)
            own, other = median_luma(truth.cut(before), truth.face), median_luma(truth.rgb, truth.face)
            exposure.append(100.0 * abs(other / max(own, 1.0) - 1.0))
            shown = []
            for stage in stages:
                edited = stage.edit(before, pair.a.face, pair.b.face.expression)
                found = _landmarks(tracker, edited)
                rows[stage.name].append(measured(truth.cut(edited), truth, found))
                shown.append(truth.cut(edited))
            if number < SHOWN:
                rows_shown.append(_strip([*shown, truth.rgb]))
    name = clip_a.name if clip_a is clip_b else f"{clip_a.name} to {clip_b.name}"
    if sheets is not None:
        _write_sheet(_unused(sheets, name.replace(" ", "_")), np.vstack(rows_shown))
    return {
        "name": name,
        "pairs": len(pairs),
        "px_per_iod": round(float(np.mean([pair.a.face.pose.scale_px_per_iod for pair in pairs])), 1),
        "change_iod": round(float(np.mean([pair.change_iod for pair in pairs])), 4),
        "turn_deg": round(float(np.mean([pair.turn_deg for pair in pairs])), 2),
        "exposure_percent": round(float(np.mean(exposure)), 2),
        **clip_figures(rows, compared_with(list(rows))),
    }


def _landmarks(tracker: Tracker, rgb: U8) -> Any:
    """Landmarks of a single picture, float32 [478, 3], or None."""
    tracker.reset()
    found = tracker.track(Frame.from_rgb(rgb))
    return None if found is None else found.points_px


def _strip(pictures: Sequence[Any]) -> U8:
    """Pictures of one size in a row, each in a square of SHOWN_PX; the last is the real one."""
    tiles = []
    for picture in pictures:
        rgb = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        height, width = rgb.shape[:2]
        share = SHOWN_PX / max(height, width)
        small = cv2.resize(rgb, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)
        tile = np.zeros((SHOWN_PX, SHOWN_PX, 3), np.uint8)
        tile[: small.shape[0], : small.shape[1]] = small
        tiles.append(tile)
    return np.hstack(tiles)


def _unused(folder: Path, name: str) -> Path:
    """NAME.png, or NAME-2.png and so on: two folders may hold clips of one name."""
    path, number = folder / f"{name}.png", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.png"
    return path


def _write_sheet(path: Path, rgb: U8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)):
        raise OutputError(f"{path}: cannot be written: choose another folder for --sheets")
