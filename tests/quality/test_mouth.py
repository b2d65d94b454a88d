"""The mouth's measures against lips of known gap and width."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.face import landmarks as lm
from rtfilter.quality.measures import FacePairs
from rtfilter.quality.mouth import MouthMeasure, mouth

SCALE_PX = 80.0
FRAMES = 100
INNER = (lm.INNER_CORNER_RIGHT, *lm.LIPS_INNER_UPPER, lm.INNER_CORNER_LEFT, *lm.LIPS_INNER_LOWER[::-1])


def face_px(width_iod: np.ndarray, gap_iod: np.ndarray) -> np.ndarray:
    """Landmarks [N, 478, 3]: the inner lips are an ellipse as high as the gap, turned by 20 degrees."""
    points = np.zeros((len(width_iod), lm.LANDMARK_COUNT, 3))
    angles = np.linspace(np.pi, 3 * np.pi, len(INNER), endpoint=False)  # corner, up, corner, down
    points[:, INNER, 0] = 0.4 * width_iod[:, None] * np.cos(angles)
    points[:, INNER, 1] = 0.5 * gap_iod[:, None] * np.sin(angles)
    points[:, lm.MOUTH_CORNER_RIGHT, 0], points[:, lm.MOUTH_CORNER_LEFT, 0] = -width_iod / 2, width_iod / 2
    turn = np.deg2rad(20.0)
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    return (points @ rotation.T * SCALE_PX + 200.0).astype(np.float32)


WIDTH = 0.55 + 0.05 * np.sin(np.linspace(0, 37, FRAMES))
GAP = 0.08 + 0.08 * np.sin(np.linspace(0, 23, FRAMES))


def measured(
    width_after: np.ndarray, gap_after: np.ndarray = GAP, width: np.ndarray = WIDTH, gap: np.ndarray = GAP
) -> MouthMeasure:
    count = len(width)
    return mouth(
        FacePairs(
            frame=np.arange(count),
            source_px=face_px(width, gap),
            edited_px=face_px(width_after, gap_after),
            px_per_iod=np.full(count, SCALE_PX),
            down=np.tile([0.0, 1.0], (count, 1)),
            change=np.zeros((count, BLENDSHAPE_COUNT)),
        )
    )


def test_lips_left_alone_agree_fully() -> None:
    found = measured(WIDTH)
    assert (found.gap_r, found.gap_gain, found.area_r) == pytest.approx((1.0, 1.0, 1.0))
    assert (found.width_r, found.width_gain, found.width_ratio) == pytest.approx((1.0, 1.0, 1.0))
    assert found.roundest_fifth == found.widest_fifth == found.roundest_less_widest == 0.0
    assert found.closures_kept == 1.0


@pytest.mark.parametrize(("gain", "offset"), [(0.8, 0.15), (1.0, 0.1), (1.2, -0.1), (1.0, 0.0)])
def test_a_known_gain_and_offset_of_the_width_is_read_back(gain: float, offset: float) -> None:
    after = gain * WIDTH + offset
    found = measured(after)
    assert found.width_r == pytest.approx(1.0, abs=1e-6)
    assert found.width_gain == pytest.approx(gain, abs=1e-4)
    assert found.width_ratio == pytest.approx(after.mean() / WIDTH.mean(), abs=1e-5)
    order = np.argsort(WIDTH)
    narrow, wide = WIDTH[order[:20]].mean(), WIDTH[order[-20:]].mean()
    assert found.roundest_fifth == pytest.approx(gain - 1 + offset / narrow, abs=1e-4)
    assert found.widest_fifth == pytest.approx(gain - 1 + offset / wide, abs=1e-4)
    assert found.gap_r == pytest.approx(1.0)  # untouched


def test_an_offset_that_spares_round_mouths_is_told_from_one_that_does_not() -> None:
    # The same mean widening, given to all frames alike, or only as far as the mouth is wide already.
    alike = measured(WIDTH + 0.05)
    sparing = measured(WIDTH + 0.1 * (WIDTH - WIDTH.min()) / np.ptp(WIDTH))
    assert alike.roundest_less_widest is not None
    assert alike.roundest_less_widest > 0.01
    assert sparing.roundest_less_widest is not None
    assert sparing.roundest_less_widest < -0.1
    assert sparing.roundest_fifth == pytest.approx(0.0, abs=0.01)


def test_a_time_shift_lowers_r_at_zero_lag() -> None:
    found = measured(np.roll(WIDTH, 5), np.roll(GAP, 5))
    assert found.width_r is not None
    assert found.width_r < 0.0
    assert found.width_ratio == pytest.approx(1.0, abs=1e-5)
    assert found.area_r is not None
    assert found.area_r < 0.8


def test_the_area_sees_what_the_middle_gap_does_not() -> None:
    # The mouth narrows as it opens: the gap's r stays 1, the area's falls.
    squeezed = WIDTH * (1.0 - 0.8 * GAP / GAP.max())
    found = measured(squeezed)
    assert found.gap_r == pytest.approx(1.0)
    assert found.area_r is not None
    assert found.area_r < 0.9


def test_closures_are_counted_and_lost() -> None:
    opened = np.maximum(GAP, 0.1)
    found = measured(WIDTH, opened)
    assert found.closures == int((GAP < 0.03).sum()) > 0
    assert found.closures_kept == 0.0


@pytest.mark.parametrize(
    ("change", "absent", "present"),
    [
        # Lips that keep one width say nothing of rounding; their gap still speaks.
        (lambda w, g: (np.full_like(w, 0.5), g), ("width_r", "width_gain", "roundest_fifth"), ("gap_r",)),
        # A tracker's noise alone.
        (lambda w, g: (0.5 + 0.002 * np.cos(9.0 * np.arange(len(w))), g), ("width_r",), ("width_ratio",)),
        # Too few frames for a fifth of them.
        (
            lambda w, g: (w[:20], g[:20]),
            ("roundest_fifth", "widest_fifth", "roundest_less_widest"),
            ("width_r",),
        ),
        # One frame.
        (lambda w, g: (w[:1], g[:1]), ("width_r", "gap_r", "area_r", "roundest_fifth"), ("width_ratio",)),
        # A mouth that never closes.
        (lambda w, g: (w, g + 0.1), ("closures_kept",), ("gap_r", "area_r")),
    ],
)
def test_what_a_clip_cannot_answer_is_none(
    change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    absent: tuple[str, ...],
    present: tuple[str, ...],
) -> None:
    width, gap = change(WIDTH, GAP)
    found = measured(width * 1.1, gap, width, gap)
    assert all(getattr(found, name) is None for name in absent)
    assert all(getattr(found, name) is not None for name in present)


def test_an_edit_that_freezes_the_lips_has_gain_zero() -> None:
    found = measured(np.full(FRAMES, 0.5), np.full(FRAMES, 0.1))
    assert found.width_gain == pytest.approx(0.0, abs=1e-4)
    assert found.gap_gain == pytest.approx(0.0, abs=1e-4)
