"""Where the filter takes something to lie before a face: against where it does, and where nothing does.

Called by `bench.occlusion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.bench.occlusion_measures import Run, Share, change, energy, filled, most_change, regions
from rtfilter.bench.occlusion_scenes import Clip, Scene
from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Room
from rtfilter.face.model import MorphableModel
from rtfilter.frame import Frame
from rtfilter.occlusion.network import on_the_processor
from rtfilter.occlusion.watch import OcclusionWatch
from rtfilter.tracking.engine import EngineTracker

Mask = npt.NDArray[np.bool_]
HELD_PX: Final = 0.5  # from what is held, below which a pixel counts as held

SEEN_LEVELS: Final = 3.0


def mask_figures(clip: Clip, scene: Scene) -> dict[str, float | None]:
    """Within the outline of the free face: intersection over union of what is held with what is covered,
    percent, while the thing rests and while it moves; and how many percent of the free part are held then.
    """
    sums = {"rest": np.zeros(4), "moving": np.zeros(4)}
    triangles = MorphableModel.builtin().triangles
    with closing(on_the_processor()) as network, closing(EngineTracker()) as tracker:
        watch = OcclusionWatch(network, triangles)
        for number, rgb in enumerate(scene.frames):
            time_s = number / clip.fps
            frame = Frame.from_rgb(rgb, pts=round(time_s * 1e9), seq=number)
            landmarks, phase = tracker.track(frame), scene.phases[number]
            if landmarks is None:
                continue
            room = watch.see(frame, landmarks, time_s).room
            if phase not in (1, 2, 3):
                continue
            face = filled(clip.points_px[number][list(lm.FACE_OVAL), :2], rgb.shape)
            held, covered = held_pixels(room, rgb.shape)[face], scene.alphas[number][face] > 127
            parts = (held & covered, held | covered, held & ~covered, ~covered)
            sums["rest" if phase == 2 else "moving"] += [np.count_nonzero(part) for part in parts]
    return {
        "iou_rest": _percent(sums["rest"][0], sums["rest"][1]),
        "iou_moving": _percent(sums["moving"][0], sums["moving"][1]),
        "beside": _percent(sums["rest"][2], sums["rest"][3]),
    }


def false_figures(
    clip: Clip, holding: Run, plain: Run, worn: Sequence[Mask] | None = None
) -> dict[str, float | None]:
    """What is lost of an edit of an uncovered face, against the same edit that holds nothing.

    held: percent of the face's pixels (without its rim) with an edit that anyone sees, which came out as they
    were. differs: how far the edit is another one, percent of its energy, and of its worst frame: a smile
    that is held in part is no smaller smile. worn: of each frame, glasses, bool [H, W], which are rightly
    held and do not count.
    """
    held, differs, worst = Share(), Share(), 0.0
    empty = np.zeros(clip.frames[0].shape[:2], np.uint8)
    for number, points in enumerate(clip.points_px):
        if number < clip.fps * 0.3:  # the edit fades in
            continue
        face = regions(empty, points, clip.iod_px).face
        face = face if worn is None else face & ~worn[number]
        free = change(plain.before[number], plain.after[number])
        own = change(holding.before[number], holding.after[number])
        same = most_change(holding.before[number], holding.after[number]) == 0
        held.add(np.count_nonzero(same & face & (np.abs(free) >= SEEN_LEVELS)), np.count_nonzero(face))
        apart, whole = energy(free - own, face), energy(free, face)
        differs.add(apart, whole)
        worst = max(worst, 100.0 * apart / max(whole, 1e-9))
    return {"held": held.percent, "differs": differs.percent, "differs_most": worst}


def held_pixels(room: Room, shape: tuple[int, ...]) -> Mask:
    """Which pixels of a picture a room holds; bool [H, W]."""
    x, y = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    matrix, side = room.room_from_picture, room.distance.shape[0]
    column, row = (matrix[k, 0] * x + matrix[k, 1] * y + matrix[k, 2] - 0.5 for k in (0, 1))
    column, row = (np.clip(at, 0.0, side - 1.001) for at in (column, row))
    left, top = column.astype(np.int64), row.astype(np.int64)
    across, down = column - left, row - top
    upper = room.distance[top, left] * (1 - across) + room.distance[top, left + 1] * across
    lower = room.distance[top + 1, left] * (1 - across) + room.distance[top + 1, left + 1] * across
    return np.asarray(upper * (1 - down) + lower * down < HELD_PX)


def _percent(part: float, whole: float) -> float | None:
    return 100.0 * float(part) / float(whole) if whole > 0 else None
