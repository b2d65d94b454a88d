"""Which TensorRT is found, without loading it; what it builds for; what is said when there is none."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rtfilter.engines.trt import flavour
from rtfilter.engines.trt.flavour import (
    FULL,
    PORTABLE,
    RTX,
    Flavour,
    check_target,
    installed_flavours,
    known_targets,
    log_of,
    target_for,
)
from rtfilter.errors import GpuError, UsageError
from rtfilter.system.installation import install_extra
from tests.engines.small import COMMON

# An interpreter in which neither flavour is installed.
NO_TENSORRT = """
import sys
from importlib.machinery import PathFinder
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in ("tensorrt", "tensorrt_rtx")
        return None if hidden else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""


def test_it_is_found_without_being_loaded(rtx: Flavour, root: Path) -> None:
    code = (
        "import sys; from rtfilter.engines.trt.flavour import find_flavour; print(find_flavour());"
        "print([name for name in sys.modules if name.startswith('tensorrt')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=60)
    assert done.stdout == f"{rtx}\n[]\n", done.stderr


def test_what_is_told_of_it_is_true(rtx: Flavour) -> None:
    assert rtx.version == rtx.module().__version__
    assert rtx.cuda_major in (12, 13, None)
    assert rtx.ahead_of_time
    assert rtx in installed_flavours()


def test_it_builds_for_the_gpus_that_people_own(rtx: Flavour) -> None:
    known = known_targets(rtx)
    assert set(COMMON) | {PORTABLE} <= set(known)
    for target in known:
        assert check_target(target, rtx, None) == target
    with pytest.raises(UsageError, match=r"unknown target 'sm98'.*did you mean 'sm8[69]'.*sm120"):
        check_target("sm98", rtx, None)


@pytest.mark.parametrize(
    ("capability", "target"),
    [
        ((7, 5), "sm75"),
        ((8, 6), "sm86"),
        ((8, 9), "sm89"),
        ((12, 0), "sm120"),
        ((8, 7), PORTABLE),
        ((9, 0), PORTABLE),
        ((10, 0), PORTABLE),
        ((15, 0), PORTABLE),
    ],
)
def test_every_gpu_from_turing_on_has_plans(capability: tuple[int, int], target: str, rtx: Flavour) -> None:
    assert target_for(capability, rtx) == target


def test_a_gpu_before_turing_has_none(rtx: Flavour) -> None:
    with pytest.raises(GpuError, match=r"compute capability 7\.0.*--lane cpu"):
        target_for((7, 0), rtx)


def test_the_full_flavour_builds_for_the_gpu_that_is_there() -> None:
    full = Flavour(FULL, "10.13", 12)
    assert known_targets(full) == ()
    assert target_for((9, 0), full) == "sm90"
    assert check_target("sm90", full, "sm90") == "sm90"
    with pytest.raises(UsageError, match=r"only for a GPU that is there.*tensorrt-rtx"):
        check_target("sm89", full, None)
    with pytest.raises(UsageError, match=r"unknown target 'sm89'.*Known: sm90"):
        check_target("sm89", full, "sm90")


def test_where_there_is_none_the_command_is_named(root: Path) -> None:
    code = NO_TENSORRT + (
        "from rtfilter.engines.trt.flavour import find_flavour, installed_flavours\n"
        "from rtfilter.errors import MissingExtraError\n"
        "assert installed_flavours() == []\n"
        "try: find_flavour()\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "TensorRT is not installed" in done.stdout
    assert install_extra("gpu") in done.stdout


def test_one_that_does_not_load_says_how_to_install_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorrt_half.py").write_text("raise ImportError('libnvinfer.so.10: cannot open')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(GpuError, match=r"libnvinfer.*install --force-reinstall tensorrt-half-cu13"):
        Flavour("tensorrt_half", "1", 13).module()


def test_wheels_that_overwrite_each_other_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"tensorrt-rtx-cu12": "1.7", "tensorrt-rtx-cu13": "1.8"}
    monkeypatch.setattr(flavour, "package_version", versions.get)
    assert flavour.mixed_wheels(Flavour(RTX, "1.7", None)) == "tensorrt-rtx-cu12 and tensorrt-rtx-cu13"
    del versions["tensorrt-rtx-cu13"]
    assert flavour.mixed_wheels(Flavour(RTX, "1.7", 12)) == ""


def test_the_log_keeps_errors_as_one_line(rtx: Flavour) -> None:
    log = log_of(rtx.module())
    log.forget()
    assert log.message == "it does not say why"
    levels = rtx.module().ILogger.Severity
    for severity, message in (
        (levels.ERROR, "broken\n  here"),
        (levels.WARNING, "careful"),
        (levels.INTERNAL_ERROR, "deep"),
        (levels.ERROR, "broken here"),
    ):
        log.log(severity, message)
    assert log.message == "broken here; deep"
    assert log_of(rtx.module()) is log


def test_threads_that_share_the_log_read_what_their_own_calls_said(rtx: Flavour) -> None:
    log, error = log_of(rtx.module()), rtx.module().ILogger.Severity.ERROR
    log.forget()
    log.log(error, "mine")
    heard: list[str] = []

    def another() -> None:
        log.forget()
        heard.append(log.message)
        log.log(error, "theirs")
        heard.append(log.message)

    def of_tensorrt() -> None:
        log.log(error, "from within")

    for work in (another, of_tensorrt):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert heard == ["it does not say why", "theirs"]
    assert log.message == "mine; from within"
    log.forget()
    assert log.message == "it does not say why"
