"""The command line with streams that are closed, or cannot say everything, and a terminal that goes away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rtfilter.cli import main as cli
from rtfilter.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


def script(wait_s: float = 0.0) -> str:
    """A program that is the command line with one verb, which talks and takes `wait_s`."""
    return (
        "import sys, time\n"
        "from rtfilter.cli import main as cli\n"
        "def said(_):\n"
        "    print('caf\\u00e9', flush=True)\n"
        "    print('caf\\u00e9', file=sys.stderr)\n"
        f"    time.sleep({wait_s})\n"
        "    return 0\n"
        "cli.perform = said\n"
        "sys.argv[1:] = ['doctor']\n"
        "sys.exit(cli.main())\n"
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream_does_not_stop_the_work(closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, script()],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0
    assert "bug" not in done.stderr


def test_letters_that_a_terminal_lacks_are_escaped() -> None:
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-c", script()], capture_output=True, text=True, cwd=ROOT, timeout=60, env=environ
    )
    assert (done.returncode, done.stdout) == (0, "caf\\xe9\n")


def test_nobody_hears_of_matplotlibs_missing_home() -> None:
    environ = {**os.environ, "HOME": "/dev/null/none"}
    environ.pop("MPLCONFIGDIR", None)
    code = script().replace("    return 0", "    import matplotlib; matplotlib.get_cachedir(); return 0")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, env=environ
    )
    assert (done.returncode, done.stderr) == (0, "caf\u00e9\n")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP, which Windows has not")
@pytest.mark.parametrize(("ignored", "code"), [(False, 130), (True, 0)])
def test_a_closed_terminal_is_an_interruption_unless_under_nohup(ignored: bool, code: int) -> None:
    before = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_{'IGN' if ignored else 'DFL'})\n"
    process = subprocess.Popen(
        [sys.executable, "-c", before + script(1.0)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=30)
    assert process.returncode == code


def test_a_package_that_does_not_load_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacking(_: object) -> int:
        raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr(cli, "perform", lacking)
    assert main(["doctor"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "libGL.so.1" in said
    assert "rtfilter doctor" in said
