"""The place where the newest item wins, and one of them for each reader."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from rtfilter.serve.rtc.newest import Fanout, NewestItem


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 10))


def test_the_newest_wins_and_the_rest_are_counted() -> None:
    async def test() -> None:
        place: NewestItem[int] = NewestItem()
        for item in (1, 2, 3):
            place.put(item)
        assert (await place.get(), place.overwritten) == (3, 2)
        waiting = asyncio.create_task(place.get())
        await asyncio.sleep(0)
        assert not waiting.done()
        place.put(4)
        assert await waiting == 4

    run(test())


def test_what_was_left_is_given_before_the_end() -> None:
    async def test() -> None:
        place: NewestItem[int] = NewestItem()
        place.put(1)
        place.close()
        assert [await place.get() for _ in range(3)] == [1, None, None]

    run(test())


def test_a_reader_that_waits_hears_of_the_end() -> None:
    async def test() -> None:
        place: NewestItem[int] = NewestItem()
        waiting = asyncio.create_task(place.get())
        await asyncio.sleep(0)
        place.close()
        assert await waiting is None

    run(test())


def test_readers_do_not_hold_each_other() -> None:
    async def test() -> None:
        fanout: Fanout[int] = Fanout()
        quick, slow = fanout.subscribe(), fanout.subscribe()
        got = []
        for item in range(3):
            fanout.put(item)
            got.append(await quick.get())
        assert (got, await slow.get()) == ([0, 1, 2], 2)
        fanout.unsubscribe(slow)
        fanout.unsubscribe(slow)
        assert (await slow.get(), fanout.readers) == (None, 1)
        fanout.close()
        late = fanout.subscribe()
        assert (await quick.get(), await late.get(), fanout.readers) == (None, None, 0)

    run(test())
