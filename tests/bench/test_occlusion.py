"""`bench occlusion`: drawn things and their masks, the demo from end to end, one line for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from rtfilter.bench import occlusion_scenes as scenes
from rtfilter.bench.occlusion import occlusion
from rtfilter.bench.occlusion_figures import bars, text_of
from rtfilter.bench.occlusion_scenes import OCCLUDERS, Clip, phase_frames, read_clip, with_occluder
from rtfilter.bench.occlusion_shapes import SHAPES, TONES
from rtfilter.cli.main import main
from rtfilter.errors import InputError


def quiet(_line: str) -> None:
    pass


@pytest.fixture(scope="module")
def clip() -> Clip:
    """The demo for as long as a scene lasts, ten frames a second."""
    whole = read_clip("demo")
    return Clip("demo", whole.frames[::3], whole.points_px[::3], whole.fps / 3)


def plain(clip: Clip, level: int) -> Clip:
    """The same faces, all of one grey."""
    return Clip("plain", tuple(np.full_like(rgb, level) for rgb in clip.frames), clip.points_px, clip.fps)


@pytest.mark.parametrize("name", ["hand over mouth", "mug", "surgical mask", "fringe"])
def test_the_mask_says_how_much_of_a_pixel_the_thing_covers(clip: Clip, name: str) -> None:
    # A tone of its own, so that a hand has the same colour before both walls.
    one = OCCLUDERS[name]._replace(tone="mid")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OCCLUDERS, name, one)  # type: ignore[arg-type]
        dark, bright = (with_occluder(plain(clip, level), name) for level in (40, 210))
    seen = 0
    for low, high, alpha in zip(dark.frames, bright.frames, dark.alphas, strict=True):
        between = (high.astype(float) - low).mean(2) / 170.0  # what shows of the wall
        shown = 1.0 - alpha / 255.0
        bare, full = alpha == 0, alpha >= 252
        # A shadow of at most a fifth lies beside the thing.
        assert (between[bare] <= 1.0).all()
        assert (between[bare] >= 0.8).all()
        assert np.abs(between[full]).max(initial=0.0) < 0.02
        assert (between <= shown + 0.02).all()
        assert (between >= 0.8 * shown - 0.02).all()
        seen += int(full.sum())
    assert seen > 1000


@pytest.mark.parametrize("name", OCCLUDERS)
def test_a_thing_comes_rests_on_the_face_and_goes(clip: Clip, name: str) -> None:
    scene = with_occluder(clip, name)
    assert sorted(set(scene.phases)) == [0, 1, 2, 3, 4]
    for number in phase_frames(scene, [0, 4]):
        assert not scene.alphas[number].any()
        assert scene.frames[number] is clip.frames[number]
    middle = phase_frames(scene, [2])[len(phase_frames(scene, [2])) // 2]
    points = clip.points_px[middle]
    low, high = (points[:468, :2].min(0).astype(int), points[:468, :2].max(0).astype(int))
    over_face = scene.alphas[middle][low[1] : high[1], low[0] : high[0]] >= 252
    assert over_face.mean() > 0.01
    # Nothing but the thing and its shadow is changed.
    far = cv2.dilate(scene.alphas[middle], np.ones((41, 41), np.uint8)) == 0
    assert far.any()
    assert (scene.frames[middle][far] == clip.frames[middle][far]).all()


def test_drawn_things_have_grain_so_that_every_shift_shows() -> None:
    for shape in SHAPES.values():
        texture = shape(TONES["mid"]).rgba
        inside = texture[..., 3] > 0.99
        assert inside.sum() > 2000
        steps = np.abs(np.diff(texture[..., :3].mean(2), axis=1))[inside[:, 1:] & inside[:, :-1]]
        assert np.median(steps) > 0.25


def test_the_hand_takes_the_tone_of_the_person(clip: Clip) -> None:
    assert scenes.own_tone(plain(clip, 123)) == (123.0, 123.0, 123.0)


def test_the_demo_from_end_to_end(tmp_path: Path) -> None:
    result = occlusion(
        ["demo"],
        quiet,
        tests=("occluders", "rims"),
        emotions=("happy",),
        occluders=("bar",),
        sheets=tmp_path,
    )
    (row,) = result["occluders"]
    assert row["occluder"] == "bar"
    assert 0.0 <= row["changed_rest"] <= 100.0
    assert row["seen"] == 100.0
    assert 0.5 < row["elsewhere"] < 1.5
    (rim,) = result["rims"]
    assert rim["rims"] == "drawn"
    assert rim["moved_px"] is not None
    assert "| bar |" in text_of(json.loads(json.dumps(result)))
    assert len(bars(result)) == 3
    assert (tmp_path / "demo-bar.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["occlusion"], "give clips", 2),
        (["occlusion", "nowhere.mp4"], "nowhere.mp4: no such file", 1),
        (["occlusion", "demo", "--occluder", "muk"], "unknown occluder 'muk': did you mean 'mug'?", 2),
        (["occlusion", "demo", "--feeling", "hapy"], "did you mean 'happy'?", 2),
        (["occlusion", "demo", "--test", "line"], "did you mean 'lines'?", 2),
        (["occlusion", "demo", "--pairs", "a", "b"], "--pairs goes with `rtfilter bench reenact`", 2),
        (["reenact", "demo", "--glasses", "a"], "--glasses goes with `rtfilter bench occlusion`", 2),
        (["--feeling", "sad"], "--feeling goes with `rtfilter bench occlusion`", 2),
    ],
)
def test_a_wrong_line_is_answered_in_one(
    words: list[str], said: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *words]) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if "lane: " not in line]
    assert len(lines) == 1
    assert said in lines[0]


def test_rims_that_were_not_found_do_not_keep_what_was_promised() -> None:
    row = dict.fromkeys(("rms_px", "p95_px", "rms_percent", "p95_percent", "moved_px"))
    (bar,) = bars({"rims": [{"clip": "one", "emotion": "happy", **row}]})
    assert (bar["value"], bar["met"]) == ("no rims found", False)


def test_where_no_clip_can_be_measured_the_reason_is_the_error() -> None:
    with pytest.raises(InputError, match="no such file"):
        occlusion(["absent.mp4"], quiet, tests=["crowds"], emotions=["happy"])
