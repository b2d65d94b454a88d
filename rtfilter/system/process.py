"""The process in which a thing was made, for things that do not survive `fork`."""

from __future__ import annotations

import os

from rtfilter.errors import UsageError


class MadeHere:
    """Remembers this process, and refuses another that inherited the thing by `fork`.

    `fork` copies memory and no threads: a decoder's or tracker's own threads are gone, and the first call
    that waits for one hangs. The same holds for a GPU's context.

    what: for the message, such as "this FileSource".
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._process = os.getpid()

    @property
    def inherited(self) -> bool:
        return os.getpid() != self._process

    def check(self) -> None:
        """Raises UsageError in another process than the one that made the thing."""
        if self.inherited:
            raise UsageError(
                f"{self._what} was made in process {self._process}, before a fork, and does not work in "
                f"process {os.getpid()}: make one in each process (in gunicorn's post_fork, Celery's "
                "worker_process_init, a DataLoader's worker_init_fn), or start processes by spawn"
            )
