"""OpenCV says what it fails to open on standard error; rtfilter says it itself, in one line."""

from __future__ import annotations

from typing import Any

import cv2


def silence_opencv() -> None:
    """No log of OpenCV's in this process from now on; from 4.12 on the function lies elsewhere."""
    library: Any = cv2
    if hasattr(library, "setLogLevel"):
        library.setLogLevel(0)
    else:
        library.utils.logging.setLogLevel(library.utils.logging.LOG_LEVEL_SILENT)
