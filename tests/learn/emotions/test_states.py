"""Sound states from the lips, and the alignment of two takes."""

from __future__ import annotations

import numpy as np

from rtfilter.learn.emotions.states import Lips, align_lips, states

FPS = 25.0


def talking(frames: int) -> tuple[np.ndarray, np.ndarray]:
    time = np.arange(frames) / FPS
    gap = 0.1 * np.abs(np.sin(2 * np.pi * 1.3 * time) * np.cos(2 * np.pi * 0.31 * time))
    width = 0.55 + 0.05 * np.sin(2 * np.pi * 0.8 * time + 1.0)
    return gap, width


def test_a_long_closure_rests_and_a_short_one_is_speech() -> None:
    gap = np.full(100, 0.1)
    gap[20:24] = 0.0  # 0.16 s
    gap[60:85] = 0.0  # 1 s
    found = states(Lips(gap, np.linspace(0.5, 0.6, 100)), np.arange(100) / FPS)
    assert found["closed"][20:24].all()
    assert found["rest"][60:85].all()
    assert found["rest"].sum() == 25
    assert found["closed"].sum() == 4
    assert not (found["open"] & (found["rest"] | found["closed"])).any()


def test_rounded_is_the_narrowest_fifth_that_speaks() -> None:
    gap, width = talking(200)
    found = states(Lips(gap + 0.03, width), np.arange(200) / FPS)
    assert found["rounded"].sum() == 40
    assert width[found["rounded"]].max() <= width[~found["rounded"]].min() + 1e-12


def test_alignment_finds_the_other_speed_of_a_wider_and_larger_mouth() -> None:
    """The second take is slower in its first half, 1.3 times as wide and opens twice as far."""
    gap, width = talking(110)
    where = np.interp(np.arange(120), [0, 70, 119], [0, 55, 109])
    slow_gap, slow_width = (np.interp(where, np.arange(110), series) for series in (gap, width))
    ours, theirs = align_lips(Lips(2 * slow_gap + 0.01, 1.3 * slow_width), Lips(gap, width))
    assert (ours[0], theirs[0], ours[-1], theirs[-1]) == (0, 0, 119, 109)
    assert (np.diff(ours) >= 0).all()
    assert (np.diff(theirs) >= 0).all()
    off = np.abs(theirs - where[ours])
    assert off.mean() < 1.0, "frames; a straight line is off by 4.5"
    assert set(theirs) == set(range(110)), "every frame without feeling has a partner"


def test_one_frame_has_itself() -> None:
    one = Lips(np.array([0.1]), np.array([0.5]))
    ours, theirs = align_lips(one, one)
    assert (ours.tolist(), theirs.tolist()) == ([0], [0])
    assert states(one, np.array([0.0]))["speech"].tolist() == [True]
