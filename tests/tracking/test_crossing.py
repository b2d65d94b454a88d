"""Who is who after two people crossed: pure motion, in pixels and seconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rtfilter.tracking.crossing import CrossingWatch, Spot

LOOK_S = 0.2
Path = Callable[[float], Spot]


def walking(start_x: float, speed: float, y: float = 200.0) -> Path:
    return lambda time_s: Spot(start_x + speed * time_s, y, 100.0)


def crossing(mine: Path, other: Path, taken_over_at_s: float | None, duration_s: float = 4.0) -> list[bool]:
    """Whether the tracker is on us, look by look; it goes along with the other from `taken_over_at_s`.

    Faces closer than 0.8 sizes are one face to the detector, the other's.
    """
    watch, ours, results = CrossingWatch(), True, []
    for look in range(int(duration_s / LOOK_S)):
        time_s = look * LOOK_S
        me, they = mine(time_s), other(time_s)
        if taken_over_at_s is not None and time_s >= taken_over_at_s:
            ours, taken_over_at_s = False, None
        hidden = abs(me.x - they.x) < 80
        faces = [they] if hidden else [me, they]
        instead = watch.look(me if ours and not hidden else they if hidden or not ours else me, faces, time_s)
        if instead is not None:
            ours = instead == me
        results.append(ours)
    return results


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        (walking(100, 200), walking(900, -200)),
        (walking(500, 0), walking(100, 220)),
        (walking(100, 220), walking(500, 0)),
    ],
    ids=["both walk", "they pass", "we pass"],
)
def test_after_a_crossing_it_is_us_again(mine: Path, other: Path) -> None:
    meeting_s = next(t / 100 for t in range(400) if abs(mine(t / 100).x - other(t / 100).x) < 80)
    results = crossing(mine, other, taken_over_at_s=meeting_s)
    assert not all(results)
    assert all(results[-5:])


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        (walking(100, 200), walking(900, -200)),
        (walking(500, 0), walking(100, 220)),
        (walking(300, 0), walking(700, 0)),
    ],
)
def test_who_was_never_lost_is_kept(mine: Path, other: Path) -> None:
    assert all(crossing(mine, other, taken_over_at_s=None))


def test_alone_there_is_nothing_to_mistake() -> None:
    watch = CrossingWatch()
    for look in range(50):
        here = Spot(100 + 17 * look, 200, 100)
        assert watch.look(here, [here], look * LOOK_S) is None
        assert watch.expected(look * LOOK_S) is None
    assert watch.look(Spot(0, 0, 10), [], 11.0) is None


def test_a_face_that_the_detector_does_not_see_is_left_alone() -> None:
    watch = CrossingWatch()
    assert watch.look(Spot(100, 100, 80), [Spot(900, 100, 80)], 0.0) is None
    assert watch.look(Spot(100, 100, 80), [Spot(900, 100, 80)], 0.2) is None


def test_while_somebody_passes_we_are_expected_where_we_were_going() -> None:
    watch, mine, other = CrossingWatch(), walking(100, 200), walking(900, -200)
    for look in range(8):
        time_s = look * LOOK_S
        watch.look(mine(time_s), [mine(time_s), other(time_s)], time_s)
    x, y = watch.expected(2.2) or (0.0, 0.0)
    assert x == pytest.approx(100 + 200 * 2.2, abs=1.0)
    assert y == pytest.approx(200)
    assert watch.expected(20.0) is None
    watch.forget()
    assert watch.expected(2.2) is None
