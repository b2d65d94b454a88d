"""Where the TFLite models come from: the installed package, the cache, or a wheel that pip or uv fetches."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rtfilter.engines.prepare import fetch
from rtfilter.engines.prepare.fetch import REQUIREMENT
from rtfilter.engines.prepare.models import DETECTOR, MESH, MODELS, ModelFile, keep_models_of, tflite_model
from rtfilter.errors import InputError
from rtfilter.system.installation import find_uv

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


def put_the_real_ones(shelf: Path) -> dict[ModelFile, bytes]:
    """A wheel with the models of the MediaPipe that the tests run with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "mediapipe")
        contents = {model: installed(model) for model in MODELS}
    put_wheel(shelf, contents)
    return contents


def no_word(line: str) -> None:
    pytest.fail(f"said {line!r}")


def test_the_installed_package_is_used_where_there_is_one(cache: Path) -> None:
    pytest.importorskip("mediapipe", reason="needs the package 'mediapipe', which is missing")
    for model in MODELS:
        assert hashlib.sha256(tflite_model(model, no_word)).hexdigest() == model.sha256
    assert not cache.exists()


def test_without_the_package_the_wheel_is_fetched_once_for_all_models(shelf: Path) -> None:
    contents = put_the_real_ones(shelf)
    wheel = shelf / WHEEL
    said: list[str] = []
    assert tflite_model(MESH, said.append) == contents[MESH]
    assert said == ["fetching mediapipe==0.10.21 with pip, once, for the models inside it (35 MB)"]
    wheel.unlink()
    assert tflite_model(DETECTOR, no_word) == contents[DETECTOR]
    assert tflite_model(MESH, no_word) == contents[MESH]


def test_a_damaged_model_in_the_cache_is_fetched_again(shelf: Path, caplog: pytest.LogCaptureFixture) -> None:
    contents = put_the_real_ones(shelf)
    tflite_model(DETECTOR, print)
    kept = DETECTOR.kept
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
    with pytest.raises(InputError, match=f"{REQUIREMENT}: expected a wheel with {DETECTOR.path}"):
        tflite_model(MESH, print)


def test_a_truncated_wheel_is_one_clear_line(shelf: Path) -> None:
    wheel = put_wheel(shelf, dict.fromkeys(MODELS, os.urandom(4000)))
    wheel.write_bytes(wheel.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"^pip download mediapipe==0\.10\.21 failed: ") as raised:
        tflite_model(MESH, print)
    assert "\n" not in str(raised.value)


def test_no_wheel_anywhere_is_one_clear_line(shelf: Path) -> None:
    with pytest.raises(
        InputError, match=r"failed: Could not find a version .* Or give the wheel by its path"
    ):
        tflite_model(MESH, print)


def test_no_network_is_said_as_such(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 9 of this machine answers nobody."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX" + "_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(InputError, match=r"failed: no connection to the package index. Look at the network"):
        tflite_model(MESH, print)


@pytest.fixture
def bare(shelf: Path, tmp_path: Path) -> Path:
    """An interpreter without pip, as uv and pipx make them."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True, timeout=60)
    (python,) = (path for path in (tmp_path / "bare").glob("*/*") if path.stem == "python")
    return python


def without_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "find_uv", lambda: None)


def test_without_pip_and_uv_a_pip_is_made_for_the_moment(
    shelf: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_uv(monkeypatch)
    contents = put_the_real_ones(shelf)
    assert tflite_model(MESH, print, str(bare)) == contents[MESH]
    done = subprocess.run([bare, "-m", "pip", "--version"], capture_output=True, timeout=60)
    assert done.returncode != 0, "the environment itself is left as it was"


def test_without_pip_uv_fetches(shelf: Path, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = find_uv() or pytest.skip("needs uv: pip install -e '.[dev]'")
    monkeypatch.setattr(fetch, "find_uv", lambda: uv)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_" + "LINKS", str(shelf))
    monkeypatch.setenv("UV_CACHE_DIR", str(shelf / "cache"))
    said: list[str] = []
    with pytest.raises(InputError, match=rf"uv could not fetch {REQUIREMENT}: .*--wheel FILE"):
        tflite_model(MESH, said.append, str(bare))
    contents = put_the_real_ones(shelf)
    assert tflite_model(MESH, said.append, str(bare)) == contents[MESH]
    assert "with uv, once" in said[-1]


def test_without_anything_that_fetches_it_is_said_what_to_do(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Debian's Python without its packages for pip and venv."""
    without_uv(monkeypatch)
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named $2" >&2\nexit 1\n')
    python.chmod(0o755)
    with pytest.raises(InputError, match=r"has neither pip nor ensurepip, and uv is not found.*--wheel FILE"):
        tflite_model(MESH, print, str(python))
    with pytest.raises(InputError, match="nowhere cannot be started: No such file"):
        tflite_model(MESH, print, str(tmp_path / "nowhere"))


def test_a_wheel_that_is_here_needs_no_network(shelf: Path, bare: Path) -> None:
    contents = put_the_real_ones(shelf)
    keep_models_of(shelf / WHEEL)
    (shelf / WHEEL).unlink()
    assert tflite_model(MESH, no_word) == contents[MESH]
    assert tflite_model(DETECTOR, no_word) == contents[DETECTOR]


def test_a_file_that_is_no_such_wheel_is_refused(shelf: Path, cache: Path) -> None:
    with pytest.raises(InputError, match=rf"no such file; expected the wheel of {REQUIREMENT}"):
        keep_models_of(shelf / WHEEL)
    (shelf / WHEEL).write_bytes(b"<html>")
    with pytest.raises(InputError, match=f"expected a wheel of {REQUIREMENT}, got a damaged or another file"):
        keep_models_of(shelf / WHEEL)
    put_wheel(shelf, {DETECTOR: b"x"})
    with pytest.raises(InputError, match=f"expected {DETECTOR.sha256}. Get it anew"):
        keep_models_of(shelf / WHEEL)
    assert not list(cache.rglob("*.tflite"))


def test_pip_that_takes_too_long_is_ended(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "slow"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    monkeypatch.setattr(fetch, "_LIMIT_S", 0.3)
    with pytest.raises(InputError, match="was not done within 0 s"):
        tflite_model(MESH, print, str(python))
