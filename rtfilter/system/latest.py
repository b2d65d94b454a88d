"""Hand-offs between threads: the newest item alone, or every item in order.

Called by `pipeline`, `cam`, the live sources and `serve`.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


class Latest(Generic[T]):
    """A place for one item. A newer item replaces an unread one, so that a writer never waits.

    Any number of threads may write and read; every item is read at most once, in the order of writing.
    overwritten: how many items were replaced before they were read.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: deque[T] = deque()
        self._closed = False
        self._error: BaseException | None = None
        self._arrival: asyncio.Future[None] | None = None
        self.overwritten = 0

    def put(self, item: T) -> bool:
        """Leave `item`, in place of an unread one. False, and nothing done, once closed."""
        with self._changed:
            if self._closed:
                return False
            self.overwritten += len(self._items)
            self._items.clear()
            self._items.append(item)
            self._wake()
            return True

    def get(self, timeout_s: float | None = None) -> T | None:
        """The oldest unread item, waited for; None once closed and empty.

        Raises TimeoutError when nothing came within `timeout_s` (None: no limit), and, once empty, the
        error of `fail`.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._closed, timeout_s):
                raise TimeoutError(f"nothing came within {timeout_s:g} s")
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                raise self._error
            return None

    async def next(self) -> T | None:
        """As `get`, for one reader in an event loop. Every other call then belongs to the loop's thread."""
        import asyncio

        while not (self._items or self._closed):
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        return self.get(0)

    def close(self, *, drop: bool = False) -> None:
        """No more items, and every waiter wakes. `drop`: unread items are gone, too.

        May be called twice; the first end counts.
        """
        with self._changed:
            self._closed = True
            if drop:
                self._items.clear()
            self._wake()

    def fail(self, error: BaseException) -> None:
        """Close, and raise `error` in every reader once the unread items are read."""
        with self._changed:
            if not self._closed:
                self._error = error
            self.close()

    def _wake(self) -> None:
        self._changed.notify_all()
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


class InOrder(Latest[T]):
    """A queue of at most `room` items. A writer waits for room, so that none is lost."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def put(self, item: T) -> bool:
        """Append `item`, once there is room. False, and nothing done, once closed."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._room or self._closed)
            if not self._closed:
                self._items.append(item)
                self._wake()
            return not self._closed


class Fanout(Generic[T]):
    """The newest item for each of any number of readers in an event loop, whose thread makes all calls."""

    def __init__(self) -> None:
        self._readers: set[Latest[T]] = set()
        self._closed = False

    @property
    def readers(self) -> int:
        """How many readers are subscribed."""
        return len(self._readers)

    def put(self, item: T) -> None:
        """Leave `item` for every reader."""
        for reader in self._readers:
            reader.put(item)

    def subscribe(self) -> Latest[T]:
        """A new reader, which takes items by `Latest.next`."""
        reader: Latest[T] = Latest()
        if self._closed:
            reader.close()
        else:
            self._readers.add(reader)
        return reader

    def unsubscribe(self, reader: Latest[T]) -> None:
        """Let `reader` go; it may be gone already."""
        self._readers.discard(reader)
        reader.close()

    def close(self) -> None:
        """No more items; every reader is let go."""
        self._closed = True
        for reader in list(self._readers):
            self.unsubscribe(reader)
