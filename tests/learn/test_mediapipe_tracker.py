"""MediaPipe's FaceMesh as a tracker: landmarks in pixels, and no files outside the cache."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.errors import UsageError
from rtfilter.frame import Frame
from rtfilter.learn.face_mesh import before_mediapipe
from rtfilter.learn.mediapipe_tracker import MediaPipeTracker
from rtfilter.sources.demo import DemoSource


def test_it_finds_the_demos_face_and_none_where_there_is_none() -> None:
    pytest.importorskip("mediapipe", reason="MediaPipe is not installed")
    demo, tracker = DemoSource(320, 240), MediaPipeTracker()
    found, truth = tracker.track(demo.frame(0)), demo.truth(0)
    assert found is not None
    error = np.linalg.norm((found.points_px - truth.points_px)[:, :2], axis=1) / truth.pose.scale_px_per_iod
    assert np.median(error) < 0.02
    tracker.reset()
    assert tracker.track(Frame.from_rgb(np.zeros((240, 320, 3), np.uint8))) is None
    tracker.close()
    demo.close()


def test_a_relative_cache_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Matplotlib, which MediaPipe loads, would otherwise write into the home without a word."""
    monkeypatch.setenv("RTFILTER_CACHE", "relative")
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    with pytest.raises(UsageError, match="RTFILTER_CACHE: expected an absolute path"):
        before_mediapipe()
