"""What streams remember, through the kernels on the processor against the twin: any rows, in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.kernels.carry import CARRY, carry_back, carry_out, carry_twin
from tests.kernels.on_host import Bench, in_both_orders


def carried(
    bench: Bench, rows: np.ndarray, table: np.ndarray, state: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    told, there, new = bench.put(rows), bench.put(table), bench.put(state)
    read = bench.empty(state.shape, np.float32)
    carry_out(bench.stream, told, there, read)
    carry_back(bench.stream, told, new, there)
    bench.stream.wait()
    return read.array.copy(), there.array.copy()


@given(st.integers(0, 2**20), st.integers(1, 9), st.sampled_from([1, 2, 255, 256, 257, 600]))
@settings(max_examples=40, deadline=None)
def test_rows_go_out_and_back(seed: int, batch: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.zeros(batch, CARRY)
    rows["from"], rows["to"] = rng.integers(-2, 12, batch), rng.permutation(12)[:batch]
    table, state = (rng.normal(size=(count, size)).astype(np.float32) for count in (12, batch))
    after = table.copy()
    want = carry_twin(rows, after, state)
    for bench in in_both_orders():
        read, left = carried(bench, rows, table, state)
        assert np.array_equal(read, want)
        assert np.array_equal(left, after)


def test_a_new_stream_remembers_nothing_even_beside_rubbish() -> None:
    rows = np.array([(-1, 0)], CARRY)
    table = np.full((2, 300), np.nan, np.float32)
    read, left = carried(Bench(), rows, table, np.ones((1, 300), np.float32))
    assert not read.any()
    assert (left[0] == 1.0).all()
    assert np.isnan(left[1]).all()


def test_what_does_not_fit_is_refused() -> None:
    bench = Bench()
    told, table = bench.put(np.zeros(2, CARRY)), bench.empty((4, 8), np.float32)
    with pytest.raises(ValueError, match="state: expected"):
        carry_out(bench.stream, told, table, bench.empty((3, 8), np.float32))
    with pytest.raises(ValueError, match="expected float32"):
        carry_out(bench.stream, told, bench.empty((4, 9), np.float32), bench.empty((2, 8), np.float32))
