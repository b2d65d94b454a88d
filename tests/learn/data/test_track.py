"""Tracks: what is saved comes back, and what does not fit together is refused in one line."""

from __future__ import annotations

import dataclasses
import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtfilter.errors import InputError, OutputError, UsageError
from rtfilter.learn.data import track as module
from rtfilter.learn.data.track import SUFFIX, Labels, Track, track_files


def small(frames: int = 4, **changes: Any) -> Track:
    """A track of random numbers."""
    random = np.random.default_rng(3)
    values: dict[str, Any] = {
        "name": "a",
        "person": "P1",
        "sentence": "001",
        "emotion": "happy",
        "level": 0.67,
        "fps": 25.0,
        "time_s": np.arange(frames) / 25.0,
        "expression": random.random((frames, 52), np.float32),
        "shape_iod": random.standard_normal((frames, 478, 3)).astype(np.float32),
        "neutral_iod": random.standard_normal((478, 3)).astype(np.float32),
        "rotation": np.tile(np.eye(3, dtype=np.float32), (frames, 1, 1)),
        "scale_px": np.full(frames, 100.0, np.float32),
        "sound": (random.random(640, np.float32) - 0.5),
        "phones": ((0.0, 0.1, "p"), (0.1, 0.16, "A:")),
        "truth": {"path": np.array([0, 1, 1, 2])},
    }
    return Track(**(values | changes))


@pytest.mark.parametrize("changes", [{}, {"sound": None, "phones": (), "truth": {}}, {"frames": 1}])
def test_a_saved_track_comes_back(tmp_path: Path, changes: dict[str, Any]) -> None:
    track = small(**changes)
    path = tmp_path / f"deep/{track.name}{SUFFIX}"
    track.save(path)
    back = Track.load(path)
    for one in dataclasses.fields(Track):
        before, after = getattr(track, one.name), getattr(back, one.name)
        if one.name == "sound" and before is not None:
            np.testing.assert_allclose(after, before, atol=1 / 32767)
        elif one.name == "truth":
            assert before.keys() == after.keys()
            assert all((before[key] == after[key]).all() for key in before)
        elif one.name == "shape_iod":
            np.testing.assert_allclose(after, before, atol=1e-4)  # half a step of 5 IOD in 32767
        elif isinstance(before, np.ndarray):
            assert after.dtype == before.dtype
            np.testing.assert_array_equal(after, before)
        else:
            assert after == before
    assert track_files(tmp_path) == [path]
    assert Labels.read(path) == Labels("a", "P1", "001", "happy", 0.67)
    assert back.seconds == pytest.approx(track.frames / 25.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"emotion": "fear"}, "expected one of happy"),
        ({"level": 2.0}, "level 2.0: expected 0..1.5"),
        ({"fps": 0.0}, "fps 0.0"),
        ({"time_s": np.zeros(4)}, "rising"),
        ({"time_s": np.zeros(0)}, "no frames"),
        ({"expression": np.zeros((4, 51), np.float32)}, r"expected finite float32 \[4, 52\]"),
        ({"expression": np.full((4, 52), np.nan, np.float32)}, "expression: expected finite"),
        ({"scale_px": np.zeros(4)}, "scale_px: expected finite float32"),
        ({"sound": np.zeros((2, 9), np.float32)}, r"sound: expected float32 \[S\]"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        small(**changes)


def test_damage_and_other_versions_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"a{SUFFIX}"
    with pytest.raises(InputError, match="cannot be read"):
        Track.load(path)
    with pytest.raises(InputError, match="no tracks"):
        track_files(tmp_path)
    small().save(path)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:300] + b"\0" * 400 + whole[700:]):
        path.write_bytes(content)
        with pytest.raises(InputError, match="remove it and make it again"):
            Track.load(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="remove it and make it again"):
        Labels.read(path)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(InputError, match="no track"):
        Track.load(tmp_path / "one.npy")
    monkeypatch.setattr(module, "VERSION", 99)
    small().save(path)
    monkeypatch.undo()
    with pytest.raises(InputError, match="format 99, expected 1"):
        Track.load(path)


def test_what_cannot_be_written_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        small().save(tmp_path / f"file/a{SUFFIX}")

    def full(_number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left on device; make room and start again"):
        small().save(tmp_path / f"a{SUFFIX}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
