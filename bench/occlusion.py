"""What an edit does to hands, glasses, walls and neighbours, measured where the truth is known.

Drawn things come before the face of a clip, a person stands before a drawn grid, wears drawn or real glasses,
or walks past others. Definitions: docs/occlusion.md. Called by `rtfilter bench occlusion`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from rtfilter.bench.common import provenance
from rtfilter.bench.occlusion_crowd import crowds
from rtfilter.bench.occlusion_lines import before_grid, line_figures, mattes_of
from rtfilter.bench.occlusion_mask import false_figures, mask_figures
from rtfilter.bench.occlusion_measures import Run, occluder_figures, rounded, truth_of
from rtfilter.bench.occlusion_rims import drawn_rims, real_rims, rim_figures, spectacles, with_glasses
from rtfilter.bench.occlusion_scenes import OCCLUDERS, Clip, Scene, phase_frames, read_clip, with_occluder
from rtfilter.controls import EMOTIONS, Controls
from rtfilter.errors import InputError, Notify, OutputError, UsageError, nearest
from rtfilter.filter import FaceFilter
from rtfilter.frame import Frame
from rtfilter.gpu.choose import LaneChoice
from rtfilter.system.arrays import U8

TESTS: Final = ("occluders", "masks", "false", "lines", "rims", "crowds")
FELT: Final = tuple(name for name in EMOTIONS if name != "neutral")
_GRID_S: Final = 1.0  # seconds of the tests in which nothing comes or goes
_SHOWN_PX: Final = 240


def occlusion(
    clips: Sequence[str],
    notify: Notify,
    *,
    glasses: Sequence[str] = (),
    tests: Sequence[str] = TESTS,
    emotions: Sequence[str] = FELT,
    occluders: Sequence[str] = tuple(OCCLUDERS),
    lane: str | LaneChoice = "cpu",
    sheets: Path | None = None,
) -> dict[str, Any]:
    """All figures. clips: of people without glasses. glasses: of people who wear some.

    sheets: a folder for pictures. Raises InputError for what cannot be read or shows no face, and where
    nothing is left to measure; UsageError without a clip or for an unknown name.
    """
    if not clips and not glasses:
        raise UsageError("bench occlusion: give clips, such as `rtfilter bench occlusion talk.mp4`")
    for what, given, known in (
        ("test", tests, TESTS),
        ("emotion", emotions, EMOTIONS),
        ("occluder", occluders, tuple(OCCLUDERS)),
    ):
        for name in given:
            if name not in known:
                raise UsageError(f"unknown {what} {name!r}:{nearest(name, known)}")
    document: dict[str, Any] = {**provenance(), "emotions": list(emotions), "left_out": {}}
    with FaceFilter(lane=lane) as face_filter:
        bench = _Bench(face_filter, notify, emotions, document["left_out"], sheets)
        if "occluders" in tests:
            document["occluders"] = bench.occluders(clips, occluders)
        if "masks" in tests:
            document["masks"] = bench.masks(clips, occluders)
        if "false" in tests:
            document["false"] = bench.false(clips, glasses)
        if "lines" in tests:
            document["lines"] = bench.lines(clips)
        if "rims" in tests:
            document["rims"] = bench.rims(clips, glasses)
    if "crowds" in tests:
        document["crowds"] = crowds(clips, notify, lane, document["left_out"])
    if document["left_out"] and not any(document.get(test) for test in TESTS):
        raise InputError("; ".join(dict.fromkeys(document["left_out"].values())))
    return document


class _Bench:
    """The tests that a single filter runs, each a list of rows."""

    def __init__(
        self,
        face_filter: FaceFilter,
        notify: Notify,
        emotions: Sequence[str],
        left_out: dict[str, str],
        sheets: Path | None,
    ) -> None:
        self._filter, self._notify, self._emotions = face_filter, notify, emotions
        self._left_out, self._sheets = left_out, sheets

    def run(self, frames: Sequence[U8], fps: float, controls: Controls) -> Run:
        """The filter's answer to all frames, from nothing known."""
        self._filter.reset()
        after, seen = [], []
        for number, rgb in enumerate(frames):
            result = self._filter.step(
                Frame.from_rgb(rgb, pts=round(number / fps * 1e9), seq=number), controls
            )
            after.append(result.frame.rgb)
            seen.append(result.report.landmarks is not None)
        return Run(frames, after, seen)

    def occluders(self, clips: Sequence[str], names: Sequence[str]) -> list[dict[str, Any]]:
        rows = []
        for path in clips:
            clip = read_clip(path)
            alone = {one: self.run(clip.frames, clip.fps, Controls({one: 1.0})) for one in self._emotions}
            for name in names:
                scene = with_occluder(clip, name)
                truth = truth_of(clip, scene)
                shown: list[U8] = []
                for one in self._emotions:
                    run = self.run(scene.frames, clip.fps, Controls({one: 1.0}))
                    figures = occluder_figures(truth, run, alone[one])
                    rows.append({"clip": clip.name, "occluder": name, "emotion": one, **rounded(figures)})
                    shown.append(_shown(clip, scene, run))
                self._notify(f"{clip.name}: {name}")
                self._sheet(f"{clip.name}-{name}", [_shown(clip, scene, None), *shown])
        return rows

    def masks(self, clips: Sequence[str], names: Sequence[str]) -> list[dict[str, Any]]:
        rows = []
        for path in clips:
            clip = read_clip(path)
            for name in names:
                figures = mask_figures(clip, with_occluder(clip, name))
                rows.append({"clip": clip.name, "occluder": name, **rounded(figures)})
            self._notify(f"masks: {clip.name}")
        return rows

    def false(self, clips: Sequence[str], glasses: Sequence[str]) -> list[dict[str, Any]]:
        def rows_of(path: str) -> list[dict[str, Any]]:
            clip, rows = read_clip(path, _GRID_S), []
            worn = spectacles(clip, real_rims(clip)) if path in glasses else None
            for one in self._emotions:
                plain = Controls({one: 1.0}, occlusion=False)
                holding = self.run(clip.frames, clip.fps, Controls({one: 1.0}))
                figures = false_figures(clip, holding, self.run(clip.frames, clip.fps, plain), worn)
                rows.append({"clip": clip.name, "emotion": one, **rounded(figures)})
            return rows

        return self._each("false", [*clips, *glasses], rows_of)

    def lines(self, clips: Sequence[str]) -> list[dict[str, Any]]:
        def rows_of(path: str) -> list[dict[str, Any]]:
            clip, rows = read_clip(path, _GRID_S), []
            mattes = mattes_of(clip)
            shown = before_grid(clip.frames, mattes)
            for one in self._emotions:
                run = self.run(shown, clip.fps, Controls({one: 1.0}))
                rows.append({"clip": clip.name, "emotion": one, **rounded(line_figures(clip, mattes, run))})
            return rows

        return self._each("lines", clips, rows_of)

    def rims(self, clips: Sequence[str], glasses: Sequence[str]) -> list[dict[str, Any]]:
        def rows_of(path: str) -> list[dict[str, Any]]:
            clip, rows = read_clip(path, _GRID_S), []
            worn = path in glasses
            clip = clip if worn else with_glasses(clip)
            rims = real_rims(clip) if worn else drawn_rims(clip)
            for one in self._emotions:
                run = self.run(clip.frames, clip.fps, Controls({one: 1.0}))
                kind = "worn" if worn else "drawn"
                figures = rounded(rim_figures(clip, rims, run))
                rows.append({"clip": clip.name, "rims": kind, "emotion": one, **figures})
            return rows

        return self._each("rims", [*glasses, *clips], rows_of)

    def _each(
        self, test: str, clips: Sequence[str], rows_of: Callable[[str], list[dict[str, Any]]]
    ) -> list[dict[str, Any]]:
        rows = []
        for path in clips:
            try:
                rows += rows_of(path)
                self._notify(f"{test}: {Path(path).stem}")
            except InputError as error:
                if len(clips) == 1:
                    raise
                self._left_out[f"{test}, {Path(path).stem}"] = str(error)
                self._notify(f"left out: {test}: {error}")
        return rows

    def _sheet(self, name: str, tiles: Sequence[U8]) -> None:
        if self._sheets is None:
            return
        path = self._sheets / f"{name.replace(' ', '_')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(path), cv2.cvtColor(np.hstack(list(tiles)), cv2.COLOR_RGB2BGR)):
            raise OutputError(f"{path}: cannot be written: choose another folder for --sheets")


def _shown(clip: Clip, scene: Scene, run: Run | None) -> U8:
    """The face in the middle of the time that the thing rests, before or after the edit."""
    resting = phase_frames(scene, [2])
    number = resting[len(resting) // 2]
    rgb = scene.frames[number] if run is None else run.after[number]
    points = clip.points_px[number][:, :2]
    middle, half = points.mean(0), 1.15 * clip.iod_px
    scale = _SHOWN_PX / (2 * half)
    matrix = np.array([[scale, 0, scale * (half - middle[0])], [0, scale, scale * (half - middle[1])]])
    return np.asarray(cv2.warpAffine(rgb, matrix, (_SHOWN_PX, _SHOWN_PX), flags=cv2.INTER_AREA), np.uint8)
