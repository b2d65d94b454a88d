"""Skin maps that are swapped in a whole filter, at any moment of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from rtfilter.controls import Controls
from rtfilter.errors import UsageError
from rtfilter.face.skin import SkinMaps
from rtfilter.filter import FaceFilter
from rtfilter.frame import Frame
from tests.faces import ScriptedTracker, builtin, face_px, texture

FPS = 30
# The faces are scripted, over pictures that show none.
HAPPY = Controls({"happy": 1.0}, smoothing=0.0, occlusion=False)
PICTURE = texture(320, 240)


def frame(seq: int) -> Frame:
    return Frame.from_rgb(PICTURE, pts=round(seq / FPS * 1e9), seq=seq)


@pytest.fixture
def pair() -> Iterator[tuple[FaceFilter, FaceFilter]]:
    """Two filters that see a face in ten frames, and none afterwards."""
    script = [*[face_px()] * 10, None]
    made = [FaceFilter(tracker=ScriptedTracker(script), model=builtin(), fade_s=0.2) for _ in range(2)]
    yield made[0], made[1]
    for one in made:
        one.close()


def test_other_maps_may_come_while_a_lost_face_fades(pair: tuple[FaceFilter, FaceFilter]) -> None:
    """What is held of it is weighed anew: other maps have other weights, and another number of them."""
    swapped = pair[0]
    for seq in range(14):
        maps = {11: SkinMaps.none(), 12: None}
        if seq in maps:
            swapped.use_skin(maps[seq])
        (out, report), (want, _) = (one.step(frame(seq), HAPPY) for one in pair)
        assert np.array_equal(out.rgb, want.rgb) == (seq != 11)
    assert 0.0 < report.strength < 1.0
    assert not np.array_equal(out.rgb, PICTURE)


def test_without_skin_it_is_the_filter_without_maps(pair: tuple[FaceFilter, FaceFilter]) -> None:
    """`skin` 0 moves pixels only: the light that is known by then changes nothing either."""
    warping, bare = pair
    bare.use_skin(SkinMaps.none())
    pure = HAPPY.with_(skin=0.0)
    for seq in range(14):
        out, want = warping.step(frame(seq), pure).frame.rgb, bare.step(frame(seq), pure).frame.rgb
        assert np.array_equal(out, want)
    assert not np.array_equal(out, PICTURE)


def test_what_are_no_maps_is_told(pair: tuple[FaceFilter, FaceFilter]) -> None:
    with pytest.raises(UsageError, match="expected SkinMaps, got str"):
        pair[0].use_skin("me")  # type: ignore[arg-type]
