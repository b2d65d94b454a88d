"""Small people in pictures without faces, with known landmarks; footage without a face is refused."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from rtfilter.bench.far_scenes import NOISE_LEVELS, Actor, Scene
from rtfilter.bench.tracker_far import FRAMES, measure
from rtfilter.errors import InputError
from tests.clips import clip
from tests.faces import face_px

GREY = np.full((90, 120, 3), 120, np.uint8)


@pytest.mark.parametrize("place", [(0.05, 0.05), (0.5, 0.4), (0.95, 0.8)])
def test_landmarks_of_a_scene_lie_where_the_face_was_put(place: tuple[float, float]) -> None:
    points = face_px()
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    rgb = np.full((int(high[1] + low[1]), int(high[0] + low[0]), 3), 120, np.uint8)
    x, y = points[1, :2].astype(int)
    rgb[y - 6 : y + 7, x - 6 : x + 7] = 255
    actor = Actor("white nose", [rgb], [points])
    shown, truth = Scene(actor, GREY, 640, 360, 0.2, place).frame(0)
    assert np.ptp(truth[:, 0]) == pytest.approx(0.2 * 640, abs=0.5)
    assert (truth[:, :2].min(0) >= -0.5).all()
    assert (truth[:, :2].max(0) <= (640.5, 360.5)).all()
    bright = np.argwhere(shown[..., 1] > 200)[:, ::-1].mean(0) + 0.5
    assert np.abs(bright - truth[1, :2]).max() < 1.0
    empty = Scene(None, GREY, 640, 360, 0.2, place).frame(0)[0]
    assert abs(float(empty.mean()) - 120.0) < 1.0
    assert float(empty.std()) == pytest.approx(NOISE_LEVELS, abs=0.3)


def test_footage_in_which_nobody_is_seen_is_refused(tmp_path: Path) -> None:
    clip(tmp_path / "wall.mp4", frames=FRAMES)
    with pytest.raises(InputError, match="no clip shows a face"):
        measure(Namespace(footage=[tmp_path], size=["720p"], empty=1))
