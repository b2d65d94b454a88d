"""A helper thread that the system keeps off its caller's processor. Used by `render.cpu` and `tracking`."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class HelperThread:
    """Runs what is submitted, in order, beside the thread that submits it.

    In a process that inherited it by `fork`, which copies no threads, it starts a thread anew.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._avoided_cpu: int | None = None
        self._current_cpu = _current_cpu_function()
        self._closed = False
        self._start()

    def submit(self, action: Callable[..., T], *arguments: object) -> Future[T]:
        if self._inherited and not self._closed:
            self._start()
        return self._pool.submit(action, *arguments)

    def step_aside(self) -> None:
        """Keep the helper off the calling thread's processor, where the system permits.

        Linux tends to wake a thread on its waker's processor. A waker that computes on then keeps it waiting
        until no work is left: measured, one frame in three.
        """
        if self._current_cpu is None or self._closed or self._inherited:
            return
        cpu = self._current_cpu()
        if cpu == self._avoided_cpu:
            return
        others = os.sched_getaffinity(0) - {cpu}
        if others:
            os.sched_setaffinity(self._thread_id, others)
            self._avoided_cpu = cpu

    def close(self) -> None:
        self._closed = True
        self._pool.shutdown(wait=not self._inherited)

    @property
    def _inherited(self) -> bool:
        return os.getpid() != self._process

    def _start(self) -> None:
        self._process = os.getpid()
        self._pool = ThreadPoolExecutor(1, self._name)
        self._thread_id = self._pool.submit(threading.get_native_id).result()
        self._avoided_cpu = None


def _current_cpu_function() -> Callable[[], int] | None:
    """C's `sched_getcpu`, or None where there is none."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        function = ctypes.CDLL(None).sched_getcpu
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_int
    return lambda: int(function())
