"""The Dockerfile: what it says, and its steps in an environment of their own; Docker itself is not needed."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_packaging import ROOT, source_files

VENV, HOME = "/opt/rtfilter", "/var/lib/rtfilter"
Step = tuple[str, str]


def steps() -> list[Step]:
    """Instruction and arguments, in their order."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def arguments_of(instruction: str) -> list[str]:
    return [rest for word, rest in steps() if word == instruction]


def context(folder: Path) -> Path:
    """The build context as .dockerignore leaves it: what it names, symlinks as they are."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    kept = [line[1:] for line in lines if line.startswith("!")]
    left_out = [line.removeprefix("**/") for line in lines if line.startswith("**/")]

    def ignore(_: str, names: list[str]) -> list[str]:
        return [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in left_out)]

    assert "*" in lines, "everything else stays out: .git, .venv, clips"
    folder.mkdir()
    for name in kept:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignore)
        else:
            shutil.copy2(ROOT / name, folder / name)
    return folder


def copied(source: Path, folder: Path) -> Path:
    """What the build stage has once its COPY steps are done."""
    folder.mkdir()
    for arguments in arguments_of("COPY"):
        *names, target = arguments.split()
        if names[0].startswith("--from"):
            continue
        for name in names:
            if (source / name).is_dir():
                shutil.copytree(source / name, folder / target, symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copy2(source / name, folder / target / name)
    return folder


def test_the_image_is_slim_and_runs_as_a_user_without_rights() -> None:
    words = [word for word, _ in steps()]
    assert set(words) <= {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD"}
    bases = arguments_of("FROM")
    assert all(base.partition(" ")[0].endswith("-slim") for base in bases)
    last = len(words) - 1 - words[::-1].index("FROM")
    assert ("USER", "rtfilter") in steps()[last:]
    assert any(rest.startswith("useradd --uid 1000") for rest in arguments_of("RUN"))
    assert words.index("ENTRYPOINT") > words.index("USER")
    assert (arguments_of("ENTRYPOINT"), arguments_of("CMD")) == (['["rtfilter"]'], ['["serve"]'])


def test_what_is_copied_is_what_is_installed(tmp_path: Path) -> None:
    source = copied(context(tmp_path / "context"), tmp_path / "src")
    missing = {name for name in source_files().values() if not (source / name).is_file()}
    assert not missing
    assert {path.name for path in source.iterdir()} == {
        "pyproject.toml", "README.md", "LICENSE", "NOTICE", "rtfilter", "kernels", "engines", "bench",
    }  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="the image is of Linux, and so are its steps")
def test_the_steps_make_an_installation_that_runs(tmp_path: Path) -> None:
    """All RUN steps but the one that makes the user, with the image's folders inside a temporary one."""
    source = copied(context(tmp_path / "context"), tmp_path / "src")
    home = tmp_path / "home"
    home.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
    clean = {name: value for name, value in clean.items() if name not in ("RTFILTER_CACHE", "XDG_CACHE_HOME")}
    path = f"{tmp_path}/venv/bin{os.pathsep}{os.environ['PATH']}"
    environment = {**clean, "HOME": str(home), "PATH": path}

    def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=900
        )

    for step in arguments_of("RUN"):
        if step.startswith("useradd"):
            continue
        step = step.replace(VENV, str(tmp_path / "venv")).replace(HOME, str(home))
        step = step.replace("python -m venv", f"{sys.executable} -m venv")
        done = run(step, source)
        if "Temporary failure in name resolution" in done.stderr or "NewConnectionError" in done.stderr:
            pytest.skip("needs a package index, and none can be reached")
        assert done.returncode == 0, (step, done.stderr[-2000:])

    data = tmp_path / "data"
    data.mkdir()
    shutil.rmtree(source)  # the image has no sources
    found = run("rtfilter doctor", data)
    assert found.returncode == 0, found.stdout
    assert "rtfilter-live" in found.stdout
    assert "warn  tracking networks" not in found.stdout, "no container needs a network for them"
    done = run("rtfilter run --input demo --output null --duration 1 --emotion happy=0.6", data)
    assert done.returncode == 0, done.stderr
    helped = run("rtfilter serve --help", data)
    assert helped.returncode == 0
