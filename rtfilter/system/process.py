"""A check for objects that do not survive `fork`. Called by `FaceFilter` and the file source."""

from __future__ import annotations

import os

from rtfilter.errors import UsageError


class MadeHere:
    """The process that made an object; `check` fails in one that inherited it by `fork`.

    `fork` copies memory and no threads: a decoder's own threads are gone, and the first call that waits for
    one hangs. A GPU's context is lost too.

    what: the object, for the message, such as "this FileSource".
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._process = os.getpid()

    @property
    def inherited(self) -> bool:
        return os.getpid() != self._process

    def check(self) -> None:
        """Raise UsageError in another process than the one that made the object."""
        if self.inherited:
            raise UsageError(
                f"{self._what} was made in process {self._process}, before a fork, and does not work in "
                f"process {os.getpid()}: make one in each process (in gunicorn's post_fork, Celery's "
                "worker_process_init, a DataLoader's worker_init_fn), or start processes by spawn"
            )
