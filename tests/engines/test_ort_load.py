"""ONNX Runtime's telemetry is off, or a program that turned it on first is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rtfilter.engines.ort.load import OFF

LOADED = "import rtfilter.engines.ort.load, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"


def loaded(path: Path, code: str, value: str | None) -> tuple[str, str]:
    """Standard output and error. path: comes before the installed packages."""
    environment = {name: text for name, text in os.environ.items() if name != OFF}
    environment["PYTHONPATH"] = os.pathsep.join([str(path), *sys.path])
    if value is not None:
        environment[OFF] = value
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip(), done.stderr


def stand_in(folder: Path, version: str) -> Path:
    """An ONNX Runtime of that version that does nothing, so that no telemetry starts here."""
    (folder / "onnxruntime").mkdir()
    (folder / "onnxruntime" / "__init__.py").write_text(f"__version__ = {version!r}\n")
    return folder


@pytest.mark.parametrize(("value", "then"), [(None, "1"), ("", "1"), ("true", "true"), ("0", "0")])
def test_the_variable_is_set_before_the_import_and_a_users_own_value_stays(
    value: str | None, then: str, tmp_path: Path
) -> None:
    folder = stand_in(tmp_path, "1.32.0")
    with (folder / "onnxruntime" / "__init__.py").open("a") as file:
        file.write(f"import os; print(os.environ[{OFF!r}])\n")
    assert loaded(folder, LOADED, value) == (f"{then}\n{then}", "")


@pytest.mark.parametrize("version", ["1.31.0", "1.32.0", "1.40.0.dev1", "2.0"])
def test_an_import_before_ours_is_told_once(version: str, tmp_path: Path) -> None:
    twice = f"import onnxruntime; {LOADED}; import rtfilter.engines.ort.cpu, rtfilter.engines.ort.cuda"
    out, err = loaded(stand_in(tmp_path, version), twice, None)
    assert out == "1"  # for child processes
    assert err.count("\n") == 1
    assert f"imported ONNX Runtime {version} before rtfilter" in err
    assert f"Set {OFF}=1" in err


@pytest.mark.parametrize(("version", "value"), [("1.30.0", None), ("1.32.0", "1"), ("1.32.0", "0")])
def test_nothing_is_told_where_there_is_no_telemetry_or_the_user_decided(
    version: str, value: str | None, tmp_path: Path
) -> None:
    folder = stand_in(tmp_path, version)
    assert loaded(folder, f"import onnxruntime; {LOADED}", value) == (value or "1", "")
