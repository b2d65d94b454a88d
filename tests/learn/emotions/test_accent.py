"""Accents: found for a recogniser whose taste is known, on the demo portrait, within their bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT, EMOTIONS, Controls
from rtfilter.errors import InputError, UsageError
from rtfilter.face import emotion as product
from rtfilter.face.edit import FaceEditor, Held
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.learn.emotions import accent, ascent
from rtfilter.learn.emotions.talkers import Audience, View, open_judge, views_of
from rtfilter.quality.judges import crops
from rtfilter.quality.judges.card import card_path
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from rtfilter.sources.demo import DemoSource
from rtfilter.tracking.engine import EngineTracker
from tests.clips import clip
from tests.quality.judges.nets import brightness, linear

MOUTH = 0.4
SIDE_PX = 32
LABELS = ["angry", "happy", "neutral"]
FRAMES = 10


@pytest.fixture(scope="module")
def views() -> list[View]:
    with closing(DemoSource(240, 180, 15, FRAMES, zoom=2.0)) as source, closing(EngineTracker()) as tracker:
        return views_of(source, tracker, MorphableModel.builtin(), 2)


@pytest.fixture(scope="module")
def judge(views: list[View], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls happy what raised outer brows do to the picture, angry what lowered ones do."""
    with closing(Audience(MorphableModel.builtin(), views, (), MOUTH)) as audience:
        higher, lower = (
            audience_crop(audience, views, ascent.direction("happy", {"browOuterUp": amount}))
            for amount in (0.8, -0.8)
        )
    pattern = (higher - lower).mean(2, keepdims=True)
    pattern *= 4.0 / np.square(pattern).sum()
    weights = np.stack([-pattern.ravel(), pattern.ravel(), 0 * pattern.ravel()], axis=1)
    weights -= weights.mean(0)  # brightness alone says nothing
    path = linear(
        tmp_path_factory.mktemp("judge") / "net.onnx", [1, 1, SIDE_PX, SIDE_PX], weights, softmax=True
    )
    card_path(path).write_text(json.dumps({"labels": LABELS, "range": [0, 1]}))
    return path


def audience_crop(audience: Audience, views: list[View], direction: np.ndarray) -> np.ndarray:
    """The mean crop that a judge gets, [side, side, 3], 0..1."""
    cut = [
        crops.cut(audience.edited(view, direction), crops.square(view.points_px, 2.2, 0.24, SIDE_PX), SIDE_PX)
        for view in views
    ]
    return np.mean(cut, axis=0) / 255.0


@pytest.fixture
def audience(views: list[View], judge: Path) -> Iterator[Audience]:
    with closing(Audience(MorphableModel.builtin(), views, [open_judge(judge, ["happy"])], MOUTH)) as opened:
        yield opened


def test_the_ascent_finds_what_the_judge_looks_for_within_the_bounds(audience: Audience) -> None:
    asked: list[np.ndarray] = []

    def look(direction: np.ndarray) -> list[dict[str, float]]:
        asked.append(direction)
        return audience.look(direction)

    lines: list[str] = []
    found = ascent.ascend("happy", look, 0.05, lines.append)
    (before,), (after,) = audience.look(ascent.direction("happy", {})), found.seen
    assert after["happy"] > before["happy"] + 0.5
    assert max(found.accents, key=lambda name: abs(found.accents[name])) == "browOuterUp"
    assert found.accents["browOuterUp"] > 0.2
    assert max(map(abs, found.accents.values())) <= ascent.BOUND
    plain = ascent.direction("happy", {})
    reach = ascent.BOUND + ascent.STEP + max(product.OPPOSED["happy"].values())
    assert np.abs(np.array(asked) - plain).max() <= reach + 1e-9
    assert [line.split()[0] for line in lines] == ["start", "round", "round"]
    again = ascent.ascend("happy", audience.look, 0.05, lambda line: None)
    assert again == found


def test_a_strong_pull_leaves_what_was_measured(audience: Audience) -> None:
    found = ascent.ascend("happy", audience.look, 1e4, lambda line: None)
    assert ascent.rounded(found.accents) == {}
    assert found.seen == audience.look(ascent.direction("happy", {}))


def test_bounds_hold_however_much_a_judge_likes_a_shape() -> None:
    """A judge of directions themselves, who likes frowns without end."""
    frowns = ascent.both_sides("mouthFrown")

    def look(direction: np.ndarray) -> list[dict[str, float]]:
        liking = 1.0 / (1.0 + np.exp(4.0 - 3.0 * direction[frowns].mean()))
        return [{"sad": float(liking), "fearful": 0.1, "happy": 0.1}]

    found = ascent.ascend("sad", look, 0.0, lambda line: None, rounds=5)
    assert found.accents["mouthFrown"] == pytest.approx(ascent.BOUND)
    assert {name for name, amount in found.accents.items() if amount} == {"mouthFrown"}


def test_a_rival_counts_against_it() -> None:
    seen = [{"sad": 0.4, "fearful": 0.1, "happy": 0.1}]
    fearful = [{**seen[0], "fearful": 0.3}]
    happy = [{**seen[0], "happy": 0.3}]
    assert ascent.objective("sad", {}, fearful, 0.0) < ascent.objective("sad", {}, seen, 0.0)
    assert ascent.objective("sad", {}, happy, 0.0) < ascent.objective("sad", {}, seen, 0.0)
    assert ascent.objective("sad", {}, [{"sad": 0.4}], 0.0) == pytest.approx(np.log(0.43))
    assert ascent.rivals("happy") == {}


@pytest.mark.parametrize("emotion", product.measured())
def test_directions_are_composed_as_in_the_product(emotion: str) -> None:
    expected = product.directions()[EMOTIONS.index(emotion)]
    np.testing.assert_array_equal(ascent.direction(emotion, product.ACCENTS[emotion]), expected)


def test_a_view_is_edited_as_the_product_edits(audience: Audience, views: list[View]) -> None:
    """But for what the product smooths over time: so on a first frame, without fading."""
    model = MorphableModel.builtin()
    skin = SkinMaps.builtin()
    editor = FaceEditor(model, fade_s=0.0, skin=skin)
    controls = Controls(emotions={"sad": 1.0}, mouth=MOUTH)
    for view, light in zip(views, audience.lights, strict=True):
        offset, state = editor.step(editor.first_state(), view.face, controls, 1.0, 0.0)
        moved = editor.displace(state, Held(view.face, view.points_px, offset, light=light))
        with closing(CpuRenderer(RingedMesh(model.triangles, model.holes), skin)) as renderer:
            expected = np.array(renderer.render(view.frame, moved).rgb)
        row = product.directions()[EMOTIONS.index("sad")]
        assert np.abs(audience.edited(view, row, light).astype(int) - expected).max() <= 1
        assert np.abs(view.frame.rgb.astype(int) - expected).max() > 20


def test_rounding_names_what_is_large_enough() -> None:
    accents = {"browDown": 0.049, "mouthSmile": -0.62, "eyeWide": 0.074, "mouthPress": 0.0}
    assert ascent.rounded(accents) == {"mouthSmile": -0.6, "eyeWide": 0.05}


def test_views_are_spread_and_small(views: list[View]) -> None:
    assert len(views) == 2
    with closing(DemoSource(960, 720, 15, 3, zoom=2.5)) as source, closing(EngineTracker()) as tracker:
        (large,) = views_of(source, tracker, MorphableModel.builtin(), 4)  # the last, of three
    assert large.face.pose.scale_px_per_iod == pytest.approx(110.0)
    shown = large.face.pose.project(MorphableModel.builtin().mean_iod.astype(np.float64))
    assert np.abs(shown - large.points_px)[:, :2].max() < 0.2 * 110.0
    assert (large.points_px[:, :2] > 0).all()
    assert (large.points_px[:, :2] < large.frame.rgb.shape[1::-1]).all()


def talker(path: Path) -> Path:
    """A clip of the demo portrait."""
    with av.open(str(path), "w") as container, closing(DemoSource(240, 180, 15, FRAMES, zoom=2.0)) as source:
        video = container.add_stream("libx264", rate=15, options={"crf": "10"})
        video.width, video.height, video.pix_fmt = 240, 180, "yuv420p"
        for frame in iter(source.read, None):
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame.rgb)))
        container.mux(video.encode(None))
    return path


def test_the_command_prints_and_writes_what_it_found(
    tmp_path: Path, judge: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "accents.json"
    clips = ["--clips", str(talker(tmp_path / "a.mp4"))]
    options = [*clips, "--judge", str(judge), "--emotion", "joy", "--frames", "1", "--strength", "0.05"]
    assert accent.main([*options, "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "a.mp4 alone: the accents will fit this person" in said.err
    assert "browOuterUp +" in said.out
    document = json.loads(out.read_text())
    row = document["emotions"]["happy"]
    assert (document["clips"], document["frames"], document["judges"]) == (1, 1, ["net.onnx"])
    assert row["accents"]["browOuterUp"] > 0
    assert row["measured"][0]["happy"] < row["accented"][0]["happy"]
    assert set(row["untouched"][0]) == set(LABELS)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--emotion", "angri"], "did you mean 'angry'"),
        (["--emotion", "neutral"], "--emotion neutral: expected one that was measured"),
        (["--emotion", "sad"], "knows no 'sad'. Known: angry, happy, neutral."),
        (["--emotion", "angry", "--mouth", "2"], "--mouth 2.0: expected 0 to 1"),
        (["--emotion", "angry", "--strength", "nan"], "--strength nan: expected 0 to inf"),
        (["--emotion", "angry", "--frames", "0"], "--frames 0: expected 1 to 1000"),
        (["--emotion", "angry", "--out", "."], "--out . is a folder: name a file in it"),
        (["--emotion", "angry"], "faceless.mp4: no face in 12 frames; expected one person"),
    ],
)
def test_what_cannot_be_is_one_line(
    tmp_path: Path, judge: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    path = tmp_path / "faceless.mp4"
    clip(path)
    code = accent.main(["--clips", str(path), str(path), "--judge", str(judge), *options])
    error = capsys.readouterr().err.strip()
    assert code != 0
    assert expected in error
    assert "\n" not in error


def test_a_judge_that_is_none_is_named(tmp_path: Path) -> None:
    text = tmp_path / "net.onnx"
    text.write_text("no model")
    with pytest.raises(InputError, match="cannot be loaded as ONNX"):
        open_judge(text, ["happy"])
    unnamed = brightness(tmp_path / "unnamed.onnx", [1, 1, 16, 16], [1.0, 2.0])
    with pytest.raises(UsageError, match=r"unnamed\.onnx\.json"):
        open_judge(unnamed, ["happy"])


def test_an_untouched_view_is_the_source(audience: Audience, views: list[View]) -> None:
    np.testing.assert_array_equal(audience.edited(views[0], np.zeros(BLENDSHAPE_COUNT)), views[0].frame.rgb)
