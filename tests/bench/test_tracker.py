"""The tracker benchmark end to end, small; and its measures on streams whose shake is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rtfilter.bench import common, tracker, tracker_clips
from rtfilter.bench.tracker_clips import agreement, losses, shake, shakes
from tests.faces import face_px

pytest.importorskip("mediapipe", reason="MediaPipe is not installed")

IOD_PX = tracker_clips.iod_px(face_px())


def moving(steps_px: list[float]) -> list[np.ndarray | None]:
    """The mean face, that far to the right in each frame."""
    return [face_px() + np.array([step, 0, 0], np.float32) for step in steps_px]


def test_shake_is_the_second_difference_in_percent_of_the_face() -> None:
    steady = moving([0, 1, 2, 3, 4, 5])
    assert shake(steady) == pytest.approx(0.0, abs=1e-3), "even motion is no shake"
    shaking = moving([0, 1, 0, 1, 0, 1])
    assert shake(shaking) == pytest.approx(100 * 2 / IOD_PX, rel=1e-3)
    assert shake(steady[:2]) is None
    assert shake([*steady[:2], None, *steady[:2]]) is None
    assert shakes({"a": steady, "b": shaking})["ratio"] == pytest.approx(0.0, abs=0.01)
    assert shakes({"a": shaking, "b": moving([0, 2, 0, 2])})["ratio"] == pytest.approx(0.5, rel=1e-3)
    assert shakes({"a": [], "b": shaking})["ratio"] is None


def test_agreement_is_over_frames_that_both_have() -> None:
    one, other = moving([0, 0, 0]), moving([1, 1, 1])
    near = agreement([*one, None], [*other, one[0]])
    assert near == {
        k: pytest.approx(100 / IOD_PX, abs=0.002) for k in ("median_percent", "p99_frame_percent")
    }
    assert agreement([None], one[:1]) is None


def test_a_loss_is_a_face_that_is_gone_in_the_next_frame() -> None:
    face = face_px()
    assert losses([face, None, None, face, face, None]) == 2
    assert losses([None, None]) == 0


def test_the_whole_run(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(common, "SIZES", {"720p": (320, 240)})
    for name, frames in (
        ("STILL_FRAMES", 12),
        ("STILL_SETTLED", 2),
        ("NOISE_FRAMES", 8),
        ("NOISE_SETTLED", 2),
    ):
        monkeypatch.setattr(tracker_clips, name, frames)
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / "d19.mp4").symlink_to(shared / "footage" / "d19.mp4")
    words = ["--size", "720p", "--frames", "20", "--repeats", "1", "--starts", "1", "--clip-frames", "10"]
    assert tracker.main([*words, "--footage", str(clips), "--output", str(tmp_path)]) == 0
    document = json.loads((tmp_path / "tracker.json").read_text())
    size = document["sizes"]["720p"]
    assert size["trackers"]["engine"]["total"]["count"] == 20
    assert size["ratio"]["total"] > 0
    assert document["clips"]["d19"]["found"] == {"engine": 10, "mediapipe": 10}
    assert document["starts"]["warm"]["first_frame_s"]["median"] > 0
    assert document["versions"]["onnxruntime"]
    printed = capsys.readouterr().out
    assert tracker.tracker_markdown(document) in printed
    assert "| d19 | 10 | 10, 10 |" in printed
    assert str(tmp_path) not in json.dumps(document)


def test_a_folder_without_clips_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tracker.main(["--footage", "nowhere", "--output", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "expected a folder with clips" in said
    assert said.count("\n") == 1
