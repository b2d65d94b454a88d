"""`doctor` says that rtfilter works where `run` does, and that it does not where `run` fails.

Real processes, each with a home of its own: what they meet is what containers, locked-down machines and old
locales have.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from rtfilter.engines.prepare.models import MODELS, at_hand

ROOT = Path(__file__).resolve().parents[2]
RUN = ["run", "-i", "demo", "--duration", "0.2", "--preset", "friendly", "--force", "-o"]
# Without UTF-8 and without Python's own ways around that.
OLD_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
NOT_A_FOLDER = "/dev/null/below"  # for root too


@pytest.fixture(autouse=True)
def _models() -> None:
    if not all(at_hand(model) for model in MODELS):
        pytest.skip("needs the models, else they are fetched: rtfilter engines prepare")


def command(words: list[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The command line in a process that has `environ` alone."""
    given = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(ROOT), **environ}
    line = [sys.executable, "-m", "rtfilter", *words]
    return subprocess.run(
        line, env=given, capture_output=True, encoding="utf-8", errors="replace", timeout=120, check=False
    )


def findings(environ: Mapping[str, str]) -> tuple[bool, dict[str, dict[str, str]]]:
    """Whether `doctor` says that it works, and its findings by name."""
    done = command(["doctor", "--json"], environ)
    document = json.loads(done.stdout)
    assert done.returncode == (0 if document["works"] else 1), done.stderr
    return document["works"], {check["name"]: check for check in document["checks"]}


@pytest.mark.parametrize("home", ["caf\udcc3\udca9", "caf\udce9"], ids=["UTF-8", "Latin-1"])
@pytest.mark.parametrize("locale", [{}, OLD_LOCALE], ids=["locale of today", "old locale"])
def test_homes_and_locales(home: str, locale: dict[str, str], tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/" + home.encode("ascii", "surrogateescape")
    os.mkdir(folder)  # noqa: PTH102 (bytes, whatever the locale of the tests)
    environ = {**locale, "HOME": os.fsdecode(folder)}
    works, found = findings(environ)
    assert works, found
    output = os.fsdecode(folder + b"/out.mp4")
    done = command([*RUN, output], environ)
    assert done.returncode == 0, done.stderr
    assert any(b".network" in name for name in os.listdir(folder + b"/.cache/rtfilter/networks"))  # noqa: PTH208


def test_without_a_cache_it_runs_from_memory_and_both_say_so(tmp_path: Path) -> None:
    environ = {"HOME": NOT_A_FOLDER}
    works, found = findings(environ)
    assert works
    assert found["cache"]["status"] == "warn"
    assert "every start takes longer" in found["cache"]["detail"]
    done = command([*RUN, str(tmp_path / "out.mp4")], environ)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("RTFILTER_CACHE") == 1

    # What both advise, followed.
    variable, _, example = found["cache"]["fix"].removeprefix("export ").partition("=")
    assert Path(example).is_absolute()
    followed = {**environ, variable: str(tmp_path / "cache")}
    works, found = findings(followed)
    assert works
    assert found["cache"]["status"] == "ok"
    done = command([*RUN, str(tmp_path / "out.mp4")], followed)
    assert done.returncode == 0, done.stderr
    assert "RTFILTER_CACHE" not in done.stderr
    assert list((tmp_path / "cache").rglob("*.network"))
    assert findings(followed)[1]["tracking networks"]["detail"] == "ready"


def test_a_full_cache_is_as_none(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk. Only `run` can find that out."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        f"from rtfilter.cli.main import main; sys.exit(main({[*RUN[:-1], '-o', 'null']!r}))"
    )
    given = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=given, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "File too large. Free some space, or set RTFILTER_CACHE" in done.stderr


def test_a_damaged_cache_is_mended(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    assert command([*RUN, "null"], environ).returncode == 0
    for path in tmp_path.rglob("*.network"):
        path.write_bytes(path.read_bytes()[:1000])
    works, found = findings(environ)
    assert works
    assert found["tracking networks"]["detail"].startswith("made on first use")
    assert command([*RUN, "null"], environ).returncode == 0


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("RTFILTER_CACHE", "relative/cache", "cache"),
        ("RTFILTER_MOUTH", "wide", "settings"),
        ("RTFILTER_MOTH", "1", "settings"),
    ],
)
def test_what_run_refuses_doctor_finds(variable: str, value: str, name: str, tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), variable: value}
    works, found = findings(environ)
    assert not works
    assert found[name]["status"] == "fail"
    assert variable in found[name]["detail"]
    done = command([*RUN, "null"], environ)
    assert done.returncode == 2
    assert variable in done.stderr


def test_where_numba_is_told_to_keep_kernels_and_cannot(tmp_path: Path) -> None:
    """It takes the next place that it knows."""
    environ = {"HOME": str(tmp_path), "NUMBA_CACHE_DIR": NOT_A_FOLDER}
    works, found = findings(environ)
    assert works
    assert NOT_A_FOLDER not in found["kernel cache"]["detail"]
    assert command([*RUN, "null"], environ).returncode == 0


def test_the_folder_for_kernels_that_doctor_advises(tmp_path: Path) -> None:
    advised = "export NUMBA_CACHE_DIR=/a/folder/you/may/write"
    assert advised in (ROOT / "rtfilter" / "cli" / "doctor_software.py").read_text()
    _, found = findings({"HOME": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "kernels")})
    assert found["kernel cache"]["status"] == "ok"
    assert found["kernel cache"]["detail"].startswith(str(tmp_path / "kernels"))
