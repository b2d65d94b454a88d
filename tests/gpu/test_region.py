"""The uploaded region: holds what is needed, wherever the face is; and its bytes, in few sizes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfilter.gpu.frame_io import pitch_of
from rtfilter.gpu.region import (
    LEAST_BYTES,
    MARGIN_PX,
    region_of,
    region_with,
    stepped_bytes,
)
from rtfilter.system.arrays import Box
from rtfilter.tracking.roi import CROP_PX, Roi

SIDES = st.integers(1, 5000)
PLACES = st.floats(-3000, 8000)


@given(width=SIDES, height=SIDES, x=PLACES, y=PLACES, side=st.floats(4, 6000), turn=st.floats(-4, 4))
def test_it_lies_in_the_picture_and_holds_what_of_the_square_does(
    width: int, height: int, x: float, y: float, side: float, turn: float
) -> None:
    roi = Roi(x, y, side, turn)
    region = region_of(roi, width, height)
    assert 0 <= region.x0 < region.x1 <= width
    assert 0 <= region.y0 < region.y1 <= height
    assert region.x0 % 2 == region.y0 % 2 == 0, "no block of 4:2:0's chroma is cut, but by the picture"
    assert region.x1 % 2 == 0 or region.x1 == width
    assert region.y1 % 2 == 0 or region.y1 == height
    matrix = roi.picture_from_crop()
    for corner in ((0, 0), (0, CROP_PX), (CROP_PX, 0), (CROP_PX, CROP_PX)):
        px, py = (matrix @ (*corner, 1.0)).tolist()
        assert region.x0 <= min(max(px, 0.0), width) <= region.x1
        assert region.y0 <= min(max(py, 0.0), height) <= region.y1


@given(width=SIDES, height=SIDES, data=st.data())
def test_it_grows_to_hold_a_box_with_the_filters_reach(width: int, height: int, data: st.DataObject) -> None:
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = Box(x0, y0, data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height)))
    region = region_with(region_of(Roi(0.0, 0.0, 4.0, 0.0), width, height), box, width, height)
    assert region.x1 >= min(box.x1 + MARGIN_PX, width)
    assert region.y1 >= min(box.y1 + MARGIN_PX, height)
    assert region.x0 == region.y0 == 0, "it still holds what it held"
    assert (region.x1, region.y1) <= (width, height)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_square_of_no_numbers_costs_no_more_than_the_picture(broken: float) -> None:
    for roi in (Roi(broken, 10.0, 50.0, 0.0), Roi(10.0, 10.0, abs(broken), 0.0)):
        region = region_of(roi, 641, 480)
        assert 0 <= region.x0 < region.x1 <= 641
        assert 0 <= region.y0 < region.y1 <= 480


def test_uploads_come_in_few_sizes_and_little_is_wasted() -> None:
    sizes = {}
    for side in range(1, 4000, 3):
        needed = side * pitch_of(side)
        sizes[needed] = stepped_bytes(needed)
        assert sizes[needed] >= needed
        if needed > LEAST_BYTES:
            assert sizes[needed] <= 1.19 * needed + 256, "a step is 2 ** 0.25"
    assert len(set(sizes.values())) < 50, "a graph is captured for each"
    assert list(sizes.values()) == sorted(sizes.values())


@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 1919, 16384])
def test_rows_begin_at_whole_words(width: int) -> None:
    assert 3 * width <= pitch_of(width) < 3 * width + 16
    assert pitch_of(width) % 16 == 0
