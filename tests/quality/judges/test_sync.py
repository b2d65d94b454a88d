"""Lip sync: lips that follow a sound are found in step, late ones late, and still ones not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from rtfilter.errors import InputError, UsageError
from rtfilter.quality.judges.sync import SyncJudge, SyncMeasure, lse
from rtfilter.quality.judges.syncnet import SyncNetwork
from tests.quality.judges.nets import FLOAT, face_points, plain, save

SIDE = 16
SECONDS = 4
RATE = 16000
LIPS = {"time_last": [1, 3, 5, SIDE, SIDE], "time_first": [1, 5, 3, SIDE, SIDE]}
# The log energy of loud and of silent sound, as brightness 1 and 0.
LOUD, SILENT = 17.0, -36.0


def lips_nodes(shape: list[int]) -> list:
    """Brightness of each of the five pictures, 0..255 to 0..1."""
    axes = [1, 3, 4] if shape[1] == 3 else [2, 3, 4]
    return [
        helper.make_node("ReduceMean", ["lips"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("Mul", ["mean", "to_unit"], ["lips_embedding"]),
    ]


def sound_nodes(shape: list[int]) -> list:
    """The log energy of each fifth of the sound, as brightness 0..1."""
    transposed = shape[-1] == 13
    return [
        helper.make_node("Reshape", ["sound", "plane"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["rows"], perm=[1, 0] if transposed else [0, 1]),
        helper.make_node("Slice", ["rows", "zero", "one", "zero"], ["energy"]),
        helper.make_node("Reshape", ["energy", "fifths"], ["groups"]),
        helper.make_node("ReduceMean", ["groups"], ["means"], axes=[1], keepdims=0),
        helper.make_node("Reshape", ["means", "row"], ["level"]),
        helper.make_node("Sub", ["level", "silent"], ["above"]),
        helper.make_node("Mul", ["above", "to_share"], ["sound_embedding"]),
    ]


def constants(sound_shape: list[int]) -> dict[str, np.ndarray]:
    return {
        "to_unit": np.float32([1 / 255]),
        "plane": np.int64(sound_shape[-2:]),
        "zero": np.int64([0]),
        "one": np.int64([1]),
        "fifths": np.int64([5, 4]),
        "row": np.int64([1, 5]),
        "silent": np.float32([SILENT]),
        "to_share": np.float32([1 / (LOUD - SILENT)]),
    }


def two_files(folder: Path, lips: list[int], sound: list[int]) -> list[Path]:
    kept = constants(sound)
    unit = {"to_unit": kept.pop("to_unit")}
    heard, seen = {"sound": (FLOAT, sound)}, {"lips": (FLOAT, lips)}
    return [
        save(folder / "sound.onnx", heard, {"sound_embedding": [1, 5]}, sound_nodes(sound), kept),
        save(folder / "lips.onnx", seen, {"lips_embedding": [1, 5]}, lips_nodes(lips), unit),
    ]


def one_file(folder: Path, lips: list[int], sound: list[int]) -> list[Path]:
    inputs = {"sound": (FLOAT, sound), "lips": (FLOAT, lips)}
    outputs = {"lips_embedding": [1, 5], "sound_embedding": [1, 5]}
    nodes = [*lips_nodes(lips), *sound_nodes(sound)]
    return [save(folder / "both.onnx", inputs, outputs, nodes, constants(sound))]


@pytest.fixture(scope="module")
def speech() -> tuple[np.ndarray, np.ndarray]:
    """Noise that is loud or silent for every 1/25 s at random, and which it is."""
    rng = np.random.default_rng(7)
    loud = rng.random(SECONDS * 25) < 0.5
    samples = np.repeat(loud, RATE // 25) * rng.normal(0, 3000, SECONDS * RATE)
    return np.round(samples), loud


def judged(
    paths: list[Path],
    speech: tuple[np.ndarray, np.ndarray],
    late: int = 0,
    fps: float = 25.0,
    start_s: float = 0.0,
    gap: range = range(0),
) -> SyncMeasure:
    """Lips that brighten with the sound, `late` frames of 40 ms after it; the edit's stay grey."""
    samples, loud = speech
    judge = SyncJudge(SyncNetwork(paths), samples, start_s, fps)
    points = face_points()
    for number in range(round(SECONDS * fps)):
        bright = loud[min(max(int((number + 0.5) / fps * 25) - late, 0), len(loud) - 1)]
        picture = plain(255 if bright else 0, 160, 240)
        judge.add(picture, plain(128, 160, 240), None if number in gap else points, number / fps)
    return judge.measure()


@pytest.mark.parametrize("made", [two_files, one_file])
@pytest.mark.parametrize("lips", LIPS)
@pytest.mark.parametrize("sound", [[1, 1, 13, 20], ["n", 20, 13]])
def test_lips_in_step_are_near_and_still_ones_are_not(
    tmp_path: Path, speech: tuple[np.ndarray, np.ndarray], made, lips: str, sound: list[int]
) -> None:  # fmt: skip
    found = judged(made(tmp_path, LIPS[lips], sound), speech)
    assert found.windows > 90
    assert found.source_shift == 0
    assert found.source_lse_d is not None
    assert found.edited_lse_d is not None
    assert found.source_lse_c is not None
    assert found.edited_lse_c is not None
    # 0.72 against 1.04: the 25 ms windows of the MFCCs blur the ends of each 40 ms.
    assert found.source_lse_d < 0.75 * found.edited_lse_d
    assert found.source_lse_c > 5 * found.edited_lse_c


@pytest.mark.parametrize("late", [-4, 3])
def test_a_shift_is_found(tmp_path: Path, speech: tuple[np.ndarray, np.ndarray], late: int) -> None:
    in_step = judged(two_files(tmp_path, LIPS["time_last"], [1, 1, 13, 20]), speech)
    found = judged(two_files(tmp_path, LIPS["time_last"], [1, 1, 13, 20]), speech, late)
    assert found.source_shift == -late  # lips that come late: the sound is early
    assert found.source_lse_d == pytest.approx(in_step.source_lse_d, rel=0.25)


def test_other_rates_and_starts_are_brought_together(
    tmp_path: Path, speech: tuple[np.ndarray, np.ndarray]
) -> None:
    paths = two_files(tmp_path, LIPS["time_last"], [1, 1, 13, 20])
    assert judged(paths, speech, fps=50.0).source_shift == 0
    assert judged(paths, speech, fps=30.0).source_shift == 0
    # The track begins 0.2 s before the picture: the sound of the first frame is its sixth.
    early = (np.concatenate([np.zeros(RATE // 5), speech[0]]), speech[1])
    assert judged(paths, early, start_s=-0.2).source_shift == 0
    late = (speech[0][RATE // 5 :], speech[1])
    assert judged(paths, late, start_s=0.2).source_shift == 0


def test_frames_without_a_face_break_the_windows(
    tmp_path: Path, speech: tuple[np.ndarray, np.ndarray]
) -> None:
    paths = two_files(tmp_path, LIPS["time_last"], [1, 1, 13, 20])
    whole, broken = judged(paths, speech), judged(paths, speech, gap=range(60, 70))
    assert whole.windows - broken.windows == 10 + 4
    assert broken.source_shift == 0


def test_a_clip_too_short_is_not_measured(tmp_path: Path, speech: tuple[np.ndarray, np.ndarray]) -> None:
    paths = two_files(tmp_path, LIPS["time_last"], [1, 1, 13, 20])
    found = judged(paths, speech, gap=range(20, 200))
    assert (found.windows, found.source_lse_d, found.source_shift) == (16, None, None)
    silent = judged(paths, (speech[0][:1000], speech[1]))
    assert (silent.windows, silent.source_lse_d) == (0, None)


def test_lse_is_syncnets_own_arithmetic() -> None:
    rng = np.random.default_rng(2)
    sounds = list(rng.normal(0, 1, (80, 8)))
    lips = {number: sounds[min(number + 2, 79)] + 0.1 for number in range(80)}
    distance, confidence, shift = lse(lips, sounds)
    padded = np.pad(np.array(sounds), ((15, 15), (0, 0)))
    means = [
        np.mean([np.sqrt(((lips[i] - padded[i + s] + 1e-6) ** 2).sum()) for i in range(80)])
        for s in range(31)
    ]
    assert shift == 2
    assert distance == pytest.approx(min(means))
    assert confidence == pytest.approx(np.median(means) - min(means))


@pytest.mark.parametrize(
    ("lips", "sound", "expected"),
    [
        ([1, 15, SIDE, SIDE], [1, 1, 13, 20], r"takes .*float32 \[1, 15, 16, 16\]; expected five"),
        ([1, 3, 4, SIDE, SIDE], [1, 1, 13, 20], r"\[1, 3, 4, 16, 16\]; expected five mouth pictures"),
        ([1, 3, 5, SIDE, 8], [1, 1, 13, 20], r"\[1, 3, 5, 16, 8\]; expected five mouth pictures"),
        ([1, 3, 5, SIDE, SIDE], [1, 1, 80, 16], r"\[1, 1, 80, 16\]; expected 20 steps of 13 MFCCs"),
        ([1, 3, 5, SIDE, SIDE], [1, 260], r"\[1, 260\]; expected 20 steps of 13 MFCCs"),
    ],
)  # fmt: skip
def test_other_layouts_are_one_line(tmp_path: Path, lips: list[int], sound: list[int], expected: str) -> None:
    paths = []
    for name, shape in (("sound", sound), ("lips", lips)):
        node = helper.make_node("Flatten", ["x"], ["y"])
        paths.append(save(tmp_path / f"{name}.onnx", {"x": (FLOAT, shape)}, {"y": [1, "n"]}, [node], {}))
    with pytest.raises(InputError, match=expected) as raised:
        SyncNetwork(paths)
    assert "\n" not in str(raised.value)


def test_two_halves_of_two_networks_are_refused(tmp_path: Path) -> None:
    sound, _ = two_files(tmp_path, LIPS["time_last"], [1, 1, 13, 20])
    node = helper.make_node("Flatten", ["x"], ["y"])
    shape = [1, 3, 5, SIDE, SIDE]
    lips = save(tmp_path / "other.onnx", {"x": (FLOAT, shape)}, {"y": [1, "n"]}, [node], {})
    with pytest.raises(InputError, match="gives 3840 numbers for lips and 5 for sound"):
        SyncNetwork([sound, lips])
    with pytest.raises(InputError, match="expected five mouth pictures"):
        SyncNetwork([sound])
    with pytest.raises(UsageError, match="3 files, expected one network, or two"):
        SyncNetwork([sound, lips, sound])
