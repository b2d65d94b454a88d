"""`NewestSlot`: one place between two threads, where the newest wins and nothing queues."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class NewestSlot(Generic[T]):
    """Holds at most one item. A writer never waits for a reader; a reader gets the newest unread item.

    Any number of threads may write and read; every item is read at most once, in the order of writing.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: list[T] = []
        self._closed = False
        self._error: BaseException | None = None
        self._overwritten = 0

    @property
    def overwritten(self) -> int:
        """How many items were replaced before anybody read them."""
        return self._overwritten

    @property
    def closed(self) -> bool:
        """True after `close` or `fail`; an unread item may still be there."""
        return self._closed

    def put(self, item: T) -> bool:
        """Leave `item`, in place of an unread one. False, and nothing done, when the slot is closed."""
        with self._changed:
            if self._closed:
                return False
            if self._items:
                self._overwritten += 1
                self._items.clear()
            self._items.append(item)
            self._changed.notify()
            return True

    def get(self, timeout_s: float | None = None) -> T | None:
        """Take the newest item, waiting for one; None when the slot is closed and empty.

        An item left before `close` or `fail` is still given out first. Raises TimeoutError when nothing
        came within `timeout_s` (None waits until an item or the close), and, once the slot is empty,
        the error of `fail`.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._closed, timeout_s):
                raise TimeoutError(f"nothing came within {timeout_s:g} s")
            if self._items:
                return self._items.pop()
            if self._error is not None:
                raise self._error
            return None

    def close(self) -> None:
        """No more items: wakes every waiter. May be called twice; the first close or failure counts."""
        self._end(None)

    def fail(self, error: BaseException) -> None:
        """Close, and hand `error` to every reader once the slot is empty."""
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._error = error
            self._changed.notify_all()
