"""A signal at any moment of a start ends the program, in order and in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals, missing")

ROOT = Path(__file__).resolve().parents[2]
# Ending takes 0.1 to 4 s on a busy machine: what loads is loaded to its end.
PATIENCE_S = 40.0
MOMENTS = 6
VERBS = {
    "serve": ["serve", "--port", "0"],
    "run": ["run", "--input", "demo", "--output", "null", "--quiet"],
}
# Loads as the program does, and says when it is up. Under nohup it would ignore SIGHUP otherwise.
_PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
    "from rtfilter.cli.main import main; print('main', flush=True); sys.exit(main())"
)


def told_after(words: list[str], delay_s: float, number: signal.Signals) -> tuple[int, str]:
    """Exit code and messages of a program that gets a signal so long after it began."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "main\n"
            time.sleep(delay_s)
            process.send_signal(number)
            _, said = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    return process.returncode, said


def start_s(words: list[str]) -> float:
    """How long a whole start takes here and now."""
    began_s = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "rtfilter", *words, "--duration", "0.1"], capture_output=True, cwd=ROOT
    )
    return time.monotonic() - began_s


@pytest.mark.parametrize("verb", VERBS)
def test_at_any_moment_of_the_start(verb: str) -> None:
    words, whole_s = VERBS[verb], start_s(VERBS[verb])
    moments = range(1, MOMENTS + 1)
    delays_s = [whole_s * moment / MOMENTS for moment in moments]
    numbers = [signal.SIGHUP if moment % 3 == 0 else signal.SIGTERM for moment in moments]
    with ThreadPoolExecutor(2) as threads:
        ends = threads.map(partial(told_after, words), delays_s, numbers)
        for delay_s, number, (code, said) in zip(delays_s, numbers, ends, strict=True):
            # 0 once it was up; ended by the signal itself before anything was set up.
            assert code in (0, 130, -number), (delay_s, code, said)
            assert "Traceback" not in said, (delay_s, said)
            assert "ignored" not in said, (delay_s, said)
            if code == 130:
                assert f"interrupted ({number.name})" in said, (delay_s, said)


def test_a_module_that_an_interrupt_kept_from_loading_is_an_interruption() -> None:
    """Modules of C turn an interrupt into an ImportError of their own."""
    code = """
import os, signal, sys
from rtfilter.cli import main as cli
def perform(_):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000): pass
    except KeyboardInterrupt as error:
        raise ImportError("initialization failed") from error
cli.perform = perform
sys.argv[1:] = ["doctor"]
sys.exit(cli.main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=PATIENCE_S,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (130, "rtfilter: interrupted (SIGTERM)\n")
