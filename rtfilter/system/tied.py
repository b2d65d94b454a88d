"""Child processes that end with their parent, however it ends. Called by the benchmarks.

They run under `python -m rtfilter.system.tied`, whose standard input is a pipe that only the parent holds
open: the pipe ends with the parent, on every system, and after `kill -9` too.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

STOP_S = 10.0
_NAME = "rtfilter.system.tied"


class TiedProcess(subprocess.Popen[str]):
    """Python in a process that ends with this one, and with the `with` block.

    Args:
        arguments: `-m MODULE ...` or `-c CODE ...`, as Python's own.
        options: of `subprocess.Popen`; standard input is taken, and streams are text.
    """

    def __init__(self, arguments: Sequence[str], **options: Any) -> None:
        super().__init__(
            [sys.executable, "-m", _NAME, *arguments], stdin=subprocess.PIPE, text=True, **options
        )
        # Hidden from `communicate`, which would close it.
        self._lifeline, self.stdin = self.stdin, None

    def stop(self) -> None:
        """End it with SIGTERM, and with SIGKILL where it still runs after STOP_S. May be called twice."""
        if self.poll() is None:
            self.terminate()
            try:
                self.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
                self.wait(STOP_S)
        if self._lifeline is not None:
            self._lifeline.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        super().__exit__(kind, error, trace)


def run_tied(
    arguments: Sequence[str], timeout_s: float | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """The result of Python with `arguments`. Raises `subprocess.TimeoutExpired`, after it has ended."""
    with TiedProcess(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        out, err = process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(process.args, process.wait(), out, err)


def _end_with_the_parent() -> None:
    """Wait for the end of standard input; then end by SIGTERM, and after STOP_S at once."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_S)
    os._exit(1)


def main() -> None:
    """Run the module or code in the arguments, as Python itself would."""
    threading.Thread(target=_end_with_the_parent, name="tied", daemon=True).start()
    del sys.argv[0]
    how, what = sys.argv[:2]
    if how == "-c":
        sys.argv[:2] = ["-c"]
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
    else:
        # runpy puts the module's own path in the first place.
        del sys.argv[0]
        runpy.run_module(what, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
