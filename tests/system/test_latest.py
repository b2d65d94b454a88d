"""Hand-offs between threads and in an event loop: newest wins, order holds, no reader or writer hangs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from rtfilter.system.latest import Fanout, InOrder, Latest

GUARD_S = 10.0


def run_threads(*targets: Callable[[], object]) -> None:
    """Run all to the end; a thread that does not end fails the test instead of hanging it."""
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD_S)
    assert not any(thread.is_alive() for thread in threads)


def drain(slot: Latest[int], into: list[int]) -> None:
    while (item := slot.get(GUARD_S)) is not None:
        into.append(item)


def test_gives_what_was_left() -> None:
    slot: Latest[str] = Latest()
    assert slot.put("a")
    assert slot.get(0) == "a"
    assert slot.overwritten == 0


def test_the_newest_replaces_the_unread_and_is_counted() -> None:
    slot: Latest[int] = Latest()
    for item in range(5):
        slot.put(item)
    assert slot.get(0) == 4
    assert slot.overwritten == 4
    with pytest.raises(TimeoutError, match=r"nothing came within 0\.01 s"):
        slot.get(0.01)


def test_falsy_items_are_items() -> None:
    slot: Latest[int] = Latest()
    slot.put(0)
    slot.put(0)
    assert slot.overwritten == 1
    assert slot.get(0) == 0


def test_close_gives_the_unread_item_then_none_for_ever() -> None:
    slot: Latest[int] = Latest()
    slot.put(7)
    slot.close()
    slot.close()
    assert slot.put(8) is False
    assert [slot.get(0), slot.get(0), slot.get(0)] == [7, None, None]


def test_put_after_close_is_refused() -> None:
    slot: Latest[int] = Latest()
    slot.close()
    assert slot.put(1) is False
    assert slot.get(0) is None
    assert slot.overwritten == 0


def test_failure_comes_after_the_unread_item_and_to_every_reader() -> None:
    slot: Latest[int] = Latest()
    slot.put(7)
    slot.fail(OSError("unplugged"))
    assert slot.get(0) == 7
    for _ in range(2):
        with pytest.raises(OSError, match="unplugged"):
            slot.get(0)


def test_the_first_end_counts() -> None:
    closed: Latest[int] = Latest()
    closed.close()
    closed.fail(OSError("later"))
    assert closed.get(0) is None
    failed: Latest[int] = Latest()
    failed.fail(OSError("first"))
    failed.fail(OSError("second"))
    failed.close()
    with pytest.raises(OSError, match="first"):
        failed.get(0)


@pytest.mark.parametrize("timeout_s", [None, GUARD_S])
def test_close_wakes_every_waiter(timeout_s: float | None) -> None:
    slot: Latest[int] = Latest()
    all_wait = threading.Barrier(5)
    got: list[int | None] = []

    def wait() -> None:
        all_wait.wait()
        got.append(slot.get(timeout_s))

    def close() -> None:
        all_wait.wait()
        slot.close()

    run_threads(wait, wait, wait, wait, close)
    assert got == [None] * 4


def test_failure_reaches_every_waiter() -> None:
    slot: Latest[int] = Latest()
    all_wait = threading.Barrier(4)
    got: list[str] = []

    def wait() -> None:
        all_wait.wait()
        try:
            slot.get()
        except OSError as error:
            got.append(str(error))

    def fail() -> None:
        all_wait.wait()
        slot.fail(OSError("gone"))

    run_threads(wait, wait, wait, fail)
    assert got == ["gone"] * 3


def test_one_writer_one_reader_keep_the_order_and_the_last() -> None:
    slot: Latest[int] = Latest()
    got: list[int] = []
    count = 20_000

    def write() -> None:
        for item in range(count):
            assert slot.put(item)
        slot.close()

    run_threads(write, lambda: drain(slot, got))
    assert got == sorted(set(got))
    assert got[-1] == count - 1
    assert len(got) + slot.overwritten == count


def test_many_threads_read_every_item_at_most_once() -> None:
    slot: Latest[int] = Latest()
    writers, each = 4, 3_000
    got: list[list[int]] = [[] for _ in range(4)]
    left = threading.Semaphore(0)

    def write(first: int) -> None:
        for item in range(first, first + each):
            slot.put(item)
        left.release()

    def close_after_all() -> None:
        for _ in range(writers):
            left.acquire()
        slot.close()

    run_threads(
        *(lambda n=n: write(n * each) for n in range(writers)),
        *(lambda items=items: drain(slot, items) for items in got),
        close_after_all,
    )
    read = [item for items in got for item in items]
    assert len(read) == len(set(read))
    assert len(read) + slot.overwritten == writers * each
    for items in got:
        for first in range(0, writers * each, each):
            of_one_writer = [item for item in items if first <= item < first + each]
            assert of_one_writer == sorted(of_one_writer)


def test_a_slow_reader_never_blocks_the_writer() -> None:
    slot: Latest[int] = Latest()
    reading, written = threading.Event(), threading.Event()
    got: list[int | None] = []

    def read() -> None:
        got.append(slot.get(GUARD_S))
        reading.set()
        assert written.wait(GUARD_S)  # busy with the first item for as long as the writer writes
        got.append(slot.get(GUARD_S))

    def write() -> None:
        slot.put(0)
        assert reading.wait(GUARD_S)
        for item in range(1, 1001):
            slot.put(item)
        written.set()

    run_threads(read, write)
    assert got == [0, 1000]
    assert slot.overwritten == 999


def test_in_order_every_item_is_read_and_a_writer_waits_for_room() -> None:
    queue: InOrder[int] = InOrder(3)
    got: list[int] = []
    ahead: list[int] = []

    def write() -> None:
        for item in range(2_000):
            assert queue.put(item)
            ahead.append(item - len(got))
        queue.close()

    run_threads(write, lambda: drain(queue, got))
    assert got == list(range(2_000))
    assert max(ahead) <= 4  # three wait, and one is on its way
    assert queue.overwritten == 0


def test_a_dropping_close_ends_a_writer_that_waits() -> None:
    queue: InOrder[int] = InOrder(1)
    queue.put(1)
    results: list[bool] = []
    run_threads(lambda: results.append(queue.put(2)), lambda: queue.close(drop=True))
    assert results == [False]
    assert queue.get(0) is None


def run_async(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 10))


def test_in_an_event_loop_the_newest_wins_and_the_rest_are_counted() -> None:
    async def test() -> None:
        place: Latest[int] = Latest()
        for item in (1, 2, 3):
            place.put(item)
        assert (await place.next(), place.overwritten) == (3, 2)
        waiting = asyncio.create_task(place.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        place.put(4)
        assert await waiting == 4

    run_async(test())


def test_in_an_event_loop_what_was_left_is_given_before_the_end() -> None:
    async def test() -> None:
        place: Latest[int] = Latest()
        place.put(1)
        place.close()
        assert [await place.next() for _ in range(3)] == [1, None, None]

    run_async(test())


def test_a_reader_in_an_event_loop_wakes_at_the_end() -> None:
    async def test() -> None:
        place: Latest[int] = Latest()
        waiting = asyncio.create_task(place.next())
        await asyncio.sleep(0)
        place.close()
        assert await waiting is None

    run_async(test())


def test_readers_do_not_hold_each_other() -> None:
    async def test() -> None:
        fanout: Fanout[int] = Fanout()
        quick, slow = fanout.subscribe(), fanout.subscribe()
        got = []
        for item in range(3):
            fanout.put(item)
            got.append(await quick.next())
        assert (got, await slow.next()) == ([0, 1, 2], 2)
        fanout.unsubscribe(slow)
        fanout.unsubscribe(slow)
        assert (await slow.next(), fanout.readers) == (None, 1)
        fanout.close()
        late = fanout.subscribe()
        assert (await quick.next(), await late.next(), fanout.readers) == (None, None, 0)

    run_async(test())
