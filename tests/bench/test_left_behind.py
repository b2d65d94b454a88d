"""Benchmarks that are ended leave nothing running: no server, no client, no busy process, no folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
GUARD_S = 90.0
# What `bench.webrtc` has running after its first minute.
_SERVERS = """
import time
from rtfilter.bench.common import run_as_program
from rtfilter.bench.webrtc_turns import FILTER_SERVER, both_servers, busy

def main():
    with both_servers(*FILTER_SERVER), busy(1):
        print("up", flush=True)
        time.sleep(600)

run_as_program(main)
"""


@contextmanager
def started(arguments: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    family: list[psutil.Process] = []
    try:
        yield process
    finally:
        if process.poll() is None:
            family = psutil.Process(process.pid).children(recursive=True)
        for each in (process, *family):
            each.kill()
        process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals, missing")
@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_servers_and_load_end_with_the_benchmark(how: str, tmp_path: Path) -> None:
    with started(["-c", _SERVERS], tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) == 3
        process.send_signal(getattr(signal, how))
        process.wait(GUARD_S)
        assert left_of(family) == []
    if how == "SIGTERM":  # nothing runs after SIGKILL
        assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals, missing")
def test_the_server_of_the_soak_test_ends_with_it(tmp_path: Path) -> None:
    with started(["-m", "bench.soak", "--output", str(tmp_path)], tmp_path) as process:
        deadline_s = time.monotonic() + GUARD_S
        while not any(listens(each) for each in psutil.Process(process.pid).children(recursive=True)):
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
        time.sleep(1.0)  # its link is printed, and read
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        process.wait(GUARD_S)
        assert left_of(family) == []


def listens(process: psutil.Process) -> bool:
    return any(each.status == psutil.CONN_LISTEN for each in process.net_connections("tcp"))


def left_of(family: list[psutil.Process]) -> list[psutil.Process]:
    """Those that did not end by themselves; they are ended here."""
    left: list[psutil.Process] = psutil.wait_procs(family, GUARD_S)[1]
    for process in left:
        process.kill()
    return left
