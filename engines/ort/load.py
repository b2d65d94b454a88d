"""ONNX Runtime with its telemetry off. All of rtfilter imports it from here.

From 1.31 on, importing it writes a device id and a database below `~/.cache/Microsoft`, and it sends events
to Microsoft. Only an environment variable that is set before the import prevents that.
"""

from __future__ import annotations

import logging
import os
import sys

__all__ = ["OFF", "TELEMETRY_SINCE", "onnxruntime"]

OFF = "ORT_DISABLE_TELEMETRY"
TELEMETRY_SINCE = (1, 31)

_came_before_us = "onnxruntime" in sys.modules
_unset = not os.environ.get(OFF)
# A value of the user's is kept. The variable remains set, for child processes.
if _unset:
    os.environ[OFF] = "1"

import onnxruntime  # noqa: E402, TID251 (after the variable; this is the one place)

if _came_before_us and _unset:
    _version = tuple(int(part) for part in onnxruntime.__version__.split(".")[:2])
    if _version >= TELEMETRY_SINCE:
        logging.getLogger(__name__).warning(
            "this program imported ONNX Runtime %s before rtfilter and without %s=1, so its telemetry is on: "
            "it writes below ~/.cache/Microsoft and sends events to Microsoft. Set %s=1 before that import",
            onnxruntime.__version__,
            OFF,
            OFF,
        )
