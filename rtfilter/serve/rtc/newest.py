"""`NewestItem`: one place on the event loop where the newest wins, and `Fanout`: one for each reader."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class NewestItem(Generic[T]):
    """Holds at most one item for one reader. All calls belong to the event loop's thread."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._changed = asyncio.Event()
        self._closed = False
        self.overwritten = 0

    def put(self, item: T) -> None:
        """Leave `item`, in place of an unread one."""
        if self._items:
            self.overwritten += 1
            self._items.clear()
        self._items.append(item)
        self._changed.set()

    def close(self) -> None:
        """No more items; what was left is still given out."""
        self._closed = True
        self._changed.set()

    async def get(self) -> T | None:
        """The newest item not yet read, waiting for one; None once closed and empty."""
        while not self._items:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._items.pop()


class Fanout(Generic[T]):
    """Gives every item to each of any number of readers, each at its own pace and none holding another."""

    def __init__(self) -> None:
        self._readers: set[NewestItem[T]] = set()
        self._closed = False

    @property
    def readers(self) -> int:
        return len(self._readers)

    def put(self, item: T) -> None:
        for reader in self._readers:
            reader.put(item)

    def subscribe(self) -> NewestItem[T]:
        reader: NewestItem[T] = NewestItem()
        if self._closed:
            reader.close()
        else:
            self._readers.add(reader)
        return reader

    def unsubscribe(self, reader: NewestItem[T]) -> None:
        """Let `reader` go; it need not be subscribed any more."""
        self._readers.discard(reader)
        reader.close()

    def close(self) -> None:
        self._closed = True
        for reader in list(self._readers):
            self.unsubscribe(reader)
