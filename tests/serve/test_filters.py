"""Filters that are kept warm and lent."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from rtfilter.errors import GpuError, UsageError
from rtfilter.serve.app import server
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.gate.options import ServeOptions
from tests.fakes.live import GUARD_S
from tests.fakes.serving import PaintingFilter


def a_pool(spares: int) -> tuple[FilterPool, list[PaintingFilter]]:
    made: list[PaintingFilter] = []

    def make() -> PaintingFilter:
        made.append(PaintingFilter())
        return made[-1]

    return FilterPool(make, spares), made


def test_a_warm_filter_is_lent_and_lent_again_without_its_memory() -> None:
    pool, made = a_pool(spares=1)
    pool.warm_up()
    first = pool.take()
    second = pool.take()
    assert [first, second] == made
    resets = made[0].resets
    pool.give_back(first)
    assert made[0].resets == resets + 1
    assert pool.take() is first


def test_more_than_the_spares_are_closed() -> None:
    pool, made = a_pool(spares=1)
    for lent in [pool.take() for _ in range(3)]:
        pool.give_back(lent)
    assert (pool.idle, sorted(each.closed for each in made)) == (1, [0, 1, 1])


@pytest.mark.parametrize(("error", "closed"), [(ValueError("a picture"), 1), (GpuError("lost"), 2)])
def test_a_filter_that_failed_is_closed_and_so_are_others_on_a_lost_device(
    error: Exception, closed: int
) -> None:
    pool, made = a_pool(spares=2)
    lent, other = pool.take(), pool.take()
    pool.give_back(other)
    pool.give_back(lent, error)
    assert made[0].resets == 0
    assert (pool.idle, sum(each.closed for each in made)) == (2 - closed, closed)


def test_after_the_end_none_is_lent_and_all_are_closed() -> None:
    pool, made = a_pool(spares=2)
    lent = pool.take()
    pool.warm_up()
    pool.close()
    with pytest.raises(UsageError, match="stopping"):
        pool.take()
    pool.give_back(lent)
    assert (pool.idle, [each.closed for each in made]) == (0, [1, 1])


def test_the_end_of_the_server_does_not_wait_for_a_filter_that_does_not_load(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "CLOSE_S", 0.1)
    release = threading.Event()

    def make() -> PaintingFilter:
        release.wait(GUARD_S)
        return PaintingFilter()

    async def scenario() -> float:
        options = ServeOptions(port=0, token=16 * "t")
        running = server.Server(options, server.make_app(options, pool=FilterPool(make)))
        await running.start()
        began_s = time.monotonic()
        await running.stop()
        return time.monotonic() - began_s

    try:
        took_s = asyncio.run(scenario())
    finally:
        release.set()
    assert took_s < GUARD_S / 2
    assert "is given up" in caplog.text
