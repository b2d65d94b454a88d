"""The wheel and the sdist hold exactly what the tree holds, under the names that are imported."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]
ASSETS = {".npz", ".onnx", ".jpg", ".cu", ".typed", ".html", ".css", ".js", ".svg", ".toml"}
LEFTOVERS = (".git", ".venv", "__pycache__", "*.egg-info", "build", "dist", ".*_cache", "out", "*.mp4")
PACKED = ("rtfilter", "bench", "engines", "kernels")


def source_files() -> dict[str, str]:
    """Path in the tree by path in the wheel, of everything that is to be installed."""
    files = {}
    for folder in PACKED:
        for path in (ROOT / folder).rglob("*"):
            inside = path.relative_to(ROOT)
            linked = inside.parts[:2] in {("rtfilter", packed) for packed in PACKED}
            linked = linked or inside.parts[:2] == ("kernels", "reference")  # which only tests read
            if linked or "__pycache__" in inside.parts or not path.is_file():
                continue
            if (
                path.suffix == ".py"
                or path.suffix in ASSETS
                or path.name in {"openapi.json", "emotions.json"}
            ):
                target = inside if folder == "rtfilter" else PurePosixPath("rtfilter") / inside
                files[target.as_posix()] = inside.as_posix()
    return files


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, built from a copy of the tree without leftovers."""
    pytest.importorskip("build", reason="needs the package 'build': pip install -e '.[dev]'")
    copy = tmp_path_factory.mktemp("tree") / "rtfilter"
    shutil.copytree(
        ROOT,
        copy,
        symlinks=True,
        ignore=shutil.ignore_patterns(
            ".git", ".venv", "__pycache__", "*.egg-info", "build", "dist", ".*_cache", "out", "*.mp4"
        ),
    )
    dist = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(copy)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return dist


def test_the_wheel_holds_the_tree_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name.startswith("rtfilter_live-")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        described = archive.read(metadata).decode()
        scripts = archive.read(metadata.replace("METADATA", "entry_points.txt")).decode()
    installed = {name for name in names if ".dist-info/" not in name}
    assert installed == set(source_files())
    assert {name.split("/")[0] for name in installed} == {"rtfilter"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert any(name.endswith(".dist-info/licenses/NOTICE") for name in names)
    assert "rtfilter = rtfilter.cli.main:main" in scripts
    needed = [line for line in described.splitlines() if line.startswith("Requires-Dist: ")]
    core = {re.split(r"[ <>=!;\[]", line.split()[1])[0] for line in needed if "extra ==" not in line}
    # What else comes is an extra: pyvirtualcam is GPL, mediapipe holds NumPy back, others are 50 to 220 MB.
    small = {"tflite", "flatbuffers", "tomli", "platformdirs", "filelock"}
    assert core == {"numpy", "opencv-python-headless", "av", "numba", "onnx", "onnxruntime"} | small


def test_the_sdist_builds_the_same_wheel(built: Path) -> None:
    # `python -m build` makes the wheel from the sdist, so a file missing here would be missing there.
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    missing = set(source_files().values()) - names
    assert not missing
    assert {"LICENSE", "NOTICE", "README.md", "pyproject.toml", "CHANGELOG.md", "tests/conftest.py"} <= names
    assert {"Makefile", "scripts/setup.sh", "Dockerfile", ".dockerignore"} <= names, "`make demo` works there"
    assert not {name for name in names if "__pycache__" in name or name.startswith((".venv", "dist/"))}


def test_the_installed_wheel_runs_without_the_tree(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import rtfilter, rtfilter.kernels, rtfilter.engines;"
        "assert rtfilter.__file__.startswith(sys.argv[1]), rtfilter.__file__;"
        "assert rtfilter.kernels.__file__.startswith(sys.argv[1]), rtfilter.kernels.__file__;"
        "from rtfilter.cli.main import main; sys.exit(main(['presets']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "friendly" in done.stdout
