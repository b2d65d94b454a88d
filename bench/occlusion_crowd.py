"""People who walk past each other in one picture, each with controls of their own.

They are cut out of clips (`bench.occlusion_lines.matte`) and set before a wall, the nearer over the others.
Called by `bench.occlusion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.bench.occlusion_lines import grid, mattes_of, over
from rtfilter.bench.occlusion_measures import change, filled, most_change, rounded
from rtfilter.bench.occlusion_scenes import Clip, read_clip
from rtfilter.controls import Controls
from rtfilter.errors import InputError, Notify
from rtfilter.face import landmarks as lm
from rtfilter.filter import FaceFilter
from rtfilter.frame import Frame
from rtfilter.gpu.choose import LaneChoice
from rtfilter.gpu.lane import PersonReport
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SIZE: Final = (720, 1280)  # height, width
# What each person is asked to show; "" is nothing.
ASKED: Final = ("happy", "", "surprised", "sad", "", "angry")
NAMED_S: Final = 0.5  # until here everybody stands apart, and is given a number
_IOD_SHARE: Final = 0.42  # of the room that each has across, at most
_LARGEST_IOD: Final = 78.0
_NEAR: Final = 0.5  # inter-ocular distances from a face, within which a report is of that face
_VISIBLE: Final = 0.85  # share of a face that must be seen for it to count
_LEAST_PX: Final = 40
_LENGTH_S: Final = 2.4
_COUNTS: Final = (2, 4, 6)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Frames, and of each person and frame: the landmarks, and where they are seen (uint8 [H, W], 0..255)."""

    frames: tuple[U8, ...]
    points_px: tuple[tuple[F32, ...], ...]
    shown: tuple[tuple[U8, ...], ...]
    fps: float


def crowds(
    clips: Sequence[str], notify: Notify, lane: str | LaneChoice, left_out: dict[str, str]
) -> list[dict[str, Any]]:
    """Figures of two, four and six people from the clips that can be cut out; of too few, some come twice,
    the second time mirrored. left_out: gets those that cannot.
    """
    cut: list[tuple[Clip, list[F32]]] = []
    for path in clips:
        try:
            clip = read_clip(path, _LENGTH_S)
            cut.append((clip, mattes_of(clip)))
        except InputError as error:
            left_out[f"crowds, {Path(path).stem}"] = str(error)
            notify(f"left out: crowds: {error}")
    rows = []
    for count in _COUNTS if cut else ():
        people = [cut[n % len(cut)] if n < len(cut) else _mirrored(*cut[n % len(cut)]) for n in range(count)]
        scene = crowd([clip for clip, _ in people], [mattes for _, mattes in people])
        rows.append({"people": count, **rounded(crowd_figures(scene, lane))})
        notify(f"crowds: {count} people")
    return rows


def _mirrored(clip: Clip, mattes: Sequence[F32]) -> tuple[Clip, list[F32]]:
    """The person in a mirror. Landmarks become those of the other side: only their places are read."""
    width = clip.frames[0].shape[1]
    points = []
    for one in clip.points_px:
        other = one.copy()
        other[:, 0] = width - other[:, 0]
        points.append(other)
    frames = tuple(np.ascontiguousarray(rgb[:, ::-1]) for rgb in clip.frames)
    flipped = [np.ascontiguousarray(alpha[:, ::-1]) for alpha in mattes]
    return Clip(f"{clip.name} mirrored", frames, tuple(points), clip.fps), flipped


def crowd(clips: Sequence[Clip], mattes: Sequence[Sequence[F32]]) -> Crowd:
    """An even number of people, two by two: both walk past each other to where the other one stood."""
    count, frames_count = len(clips), min(len(clip.frames) for clip in clips)
    wall = np.asarray(cv2.GaussianBlur(grid((*SIZE, 3)), (0, 0), 2.0), np.uint8)
    iod_px = min(_LARGEST_IOD, _IOD_SHARE * SIZE[1] / count)
    frames: list[U8] = []
    points: list[list[F32]] = [[] for _ in clips]
    shown: list[list[U8]] = [[] for _ in clips]
    for number in range(frames_count):
        rgb = wall
        alphas: list[F32] = []
        for person, clip in enumerate(clips):
            matrix = _place(clip, person, count, iod_px, number / (frames_count - 1))
            own = cv2.warpAffine(clip.frames[number], matrix, SIZE[::-1], flags=cv2.INTER_AREA)
            alpha = cv2.warpAffine(mattes[person][number], matrix, SIZE[::-1], flags=cv2.INTER_LINEAR)
            rgb = over(np.asarray(own, np.uint8), np.asarray(alpha, np.float32), rgb)
            alphas = [*(below * (1.0 - alpha) for below in alphas), np.asarray(alpha, np.float32)]
            moved = clip.points_px[number].copy()
            moved[:, :2] = (moved[:, :2] - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
            moved[:, 2] *= float(np.hypot(*matrix[:, 0]))
            points[person].append(moved.astype(np.float32))
        for person, alpha in enumerate(alphas):
            shown[person].append(np.rint(alpha * 255).astype(np.uint8))
        frames.append(rgb)
    fps = clips[0].fps
    return Crowd(tuple(frames), tuple(map(tuple, points)), tuple(map(tuple, shown)), fps)


def _place(clip: Clip, person: int, count: int, iod_px: float, share: float) -> F64:
    """Where a person stands, still, then walking: an affine map [2, 3] between pixels' centres."""
    walked = np.clip((share - 0.3) / 0.6, 0.0, 1.0)
    walked = walked * walked * (3.0 - 2.0 * walked)
    here, there = ((slot + 0.5) / count for slot in (person, person ^ 1))
    near = person / max(count - 1, 1) - 0.5  # lower and larger
    x = SIZE[1] * (here + walked * (there - here))
    y = SIZE[0] * (0.42 + 0.08 * near)
    scale = (1.0 + 0.2 * near) * iod_px / clip.iod_px
    middle = np.median([points[lm.NOSE_TIP, :2] for points in clip.points_px], axis=0) - 0.5
    return np.array([[scale, 0.0, x - scale * middle[0]], [0.0, scale, y - scale * middle[1]]])


def crowd_figures(scene: Crowd, lane: str | LaneChoice) -> dict[str, float | None]:
    """What the filter made of a crowd; a share of the frames, or pixels, in percent.

    found: of faces that are seen, those with a report at their place. kept: of those, the ones with the
    number that they were given at first. own: of those, the ones that also do what they are asked: have an
    edit or none. edited: faces of people who are asked for something, that changed. others: pixels of people
    who are asked for nothing, that changed; wall: pixels of the wall. levels_max: of those, by how much.
    """
    people = len(scene.points_px)
    wanted = [Controls({name: 1.0} if name else {}) for name in ASKED[:people]]
    tally = _Tally()
    numbers: dict[int, int] = {}  # of people, by the number that the filter gave them
    named_at = round(NAMED_S * scene.fps)
    with FaceFilter(lane=lane, faces=people) as face_filter:
        for number, rgb in enumerate(scene.frames):
            frame = Frame.from_rgb(rgb, pts=round(number / scene.fps * 1e9), seq=number)
            asked = {given: wanted[person] for given, person in numbers.items()}
            result = face_filter.step(frame, Controls(), asked)
            reports = result.report.people
            if number == named_at:
                numbers = _named(scene, number, reports)
            if number > named_at:
                _count(tally, scene, number, reports, numbers, wanted)
                if number > named_at + 0.3 * scene.fps:  # edits fade in
                    _count_pixels(tally, scene, number, result.frame.rgb)
    return tally.figures()


class _Tally:
    """Parts of wholes by name, in percent."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}
        self.most = 0

    def add(self, name: str, part: float, whole: float) -> None:
        sums = self._sums.setdefault(name, [0.0, 0.0])
        sums[0] += part
        sums[1] += whole

    def figures(self) -> dict[str, float | None]:
        names = ("found", "kept", "own", "edited", "others", "wall")
        sums = {name: self._sums.get(name, [0.0, 0.0]) for name in names}
        shares = {name: 100.0 * part / whole if whole else None for name, (part, whole) in sums.items()}
        return {**shares, "levels_max": float(self.most)}


def _named(scene: Crowd, number: int, reports: Sequence[PersonReport]) -> dict[int, int]:
    """Which person each number of the filter's stands for."""
    found = {}
    for person, points in enumerate(scene.points_px):
        one = _at(points[number], reports)
        if one is not None:
            found[one.person] = person
    return found


def _at(points_px: F32, reports: Sequence[PersonReport]) -> PersonReport | None:
    """The report of the face at this place."""
    centre = points_px[: lm.SURFACE_COUNT, :2].mean(0)
    iod = float(np.hypot(*(points_px[lm.EYE_OUTER_LEFT, :2] - points_px[lm.EYE_OUTER_RIGHT, :2])))
    near = []
    for one in reports:
        away = float(np.hypot(*(one.landmarks.points_px[: lm.SURFACE_COUNT, :2].mean(0) - centre)))
        near.append((away, one))
    near.sort(key=lambda pair: pair[0])
    return near[0][1] if near and near[0][0] < _NEAR * iod else None


def _count(
    tally: _Tally,
    scene: Crowd,
    number: int,
    reports: Sequence[PersonReport],
    numbers: dict[int, int],
    wanted: Sequence[Controls],
) -> None:
    for person, points in enumerate(scene.points_px):
        face = filled(points[number][list(lm.FACE_OVAL), :2], SIZE)
        if np.mean(scene.shown[person][number][face] > 250) < _VISIBLE:
            continue
        one = _at(points[number], reports)
        tally.add("found", one is not None, 1)
        if one is None:
            continue
        own = numbers.get(one.person) == person
        tally.add("kept", own, 1)
        moved = bool(np.abs(one.offset).max() > 0.02)
        tally.add("own", own and moved == wanted[person].has_target, 1)


def _count_pixels(tally: _Tally, scene: Crowd, number: int, after: U8) -> None:
    before = scene.frames[number]
    diff, luma = most_change(before, after), change(before, after)
    nobody = np.ones(SIZE, bool)
    for person, points in enumerate(scene.points_px):
        shown = scene.shown[person][number]
        nobody &= shown == 0
        own = cv2.erode((shown > 250).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        face = filled(points[number][list(lm.FACE_OVAL), :2], SIZE) & own
        if face.sum() < _LEAST_PX:
            continue
        if ASKED[person]:
            tally.add("edited", float(np.abs(luma[face]).mean()) > 0.5, 1)
        else:
            tally.add("others", np.count_nonzero(diff[own]), np.count_nonzero(own))
            tally.most = max(tally.most, int(diff[own].max()))
    wall = cv2.erode(nobody.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    tally.add("wall", np.count_nonzero(diff[wall]), np.count_nonzero(wall))
