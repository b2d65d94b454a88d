"""One-Euro: against the paper's algorithm written out, one number at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.face.smooth import OneEuro, OneEuroState

F64 = np.ndarray
numbers = st.floats(-1e3, 1e3)
intervals_s = st.floats(1e-3, 0.5)
filters = st.builds(
    OneEuro,
    min_cutoff_hz=st.floats(0.01, 20.0),
    beta=st.floats(0.0, 5.0),
    slope_cutoff_hz=st.floats(0.1, 5.0),
)


def run(one_euro: OneEuro, samples: np.ndarray, times_s: list[float]) -> np.ndarray:
    state, out = OneEuroState.empty(samples.shape[1]), []
    for sample, time_s in zip(samples, times_s, strict=True):
        value, state = one_euro.step(state, sample, time_s)
        assert np.array_equal(value, state.value)
        out.append(value)
    return np.array(out)


def reference(one_euro: OneEuro, samples: list[float], times_s: list[float]) -> list[float]:
    """Casiez, Roussel, Vogel 2012, algorithms 1 and 2, with scalars and without a case for gaps."""

    def alpha(cutoff_hz: float, interval_s: float) -> float:
        tau = 1.0 / (2.0 * math.pi * cutoff_hz)
        return 1.0 / (1.0 + tau / interval_s)

    value, slope, out = samples[0], 0.0, [samples[0]]
    for k in range(1, len(samples)):
        interval_s = times_s[k] - times_s[k - 1]
        slope_now = (samples[k] - value) / interval_s
        share = alpha(one_euro.slope_cutoff_hz, interval_s)
        slope = share * slope_now + (1.0 - share) * slope
        share = alpha(one_euro.min_cutoff_hz + one_euro.beta * abs(slope), interval_s)
        value = share * samples[k] + (1.0 - share) * value
        out.append(value)
    return out


@given(filters, st.lists(st.tuples(numbers, intervals_s), min_size=1, max_size=30), st.floats(-1e3, 1e3))
@settings(max_examples=80, deadline=None)
def test_irregular_times_agree_with_the_paper(
    one_euro: OneEuro, steps: list[tuple[float, float]], start_s: float
) -> None:
    samples = [sample for sample, _ in steps]
    times_s = (start_s + np.cumsum([interval for _, interval in steps])).tolist()
    # An interval of exactly the gap is no gap, and rounding may take it over.
    one_euro = OneEuro(one_euro.min_cutoff_hz, one_euro.beta, one_euro.slope_cutoff_hz, gap_s=0.6)
    got = run(one_euro, np.array(samples)[:, None], times_s)[:, 0]
    assert got == pytest.approx(reference(one_euro, samples, times_s), rel=1e-9, abs=1e-6)


@given(filters, st.integers(0, 2**16))
@settings(max_examples=30, deadline=None)
def test_many_numbers_at_once_are_each_filtered_alone(one_euro: OneEuro, seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples, times_s = rng.normal(size=(20, 5)), np.cumsum(rng.uniform(0.0, 0.7, 20)).tolist()
    together = run(one_euro, samples, times_s)
    for column in range(samples.shape[1]):
        alone = run(one_euro, samples[:, column : column + 1], times_s)[:, 0]
        assert np.array_equal(together[:, column], alone)


@given(filters, st.lists(numbers, min_size=3, max_size=3), st.floats(-1e6, 1e6))
@settings(max_examples=40, deadline=None)
def test_the_first_sample_comes_back_unchanged_at_any_time(
    one_euro: OneEuro, sample: list[float], time_s: float
) -> None:
    value, state = one_euro.step(OneEuroState.empty(3), np.array(sample), time_s)
    assert value.tolist() == sample
    assert not state.slope.any()


def test_time_zero_is_a_time_like_any_other() -> None:
    one_euro = OneEuro(min_cutoff_hz=0.5, beta=0.1)
    samples = np.random.default_rng(1).normal(size=(10, 2))
    at_zero = run(one_euro, samples, [k / 30 for k in range(10)])
    later = run(one_euro, samples, [100 + k / 30 for k in range(10)])
    assert at_zero == pytest.approx(later, abs=1e-9)
    assert at_zero[0].tolist() == samples[0].tolist()
    assert not np.array_equal(at_zero[1], samples[1])


@given(filters, st.lists(intervals_s, min_size=1, max_size=20), numbers)
@settings(max_examples=40, deadline=None)
def test_a_constant_stays_constant(one_euro: OneEuro, steps: list[float], level: float) -> None:
    samples = np.full((len(steps), 1), level)
    assert np.array_equal(run(one_euro, samples, np.cumsum(steps).tolist()), samples)


@pytest.mark.parametrize("interval_s", [0.51, 3.0, 1e9, -1e-9, -1.0 / 30, -1e9])
def test_a_gap_and_a_step_back_in_time_start_anew(interval_s: float) -> None:
    one_euro = OneEuro(min_cutoff_hz=0.1, beta=0.0)
    _, state = one_euro.step(OneEuroState.empty(1), np.array([5.0]), 10.0)
    _, state = one_euro.step(state, np.array([6.0]), 10.03)
    assert state.slope[0] > 0
    value, state = one_euro.step(state, np.array([-3.0]), 10.03 + interval_s)
    assert value.tolist() == [-3.0]
    assert state.slope.tolist() == [0.0], "the slope from before the gap is forgotten too"


def test_a_repeated_time_stamp_leaves_the_value() -> None:
    one_euro = OneEuro(min_cutoff_hz=1.0, beta=1.0)
    state = OneEuroState.empty(1)
    for k in range(4):
        before, state = one_euro.step(state, np.array([float(k)]), k / 30)
    value, after = one_euro.step(state, np.array([100.0]), 3 / 30)
    assert value.tolist() == before.tolist()
    assert after.slope.tolist() == state.slope.tolist()
    assert np.isfinite(one_euro.step(after, np.array([1.0]), 4 / 30)[0]).all()


def test_the_filter_keeps_to_its_word_on_lag_and_jitter() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0.0, 0.01, (300, 1))
    times_s = [k / 30 for k in range(300)]
    one_euro = OneEuro(min_cutoff_hz=1.0, beta=2.0)
    assert run(one_euro, noise, times_s)[50:].std() < 0.45 * noise[50:].std()
    ramp = np.linspace(0.0, 20.0, 300)[:, None]
    assert abs(run(one_euro, ramp, times_s)[-1, 0] - 20.0) < 2.0 * 2.0 / 30


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_what_falls_back_to_zero_goes_slower_than_it_came(sign: float) -> None:
    """Half of the cut-off takes twice the time for the same half of a step."""
    one_euro = OneEuro(min_cutoff_hz=0.5, fall=0.5)
    samples = sign * np.repeat((0.0, 1.0, 0.0), (5, 600, 600))[:, None]
    value = np.abs(run(one_euro, samples, [k / 100 for k in range(len(samples))])[:, 0])
    came = int(np.argmax(value > 0.5)) - 5
    went = int(np.argmax(value[605:] < 0.5))
    assert went == pytest.approx(2 * came, rel=0.1)
    assert value[604] == pytest.approx(1.0, abs=1e-3)
