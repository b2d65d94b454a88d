"""Silencing of native libraries, which write to descriptor 2. Called by the command line and benchmarks."""

from __future__ import annotations

import io
import logging
import os
import sys


def silence_native_logs() -> None:
    """Give `sys.stderr` a descriptor of its own, and point descriptor 2 at nothing.

    MediaPipe 0.10.21 logs four lines at every start that no setting turns off. Python's own messages,
    tracebacks and warnings are kept, except those of Matplotlib, which MediaPipe loads. For the process of a
    command line only; to be called once.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        own = os.dup(2)
    except OSError:
        return  # started without a standard error
    nowhere = os.open(os.devnull, os.O_WRONLY)
    sys.stderr.flush()
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = io.TextIOWrapper(
        os.fdopen(own, "wb", buffering=0), sys.stderr.encoding, "backslashreplace", write_through=True
    )
