"""A profile while frames are filtered: painted for its person, faded out for another, and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT, Controls
from rtfilter.face.fit import FaceFit
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.gpu.lane import People, PersonReport, StepReport, StepResult
from rtfilter.profiles.live import ProfiledLane, Worn
from rtfilter.profiles.recognise import correlation, distance_iod, log_odds, smaller, view_of
from rtfilter.profiles.wearer import FADE_S, SETTLED_S
from rtfilter.render.unwrap import Unwrapper, paint
from rtfilter.tracking.base import Landmarks
from tests.faces import builtin, face_px, person, with_expression
from tests.profiles.people import SIDE, skin, unwrapper

F32 = npt.NDArray[np.float32]
RATE = 10.0
WIDTH, HEIGHT, SCALE = 320, 320, 110.0


@dataclass
class Face:
    """A synthetic person: a shape, a texture, and the frames that show them."""

    seed: int
    neutral_iod: Any = field(init=False)
    texture: F32 = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.neutral_iod = person(rng, spread=1.0)
        self.texture = skin(rng)

    def seen(self) -> tuple[Frame, F32]:
        points = SCALE * self.neutral_iod + np.array([WIDTH / 2, HEIGHT / 2, 0.0])
        points_px = np.asarray(points, np.float32)
        picture, _ = paint(self.texture, points_px, builtin().triangles, HEIGHT, WIDTH)
        return Frame.from_rgb(np.clip(picture, 0, 255).astype(np.uint8)), points_px

    def worn(self) -> Worn:
        own = SkinMaps(np.full((1, SIDE, SIDE), 0.1, np.float32), np.ones((1, BLENDSHAPE_COUNT), np.float32),
                       np.ones(3, np.float32))  # fmt: skip
        weight = (255.0 * unwrapper().mask).astype(np.uint8)
        texture = self.texture.clip(0, 255).astype(np.uint8)
        return Worn("anna", own, self.neutral_iod.astype(np.float32), texture, weight)


@dataclass
class Inner:
    """A lane without a tracker: it reports the landmarks that it is given, with a real fit."""

    name: str = "cpu"
    why: str = ""
    points_px: F32 | None = None
    skins: list[SkinMaps] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    closed: int = 0
    number: int = 0
    falls_back: bool = False

    def __post_init__(self) -> None:
        self._fit = FaceFit(builtin())
        self._identity = self._fit.first_identity()

    def step(self, frame: Frame, controls: Controls, people: People | None = None) -> StepResult:
        self.shares.append(controls.skin)
        self.name = "cpu" if self.falls_back else self.name
        if self.points_px is None:
            self._identity = self._fit.first_identity()
            return StepResult(frame, StepReport())
        face, self._identity = self._fit.step(self._identity, self.points_px, frame.pts_ns * 1e-9)
        seen = PersonReport(
            Landmarks(self.points_px, 1.0, self.number), face, np.zeros(BLENDSHAPE_COUNT), 1.0
        )
        return StepResult(frame, StepReport.of_people((seen,), 0.0, {}))

    def use_skin(self, skin: SkinMaps, person: int | None = None) -> None:
        self.skins.append(skin)

    def choose(self, x: float, y: float) -> None: ...

    def reset(self) -> None:
        self._identity = self._fit.first_identity()

    def close(self) -> None:
        self.closed += 1


def watch(lane: ProfiledLane, inner: Inner, face: Face | None, seconds: float, start_s: float) -> None:
    frame, points = (Face(0).seen()[0], None) if face is None else face.seen()
    inner.points_px = points
    for number in range(round(seconds * RATE)):
        at = round((start_s + number / RATE) * 1e9)
        lane.step(Frame(frame.rgb, at), Controls())


@pytest.fixture
def worn() -> tuple[ProfiledLane, Inner, list[str], Face]:
    face, inner, lines = Face(1), Inner(), []
    return ProfiledLane(inner, face.worn(), builtin(), lines.append), inner, lines, face


def test_the_persons_own_maps_are_painted(worn) -> None:
    lane, inner, lines, face = worn
    watch(lane, inner, face, 8.0, 0.0)
    assert lane.own
    assert not lines
    assert len(inner.skins) == 1
    assert inner.skins[0].maps.max() == np.float32(0.1)
    assert set(inner.shares) == {1.0}


def test_somebody_else_is_told_once_and_fades_to_the_builtin_maps(worn) -> None:
    lane, inner, lines, face = worn
    watch(lane, inner, face, 4.0, 0.0)
    watch(lane, inner, None, 1.5, 4.0)
    watch(lane, inner, Face(2), 10.0, 5.5)
    assert not lane.own
    assert len(lines) == 1
    assert "not the person of profile anna" in lines[0]
    assert "rtfilter enroll camera:0 --name anna" in lines[0]
    assert inner.skins[-1].maps.shape == SkinMaps.builtin().maps.shape
    faded = [share for share in inner.shares if share < 1.0]
    assert min(faded) < 0.3
    assert len(faded) / RATE == pytest.approx(FADE_S, abs=0.2)
    assert inner.shares[-1] == 1.0
    watch(lane, inner, None, 1.5, 16.0)
    watch(lane, inner, face, 12.0, 18.0)
    assert lane.own
    assert inner.skins[-1].maps.max() == np.float32(0.1)
    assert len(lines) == 1


def test_reset_and_close_reach_the_lane(worn) -> None:
    lane, inner, _, _ = worn
    watch(lane, inner, Face(2), 10.0, 0.0)
    assert not lane.own
    lane.reset()
    assert lane.own
    assert inner.skins[-1].maps.max() == np.float32(0.1)
    painted = len(inner.skins)
    lane.reset()
    assert len(inner.skins) == painted
    lane.close()
    assert inner.closed == 1
    assert lane.name == "cpu"


def test_maps_for_others_are_kept_while_the_own_are_painted(worn) -> None:
    lane, inner, _, _ = worn
    lane.use_skin(SkinMaps.none())
    assert len(inner.skins) == 1
    watch(lane, inner, Face(2), 10.0, 0.0)
    assert inner.skins[-1].count == 0


def test_who_is_chosen_settles_before_they_are_judged(worn) -> None:
    """The neutral of a face that just came is a guess, also where the one before never left."""
    lane, inner, _, face = worn
    watch(lane, inner, face, 4.0, 0.0)
    assert lane._one._looks > 0.0
    inner.number = 1
    watch(lane, inner, Face(2), SETTLED_S - 0.1, 4.0)
    assert lane._one._looks == 0.0
    watch(lane, inner, Face(2), 0.5, 4.0 + SETTLED_S)
    assert lane._one._looks > 0.0


@pytest.mark.parametrize("faces", [1, 3])
def test_after_a_gpu_was_lost_everybody_is_judged_anew(faces: int) -> None:
    """The lane that takes over gives numbers anew, and paints everybody's maps."""
    face, inner = Face(1), Inner(name="cuda", number=1)
    lane = ProfiledLane(inner, face.worn(), builtin(), lambda line: None, faces)
    watch(lane, inner, face, 8.0, 0.0)
    assert lane.own
    given, inner.falls_back = len(inner.skins), True
    watch(lane, inner, face, SETTLED_S - 0.1, 8.0)
    assert len(inner.skins) == given, "not before the neutral has settled"
    assert lane.own == (faces == 1)
    watch(lane, inner, face, 8.0, 8.0 + SETTLED_S)
    assert lane.own
    assert (len(inner.skins) > given) == (faces > 1)
    assert inner.skins[-1].maps.max() == np.float32(0.1)


def test_distance_and_correlation_know_their_ends() -> None:
    face, mask = Face(3), Unwrapper(64, builtin().triangles).mask
    texture, weight = smaller(face.worn().texture, face.worn().weight)
    one = view_of(texture, weight, mask, face.neutral_iod)
    assert correlation(one, one) == pytest.approx(1.0, abs=1e-4)
    assert distance_iod(face.neutral_iod, face.neutral_iod + 0.3) == pytest.approx(0.0, abs=1e-9)
    brighter = view_of(1.3 * texture, weight, mask, face.neutral_iod)
    assert correlation(one, brighter) > 0.999
    other = view_of(*smaller(Face(4).worn().texture, weight=face.worn().weight), mask, Face(4).neutral_iod)
    assert log_odds(one, one) > 5.0 > -2.0 > log_odds(one, other)


def test_a_smile_is_no_other_person() -> None:
    from tests.faces import coefficients

    face = Face(5)
    fit = FaceFit(builtin())
    identity = fit.first_identity()
    for number in range(40):
        shape = with_expression(face.neutral_iod, coefficients(mouthSmile=0.6 * (number % 2)))
        points = np.asarray(SCALE * shape + np.array([160, 160, 0]), np.float32)
        state, identity = fit.step(identity, points, number / RATE)
    # Different people: 0.014 to 0.034 (5th and 95th percentile).
    assert distance_iod(state.neutral_iod, face.neutral_iod) < 0.010
    assert face_px().shape == points.shape
