"""MediaPipe's FaceMesh, opened as its documentation shows it; loads MediaPipe only when it is called.

Called by `learn.mediapipe_tracker` and, as the floor of the latency benchmark, by `bench.contenders`.
"""

from __future__ import annotations

import os
from typing import Any

from rtfilter.errors import MissingExtraError
from rtfilter.system.cache import cache_folder
from rtfilter.system.installation import install_extra


def open_face_mesh(faces: int = 1) -> Any:
    """A `FaceMesh` for so many faces, with refined lips, eyes and irises: 478 landmarks.

    Raises MissingExtraError without MediaPipe, UsageError where $RTFILTER_CACHE is relative.
    """
    before_mediapipe()
    try:
        from mediapipe.python.solutions import face_mesh
    except ImportError as error:
        raise MissingExtraError(
            f"MediaPipe's FaceMesh needs mediapipe 0.10.21 (found: {error}); install it with: "
            f"{install_extra('mediapipe')} (Python 3.10 to 3.12)"
        ) from error
    return face_mesh.FaceMesh(refine_landmarks=True, max_num_faces=faces)


def before_mediapipe() -> None:
    """Settings for MediaPipe, before it is imported: quiet, and Matplotlib's files in the cache folder.

    Raises UsageError where $RTFILTER_CACHE is relative.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
