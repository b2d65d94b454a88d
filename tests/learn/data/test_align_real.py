"""Alignment of a real voice: word boundaries of GRID's speaker s1, where sentences share three words."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from rtfilter.learn.data.alignment import Alignment
from rtfilter.learn.data.dtw import sound_features, warp
from rtfilter.learn.data.sets.clip import Clip, Skipped, Word
from rtfilter.learn.data.sets.grid import SILENCE, clips
from rtfilter.learn.data.sound import read_sound
from rtfilter.learn.data.track import SOUND_HZ

pytest.importorskip("librosa", reason='needs librosa: pip install "rtfilter-live[learn]"')

SHARED = 3
STEP_S = round(SOUND_HZ / 30) / SOUND_HZ


def part(clip: Clip, first: int) -> tuple[np.ndarray, float, list[Word]]:
    """The sound of three words, when it begins, and the words."""
    words = [word for word in clip.words if word[2] not in SILENCE][first : first + SHARED]
    sound = read_sound(clip.path)
    assert sound is not None
    begins, ends = max(0.0, words[0][0] - 0.15), words[-1][1] + 0.05
    return sound[int(begins * SOUND_HZ) : int(ends * SOUND_HZ)], begins, words


def test_word_boundaries_of_a_real_voice_are_found(shared: Path) -> None:
    speaker = [clip for clip in clips(shared / "footage/grid", Skipped()) if clip.person == "Gs1"]
    pairs = [
        (one, other, first)
        for one, other in itertools.combinations(speaker, 2)
        for first in range(6 - SHARED + 1)
        if one.sentence[first : first + SHARED] == other.sentence[first : first + SHARED]
    ]
    assert len(pairs) >= 40
    errors, evenly = [], []
    for one, other, first in pairs:
        (sound, begins, words), (sound2, begins2, words2) = part(one, first), part(other, first)
        path, cost = warp(sound_features(sound, STEP_S), sound_features(sound2, STEP_S), 0.3)
        found = Alignment(one.name, other.name, "sound", STEP_S, path, cost)
        at = np.array([start for start, _, _ in words[1:]]) - begins
        wanted = np.array([start for start, _, _ in words2[1:]]) - begins2
        errors.append(np.abs(found.twin_times(at) - wanted))
        evenly.append(np.abs(at * len(sound2) / len(sound) - wanted))
    error_ms, even_ms = (1000.0 * np.concatenate(each) for each in (errors, evenly))
    assert np.median(error_ms) < 15
    assert np.quantile(error_ms, 0.95) < 45
    assert np.median(even_ms) > 2 * np.median(error_ms)
    print(f"median {np.median(error_ms):.1f}, p95 {np.quantile(error_ms, 0.95):.1f} ms")
    print(f"evenly {np.median(even_ms):.1f}, p95 {np.quantile(even_ms, 0.95):.1f} ms, {len(pairs)} pairs")
