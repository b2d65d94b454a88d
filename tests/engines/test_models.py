"""Where the TFLite models come from: the installed package, the cache, or a wheel that pip fetches."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rtfilter.engines import models
from rtfilter.engines.models import DETECTOR, MESH, MODELS, ModelFile, tflite_model
from rtfilter.errors import InputError

WHEEL = "mediapipe-0.10.21-cp312-cp312-manylinux_2_28_x86_64.whl"


def installed(model: ModelFile) -> bytes:
    """From the MediaPipe that the tests run with."""
    if importlib.util.find_spec("mediapipe") is None:
        pytest.skip("needs the package 'mediapipe', which is missing")
    return tflite_model(model, print)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("RTFILTER_CACHE", str(folder))
    return folder


@pytest.fixture
def shelf(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MediaPipe is not installed, and pip looks for wheels in this folder only."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {"CONFIG_FILE": os.devnull, "NO_INDEX": "1", "FIND_LINKS": str(folder)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    return folder


def put_wheel(shelf: Path, contents: dict[ModelFile, bytes]) -> Path:
    info = "mediapipe-0.10.21.dist-info"
    path = shelf / WHEEL
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: mediapipe\nVersion: 0.10.21\n")
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp312-cp312-manylinux_2_28_x86_64\n",
        )
        archive.writestr(f"{info}/RECORD", "")
        for model, content in contents.items():
            archive.writestr(f"mediapipe/{model.path}", content)
    return path


def no_word(line: str) -> None:
    pytest.fail(f"said {line!r}")


def test_the_installed_package_is_used_where_there_is_one(cache: Path) -> None:
    pytest.importorskip("mediapipe", reason="needs the package 'mediapipe', which is missing")
    for model in MODELS:
        assert hashlib.sha256(tflite_model(model, no_word)).hexdigest() == model.sha256
    assert not cache.exists()


def test_without_the_package_the_wheel_is_fetched_once_for_all_models(shelf: Path) -> None:
    contents = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "mediapipe")
        contents = {model: installed(model) for model in MODELS}
    wheel = put_wheel(shelf, contents)
    said: list[str] = []
    assert tflite_model(MESH, said.append) == contents[MESH]
    assert said == ["fetching mediapipe==0.10.21 with pip, once, for the models inside it (35 MB)"]
    wheel.unlink()
    assert tflite_model(DETECTOR, no_word) == contents[DETECTOR]
    assert tflite_model(MESH, no_word) == contents[MESH]


def test_a_damaged_model_in_the_cache_is_fetched_again(shelf: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "mediapipe")
        contents = {model: installed(model) for model in MODELS}
    put_wheel(shelf, contents)
    tflite_model(DETECTOR, print)
    kept = models._kept(DETECTOR)
    kept.write_bytes(kept.read_bytes()[:1000])
    said: list[str] = []
    assert tflite_model(DETECTOR, said.append) == contents[DETECTOR]
    assert len(said) == 1
    assert f"{kept} is damaged and is fetched again" in caplog.text


def test_a_wheel_with_other_models_is_refused_and_nothing_is_kept(shelf: Path, cache: Path) -> None:
    put_wheel(shelf, dict.fromkeys(MODELS, b"something else"))
    came = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(InputError, match=f"has the SHA-256 {came}, expected {DETECTOR.sha256}"):
        tflite_model(MESH, print)
    assert not list(cache.rglob("*.tflite"))


def test_a_wheel_without_the_models_is_refused(shelf: Path) -> None:
    put_wheel(shelf, {})
    with pytest.raises(InputError, match=f"{WHEEL}: expected a wheel with {DETECTOR.path}"):
        tflite_model(MESH, print)


def test_a_truncated_wheel_is_one_clear_line(shelf: Path) -> None:
    wheel = put_wheel(shelf, dict.fromkeys(MODELS, os.urandom(4000)))
    wheel.write_bytes(wheel.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"^pip download mediapipe==0\.10\.21 failed: ") as raised:
        tflite_model(MESH, print)
    assert "\n" not in str(raised.value)


def test_no_wheel_anywhere_is_one_clear_line(shelf: Path) -> None:
    with pytest.raises(
        InputError, match=r"failed: Could not find a version .* Or install the models yourself"
    ):
        tflite_model(MESH, print)


def test_no_network_is_said_as_such(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 9 of this machine answers nobody."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX" + "_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(InputError, match=r"failed: no connection to the package index. Look at the network"):
        tflite_model(MESH, print)


def test_an_interpreter_without_pip_is_told_what_to_run(shelf: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True, timeout=60)
    (python,) = (path for path in (tmp_path / "bare").glob("*/*") if path.stem == "python")
    with pytest.raises(InputError, match=r"has no pip, which fetches the face models: run '.* -m ensurepip'"):
        tflite_model(MESH, print, str(python))
    with pytest.raises(InputError, match="nowhere cannot be started: No such file"):
        tflite_model(MESH, print, str(tmp_path / "nowhere"))


def test_pip_that_takes_too_long_is_ended(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "slow"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    monkeypatch.setattr(models, "_PIP_LIMIT_S", 0.3)
    with pytest.raises(InputError, match="was not done within 0 s"):
        tflite_model(MESH, print, str(python))
