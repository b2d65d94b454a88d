"""rtfilter: a real-time video filter that changes the expression and keeps every word on the lips.

    from rtfilter import Controls, FaceFilter, Frame

    with FaceFilter() as face_filter:
        frame, report = face_filter.step(Frame.from_bgr(picture), Controls({"happy": 0.8}))
        frame.bgr                            # uint8 [H, W, 3]
        report.landmarks                     # None without a face
        report.coefficients                  # {"jawOpen": 0.1, ...}

Importing this package loads NumPy and nothing heavier; ONNX Runtime, OpenCV and Numba load when a
`FaceFilter` is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtfilter.controls import Controls
from rtfilter.errors import RtfilterError
from rtfilter.frame import Frame
from rtfilter.system.version import __version__

if TYPE_CHECKING:
    from rtfilter.filter import FaceFilter

__all__ = ["Controls", "FaceFilter", "Frame", "RtfilterError", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "FaceFilter":
        from rtfilter.filter import FaceFilter

        return FaceFilter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    # For help(), which lists what is here: FaceFilter is, though not loaded yet.
    return sorted({*globals(), *__all__})
