"""The ONNX files in the cache: made once, made again when damaged, by one process at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.prepare.files import (
    NETWORKS,
    PLAIN,
    PROCESSOR,
    Recipe,
    network_bytes,
    prepare,
    recipe_for,
)
from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import InputError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("RTFILTER_CACHE", str(folder))
    return folder


def no_word(line: str) -> None:
    pytest.fail(f"said {line!r}")


def test_all_networks_are_made_once(cache: Path) -> None:
    said: list[str] = []
    paths = prepare(said.append)
    assert set(paths) == {spec.name for spec in NETWORKS}
    assert len(said) >= len(NETWORKS)
    stamps = {path: path.stat().st_mtime_ns for path in cache.rglob("*.network")}
    assert prepare(no_word) == paths
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.network")} == stamps


def test_the_same_bytes_every_time(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans are keyed by them."""
    first = {name: path.read_bytes() for name, path in prepare().items()}
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path / "other"))
    assert {name: path.read_bytes() for name, path in prepare().items()} == first


def test_the_form_for_processors_is_another_file_of_the_same_network() -> None:
    plain, processor = (network_bytes(FACE_MESH, form=form) for form in (PLAIN, PROCESSOR))
    assert plain != processor
    pixels = np.random.default_rng(0).uniform(0, 1, FACE_MESH.inputs[0].at(1)).astype(np.float32)
    a, b = (OnnxRunner(onnx, FACE_MESH).run(pixels=pixels) for onnx in (plain, processor))
    np.testing.assert_allclose(a["landmarks"], b["landmarks"], rtol=0, atol=3e-4)
    assert network_bytes(FACE_DETECTOR, form=PROCESSOR) == network_bytes(FACE_DETECTOR)


def test_a_damaged_file_is_made_again_with_a_notice(caplog: pytest.LogCaptureFixture) -> None:
    whole, path = network_bytes(FACE_DETECTOR), recipe_for(FACE_DETECTOR).file.path
    path.write_bytes(path.read_bytes()[:5000])
    assert not recipe_for(FACE_DETECTOR).is_ready
    assert network_bytes(FACE_DETECTOR) == whole
    assert recipe_for(FACE_DETECTOR).is_ready
    assert f"{path} is cut short" in caplog.text


def test_a_lost_file_is_made_again_without_one(caplog: pytest.LogCaptureFixture) -> None:
    network_bytes(FACE_DETECTOR)
    recipe_for(FACE_DETECTOR).file.path.unlink()
    network_bytes(FACE_DETECTOR)
    assert recipe_for(FACE_DETECTOR).is_ready
    assert not caplog.records


def recipe(make: Callable[[], bytes], source: str = "s", version: int = 1, form: str = PLAIN) -> Recipe:
    spec = NetworkSpec("little", version, (), (), half=False)
    return Recipe(spec, source, lambda _progress: make(), form)


def test_another_source_version_or_form_is_another_file() -> None:
    paths = [
        recipe(bytes, *rest).file.path  # type: ignore[arg-type]
        for rest in [("s",), ("t",), ("s", 2), ("s", 1, PROCESSOR)]
    ]
    assert len(set(paths)) == 4


def test_who_fails_leaves_nothing_and_the_next_one_succeeds(cache: Path) -> None:
    def fail() -> bytes:
        raise InputError("no network")

    with pytest.raises(InputError, match="no network"):
        recipe(fail).content()
    assert not list(cache.rglob("*.network"))
    assert recipe(lambda: b"made").content() == b"made"


SLOW = """
import time
from rtfilter.engines.prepare.files import Recipe
from rtfilter.engines.spec import NetworkSpec
def make(progress):
    print("made", flush=True)
    time.sleep(1.0)
    return b"content" * 1000
little = NetworkSpec("little", 1, (), (), half=False)
print(Recipe(little, "s", make).content() == b"content" * 1000)
"""


def test_of_two_processes_one_makes_the_file(cache: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert sorted(said) == ["True\n", "True\n", "made\nTrue\n"]


def test_a_process_killed_while_making_is_no_obstacle(cache: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "made\n"
    process.kill()
    process.wait()
    started_s = time.monotonic()
    assert recipe(lambda: b"mine").content() == b"mine"
    assert time.monotonic() - started_s < 5.0


def test_two_processes_prepare_the_real_networks_at_once(cache: Path) -> None:
    code = (
        "from rtfilter.engines.prepare.files import prepare;print(*sorted(map(str, prepare(print).values())))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0].splitlines() for process in processes]
    assert said[0][-1] == said[1][-1]
    made = [line for lines in said for line in lines if line.startswith("making ")]
    assert len(made) == len(set(made))
    assert prepare(no_word)


def test_what_is_ready_is_found_without_loading_the_converter() -> None:
    """A start must not pay for what was done at the first one."""
    prepare()
    code = (
        "import sys; from rtfilter.engines.prepare.files import prepare; prepare();"
        "print([name for name in ('onnx', 'tflite', 'flatbuffers', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=os.environ
    )
    assert done.stdout == "[]\n"


def test_a_cache_that_cannot_be_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"file/cache/networks: .*RTFILTER_CACHE"):
        recipe_for(FACE_DETECTOR).content(required=True)
