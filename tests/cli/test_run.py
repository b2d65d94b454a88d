"""`rtfilter run` and `inspect` on real files: counts, reports, refusals, and interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from rtfilter.cli import run as run_module
from rtfilter.cli.job import why_unchanged
from rtfilter.cli.main import main
from rtfilter.controls import Controls
from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.base import NullSink
from rtfilter.sources.portrait import Portrait
from tests import films
from tests.films import Film, Sound

Refused = Callable[[Sequence[str], int], str]
ROOT = Path(__file__).resolve().parents[2]
FRAMES = 12


def write_clip(path: Path, pictures: list[np.ndarray]) -> Path:
    """A lossless clip at 25 fps."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = pictures[0].shape[1], pictures[0].shape[0], "bgr0"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    portrait = np.ascontiguousarray(Portrait.builtin().rgb[:400, :400])
    return write_clip(tmp_path_factory.mktemp("clips") / "face.mkv", [portrait] * FRAMES)


@pytest.fixture(scope="module")
def empty_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    grey = np.full((120, 160, 3), 90, np.uint8)
    return write_clip(tmp_path_factory.mktemp("clips") / "nobody.mkv", [grey] * FRAMES)


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_clip_is_filtered_and_reported(
    face_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "out.mkv", tmp_path / "r.json"
    words = ["run", "-i", str(face_clip), "-o", str(out), "-e", "happy=0.8", "-e", "surprised=0.1"]
    assert main([*words, "--codec", "ffv1", "--report", str(report)]) == 0
    before, after = frames_of(face_clip), frames_of(out)
    assert len(after) == len(before) == FRAMES
    assert np.any(before[-1] != after[-1])
    document = json.loads(report.read_text())
    assert document["frames"] == document["frames_with_face"] == FRAMES
    assert 0 < document["frames_changed"] <= FRAMES
    assert document["controls"]["emotions"] == {"happy": 0.8, "surprised": 0.1}
    assert document["stages"]["total"]["count"] == FRAMES
    assert document["stages"]["total"]["p50_ms"] <= document["stages"]["total"]["p99_ms"]
    assert document["machine"]["cpu"]
    assert document["versions"]["onnxruntime"]
    assert f"{FRAMES} frames, a face in {FRAMES}" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mkv", "r.json"]


def test_compare_is_twice_as_wide(face_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "both.mkv"
    words = ["run", "-i", str(face_clip), "-o", str(out), "--preset", "cheerful", "--compare", "--quiet"]
    assert main([*words, "--codec", "ffv1"]) == 0
    both = frames_of(out)[-1]
    assert both.shape == (400, 800, 3)
    assert np.any(both[:, :400] != both[:, 400:])


def test_a_picture_without_a_face_is_noted(empty_clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-i", str(empty_clip), "-o", "null", "-e", "happy"]) == 0
    assert "no face was found" in capsys.readouterr().err


def test_a_run_without_controls_is_noted_unless_quiet(
    face_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "-i", str(face_clip), "-o", "null"]) == 0
    assert "no emotion was asked for" in capsys.readouterr().err
    assert main(["run", "-i", str(face_clip), "-o", "null", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_single_picture_is_edited_at_once(tmp_path: Path) -> None:
    """It has no time to fade in."""
    portrait = np.ascontiguousarray(Portrait.builtin().rgb[:400, :400])
    still, report = write_clip(tmp_path / "still.mkv", [portrait]), tmp_path / "report.json"
    assert main(["run", "-i", str(still), "-o", "null", "-e", "sad", "--report", str(report)]) == 0
    assert json.loads(report.read_text())["frames_changed"] == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-o", "null"], 2, "expected --input"),
        (["-i", "CLIP"], 2, "expected --output"),
        (["-i", "dmo", "-o", "null"], 2, "did you mean 'demo'"),
        (["-i", "CLIP", "-o", "nul"], 2, "did you mean 'null'"),
        (["-i", "camera:first", "-o", "null"], 2, "expected camera:0"),
        (["-i", "absent.mp4", "-o", "null"], 1, "no such file"),
        (["-i", "CLIP", "-o", "CLIP"], 2, "both input and output"),
        (["-i", "CLIP", "-o", "TAKEN"], 1, "--force"),
        (["-i", "CLIP", "-o", "null", "--report", "TAKEN"], 1, "--force"),
        (["-i", "CLIP", "-o", "absent/folder/out.mp4"], 1, "does not exist"),
        (["-i", "CLIP", "-o", "out.ogv"], 2, ".ogv"),
        (["-i", "STILL", "-o", "out.tif"], 2, "none of .jpg, .jpeg, .png, .webp, nor of a video"),
        (["-i", "CLIP", "-o", "out.mp4", "--crf", "-3"], 2, "--crf"),
        (["-i", "CLIP", "-o", "out.mp4", "--bitrate", "fast"], 2, "800k or 4M"),
        (["-i", "CLIP", "-o", "out.mp4", "--codec", "ffv1", "--crf", "3"], 2, "lossless"),
        (["-i", "demo", "-o", "null", "--start", "1"], 2, "demo has no beginning"),
        (["-i", "CLIP", "-o", "out.mp4", "--start", "9"], 2, "the last picture is at 0.44 s"),
        (["-i", "CLIP", "-o", "out.mp4", "--start", "1:75"], 2, "or HH:MM:SS"),
        (["-i", "TAKEN", "-o", "null"], 1, "cannot be opened as a video"),
        (
            ["-i", "ftp://me:secret@localhost/clip.mp4", "-o", "null"],
            2,
            "input ftp://localhost/clip.mp4: expected",
        ),
        (["-i", "http:///clip.mp4", "-o", "null"], 2, "names no host"),
        (["-i", "", "-o", "null"], 2, "the input has no name"),
        (["-i", "CLIP", "-o", ""], 2, "the output has no name"),
        (["-i", "CLIP", "-o", "a\0b.mp4"], 1, "null "),
        (["-i", "demo", "-o", "out.jpg"], 2, "holds one picture, and demo is a video"),
        (["-i", "FOLDER", "-o", "out.mp4"], 2, "a folder of pictures, and out.mp4 a video"),
        (["-i", "FOLDER", "-o", "FOLDER"], 2, "both input and output"),
        (["-i", "FOLDER", "-o", "-"], 2, "becomes a folder"),
        (["-i", "FOLDER", "-o", "no/such/place"], 1, "cannot be made"),
        (["-i", "FOLDER", "-o", "out", "--start", "1"], 2, "--start is for videos"),
        (["-i", "FOLDER", "-o", "out", "--duration", "1"], 2, "--duration is for videos"),
        (["-i", "FOLDER", "-o", "out", "--format", "mkv"], 2, "--format is for stdout"),
        (["-i", "EMPTY", "-o", "out"], 1, "holds no picture"),
        (["-i", "STILL", "-o", "out.jpg", "--crf", "3"], 2, "--crf is for video"),
        (["-i", "STILL", "-o", "STILL"], 2, "both input and output"),
        (["-i", "STILL", "-o", "out.heic"], 2, "is none of"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: list[str],
    code: int,
    said: str,
    face_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
) -> None:
    monkeypatch.chdir(tmp_path)
    taken, still = tmp_path / "taken.mp4", tmp_path / "folder" / "me.png"
    taken.write_text("mine")
    for folder in ("empty", "folder"):
        (tmp_path / folder).mkdir()
    still.write_bytes(cv2.imencode(".png", np.zeros((32, 32, 3), np.uint8))[1].tobytes())
    named = {"CLIP": str(face_clip), "TAKEN": str(taken), "STILL": str(still)}
    named |= {"FOLDER": "folder", "EMPTY": "empty"}
    assert said in refused(["run", *(named.get(word, word) for word in words)], code)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "folder", "taken.mp4"]
    assert taken.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "no emotion was asked for"),
        ("-e happy=0", "all that was asked for is 0"),
        ("-e happy=1 --intensity 0", "the intensity is 0"),
    ],
)
def test_why_nothing_was_edited(
    words: str, said: str, face_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "-i", str(face_clip), "-o", "null", *words.split()]) == 0
    assert f"no frame was edited: {said}" in capsys.readouterr().err


def test_a_blendshape_alone_is_an_edit() -> None:
    controls = Controls(blendshapes={"mouthSmileLeft": 0.5}, intensity=0.0).as_dict()
    assert "no face stayed that long" in why_unchanged(controls)
    assert why_unchanged({**controls, "bypass": True}) == "bypass is on"
    assert "is 0" in why_unchanged({**controls, "blendshapes": {"mouthSmileLeft": 0.0}})


def test_what_cannot_be_kept_is_one_line_each_before_the_work_and_strict_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = films.write(tmp_path / "in.mkv", Film([Sound(), Sound("pcm_s16le")], "srt", second_picture=True))
    words = ["run", "-i", str(source), "-o", str(tmp_path / "out.mp4"), "--quiet"]
    assert main([*words, "--strict"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "cannot keep all" in err
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
    assert main(words) == 0
    told = capsys.readouterr().err.splitlines()
    assert all(line.startswith("rtfilter: note: ") for line in told)
    assert any("picture track 2 (h264)" in line for line in told)
    assert any("sound track 2 (pcm_s16le) becomes aac" in line for line in told)
    assert any("subtitles track 1 (subrip, ita) becomes mov_text" in line for line in told)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [s.type for s in container.streams] == ["video", "audio", "audio", "subtitle"]


def test_a_codec_from_the_settings_file_is_checked(
    config_home: Path, face_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config_home / "rtfilter").mkdir()
    (config_home / "rtfilter" / "config.toml").write_text('codec = "h263"\n')
    assert main(["run", "-i", str(face_clip), "-o", "null"]) == 2
    assert "did you mean 'h264'" in capsys.readouterr().err


def _with_all_signals() -> None:
    """Undoes what a shell or nohup makes its children ignore."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


def started(words: list[str], folder: Path, hidden: str) -> subprocess.Popen[str]:
    """A command whose first frames are on their way into a hidden file of `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rtfilter", *words],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # A shell that starts the tests in the background has them ignore it, and so what they start.
        preexec_fn=_with_all_signals,
    )
    deadline_s = time.monotonic() + 60
    # Once the hidden file has grown, frames are on their way.
    while not any(path.stat().st_size for path in folder.glob(hidden)):
        assert process.poll() is None, "it ended before it was interrupted"
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    return process


@pytest.mark.parametrize(("name", "before"), [("SIGINT", None), ("SIGTERM", "mine"), ("SIGHUP", None)])
def test_a_file_job_that_is_interrupted_says_what_was_kept(
    name: str, before: str | None, face_clip: Path, tmp_path: Path
) -> None:
    if not hasattr(signal, name):
        pytest.skip(f"this system has no {name}")
    portrait = frames_of(face_clip)[0]
    clip = write_clip(tmp_path / "long.mkv", [portrait] * 600)
    out = tmp_path / "out.mp4"
    if before is not None:
        out.write_text(before)
    words = ["run", "-i", str(clip), "-o", str(out), "-e", "happy", "--force"]
    process = started(words, tmp_path, ".*.mp4")
    process.send_signal(getattr(signal, name))
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    lines = said.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("rtfilter: lane: ")
    assert lines[1].startswith(f"rtfilter: interrupted ({name}) after ")
    assert ("still what it was before" if before else "was not written") in lines[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.mkv", *(["out.mp4"] if before else [])]
    assert before is None or out.read_text() == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_a_demo_that_is_interrupted_is_whole_up_to_there(name: str, tmp_path: Path) -> None:
    if not hasattr(signal, name):
        pytest.skip(f"this system has no {name}")
    out = tmp_path / "demo.mkv"
    words = ["demo", "-o", str(out), "--width", "320", "--height", "180", "--duration", "600"]
    process = started([*words, "--codec", "ffv1"], tmp_path, ".demo.*")
    process.send_signal(getattr(signal, name))
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "stopped early" in said
    frames = len(frames_of(out))
    assert 0 < frames < 600 * 30
    assert f"{frames} frames, a face in {frames}" in said
    assert [path.name for path in tmp_path.iterdir()] == ["demo.mkv"]


class LiveFace:
    """A camera that shows one portrait for ever, at 50 fps."""

    def __init__(self, rgb: np.ndarray) -> None:
        self._rgb = rgb
        self._seq = -1
        self.info = SourceInfo("camera:7", rgb.shape[1], rgb.shape[0], Fraction(50), live=True)

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        time.sleep(0.02)
        self._seq += 1
        now_ns = time.monotonic_ns()
        return Frame(self._rgb, pts=now_ns, captured_ns=now_ns, seq=self._seq)

    def close(self) -> None:
        pass


def test_a_live_run_ends_with_ctrl_c_as_success(
    face_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = LiveFace(np.ascontiguousarray(frames_of(face_clip)[0]))
    monkeypatch.setattr(run_module, "open_source", lambda *_, **__: camera)
    sinks: list[NullSink] = []

    class Interrupting(NullSink):
        def write(self, frame: Frame) -> None:
            super().write(frame)
            if self.frames == 5:
                os.kill(os.getpid(), signal.SIGINT)

    def open_interrupting(*_: object, **__: object) -> NullSink:
        sinks.append(Interrupting())
        return sinks[0]

    monkeypatch.setattr(run_module, "open_sink", open_interrupting)
    report = tmp_path / "r.json"
    words = ["run", "-i", "camera:7", "-o", "null", "-e", "happy=0.5", "--report", str(report)]
    assert main(words) == 0
    assert sinks[0].complete is True
    document = json.loads(report.read_text())
    assert document["run"]["written"] == sinks[0].frames >= 5
    assert "filter.track" in document["run"]["timings"]
    assert "frames, a face in" in capsys.readouterr().err


def test_inspect_gives_every_frame(
    face_clip: Path, empty_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(face_clip), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [frame["seq"] for frame in document["frames"]] == list(range(FRAMES))
    face = document["frames"][-1]["face"]
    assert list(face["expression"]) == document["blendshapes"]
    assert len(document["blendshapes"]) == 52
    assert all(0.0 <= value <= 1.0 for value in face["expression"].values())
    assert np.allclose(np.linalg.det(face["rotation"]), 1.0, atol=1e-3)
    assert 0.0 < face["residual_iod"] < 0.1
    out = tmp_path / "faces.json"
    assert main(["inspect", str(empty_clip), "--json", "-o", str(out)]) == 0
    assert {frame["face"] for frame in json.loads(out.read_text())["frames"]} == {None}
    assert main(["inspect", str(empty_clip), "-o", str(out)]) == 1
    capsys.readouterr()
    assert main(["inspect", str(face_clip)]) == 0
    assert f"face in {FRAMES} of {FRAMES} frames" in capsys.readouterr().out


def test_the_demo_tours_the_emotions_original_beside_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo.mkv"
    words = ["demo", "-o", str(out), "--width", "320", "--height", "180", "--fps", "10", "--duration", "1"]
    assert main([*words, "--codec", "ffv1"]) == 0
    pictures = frames_of(out)
    assert len(pictures) == 10
    assert pictures[0].shape == (180, 640, 3)
    assert np.any(pictures[-1][:, :320] != pictures[-1][:, 320:])
    assert "a face in 10" in capsys.readouterr().err
    assert main([*words, "--quiet"]) == 1
    assert "--force" in capsys.readouterr().err


def test_bench_gives_percentiles_of_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--size", "480p", "--seconds", "0.2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    size = document["sizes"]["480p"]
    assert {"track", "fit", "render", "total"} <= set(size["stages"])
    assert size["stages"]["total"]["p50_ms"] > size["stages"]["track"]["p50_ms"] > 0
    assert size["start_up_ms"] > 0
    assert {"commit", "python"} <= set(document["versions"])


@pytest.mark.parametrize("name", ["0", "1", "12", "camera", "camera:0", "/dev/video2"])
def test_a_bare_number_is_a_camera(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rtfilter.cli.endpoints import is_camera

    monkeypatch.chdir(tmp_path)
    assert is_camera(name)
    (tmp_path / "0").write_bytes(b"a file, for once")
    assert is_camera(name) == (name != "0")


@pytest.mark.parametrize(
    ("words", "made_of", "said"),
    [
        ("-o c.jpg", None, ""),
        ("-o c.mov", "h264", "c.mov is h264, not ffv1 as in your settings, which .mov files cannot hold"),
        ("-o c.webm", "vp9", "c.webm is vp9, not ffv1"),
        ("-o c.mkv", "ffv1", ""),
        ("-o c.mkv --crf 30", "h264", "c.mkv is h264, not ffv1 as in your settings, which has no --crf"),
    ],
)
def test_a_codec_of_the_settings_gives_way_where_it_does_not_fit(
    words: str,
    made_of: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It was refused as if it had been an option."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RTFILTER_CODEC", "ffv1")
    still = write_clip(tmp_path / "still.mkv", [np.full((64, 64, 3), 90, np.uint8)])
    assert main(["run", "-i", str(still), *words.split(), "--quiet"]) == 0
    told = capsys.readouterr().err
    assert told.startswith(f"rtfilter: note: {said}") if said else told == ""
    assert told.count("\n") == bool(said)
    if made_of is not None:
        with av.open(words.split()[1]) as container:
            assert container.streams.video[0].codec_context.name.removeprefix("libvpx-") == made_of
    # An option is what somebody asks for.
    assert main(["run", "-i", str(still), "-o", "d.mov", "--codec", "ffv1"]) == 2
    assert "cannot hold ffv1" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_strict_ends_with_1_for_a_film_that_is_cut_off_and_keeps_what_there_was(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"movflags": "faststart"} if suffix == ".mp4" else {}
    source = films.write(tmp_path / f"in{suffix}", Film([Sound()]), options)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 2 // 3])
    words = ["run", "-i", str(source), "-o", str(tmp_path / f"out{suffix}"), "--quiet", "--force"]
    assert main(words) == 0
    assert "used what could be decoded" in capsys.readouterr().err
    assert main([*words, "--strict"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("rtfilter: --strict: the input is damaged")
    assert frames_of(tmp_path / f"out{suffix}")
