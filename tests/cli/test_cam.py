"""`rtfilter cam`, with the demo for a camera and a recorder for the virtual one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rtfilter.cli import cam as cam_module
from rtfilter.cli.cam import cam_command, unit_text
from rtfilter.cli.main import main
from rtfilter.errors import DeviceError
from rtfilter.face.learned_weights import EditorWeights
from rtfilter.sinks.virtualcam import VirtualCameraSink
from rtfilter.sources.capture import CameraInfo

pyvirtualcam: Any = pytest.importorskip("pyvirtualcam", reason="needs pyvirtualcam (extra 'virtualcam')")

SMALL = ["--width", "320", "--height", "180", "--fps", "15"]
PIXELS = 320 * 180


class Recorder:
    """A pyvirtualcam backend that keeps what it is sent, and interrupts the program after so many."""

    def __init__(self, *, width: int, height: int, fps: float, fourcc: int, device: str | None) -> None:
        Recorder.asked = (width, height, fps, device)
        Recorder.sent = []

    asked: tuple[int, int, float, str | None]
    sent: list[npt.NDArray[np.uint8]]
    interrupt_after = 0

    def close(self) -> None:
        pass

    def send(self, frame: npt.NDArray[np.uint8]) -> None:
        Recorder.sent.append(frame[:PIXELS].reshape(180, 320).copy())
        if len(Recorder.sent) == Recorder.interrupt_after:
            os.kill(os.getpid(), signal.SIGINT)

    def device(self) -> str:
        return "recorder 0"

    def native_fourcc(self) -> None:
        return None


@pytest.fixture(autouse=True)
def backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {})
    monkeypatch.setattr(Recorder, "interrupt_after", 0)
    pyvirtualcam.register_backend("recording", Recorder)


def test_a_card_then_the_filtered_demo_for_its_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "r.json"
    words = ["cam", "-i", "demo", *SMALL, "-e", "happy=1", "--duration", "2", "--report", str(report)]
    assert main(words) == 0
    assert Recorder.asked == (320, 180, 15.0, None)
    assert Recorder.sent[0].max() - Recorder.sent[0].min() > 100  # a card has letters
    assert Recorder.sent[0][:20].max() < 60  # on a dark ground
    assert Recorder.sent[-1][:20].max() > 60
    document = json.loads(report.read_text())
    assert document["frames_changed"] > 0
    assert document["run"]["written"] <= len(Recorder.sent)
    assert "filter.track" in document["run"]["timings"]
    said = capsys.readouterr().err
    assert "choose the camera 'recorder 0'" in said
    assert "changed" in said


def test_ctrl_c_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = cam_module.load_filter

    def then_wait(*given: Any) -> Any:
        # While kernels are compiled, cards are sent: Ctrl-C during those ends the start instead.
        loaded = ready(*given)
        monkeypatch.setattr(Recorder, "interrupt_after", len(Recorder.sent) + 30)
        return loaded

    monkeypatch.setattr(cam_module, "load_filter", then_wait)
    assert main(["cam", "-i", "demo", *SMALL, "--quiet"]) == 0
    assert len(Recorder.sent) >= Recorder.interrupt_after >= 30


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-i", "clip.mp4"], 2, "cam takes a camera, got 'clip.mp4'"),
        (["-i", "camera:/dev/absent"], 1, "is not there"),
        (["-i", "camera:first"], 2, "expected camera:0"),
        (["-i", "demo", "--report", "absent/r.json"], 1, "does not exist"),
        (["-i", "demo", "--width", "321"], 2, "even sides"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: list[str], code: int, said: str, refused: Callable[[Sequence[str], int], str]
) -> None:
    assert said in refused(["cam", *words], code)


def test_its_own_virtual_camera_is_no_camera() -> None:
    sink = VirtualCameraSink(320, 180)
    sink.device = "/dev/video9"
    with pytest.raises(DeviceError, match="own virtual camera"):
        cam_module._open_camera(sink, "9", 320, 180, 15.0)


@pytest.mark.parametrize(
    ("cameras", "first"),
    [
        ([CameraInfo(0, "/dev/video0", "rtfilter", virtual=True), CameraInfo(2, "/dev/video2", "Cam")], "2"),
        ([CameraInfo(1, "/dev/video1", "Cam")], "1"),
        ([CameraInfo(0, "/dev/video0", "rtfilter", virtual=True)], "0"),
        ([], "0"),
    ],
)
def test_the_first_real_camera_is_the_default(
    cameras: list[CameraInfo], first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("rtfilter.sources.capture.list_cameras", lambda: cameras)
    assert cam_module._first_camera() == f"camera:{first}"


def test_the_unit_runs_the_same_command(capsys: pytest.CaptureFixture[str], config_home: Path) -> None:
    words = [
        "-i",
        "camera:/dev/v4l/by-id/x",
        "-e",
        "happy=0.8",
        "-e",
        "SAD=10%",
        "--blendshape",
        "jawLeft=-0.2",
        "--mouth",
        "0.5",
        "--no-idle",
    ]
    assert main(["cam", *words, "--print-systemd-unit"]) == 0
    out, err = capsys.readouterr()
    (line,) = [line for line in out.splitlines() if line.startswith("ExecStart=")]
    start = "cam --quiet --input camera:/dev/v4l/by-id/x --mouth 0.5 --emotion happy=0.8 --emotion sad=0.1"
    start += " --blendshape jawLeft=-0.2"
    assert f"-m rtfilter {start} --no-idle" in line, line
    assert err == ""


def test_words_reach_the_service_as_they_are() -> None:
    command = cam_command("/opt/my venv/python", {"preset": 'a"b', "device": "100%$x", "fps": 30})
    (line,) = [line for line in unit_text(command).splitlines() if line.startswith("ExecStart=")]
    quoted = '--device 100%%$$x --preset "a\\"b" --fps 30'
    assert line == f'ExecStart="/opt/my venv/python" -m rtfilter cam --quiet {quoted}'


def test_the_service_edits_over_hands_only_where_it_was_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    for words, wanted in (([], False), (["--no-occlusion"], True)):
        assert main(["cam", "--print-systemd-unit", *words]) == 0
        assert (" --no-occlusion" in capsys.readouterr().out) == wanted


def test_the_service_gets_the_full_path_of_an_editor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.npz").write_bytes(EditorWeights.builtin().to_bytes())
    for name, written in (("mine.npz", str((tmp_path / "mine.npz").resolve())), ("learned", "learned")):
        assert main(["cam", "--print-systemd-unit", "--editor", name]) == 0
        assert f" --editor {written}\n" in capsys.readouterr().out
    for name in ("none.npz", "learnt"):
        assert main(["cam", "--print-systemd-unit", "--editor", name]) in (1, 2)
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("needs systemd-analyze (Debian package systemd)")
    unit = tmp_path / "rtfilter-cam.service"
    unit.write_text(unit_text(cam_command(os.path.realpath("/bin/sh"), {"preset": "friendly"})))
    done = subprocess.run(
        [verify, "verify", "--user", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
