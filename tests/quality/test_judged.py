"""`rtfilter evaluate` with judges of the user's: groups only where they were measured, errors in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from rtfilter.cli.evaluate import judge_files
from rtfilter.cli.main import build_parser, main
from rtfilter.quality.evaluate import evaluate
from rtfilter.sinks.file import FileSink
from rtfilter.sources.demo import DemoSource
from tests.quality.judges.nets import brightness, linear
from tests.quality.judges.test_sync import LIPS, two_files

FRAMES = 66  # over two seconds: 25 windows of 0.2 s at 25 a second, and 50 faces
GROUPS = ("perceived", "identity", "sync", "realism")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("judged")


@pytest.fixture(scope="module")
def clips(folder: Path) -> tuple[Path, Path]:
    """The demo with a sound, and a darker copy of it."""
    demo = DemoSource(320, 180)
    paths = folder / "silent.mkv", folder / "edited.mkv"
    sinks = [FileSink(path, demo.info, codec="ffv1", overwrite=True) for path in paths]
    for number in range(FRAMES):
        frame = demo.frame(number)
        sinks[0].write(frame)
        sinks[1].write(frame.filtered((frame.rgb * 0.7).astype(np.uint8), None))
    for sink in sinks:
        sink.close(complete=True)
    demo.close()
    return with_sound(paths[0], folder / "source.mkv"), paths[1]


def with_sound(silent: Path, path: Path) -> Path:
    """The same pictures, with noise that comes and goes."""
    rng = np.random.default_rng(0)
    loud = np.repeat(rng.random(60) < 0.5, 640)
    samples = (loud * rng.normal(0, 3000, len(loud))).astype(np.int16)
    with av.open(str(silent)) as before, av.open(str(path), "w") as container:
        pictures = container.add_stream_from_template(before.streams.video[0])
        sound = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for packet in before.demux(before.streams.video[0]):
            if packet.dts is not None:
                packet.stream = pictures
                container.mux(packet)
        frame = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
        frame.rate = 16000
        for made in [*sound.encode(frame), *sound.encode(None)]:
            container.mux(made)
    return path


def test_without_judges_there_are_no_groups_of_theirs(
    clips: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *map(str, clips), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert not set(GROUPS) & set(document)
    assert "judged" not in document


def test_all_judges_at_once(clips: tuple[Path, Path], folder: Path) -> None:
    emotion = brightness(folder / "emotion.onnx", [1, 1, 16, 16], (3.0, -3.0))
    features = np.random.default_rng(1).normal(0, 1, (3 * 32 * 32, 24)) / 3072
    descriptor = linear(folder / "face.onnx", [1, 3, 32, 32], features)
    sound, lips = two_files(folder, LIPS["time_last"], [1, 1, 13, 20])
    options = [
        *("--emotion-judge", emotion, "--emotion-labels", "happy, sadness", "--emotion-target", "sad"),
        *("--identity-judge", descriptor, "--sync-judge", lips, "--sync-judge", sound),
        *("--fad-judge", descriptor, "--reference", clips[0]),
    ]
    arguments = build_parser()[0].parse_args(["evaluate", *map(str, [*clips, *options])])
    measured = evaluate(*clips, None, judge_files(arguments))
    document = json.loads(json.dumps(measured.as_dict()))
    perceived, identity, sync, realism = (document[name] for name in GROUPS)
    # A darker face: the network's "sad".
    assert perceived["frames"] == document["source_faces"] == FRAMES
    assert perceived["target"] == "sad"
    assert perceived["target_change"] == pytest.approx(perceived["after"]["sad"] - perceived["before"]["sad"])
    assert perceived["target_change"] > 0.05
    assert sum(perceived["before"].values()) == pytest.approx(1.0)
    assert identity["frames"] == 14
    assert 0.0 < identity["cosine"] < 1.0
    assert identity["own_cosine"] > identity["cosine"]
    assert sync["windows"] >= 25
    assert sync["source_lse_d"] > 0.0
    assert realism["source_fad"] == pytest.approx(0.0, abs=1e-6)  # the reference is the source
    assert realism["edited_fad"] > 10 * realism["source_fad"]
    assert realism["reference_frames"] == FRAMES

    table = measured.table()
    assert f"perceived emotion, by emotion.onnx over {FRAMES} frames: before, after, change" in table
    assert "<- target" in table
    for title in ("identity, by face.onnx", "sync, by lips.onnx + sound.onnx", "realism, by face.onnx"):
        assert title in table


def silent_source(clips: tuple[Path, Path], folder: Path) -> list[object]:
    sound, lips = two_files(folder, LIPS["time_last"], [1, 1, 13, 20])
    return [folder / "silent.mkv", clips[1], "--sync-judge", lips, "--sync-judge", sound]


def faceless_reference(clips: tuple[Path, Path], folder: Path) -> list[object]:
    from rtfilter.media.info import SourceInfo

    demo = DemoSource(320, 180)
    path = folder / "grey.mkv"
    info = SourceInfo("grey", 320, 180, demo.info.fps, False)
    sink = FileSink(path, info, codec="ffv1", overwrite=True)
    for number in range(2):
        sink.write(demo.frame(number).filtered(np.full((180, 320, 3), 90, np.uint8), None))
    sink.close(complete=True)
    demo.close()
    descriptor = linear(folder / "face.onnx", [1, 3, 32, 32], np.ones((3 * 32 * 32, 4)))
    return [*clips, "--fad-judge", descriptor, "--reference", path]


@pytest.mark.parametrize(
    ("make", "status", "expected"),
    [
        (
            lambda clips, _: [*clips, "--emotion-target", "sad"],
            2,
            "--emotion-target needs --emotion-judge FILE",
        ),
        (lambda clips, _: [*clips, "--emotion-labels", "a,,b"], 2, "--emotion-labels a,,b: expected names"),
        (lambda clips, _: [*clips, "--reference", clips[0]], 2, "needs --fad-judge FILE"),
        (lambda clips, _: [*clips, "--fad-judge", "net.onnx"], 2, "needs --reference CLIP"),
        (lambda clips, _: [*clips, "--identity-judge", clips[0]], 1, "cannot be loaded as ONNX"),
        (lambda clips, folder: [*clips, "--identity-judge", folder / "none.onnx"], 1, "no such file"),
        (silent_source, 1, "silent.mkv has no sound, which --sync-judge listens to"),
        (faceless_reference, 1, "grey.mkv: no face in the reference clip"),
    ],
)
def test_what_judges_lack_is_one_line(
    clips: tuple[Path, Path],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[tuple[Path, Path], Path], list[object]],
    status: int,
    expected: str,
) -> None:
    assert main(["evaluate", *map(str, make(clips, folder))]) == status
    said = capsys.readouterr().err
    assert expected in said
    assert said.strip().count("\n") == 0
