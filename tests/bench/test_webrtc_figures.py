"""What rows are said to mean, on rows whose meaning is known."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.bench.webrtc_figures import age_ms, course, figures, reaction, slope
from rtfilter.bench.webrtc_record import Change, ClientRecord, Row

PERIOD_US = 33_333


def row(number: int, age_us: int = 40_000) -> Row:
    return Row(number, number * PERIOD_US, number * PERIOD_US + age_us)


def growing(count: int, ms_per_min: float, noise_ms: float) -> list[Row]:
    random = np.random.default_rng(3)
    rows = []
    for number in range(count):
        minutes = number * PERIOD_US / 60e6
        age = 40.0 + ms_per_min * minutes + noise_ms * random.standard_normal()
        rows.append(row(number, round(1000 * age)))
    return rows


def test_losses_are_told_apart() -> None:
    # 3 came twice, 5 and 6 never, 8 could not be read, and one of the gaps is the sender's own.
    rows = [row(number) for number in (2, 3, 3, 4, 7)] + [Row(-1, -1, 10), row(9)]
    said = figures([ClientRecord(rows, given=7, skipped=1)])
    assert (said["received"], said["given"], said["skipped"]) == (7, 7, 1)
    assert (said["dropped"], said["repeated"], said["unreadable"]) == (1, 1, 1)
    assert said["age"]["p50_ms"] == 40.0
    assert said["age"]["count"] == 6


def test_figures_of_several_records_are_of_all_their_pictures() -> None:
    records = [
        ClientRecord([row(n, 10_000) for n in range(30)], 30, 0),
        ClientRecord([row(n, 90_000) for n in range(10)], 10, 0, stages_ms={"total": {"p50_ms": 9.0}}),
    ]
    said = figures(records)
    assert said["age"]["p50_ms"] == 10.0
    assert said["age"]["max_ms"] == 90.0
    assert said["round_p50_ms"] == [10.0, 90.0]
    assert said["stages_ms"] == {"total": {"p50_ms": 9.0}}


def test_nothing_received_is_no_figure() -> None:
    said = figures([ClientRecord([], 5, 0)])
    assert said["age"] is None
    assert said["received"] == said["dropped"] == said["repeated"] == 0
    assert len(age_ms([])) == 0
    assert slope([]) is None
    assert course([]) == []


@pytest.mark.parametrize("ms_per_min", [-3.0, 0.0, 2.0, 120.0])
def test_the_slope_is_found_within_its_own_error(ms_per_min: float) -> None:
    found = slope(growing(3600, ms_per_min, noise_ms=4.0))
    assert found is not None
    assert abs(found["ms_per_min"] - ms_per_min) < 4 * found["standard_error"]
    assert 0.05 < found["standard_error"] < 1.0
    assert found["minutes"] == pytest.approx(2.0, abs=0.01)
    assert found["drift_ms"] == pytest.approx(found["ms_per_min"] * found["minutes"], rel=0.02, abs=0.01)


def test_a_few_late_pictures_are_no_slope() -> None:
    rows = growing(1800, 0.0, noise_ms=0.5)
    for number in (3, 10, 1000):
        rows[number] = row(number, 900_000)
    found = slope(rows)
    assert found is not None
    assert abs(found["drift_ms"]) < 0.5


def test_the_course_keeps_order_and_ends() -> None:
    points = course(growing(600, 60.0, noise_ms=0.0), points=10)
    assert len(points) == 10
    assert [point[0] for point in points] == sorted(point[0] for point in points)
    assert points[0][1] < points[-1][1] <= points[-1][2]


def test_reactions_are_counted_from_the_newest_picture_at_sending() -> None:
    changes = [
        Change(1_000_000, 30, seen_number=31),
        Change(2_000_000, 60, seen_number=60),
        Change(3_000_000, 90),
    ]
    said = reaction(changes)
    assert (said["sent"], said["unanswered"]) == (3, 1)
    assert said["pictures_seen"] == {"min": 0, "median": 0.5, "max": 1}
    assert reaction([])["pictures_seen"] is None
