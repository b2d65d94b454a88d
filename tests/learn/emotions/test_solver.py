"""Changes of shapes as coefficients: what landmarks show, what the teacher adds."""

from __future__ import annotations

import numpy as np

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX, BLENDSHAPES
from rtfilter.learn.emotions.solver import ASIDE, GAZE, LEFT_OUT, Solver
from tests.faces import builtin, coefficients, rotation

ONES, NOTHING = np.ones(BLENDSHAPE_COUNT), np.zeros(BLENDSHAPE_COUNT)
SMILE = coefficients(mouthSmile=0.5, browInnerUp=0.4, jawOpen=0.3)


def moved(change: np.ndarray) -> np.ndarray:
    return np.einsum("e,enc->nc", change, builtin().expression_basis.astype(np.float64))


def solver(pull: float = 0.1) -> Solver:
    return Solver(builtin(), builtin().mean_iod.astype(np.float64), ONES, pull)


def test_landmarks_and_teacher_that_agree_are_right() -> None:
    assert np.abs(solver().solve(moved(SMILE), SMILE, NOTHING) - SMILE).max() < 1e-3


def test_landmarks_alone_show_a_smile() -> None:
    found = solver(pull=0.02).solve(moved(SMILE), NOTHING, NOTHING)
    assert np.linalg.norm(moved(found - SMILE)) < 0.3 * np.linalg.norm(moved(SMILE))
    assert found @ SMILE > 0.6 * (SMILE @ SMILE)


def test_a_head_that_turns_shifts_and_comes_nearer_feels_nothing() -> None:
    face = builtin().mean_iod.astype(np.float64)
    turned = 1.04 * face @ rotation(2.0, -2.0, 1.0).T + (0.05, -0.08, 0.02)
    assert np.abs(solver().solve(turned - face, NOTHING, ONES)).max() < 0.03


def test_no_more_is_taken_away_than_there_was() -> None:
    before = coefficients(mouthPucker=0.2)
    found = solver().solve(moved(-SMILE), -SMILE, before)
    assert (found >= -before - 1e-9).all()


def test_gaze_and_what_no_feeling_does_are_left_out() -> None:
    everything = np.full(BLENDSHAPE_COUNT, 0.3)
    found = solver().solve(moved(everything), everything, NOTHING)
    for name in (*GAZE, *LEFT_OUT, *ASIDE):
        assert found[BLENDSHAPE_INDEX[name]] == 0.0, name
    # Lids follow the eyes: eyes that look down, as the teacher sees, are not lids that close.
    down = coefficients(eyeLookDown=0.6)
    assert np.abs(solver().solve(moved(down), down, NOTHING)).max() < 1e-3


def test_where_landmarks_see_little_the_teacher_decides() -> None:
    seen = solver().seen
    assert ((seen >= 0) & (seen <= 1)).all()
    found = solver().solve(np.zeros((478, 3)), 0.4 * ONES, NOTHING)
    kept = found / 0.4
    measured = [i for i, name in enumerate(BLENDSHAPES) if name not in (*GAZE, *LEFT_OUT, *ASIDE)]
    least = min(measured, key=lambda i: seen[i])
    most = max(measured, key=lambda i: seen[i])
    assert kept[least] > kept[most] + 0.2


def test_a_tight_pull_takes_the_teachers_scores_times_their_worth() -> None:
    gain = np.full(BLENDSHAPE_COUNT, 0.5)
    tight = Solver(builtin(), builtin().mean_iod.astype(np.float64), gain, pull=1e4)
    assert np.allclose(tight.solve(moved(3 * SMILE), SMILE, NOTHING), 0.5 * SMILE, atol=0.02)
