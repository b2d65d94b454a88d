"""Pictures without a timestamp get the time that they must have had."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest

from rtfilter.sources.decoder import timed

MS = Fraction(1, 1000)


def times(stated: list[int | None]) -> list[int]:
    pictures = []
    for pts in stated:
        picture = av.VideoFrame(16, 16, "gray")
        picture.pts, picture.time_base = pts, MS
        pictures.append(picture)
    placed = list(timed(pictures, Fraction(25)))
    assert [picture for picture, _ in placed] == pictures
    return [pts for _, pts in placed]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        # They were put at 0, 40 and 80, and the next ones 1 ms apart until the times had caught up.
        ([None, None, None, 0, 40, 80], [-120, -80, -40, 0, 40, 80]),
        ([None, None, 200, 240], [120, 160, 200, 240]),
        ([0, None, None, 120, 160], [0, 40, 80, 120, 160]),
        ([0, None, None, None, 90, 130], [0, 22, 45, 67, 90, 130]),
        ([0, 40, None, None], [0, 40, 80, 120]),
        ([None, None, None], [0, 40, 80]),
        ([0, None, 500], [0, 40, 500]),
        ([100, 100, 50, None, 140], [100, 101, 102, 121, 140]),
        (50 * [None], [40 * index for index in range(50)]),
        ([], []),
    ],
)
def test_pictures_without_a_time_are_spaced_by_the_rate(stated, expected) -> None:
    assert times(stated) == expected
