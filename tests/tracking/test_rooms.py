"""Rooms as they are, composed of real people: prints, phones, light, who comes and goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtfilter.bench.far_scenes import Actor, Scene, backgrounds, people
from rtfilter.system.arrays import U8
from rtfilter.tracking.base import Landmarks
from rtfilter.tracking.engine import EngineTracker
from tests.tracking.conftest import MakeTracker
from tests.tracking.scenes import at

WIDTH, HEIGHT, FPS = 1280, 720, 30
NEAR, MIDDLE, POSTER = 0.24, 0.12, 0.14
CLIPS = ("d0.mp4", "d9.mp4", "d18.mp4")


@pytest.fixture(scope="module")
def cast(make_engine_tracker: MakeTracker, shared: Path) -> tuple[dict[str, Actor], U8]:
    """Three people by name, and shelves behind them."""
    tracker = make_engine_tracker()
    paths = [shared / "footage" / name for name in CLIPS]
    actors = {actor.name: actor for actor in people(paths, tracker, 90)}
    room = backgrounds([], tracker)["shelves"]
    tracker.close()
    return actors, room


def picture(room: U8, seq: int, *who: tuple[Actor, float, tuple[float, float]], still: bool = False) -> U8:
    """The room in frame `seq`, with people, each a share of the width and a place in the picture.

    still: they are prints, which show their first picture for ever.
    """
    rgb = Scene(None, room, WIDTH, HEIGHT, 0.0, (0.5, 0.5), seed=1).frame(seq)[0]
    for actor, share, place in who:
        Scene(actor, room, WIDTH, HEIGHT, share, place).paste(0 if still else seq % len(actor.rgb), rgb)
    return rgb


def centre(landmarks: Landmarks | None) -> tuple[float, float, float]:
    """The middle of a face and its width, in shares of the picture's width."""
    assert landmarks is not None
    points = landmarks.points_px
    x, y = points[:, :2].mean(0) / WIDTH
    return float(x), float(y), float(np.ptp(points[:, 0])) / WIDTH


def test_who_sits_down_is_followed_instead_of_a_poster(
    engine: EngineTracker, cast: tuple[dict[str, Actor], U8]
) -> None:
    actors, room = cast
    wall, me = (actors["d9"], POSTER, (0.1, 0.15)), (actors["d18"], NEAR, (0.75, 0.4))
    widths = []
    for seq in range(150):
        rgb = picture(room, 0, wall, still=True)
        if seq >= 90:
            Scene(*(me[0], room, WIDTH, HEIGHT), me[1], me[2]).paste(seq % 90, rgb)
        found = engine.track(at(rgb, seq))
        widths.append(centre(found)[2])
    assert widths[60] == pytest.approx(POSTER, rel=0.2), "nobody else was there"
    assert widths[110:] == pytest.approx([NEAR] * 40, rel=0.25), "within two thirds of a second"


def test_a_face_on_a_phone_in_the_hand_does_not_take_over(
    engine: EngineTracker, cast: tuple[dict[str, Actor], U8]
) -> None:
    actors, room = cast
    me = (actors["d18"], NEAR, (0.5, 0.4))
    for seq in range(90):
        rgb = picture(room, seq, me)
        if seq >= 15:
            x, y = 0.05 + 0.03 * np.sin(seq / 9), 0.5 + 0.05 * np.cos(seq / 7)
            Scene(actors["d9"], room, WIDTH, HEIGHT, MIDDLE, (x, y)).paste(0, rgb)
        assert centre(engine.track(at(rgb, seq)))[2] == pytest.approx(NEAR, rel=0.25), f"frame {seq}"


@pytest.mark.parametrize("light", [0.25, 0.08, 2.2])
def test_when_the_light_is_switched_the_face_stays_or_is_found_within_a_few_frames(
    engine: EngineTracker, cast: tuple[dict[str, Actor], U8], light: float
) -> None:
    """Measured on six people: not a frame was lost."""
    actors, room = cast
    lost = 0
    for seq in range(60):
        rgb = picture(room, seq, (actors["d0"], NEAR, (0.5, 0.4)))
        if seq >= 30:
            rgb = np.clip(rgb * light, 0, 255).astype(np.uint8)
        lost += engine.track(at(rgb, seq)) is None
    assert lost <= 3


@pytest.mark.parametrize("covered", [False, True], ids=["gone", "covered"])
def test_a_face_that_is_gone_or_covered_is_gone_in_that_frame(
    engine: EngineTracker, cast: tuple[dict[str, Actor], U8], covered: bool
) -> None:
    """Presence falls at once, measured on six people; but not behind a patch of one and the same colour."""
    actors, room = cast
    me = Scene(actors["d0"], room, WIDTH, HEIGHT, NEAR, (0.5, 0.4))
    found = []
    for seq in range(40):
        rgb = picture(room, seq)
        if seq < 20 or covered:
            truth_px = me.paste(seq, rgb)
        if seq >= 20 and covered:
            cover(rgb, truth_px, seq)
        found.append(engine.track(at(rgb, seq)) is not None)
    assert found == [True] * 20 + [False] * 20


def cover(rgb: U8, points_px: np.ndarray, seq: int) -> None:
    """Lay a palm over a face: skin's colour, shaded, with noise."""
    x0, y0 = (points_px[:, :2].min(0) - 60).astype(int)
    x1, y1 = (points_px[:, :2].max(0) + 40).astype(int)
    shade = np.linspace(0.6, 1.15, x1 - x0)[None, :, None] * np.array([205, 150, 125])
    noise = np.random.default_rng(seq).normal(0, 3, (y1 - y0, x1 - x0, 1))
    rgb[y0:y1, x0:x1] = np.clip(shade + noise, 0, 255)


def test_somebody_else_who_sits_down_is_another_person(
    engine: EngineTracker, cast: tuple[dict[str, Actor], U8]
) -> None:
    actors, room = cast
    numbers = []
    for seq in range(120):
        who = [(actors["d0"], NEAR, (0.5, 0.4))] if seq < 30 else []
        who += [(actors["d18"], NEAR, (0.5, 0.4))] if seq >= 75 else []
        found = engine.track(at(picture(room, seq, *who), seq))
        numbers.append(None if found is None else found.person)
    first, second = numbers[0], numbers[-1]
    assert first is not None
    assert second == first + 1
    assert numbers == [first] * 30 + [None] * 45 + [second] * 45


def test_people_near_and_far_are_followed_together(
    engine: EngineTracker, cast: tuple[dict[str, Actor], U8]
) -> None:
    actors, room = cast
    who = [
        (actors["d0"], NEAR, (0.5, 0.5)),
        (actors["d9"], 0.06, (0.12, 0.3)),
        (actors["d18"], 0.045, (0.9, 0.25)),
    ]
    found: list[list[Landmarks]] = []
    for seq in range(90):
        found.append(engine.track_all(at(picture(room, seq, *who), seq), 3))
    assert sorted(centre(each)[2] for each in found[-1]) == pytest.approx([0.045, 0.06, NEAR], rel=0.25)
    everybody = next(seq for seq, each in enumerate(found) if len(each) == 3)
    assert everybody < 75
    numbers = [each.person for each in found[everybody]]
    assert all([each.person for each in later] == numbers for later in found[everybody:])
