"""The cache of tracked takes: what was tracked is read; another file, or another teacher, is tracked anew."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from rtfilter.learn.emotions import watch as watching
from rtfilter.learn.emotions.sources import Take
from rtfilter.learn.emotions.watch import Seen, watch


def test_a_take_is_tracked_again_when_it_or_the_teacher_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tracker is replaced: only when it is asked matters here."""
    clip, task, cache = tmp_path / "a.mp4", tmp_path / "t.task", tmp_path / "cache"
    clip.write_bytes(b"one")
    task.write_bytes(b"teacher")
    asked: list[Path] = []

    def track(take: Take, task: Path) -> Seen:
        asked.append(task)
        return Seen(np.zeros((2, 478, 3)), np.zeros((2, 52)), np.arange(2.0))

    monkeypatch.setattr(watching, "_track", track)
    take = Take("a", "W009", "happy", 1.0, "001", (clip,))
    for times, change in enumerate((lambda: None, lambda: clip.write_bytes(b"two"), lambda: swap(task)), 1):
        change()
        if times == 2:
            os.utime(clip, ns=(1, 1))
        for _ in range(2):
            assert watch(take, task, cache).points_px.shape == (2, 478, 3)
        assert len(asked) == times
    for path in cache.iterdir():
        path.write_bytes(b"damaged")
    watch(take, task, cache)
    assert len(asked) == 4


def swap(task: Path) -> None:
    task.write_bytes(b"another")
