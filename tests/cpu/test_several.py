"""Several faces in the CPU lane: each keeps a number, controls and pixels of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from rtfilter.controls import Controls
from rtfilter.errors import UsageError
from rtfilter.face.pose import Pose
from rtfilter.face.skin import SkinMaps
from rtfilter.filter import FaceFilter
from rtfilter.frame import Frame
from rtfilter.tracking.base import Landmarks
from tests.faces import builtin, face_px, texture

WIDTH, HEIGHT, SCALE = 640, 240, 60.0
PICTURE = texture(WIDTH, HEIGHT)
PLAIN = Controls(occlusion=False, smoothing=0.0)
HAPPY, SAD = PLAIN.with_(emotions={"happy": 1.0}), PLAIN.with_(emotions={"sad": 1.0})
Crowd = list[tuple[int, float]]  # numbers, and where they are across


class Scripted:
    """A tracker of several people at given places, frame by frame."""

    def __init__(self, *shown: Crowd) -> None:
        self.shown = shown

    def track(self, frame: Frame) -> Landmarks | None:
        found = self.track_all(frame, 1)
        return found[0] if found else None

    def track_all(self, frame: Frame, limit: int) -> list[Landmarks]:
        crowd = self.shown[min(frame.seq, len(self.shown) - 1)]
        return [Landmarks(at(x), 1.0, number) for number, x in crowd[:limit]]

    def reset(self) -> None: ...

    def close(self) -> None: ...


def at(x: float) -> np.ndarray:
    return face_px(Pose(np.eye(3), np.array([x, HEIGHT / 2, 0.0]), SCALE))


def frame(seq: int, rgb: np.ndarray = PICTURE) -> Frame:
    return Frame.from_rgb(rgb, pts=seq * 33_333_333, seq=seq)


@pytest.fixture
def several() -> Iterator[object]:
    made: list[FaceFilter] = []

    def make(*shown: Crowd, faces: int | str = "all", fade_s: float = 0.0) -> FaceFilter:
        made.append(FaceFilter(tracker=Scripted(*shown), model=builtin(), faces=faces, fade_s=fade_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_everybody_is_edited_as_alone_with_controls_of_their_own(several) -> None:
    """To the bit: side by side, the picture is that of each alone, in its half."""
    both = several([(1, 150.0), (2, 480.0)])
    for seq in range(3):
        out, report = both.step(frame(seq), HAPPY, {2: SAD})
    assert [one.person for one in report.people] == [1, 2]
    assert report.landmarks is report.people[0].landmarks
    assert not np.array_equal(report.people[0].offset, report.people[1].offset)
    halves = (np.s_[:, :320], np.s_[:, 320:])
    for x, controls, half in zip((150.0, 480.0), (HAPPY, SAD), halves, strict=True):
        alone = several([(1, x)], faces=1)
        for seq in range(3):
            expected, _ = alone.step(frame(seq), controls)
        assert expected.changed is not None
        assert np.array_equal(out.rgb[half], expected.rgb[half])


def test_everybody_keeps_their_own_while_others_come_and_go(several) -> None:
    shown = [[(1, 150.0), (2, 480.0)]] * 4 + [[(2, 480.0)]] * 40 + [[(2, 480.0), (3, 150.0)]] * 4
    one = several(*shown, fade_s=0.2)
    offsets = []
    for seq in range(len(shown)):
        out, report = one.step(frame(seq), Controls(occlusion=False), {2: SAD, 1: HAPPY, 3: HAPPY})
        offsets.append({each.person: each.offset for each in report.people})
        if seq == 4:
            assert not np.array_equal(out.rgb[:, :320], PICTURE[:, :320]), "it fades where it was"
        if 12 < seq < 44:
            assert np.array_equal(out.rgb[:, :320], PICTURE[:, :320])
    assert list(offsets[-1]) == [2, 3]
    assert np.allclose(offsets[-1][2], offsets[3][2], atol=1e-6)
    assert report.people[1].strength < 1.0, "somebody new fades in"


@pytest.mark.parametrize("blank", [np.zeros_like(PICTURE), texture(WIDTH, HEIGHT, 5)], ids=["black", "other"])
def test_nothing_is_painted_where_the_face_is_gone(several, blank: np.ndarray) -> None:
    one = several([(1, 150.0)], [(1, 150.0)], [(1, 150.0)], [], fade_s=0.1, faces=1)
    for seq in range(3):
        out, _ = one.step(frame(seq), HAPPY)
    assert out.changed is not None
    for seq in range(3, 8):
        out, report = one.step(frame(seq, blank), HAPPY)
        assert out.changed is None
        assert report.strength == 0.0
        assert report.people == ()


def test_bypass_of_one_leaves_their_pixels_and_of_all_but_one_the_rest(several) -> None:
    one = several([(1, 150.0), (2, 480.0)])
    for seq in range(3):
        out, _ = one.step(frame(seq), HAPPY, {2: HAPPY.with_(bypass=True)})
    assert np.array_equal(out.rgb[:, 320:], PICTURE[:, 320:])
    assert not np.array_equal(out.rgb[:, :320], PICTURE[:, :320])
    for seq in range(3, 6):
        out, _ = one.step(frame(seq), HAPPY.with_(bypass=True), {2: SAD})
    assert np.array_equal(out.rgb[:, :320], PICTURE[:, :320])
    assert not np.array_equal(out.rgb[:, 320:], PICTURE[:, 320:])


# Python turns no text of thousands of digits into a number, and no such number into text.
ENDLESS = [pytest.param("9" * 5000, id="long text"), pytest.param(10**5000, id="long number")]


@pytest.mark.parametrize("faces", [0, 17, -1, 1.5, True, "some", None, *ENDLESS])
def test_a_number_of_faces_that_is_none(faces: object) -> None:
    with pytest.raises(UsageError, match=r"faces: expected 1..16 or all, got"):
        FaceFilter(tracker=Scripted([]), model=builtin(), faces=faces)  # type: ignore[arg-type]


def test_a_number_of_faces_may_be_numpy_s() -> None:
    with FaceFilter(tracker=Scripted([]), model=builtin(), faces=np.int64(2)) as one:  # type: ignore[arg-type]
        assert one.faces == 2


def test_misuse_is_told(several) -> None:
    one = several([(1, 150.0)])
    for people, told in (
        ([HAPPY], "people: expected"),
        ({1: "happy"}, "with Controls"),
        ({"1": HAPPY}, "numbers"),
    ):
        with pytest.raises(UsageError, match=told):
            one.step(frame(0), PLAIN, people)
    with pytest.raises(UsageError, match="faces=1"):
        one.choose(0.5, 0.5)
    with pytest.raises(UsageError, match="out of range"):
        several([], faces=1).choose(0.5, 1.5)
    with pytest.raises(UsageError, match="cannot"):
        several([], faces=1).choose(0.5, 0.5)


def test_a_tracker_of_one_face_cannot_follow_several() -> None:
    from tests.faces import ScriptedTracker

    with pytest.raises(UsageError, match="track_all"):
        FaceFilter(tracker=ScriptedTracker([None]), model=builtin(), faces=2)


def test_who_takes_a_persons_maps_off_gets_everybodys_from_then_on(several) -> None:
    shown = [(1, 150.0), (2, 480.0)]
    changed, plain = several(shown), several(shown)
    for seq in range(4):
        if seq == 1:
            everybodys = SkinMaps.none()
            changed.use_skin(everybodys)
            changed._lane.use_skin(SkinMaps.builtin(), 1)
            changed._lane.use_skin(everybodys, 1)
            changed.use_skin(None)
        out, expected = changed.step(frame(seq), HAPPY).frame, plain.step(frame(seq), HAPPY).frame
    assert np.array_equal(out.rgb, expected.rgb)
    changed.use_skin(SkinMaps.none())
    assert not np.array_equal(changed.step(frame(4), HAPPY).frame.rgb, plain.step(frame(4), HAPPY).frame.rgb)
