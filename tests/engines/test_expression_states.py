"""The expression graph's memory: what goes in, what must not, and who is whose neighbour in a batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from rtfilter.controls import Controls
from rtfilter.engines.expression.graph import expression_graph
from rtfilter.engines.expression.host import StreamTimes, TargetWriter
from rtfilter.engines.expression.layout import EXPRESSION, REPORT, STATE, TARGET, model_key
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.errors import InputError
from rtfilter.face.fit import FaceFit
from tests.engines.expression_streams import (
    GraphStream,
    NumpyStream,
    builtin_graph,
    builtin_runner,
    differences,
)
from tests.engines.heads import FPS, SIZE, head
from tests.faces import builtin, face_px

HAPPY = Controls({"happy": 1.0})
PERSON_FIELDS = ("weight", "off_mean_iod")
EDIT_FIELDS = tuple(field.name for field in STATE if field.name not in PERSON_FIELDS)


def seen(frames: int = 12, fade_s: float = 0.2) -> GraphStream:
    """A stream after so many frames, the next of which is due at frames / FPS."""
    stream = GraphStream(fade_s)
    for k, points in enumerate(head(0, frames)):
        stream.step(points, HAPPY, SIZE, k / FPS)
    return stream


def with_one(points: np.ndarray, value: float) -> np.ndarray:
    """One coordinate of one landmark is wrong."""
    wrong = points.copy()
    wrong[477, 2] = value
    return wrong


ABSENT = {
    "absent": None,
    "all NaN": np.full((478, 3), np.nan, np.float32),
    "one NaN": with_one(face_px(), np.nan),
    "one infinite": with_one(face_px(), np.inf),
    "one minus infinite": with_one(face_px(), -np.inf),
    "one too far": with_one(face_px(), 4.01 * SIZE[0]),
    "one huge": with_one(face_px(), 3e38),
}


@pytest.mark.parametrize("points", ABSENT.values(), ids=ABSENT.keys())
def test_what_is_no_face_teaches_nothing_and_lets_the_edit_fade(points: np.ndarray | None) -> None:
    stream = seen()
    before, strength = stream.state.copy(), float(STATE.of(stream.state, "strength")[0, 0])
    shown = stream.step(points, HAPPY, SIZE, 12 / FPS)
    assert strength == 1.0
    assert shown.strength == pytest.approx(1.0 - 1 / FPS / 0.2, abs=1e-6)
    for field in STATE:
        if field.name != "strength":
            assert np.array_equal(before[:, field.slice], stream.state[:, field.slice]), field.name
    assert shown.displacement is not None
    held_px = STATE.of(before[0], "held_offset_px").reshape(478, 2)
    assert shown.displacement.offset_px == pytest.approx(held_px * shown.strength, abs=1e-5)
    assert np.array_equal(shown.displacement.points_px.ravel(), STATE.of(before[0], "held_points_px"))


def test_a_lost_face_is_forgotten_when_it_has_faded_and_the_person_is_not() -> None:
    stream = seen()
    person = [STATE.of(stream.state, name).copy() for name in PERSON_FIELDS]
    fading = [stream.step(None, HAPPY, SIZE, (12 + k) / FPS) for k in range(8)]
    assert [shown.displacement is not None for shown in fading] == [True] * 5 + [False] * 3
    for name in EDIT_FIELDS:
        assert not STATE.of(stream.state, name).any(), name
    for name, learned in zip(PERSON_FIELDS, person, strict=True):
        assert np.array_equal(STATE.of(stream.state, name), learned)
    # Back again: the edit comes as for a new face, from nothing.
    back = stream.step(head(0, 30)[29], HAPPY, SIZE, 30 / FPS)
    assert back.strength == 0.0
    assert back.displacement is not None
    assert not back.displacement.offset_px.any()


def test_nothing_comes_of_nothing() -> None:
    stream = GraphStream()
    for k in range(5):
        assert stream.step(None, HAPPY, SIZE, k / FPS).displacement is None
    assert not stream.state.any()
    assert not stream.report.any()


def test_seeding_makes_the_state_of_a_new_person_and_nothing_else() -> None:
    points, times, target = head(3, 1)[0], StreamTimes(), TARGET.zeros(1)
    old = seen().state
    TargetWriter(0.2).write(target[0], HAPPY, times, 0.0, *SIZE)
    out = builtin_runner().run(
        points_px=points[None], present=np.ones(1, np.float32), target=target, state=old
    )
    new = out["new_state"]
    for name in EDIT_FIELDS:
        assert np.array_equal(STATE.of(new, name), STATE.of(old, name)), name
    seeded = FaceFit(builtin()).seed(points, 0.0)
    assert STATE.of(new, "weight")[0] == 1.0
    off_mean = (seeded.shape_iod - builtin().mean_iod).ravel()
    assert STATE.of(new, "off_mean_iod")[0] == pytest.approx(off_mean, abs=1e-5)
    # Without a face there is nobody to seed.
    out = builtin_runner().run(
        points_px=points[None], present=np.zeros(1, np.float32), target=target, state=old
    )
    assert np.array_equal(out["new_state"], old)
    assert out["report"][0, REPORT["present"].start] == 0.0


@pytest.mark.parametrize("seeding", [0.0, 1.0])
@pytest.mark.parametrize(
    "points",
    [
        np.zeros((478, 3)),
        np.full((478, 3), 100.0),
        face_px() * 1e-4,
        np.random.default_rng(0).normal(size=(478, 3)) * 300,
        face_px()[::-1] * 4,
        face_px() * (1, 0, 0),
        face_px() * (1, 1, 0),
        face_px() * (-1, 1, 1),
    ],
    ids=["zero", "one point", "tiny", "scattered", "shuffled", "a line", "flat", "inside out"],
)
@pytest.mark.parametrize("times_s", [0.0, 1 / FPS, -1e9, 1e9])
def test_landmarks_without_sense_stay_finite(points: np.ndarray, times_s: float, seeding: float) -> None:
    target, times = TARGET.zeros(1), StreamTimes()
    TargetWriter(0.0).write(target[0], Controls({"angry": 1.5, "happy": 1.5}, mouth=0.0), times, 0.0, *SIZE)
    for name in ("since_fit_s", "since_motion_s", "since_edit_s"):
        TARGET.of(target, name)[:] = times_s
    TARGET.of(target, "seeding")[:] = seeding
    known = seen().state
    STATE.of(known, "weight")[:] = 900.0
    for first in (STATE.zeros(1), known):
        state, given = first, points[None].astype(np.float32)
        for _ in range(3):
            out = builtin_runner().run(
                points_px=given, present=np.ones(1, np.float32), target=target, state=state
            )
            for name, array in out.items():
                assert np.isfinite(array).all(), name
            state = out["new_state"].copy()
    if not seeding:  # a person who is known stays who they are; see tests/face/test_fit.py
        changed = STATE.of(state, "off_mean_iod") - STATE.of(known, "off_mean_iod")
        assert np.sqrt(np.square(changed).mean() * 3) < 3e-3


class Recording:
    """A runner that keeps what it was given and what it answered."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]] = []

    def run(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        out = builtin_runner().run(**inputs)
        self.calls.append(tuple({name: a.copy() for name, a in one.items()} for one in (inputs, out)))
        return out


def test_four_people_in_one_batch_are_four_single_ones() -> None:
    """Different people, targets and fades, one not there at times, each seeded when they come. Measured:
    1.6e-6 px of the displacement, from another order of sums in the larger products."""
    targets = [HAPPY, Controls({"angry": 1.0}, mouth=0.0), Controls(), Controls(valence=-0.6, smoothing=1.0)]
    records = []
    for row, (target, fade_s) in enumerate(zip(targets, (0.2, 0.0, 1.0, 0.2), strict=True)):
        record = Recording()
        stream = GraphStream(fade_s, record)  # type: ignore[arg-type]
        for k, points in enumerate(head(row, 30)):
            there = not (row == 2 and 10 <= k < 14) and not (row == 3 and k < 5)
            stream.step(points if there else None, target, SIZE, k / (FPS + row))
        records.append(record.calls)
    batch = builtin_runner(4)
    for calls in zip(*records, strict=False):
        together = {name: np.concatenate([given[name] for given, _ in calls]) for name in calls[0][0]}
        for name, came in batch.run(**together).items():
            wanted = np.concatenate([out[name] for _, out in calls])
            for one, other in zip(came, wanted, strict=True):
                assert np.abs(one - other).max() <= 5e-6 * max(float(np.abs(other).max()), 1.0), name


def test_no_target_moves_nothing() -> None:
    stream = GraphStream()
    for k, points in enumerate(head(2, 30)):
        shown = stream.step(points, Controls(), SIZE, k / FPS)
        assert shown.displacement is not None
        assert not shown.displacement.offset_px.any()


def test_another_face_model_makes_another_graph() -> None:
    """With three directions of identity, and its own numbers: NumPy's, as `differences` measures them."""
    fewer = replace(
        builtin(), identity_basis=builtin().identity_basis[:3], identity_scale=builtin().identity_scale[:3]
    )
    assert model_key(fewer) != model_key(builtin())
    runner = OnnxRunner(expression_graph(fewer), EXPRESSION)
    fit, graph = FaceFit(fewer), GraphStream(runner=runner)
    state = fit.first_identity()
    for k, points in enumerate(head(5, 20)):
        face, state = fit.step(state, points, k / FPS)
        graph.step(points, HAPPY, SIZE, k / FPS)
        found = REPORT.of(graph.report[0], "identity")
        assert found[:3] == pytest.approx(face.identity, abs=2e-5)
        assert not found[3:].any()
        assert REPORT.of(graph.report[0], "expression") == pytest.approx(face.expression, abs=3e-4)


def test_a_face_model_with_too_many_directions_is_refused() -> None:
    many = replace(
        builtin(), identity_basis=np.zeros((65, 478, 3), np.float32), identity_scale=np.ones(65, np.float32)
    )
    with pytest.raises(InputError, match="65 identity directions, expected at most 64"):
        expression_graph(many)


def test_the_graph_is_standard_and_without_branches() -> None:
    model = onnx.load_model_from_string(builtin_graph())
    assert {node.domain for node in model.graph.node} == {""}
    assert not {node.op_type for node in model.graph.node} & {"If", "Loop", "Scan"}
    assert len(model.graph.node) < 540  # 524 when this was written
    # ONNX Runtime has none of these on CUDA, and makes a graph of a network only where it has all of it.
    assert not {node.op_type for node in model.graph.node} & {"Acos", "Asin", "Atan", "Tan"}
    assert expression_graph(builtin()) == builtin_graph()


def test_the_target_row_says_what_the_controls_say() -> None:
    """Against the stages themselves, through one frame: all emotions and every control at once."""
    target = Controls({"sad": 0.9, "neutral": 0.4}, 1.2, 0.35, 0.3, -0.6, 0.2)
    numpy, graph = NumpyStream(), GraphStream()
    for k, points in enumerate(head(6, 10)):
        off = differences(*(stream.step(points, target, SIZE, k / FPS) for stream in (numpy, graph)))
        assert off["displacement_iod"] < 1e-6
    assert TARGET.of(graph.target[0], "width_px")[0] == SIZE[0]
    assert TARGET.of(graph.target[0], "height_px")[0] == SIZE[1]
    assert TARGET.of(graph.target[0], "since_fit_s")[0] == pytest.approx(1 / FPS)


def test_times_are_those_of_faces_and_edits() -> None:
    times = StreamTimes()
    times.ran(1.0, False)
    assert times.seeding
    times.ran(2.0, True)  # seeded
    assert not times.seeding
    assert times.since(2.0)[0] == 0.0
    times.ran(2.0, True)
    times.ran(2.5, False)
    assert times.since(3.0) == (1.0, 1.0, 0.5)
    times.reset()
    assert times.seeding
