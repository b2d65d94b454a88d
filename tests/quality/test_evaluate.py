"""`evaluate`: known changes come back as what they were; what is not one clip twice is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from rtfilter.cli.main import main
from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX, BLENDSHAPES, Controls
from rtfilter.errors import InputError, UsageError
from rtfilter.face.deform import Displacement
from rtfilter.face.fit import FaceFit
from rtfilter.face.model import MorphableModel
from rtfilter.filter import FaceFilter
from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo
from rtfilter.quality import measures
from rtfilter.quality.evaluate import Tracks, evaluate, paired
from rtfilter.quality.mouth import mouth
from rtfilter.quality.report import Evaluation
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from rtfilter.sinks.compare import CompareSink, compared_info
from rtfilter.sinks.file import FileSink
from rtfilter.sources.demo import DemoSource

SIZE = (480, 270)
FRAMES = 36  # with four syllables of the demo and a blink


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return MorphableModel.builtin()


@pytest.fixture(scope="module")
def demo() -> Iterable[DemoSource]:
    source = DemoSource(*SIZE)
    yield source
    source.close()


@pytest.fixture(scope="module")
def frames(demo: DemoSource) -> list[Frame]:
    return [demo.frame(number) for number in range(FRAMES)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def source_path(folder: Path, frames: list[Frame], demo: DemoSource) -> Path:
    return write(folder / "source.mkv", frames, demo.info)


def write(path: Path, frames: Iterable[Frame], info: SourceInfo, compare: bool = False) -> Path:
    """A lossless clip."""
    sink = FileSink(path, compared_info(info) if compare else info, codec="ffv1", overwrite=True)
    out = CompareSink(sink) if compare else sink
    for frame in frames:
        out.write(frame)
    out.close(complete=True)
    return path


def offset(**amounts: float) -> np.ndarray:
    """Coefficients [52]; a name without a side stands for both."""
    coefficients = np.zeros(BLENDSHAPE_COUNT)
    for name, amount in amounts.items():
        sides = [name] if name in BLENDSHAPE_INDEX else [name + "Left", name + "Right"]
        coefficients[[BLENDSHAPE_INDEX[side] for side in sides]] = amount
    return coefficients


def moved_tracks(
    demo: DemoSource, model: MorphableModel, coefficients: np.ndarray, count: int = 60
) -> Tracks:
    """The demo's true landmarks, and the same moved by known coefficients, in the picture only."""
    tracks = Tracks()
    for number in range(count):
        truth = demo.truth(number)
        after_px = truth.points_px.copy()
        after_px[:, :2] += truth.pose.project_vectors(model.displacement_iod(coefficients)).astype(np.float32)
        tracks.time_s.append(number / 30)
        tracks.source.append(truth.points_px)
        tracks.edited.append(after_px)
    return tracks


@pytest.mark.parametrize(
    ("name", "group", "amount"),
    [
        ("mouthSmile", "smile", 0.4),
        ("mouthSmile", "smile", 0.8),
        ("mouthSmile", "smile", -0.4),  # below that no smile is left in the portrait
        ("mouthFrown", "frown", 0.4),
        ("browDown", "brow_down", 0.4),
        ("browInnerUp", "brow_inner_up", 0.5),
        ("browOuterUp", "brow_outer_up", 0.5),
    ],
)
def test_a_known_change_is_read_back(
    demo: DemoSource, model: MorphableModel, name: str, group: str, amount: float
) -> None:
    pairs = paired(moved_tracks(demo, model, offset(**{name: amount})), model)
    found = measures.emotion(pairs)
    # Measured: 83 to 104 % of it; the ridge keeps the rest.
    assert found.groups[group] / amount == pytest.approx(0.93, abs=0.14)
    others = {other: value for other, value in found.groups.items() if other != group}
    # Measured: 0.21 of a smile that is taken from a face with little of it, which reads as a frown.
    assert max(map(abs, others.values())) < 0.23 * abs(amount)
    # A lasting offset is not shake, whatever its size.
    assert measures.jitter(pairs).edit_iod == pytest.approx(0.0, abs=2e-5)


def test_the_edit_is_not_learned_away_as_identity(demo: DemoSource, model: MorphableModel) -> None:
    # Each clip fitted with a neutral of its own: a part of the change vanishes, 0.62 is left of 0.82 here.
    # That is why evaluate does not.
    tracks = moved_tracks(demo, model, offset(mouthSmile=0.8))
    fit, means = FaceFit(model), []
    for points in (tracks.source, tracks.edited):
        state, seen = fit.first_identity(), []
        for time_s, points_px in zip(tracks.time_s, points, strict=True):
            face, state = fit.step(state, points_px, time_s)
            seen.append(face.expression)
        means.append(np.mean(seen, axis=0))
    smile = [BLENDSHAPE_INDEX["mouthSmileLeft"], BLENDSHAPE_INDEX["mouthSmileRight"]]
    by_itself = float((means[1] - means[0])[smile].mean())
    found = measures.emotion(paired(tracks, model)).groups["smile"]
    assert by_itself < 0.85 * found
    assert found > 0.75


def test_a_moved_head_is_no_expression(demo: DemoSource, model: MorphableModel) -> None:
    tracks = moved_tracks(demo, model, offset())
    turn = cv2.getRotationMatrix2D((240, 135), 3.0, 1.03)
    tracks.edited = [points.copy() for points in tracks.source if points is not None]
    for points in tracks.edited:
        points[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    found = measures.emotion(paired(tracks, model))
    # Measured: 0.09; motions are taken out to first order, and this one is large.
    assert max(map(abs, found.coefficients.values())) < 0.13


def test_somebody_else_is_not_compared(demo: DemoSource, model: MorphableModel) -> None:
    tracks = moved_tracks(demo, model, offset(), count=10)
    for number in (2, 5):
        tracks.edited[number] = tracks.source[number] + np.float32([200, 0, 0])
    tracks.edited[7] = None
    pairs = paired(tracks, model)
    assert pairs.frame.tolist() == [0, 1, 3, 4, 6, 8, 9]
    # Only 0..1 and 3..4, 8..9 are neighbours: no three in a row, so nothing can be said of jitter.
    assert measures.jitter(pairs).ratio is None


def test_identical_clips_differ_in_nothing(source_path: Path) -> None:
    calls: list[tuple[int, int | None]] = []
    same = evaluate(source_path, source_path, lambda done, total: calls.append((done, total)))
    assert (same.frames, same.source_faces, same.edited_faces, same.faces) == (FRAMES,) * 4
    assert same.mouth.gap_r == pytest.approx(1.0, abs=1e-12)
    assert same.mouth.gap_gain == pytest.approx(1.0, abs=1e-12)
    assert same.mouth.gap_rmse_iod == 0.0
    # Measured 4e-16: sums of the compiled fit are rounded as their memory lies.
    assert max(map(abs, same.emotion.coefficients.values())) < 1e-12
    assert same.emotion.corner_lift_iod == 0.0
    assert (same.jitter.ratio, same.jitter.edit_iod) == (1.0, 0.0)
    assert (same.pixels.sharpness, same.pixels.background_diff, same.pixels.background_worst) == (1.0, 0.0, 0)
    assert [done for done, _ in calls] == list(range(1, FRAMES + 1))


def test_a_known_smile_in_the_picture(
    demo: DemoSource, model: MorphableModel, frames: list[Frame], source_path: Path, folder: Path
) -> None:
    """The same through pixels, codec and tracker, which answers with about half of it on this grin."""
    renderer = CpuRenderer(RingedMesh(model.triangles, model.holes))
    smiling, widths_px = [], []
    for number, frame in enumerate(frames):
        truth = demo.truth(number)
        moved_px = truth.pose.project_vectors(model.displacement_iod(offset(mouthSmile=0.8)))
        corners = truth.points_px[[61, 291], :2], truth.points_px[[61, 291], :2] + moved_px[[61, 291], :2]
        widths_px.append([np.hypot(*(right - left)) for left, right in corners])
        displacement = Displacement(truth.points_px, moved_px.astype(np.float32), truth.pose.scale_px_per_iod)
        smiling.append(renderer.render(frame, displacement))
    renderer.close()
    found = evaluate(source_path, write(folder / "smiling.mkv", smiling, demo.info))
    assert 0.2 < found.emotion.groups["smile"] < 0.9
    assert found.emotion.corner_lift_iod > 0.02
    assert abs(found.emotion.groups["brow_inner_up"]) < 0.15
    assert found.mouth.gap_r is not None
    assert found.mouth.gap_r > 0.9
    before_px, after_px = np.mean(widths_px, axis=0)
    # Measured: 1.170 of 1.232. The same displacement for all frames widens round mouths most.
    assert found.mouth.width_ratio == pytest.approx(after_px / before_px, abs=0.08)
    assert found.mouth.roundest_less_widest is not None
    assert found.mouth.roundest_less_widest > 0.01
    assert found.pixels.background_diff == 0.0


def test_our_own_filter_is_seen_at_work(
    frames: list[Frame], source_path: Path, folder: Path, demo: DemoSource
) -> None:
    face_filter = FaceFilter()
    target = Controls(emotions={"sad": 1.0})
    edited = write(folder / "sad.mkv", [face_filter.step(frame, target).frame for frame in frames], demo.info)
    face_filter.close()
    found = evaluate(source_path, edited)
    # Measured: squint 0.088, corners -0.081 IOD.
    assert found.emotion.groups["squint"] > 0.05
    assert found.emotion.corner_lift_iod < -0.04
    assert found.pixels.background_diff == 0.0
    assert found.pixels.background_worst == 0
    assert found.pixels.sharpness == pytest.approx(1.0, abs=0.1)


def test_blur_and_a_changed_background_are_seen(
    frames: list[Frame], source_path: Path, folder: Path, demo: DemoSource
) -> None:
    blurred = []
    for frame in frames:
        rgb = cv2.GaussianBlur(frame.rgb, (0, 0), 1.5)
        rgb[:8] = frame.rgb[:8] ^ 1
        blurred.append(frame.filtered(rgb, None))
    found = evaluate(source_path, write(folder / "blurred.mkv", blurred, demo.info)).pixels
    assert found.sharpness is not None
    assert found.sharpness < 0.8
    assert found.background_diff is not None
    assert found.background_diff > 0.01
    assert found.background_worst is not None
    assert found.background_worst >= 1


def test_a_comparison_is_recognised(
    frames: list[Frame], source_path: Path, folder: Path, demo: DemoSource
) -> None:
    both = write(folder / "both.mkv", frames[:2], demo.info, compare=True)
    with pytest.raises(UsageError, match=r"960x270, expected 480x270 .*--compare"):
        evaluate(source_path, both)


def test_other_sizes_are_refused(source_path: Path, folder: Path) -> None:
    small = DemoSource(320, 180)
    path = write(folder / "small.mkv", [small.frame(0)], small.info)
    small.close()
    with pytest.raises(
        UsageError, match="320x180, expected 480x270 as in the source: evaluate the edit at its"
    ):
        evaluate(source_path, path)


@pytest.mark.parametrize("swapped", [False, True])
def test_other_lengths_are_refused(
    frames: list[Frame], source_path: Path, folder: Path, demo: DemoSource, swapped: bool
) -> None:
    short = write(folder / "short.mkv", frames[:3], demo.info)
    pair = (short, source_path) if swapped else (source_path, short)
    with pytest.raises(UsageError, match=r"short\.mkv ends after 3 frames and .*source\.mkv goes on"):
        evaluate(*pair)


def test_nobody_in_it_is_said(frames: list[Frame], source_path: Path, folder: Path, demo: DemoSource) -> None:
    grey = [frame.filtered(np.full_like(frame.rgb, 90), None) for frame in frames]
    empty = write(folder / "empty.mkv", grey, demo.info)
    with pytest.raises(InputError, match=rf"empty\.mkv: no face in any of {FRAMES} frames"):
        evaluate(source_path, empty)
    with pytest.raises(InputError, match=r"empty\.mkv: no face"):
        evaluate(empty, source_path)


def test_the_command_line(source_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(source_path), str(source_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document["emotion"]["coefficients"]) == set(BLENDSHAPES)
    assert document["mouth"]["gap_r"] == pytest.approx(1.0)
    assert main(["evaluate", str(source_path), str(source_path)]) == 0
    table = capsys.readouterr().out
    assert f"{FRAMES} frames; face in {FRAMES} before" in table
    assert "gap_gain" in table
    assert main(["evaluate", str(source_path), str(folder / "missing.mkv")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("rtfilter: ")
    assert said.count("\n") == 1


def test_what_a_video_cannot_tell_is_none(demo: DemoSource, model: MorphableModel) -> None:
    still = moved_tracks(demo, model, offset(), count=16)
    open_px = still.source[15]  # in a vowel: there is no closure to keep
    still.source, still.edited, still.time_s = [open_px] * 4, [open_px] * 4, still.time_s[:4]
    pairs = paired(still, model)
    silent, calm = mouth(pairs), measures.jitter(pairs)
    assert (silent.gap_r, silent.gap_gain, silent.closures_kept) == (None, None, None)
    assert (calm.ratio, calm.edit_iod) == (None, 0.0)
    full = measures.Pixels()
    full.add(
        np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8), np.float32([[-9, -9, 0], [20, 20, 0]])
    )
    assert full.measure() == measures.PixelMeasure(None, None, None)
    assert (
        "-" in Evaluation("a", "b", 4, 4, 4, 4, silent, measures.emotion(pairs), calm, full.measure()).table()
    )
