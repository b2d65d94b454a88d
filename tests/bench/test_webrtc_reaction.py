"""When a change is seen, on still scenes whose answer is known."""

from __future__ import annotations

import numpy as np

from rtfilter.bench.webrtc_figures import reactions, thumb_of
from rtfilter.bench.webrtc_record import Change, Row
from rtfilter.system.arrays import U8

PERIOD_US = 33_333
RANDOM = np.random.default_rng(11)
OFF = RANDOM.integers(40, 200, (96, 96)).astype(np.float32)
ON = OFF.copy()
ON[60:75, 30:66] += 25.0


def scene(shares: list[float], noise: float = 1.0) -> tuple[list[Row], list[U8]]:
    """A picture a share: 0 is before the change, 1 after it. Each arrives 40 ms after it was taken."""
    rows, thumbs = [], []
    for number, share in enumerate(shares):
        picture = OFF + share * (ON - OFF) + noise * RANDOM.standard_normal(OFF.shape)
        rows.append(Row(number, number * PERIOD_US, number * PERIOD_US + 40_000))
        thumbs.append(np.clip(picture, 0, 255).astype(np.uint8))
    return rows, thumbs


def test_the_first_changed_picture_is_found() -> None:
    rows, thumbs = scene([0.0] * 20 + [1.0] * 20)
    sent = Change(19 * PERIOD_US + 1000, 19)
    (found,) = reactions([sent], rows, thumbs)
    assert found.seen_number == 20


def test_a_picture_that_was_under_way_may_have_it_already() -> None:
    rows, thumbs = scene([0.0] * 19 + [1.0] * 20)
    (found,) = reactions([Change(18 * PERIOD_US + 30_000, 18)], rows, thumbs)
    assert found.seen_number == 19


def test_an_edit_that_fades_in_is_seen_when_it_begins() -> None:
    rows, thumbs = scene([0.0] * 20 + [0.0, 0.2, 0.4, 0.6, 0.8] + [1.0] * 20)
    (found,) = reactions([Change(19 * PERIOD_US + 1000, 19)], rows, thumbs)
    assert found.seen_number == 21


def test_each_target_has_its_own_answer() -> None:
    rows, thumbs = scene([0.0] * 20 + [1.0] * 20 + [0.0] * 20)
    changes = [Change(19 * PERIOD_US, 19), Change(38 * PERIOD_US, 38)]
    found = reactions(changes, rows, thumbs)
    assert [one.seen_number for one in found] == [20, 40]


def test_what_changes_nothing_is_not_seen() -> None:
    rows, thumbs = scene([0.0] * 60, noise=2.0)
    (found,) = reactions([Change(19 * PERIOD_US, 19)], rows, thumbs)
    assert found.seen_number == -1


def test_a_target_at_the_very_end_stays_unanswered() -> None:
    rows, thumbs = scene([0.0] * 20)
    changes = [Change(19 * PERIOD_US, 19)]
    assert reactions(changes, rows, thumbs) == changes
    assert reactions([], [], []) == []


def test_a_thumb_is_of_the_face_at_any_size() -> None:
    for height, width in ((720, 1280), (180, 320), (1080, 1920)):
        luma = np.full((height, width), 30, np.uint8)
        luma[: height // 10] = 255
        luma[-height // 10 :] = 255
        assert thumb_of(luma).shape == (96, 96)
        assert np.all(thumb_of(luma) == 30)
