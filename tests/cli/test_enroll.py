"""`rtfilter enroll` and `--profile`, on the demo: from frames to a profile that is painted and deleted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from rtfilter.cli import enroll as enroll_module
from rtfilter.cli.main import main
from rtfilter.errors import DeviceError
from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo
from rtfilter.profiles.store import ProfileStore
from rtfilter.sources.demo import DemoSource
from tests.profiles.test_store import full_disk

Refused = Callable[[Sequence[str], int], str]
SMALL = {"width": 480, "height": 360, "fps": 10, "zoom": 1.45}


class Camera:
    """The demo as a camera that is lost after so many frames; an interruption in place of that, if wanted."""

    def __init__(self, frames: int | None, failure: BaseException | None = None) -> None:
        self._demo, self._left, self._failure = DemoSource(frame_count=None, **SMALL), frames, failure
        self.info: SourceInfo = self._demo.info

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        if self._left == 0:
            raise self._failure or DeviceError("camera:0 is gone; plug it in again (no picture for 5.0 s)")
        if self._left is not None:
            self._left -= 1
        return self._demo.read()

    def close(self) -> None:
        self._demo.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of somebody who has enrolled from a camera."""
    home = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(home))
        patch.setattr(enroll_module, "open_source", lambda *_, **__: Camera(None))
        assert main(["enroll", "camera:0", "--seconds", "10", "--name", "demo", "--quiet"]) == 0
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, of one's own."""
    copy = tmp_path / "data"
    shutil.copytree(made, copy)
    monkeypatch.setenv("XDG_DATA_HOME", str(copy))
    return copy


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def profile_file(home: Path) -> Path:
    return home / "rtfilter" / "profiles" / "demo.profile"


def test_a_profile_is_kept_for_its_owner_alone_and_nothing_else(home: Path) -> None:
    assert profile_file(home).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in profile_file(home).parent.iterdir()] == ["demo.profile"]


def test_it_is_listed_shown_and_deleted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enroll", "--list", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["name"], entry["encrypted"], entry["problem"]) == ("demo", False, "")
    assert main(["enroll", "--show", "demo", "--json"]) == 0
    quality = json.loads(capsys.readouterr().out)
    assert quality["seconds"] == pytest.approx(10.0, abs=0.5)
    assert set(quality["coverage"]) >= {"smile", "frown", "turn"}
    assert main(["enroll", "--show", "demo"]) == 0
    assert "learned from" in capsys.readouterr().out
    assert main(["enroll", "--delete", "demo"]) == 0
    assert not profile_file(home).exists()
    assert main(["enroll", "--list"]) == 0


def test_a_preview_is_a_picture(
    home: Path, tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.png"
    assert main(["enroll", "--preview", "demo", str(out)]) == 0
    capsys.readouterr()
    rgb = cv2.imread(str(out))
    assert rgb.shape == (512, 1536, 3)
    assert rgb[:, 300:].std() > 20
    refused(["enroll", "--preview", "demo", str(out)], 1)


def test_a_preview_of_another_kind_is_refused(home: Path, tmp_path: Path, refused: Refused) -> None:
    assert ".png" in refused(["enroll", "--preview", "demo", str(tmp_path / "face.gif")], 2)
    assert not (tmp_path / "face.gif").exists()


def test_it_is_painted(home: Path, tmp_path: Path) -> None:
    words = ["run", "-i", "demo", "--width", "320", "--height", "240", "--duration", "0.7", "--lane", "cpu",
             "-e", "happy=1", "--codec", "ffv1", "--quiet"]  # fmt: skip
    pictures = []
    for name, more in (("anybody", []), ("own", ["--profile", "demo"])):
        out, report = tmp_path / f"{name}.mkv", tmp_path / f"{name}.json"
        assert main([*words, "-o", str(out), "--report", str(report), *more]) == 0
        assert json.loads(report.read_text())["profile"] == (more[1] if more else None)
        reader = cv2.VideoCapture(str(out))
        reader.set(cv2.CAP_PROP_POS_FRAMES, 18)
        pictures.append(reader.read()[1].astype(int))
    change = np.abs(pictures[0] - pictures[1])
    assert change.max() >= 2
    assert (change.max(2) > 0).mean() < 0.5  # skin, not the background


def test_an_existing_profile_is_not_replaced_unasked(home: Path, refused: Refused) -> None:
    before = profile_file(home).read_bytes()
    assert "--force" in refused(["enroll", "demo", "--name", "demo"], 2)
    assert profile_file(home).read_bytes() == before


def test_a_lost_camera_keeps_what_was_gathered(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["enroll", "camera:0", "--seconds", "10", "--name", "demo", "--quiet"]
    monkeypatch.setattr(enroll_module, "open_source", lambda *_, **__: Camera(40))
    assert main(words) == 1
    line = capsys.readouterr().err
    assert "plug it in again" in line
    assert "are kept: the same command goes on from there" in line
    monkeypatch.setattr(enroll_module, "open_source", lambda *_, **__: Camera(30, KeyboardInterrupt()))
    assert main(words) == 130
    assert "taking up again what was gathered for demo: 4 s" in (line := capsys.readouterr().err)
    assert "interrupted" in line
    assert [entry.problem for entry in ProfileStore().entries()] == ["not finished"]
    monkeypatch.setattr(enroll_module, "open_source", lambda *_, **__: Camera(None))
    assert main(words) == 0
    assert profile_file(empty).exists()
    assert not list(ProfileStore().parts("demo"))


def test_a_video_does_not_forget_what_a_camera_gathered(empty: Path, refused: Refused) -> None:
    ProfileStore().add_part("me", {}, b"five seconds")
    refused(["enroll", str(empty / "missing.mp4")], 1)
    assert [content for _, content in ProfileStore().parts("me")] == [b"five seconds"]


def test_nothing_is_said_to_be_kept_that_is_not(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(enroll_module, "open_source", lambda *_, **__: Camera(30, KeyboardInterrupt()))
    with full_disk(50_000):
        assert main(["enroll", "camera:0", "--quiet"]) == 130
    line = capsys.readouterr().err
    assert "cannot be written" in line
    assert "nothing of this enrolment is kept" in line


def test_a_folder_that_cannot_be_is_told_before_anything_is_learned(empty: Path, refused: Refused) -> None:
    (empty / "rtfilter").write_bytes(b"in place of the folder")
    assert "cannot be written to" in refused(["enroll", "demo"], 1)
    assert "cannot be read" in refused(["enroll", "--list"], 1)


def test_a_video_without_a_face_is_one_line(empty: Path, tmp_path: Path, refused: Refused) -> None:
    from tests.cli.test_run import write_clip

    clip = write_clip(tmp_path / "nobody.mkv", [np.full((120, 160, 3), 90, np.uint8)] * 30)
    line = refused(["enroll", str(clip), "--quiet"], 1)
    assert "only 0.0 s of the face" in line
    assert "no face is seen" in line
    assert not ProfileStore().entries()


def test_two_people_in_a_video_are_refused(empty: Path, tmp_path: Path, refused: Refused) -> None:
    from rtfilter.sources.portrait import Portrait
    from tests.cli.test_run import write_clip

    one = np.ascontiguousarray(Portrait.builtin().rgb[:400, :400])
    clip = write_clip(tmp_path / "two.mkv", [np.concatenate([one, one[:, ::-1]], axis=1)] * 30)
    assert "more than one face" in refused(["enroll", str(clip), "--quiet"], 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "camera:0 or a video"),
        (["--list", "--delete", "a"], "got --list and --delete"),
        (["demo", "--list"], "got --list and demo"),
        (["camera:0", "x.mp4"], "one camera, or videos"),
        (["demo", "--name", "a/b"], "1 to 40"),
        (["demo", "--seconds", "3"], "10"),
        (["--show", "nobody"], "no profile 'nobody'"),
        (["demo", "--passphrase"], "RTFILTER_PASSPHRASE"),
    ],
)
def test_usage(empty: Path, refused: Refused, words: list[str], said: str) -> None:
    assert said in refused(["enroll", *words], 2)


def test_an_unknown_or_damaged_profile_stops_before_anything_is_written(
    home: Path, tmp_path: Path, refused: Refused
) -> None:
    out = tmp_path / "o.mp4"
    words = ["run", "-i", "demo", "-o", str(out), "--duration", "0.2", "--lane", "cpu", "--quiet"]
    assert "did you mean 'demo'" in refused([*words, "--profile", "dmo"], 2)
    path = profile_file(home)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    line = refused([*words, "--profile", "demo"], 1)
    assert "damaged: its checksum is wrong" in line
    assert "Enrol again: rtfilter enroll camera:0 --name demo --force" in line
    assert not out.exists()


def test_a_passphrase_opens_it_and_another_does_not(
    home: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    from rtfilter.profiles.seal import Seal

    header, content = ProfileStore().read("demo")
    ProfileStore(seal=Seal("correct horse")).write("demo", {"created": header["created"]}, content)
    assert "give its passphrase" in refused(["enroll", "--show", "demo"], 2)
    monkeypatch.setenv("RTFILTER_PASSPHRASE", "battery staple")
    assert "does not open with this passphrase" in refused(["enroll", "--show", "demo"], 2)
    monkeypatch.setenv("RTFILTER_PASSPHRASE", "correct horse")
    assert main(["enroll", "--show", "demo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "demo"
    assert main(["enroll", "--list"]) == 0
    assert "(encrypted)" in capsys.readouterr().out
