"""The packed rows of the expression graph: fields without gaps, views, and clear refusals."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.engines.expression import layout
from rtfilter.engines.expression.layout import REPORT, STATE, TARGET, Row
from rtfilter.errors import UsageError

ROWS = pytest.mark.parametrize("row", [TARGET, STATE, REPORT], ids=lambda row: row.name)


@ROWS
def test_fields_follow_one_another_without_gaps(row: Row) -> None:
    end = 0
    for field in row:
        assert field.start == end
        assert field.size > 0
        assert field.meaning
        end += field.size
    assert end == row.size


@ROWS
def test_a_field_is_a_view_of_its_own_numbers(row: Row) -> None:
    rows = row.zeros(3)
    for number, field in enumerate(row, start=1):
        row.of(rows, field.name)[1] = number
    assert not rows[0].any()
    assert not rows[2].any()
    for number, field in enumerate(row, start=1):
        assert (row.of(rows[1], field.name) == number).all()
        assert row.of(rows, field.name).shape == (3, field.size)


@ROWS
def test_what_is_no_such_row_or_field_is_refused(row: Row) -> None:
    with pytest.raises(UsageError, match=f"expected \\[..., {row.size}\\]"):
        row.of(np.zeros(row.size + 1, np.float32), next(iter(row)).name)
    with pytest.raises(UsageError, match=row.name):
        row["colour"]


def test_the_motion_is_the_editors() -> None:
    from rtfilter.face.edit import VIEW_COUNT

    assert layout.MOTION_COUNT == layout.BLENDSHAPE_COUNT + VIEW_COUNT
