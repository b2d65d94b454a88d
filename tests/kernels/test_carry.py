"""States out of the table and back: against the twin, in both orders."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.kernels.blocks import CARRY
from rtfilter.kernels.launch import carry_back, carry_out
from rtfilter.kernels.reference.carry import carry
from tests.kernels.on_host import Bench, in_both_orders


def test_rows_go_out_and_come_back_as_the_twin_says() -> None:
    rng = np.random.default_rng(3)
    table = rng.normal(size=(9, 4000)).astype(np.float32)
    parameters = np.array([(4, 5), (-1, 0), (7, 7), (8, 2)], CARRY)
    new = rng.normal(size=(4, 4000)).astype(np.float32)
    expected_table = table.copy()
    expected = carry(parameters, expected_table, new)
    assert not expected[1].any(), "a new stream"
    for bench in in_both_orders():
        there, state = bench.put(table), bench.empty(new.shape, np.float32)
        carry_out(bench.stream, bench.put(parameters), there, state)
        carry_back(bench.stream, bench.put(parameters), bench.put(new), there)
        bench.stream.wait()
        assert np.array_equal(state.array, expected)
        assert np.array_equal(there.array, expected_table)


@pytest.mark.parametrize("size", [1, 255, 256, 257])
def test_any_length_of_row(size: int) -> None:
    bench = Bench()
    table = np.arange(3 * size, dtype=np.float32).reshape(3, size)
    there, state = bench.put(table), bench.empty((1, size), np.float32)
    carry_out(bench.stream, bench.put(np.array([(2, 0)], CARRY)), there, state)
    bench.stream.wait()
    assert np.array_equal(state.array[0], table[2])


def test_what_does_not_fit_is_refused() -> None:
    bench = Bench()
    table, parameters = bench.empty((3, 8), np.float32), bench.put(np.array([(0, 1)], CARRY))
    with pytest.raises(ValueError, match="state"):
        carry_out(bench.stream, parameters, table, bench.empty((2, 8), np.float32))
    with pytest.raises(ValueError, match="state and table"):
        carry_out(bench.stream, parameters, table, bench.empty((1, 9), np.float32))
    with pytest.raises(ValueError, match="parameters"):
        carry_back(bench.stream, table, table, table)
