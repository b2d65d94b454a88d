"""The checks, run in the guest by init.sh: `guest.py OUT`. Each leaves one line in OUT/results."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rtfilter.cli.doctor_devices import check_virtual_camera
from rtfilter.system.v4l2 import query_node
from tests.vm import readers
from tests.vm.readers import DEVICE, Seen
from tests.vm.writer import write_stamps

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(sys.argv[1])
RUN = Path(os.environ["TMPDIR"])
MODES = [(1280, 720, 30), (1280, 720, 15), (640, 360, 10)]
SMALL = (640, 360, 30)
SLOW = (640, 360, 10)  # what an emulated machine has time for beside a browser or the networks
# Forked from a process that has loaded everything: an emulated machine takes ten seconds for that.
WRITERS = multiprocessing.get_context("forkserver")
WRITERS.set_forkserver_preload(["tests.vm.writer"])
# Loading the networks and compiling for them takes an emulated machine a minute or two.
DEMO_S = 180
CHECKS: list[tuple[str, Callable[[], str]]] = []


class Failed(Exception):
    """A check did not hold; the text says what was seen."""


class Skipped(Exception):
    """A check could not be made; the text says what is missing."""


def check(name: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    def registered(function: Callable[[], str]) -> Callable[[], str]:
        CHECKS.append((name, function))
        return function

    return registered


def need(holds: bool, seen: object) -> None:
    if not holds:
        raise Failed(str(seen))


def waited(condition: Callable[[], bool], timeout_s: float) -> bool:
    until_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def writer(width: int, height: int, fps: int, idle: bool = False, kill: bool = False) -> Iterator[Path]:
    """A process that writes stamps, once they can be read; yields the file with its words.

    It is ended with SIGINT and must end well; kill: with SIGKILL.
    """
    said = RUN / f"said-{time.monotonic_ns()}"
    process = WRITERS.Process(target=write_stamps, args=(str(said), DEVICE, width, height, fps, idle))
    process.start()
    try:
        readable = waited(lambda: query_node(Path(DEVICE)).can_capture or not process.is_alive(), 40)
        need(readable and process.is_alive(), f"nothing to read: {said.read_text()[-400:]}")
        yield said
    finally:
        os.kill(process.pid, signal.SIGKILL if kill else signal.SIGINT)
        process.join(30)
        print(f"--- {width}x{height}@{fps}: {process.exitcode}\n{said.read_text()}", flush=True)
    need(
        kill or process.exitcode == 0, f"the writer ended with {process.exitcode}: {said.read_text()[-400:]}"
    )


def in_order(seen: Seen, fps: int) -> str:
    faults = seen.faults()
    need(not faults, faults)
    need(0.7 * fps <= seen.rate <= 1.3 * fps, f"{seen.rate:.1f} frames a second of {fps}")
    return f"{len(seen.stamped)} stamps in order at {seen.rate:.1f} fps, {seen.even:.0%} of the steps +1"


def in_some_mode(attempt: Callable[[int, int, int], str]) -> str:
    """`attempt` in the full mode, else in what an emulated machine in a hurry can carry; it says which.

    What was too much once is not tried again.
    """
    while True:
        width, height, fps = MODES[0]
        try:
            return f"{width}x{height}@{fps}: {attempt(width, height, fps)}"
        except Failed as error:
            if len(MODES) == 1:
                raise
            print(f"{width}x{height}@{fps}: {error}", flush=True)
            MODES.pop(0)


@check("doctor: module, capabilities, permissions")
def doctor_check() -> str:
    found = check_virtual_camera()
    need(all(finding.status == "ok" for finding in found), found)
    return "; ".join(f"{finding.name}: {finding.detail}" for finding in found)


@check("FFmpeg: size, format, order, rate; killed and started anew")
def ffmpeg_check() -> str:
    def attempt(width: int, height: int, fps: int) -> str:
        with writer(width, height, fps):
            first = readers.ffmpeg(width, height, max(30, 2 * fps))
            # The driver announces its own default, whatever the rate of the writes.
            for part in ("yuv420p", f"{width}x{height}", "30 fps"):
                need(part in first.described, first.described or first.problem)
            said = in_order(first, fps)
            killed = readers.ffmpeg(width, height, 10, kill=True)
            again = readers.ffmpeg(width, height, max(30, 2 * fps))
            need(again.stamped[-1] > killed.stamped[-1], "old frames")
            return f"{first.described.split('Video: ')[-1]}; {said}; after SIGKILL {in_order(again, fps)}"

    return in_some_mode(attempt)


@check("OpenCV, and the writer closed and opened again, module untouched")
def opencv_check() -> str:
    def attempt(width: int, height: int, fps: int) -> str:
        with writer(width, height, fps):
            seen = readers.opencv(width, height, max(30, 2 * fps))
            need(seen.described == f"{width}x{height}", seen.described or seen.problem)
            return in_order(seen, fps)

    return in_some_mode(attempt)


@check("the writer killed and opened again")
def killed_writer_check() -> str:
    with writer(*SMALL, kill=True):
        pass

    def attempt(width: int, height: int, fps: int) -> str:
        with writer(width, height, fps):
            return in_order(readers.ffmpeg(width, height, max(30, 2 * fps)), fps)

    return in_some_mode(attempt)


@check("idle when nobody watches, awake for who does")
def idle_check() -> str:
    with writer(*SMALL, idle=True) as said:
        need(waited(lambda: "idle" in said.read_text(), 20), f"not idle: {said.read_text()}")
        time.sleep(5.0)  # by then the camera is off, and has to be opened anew
        started_s = time.monotonic()
        seen = readers.ffmpeg(*SMALL[:2], 60)
        fresh = [at for at, number in zip(seen.times_s, seen.numbers, strict=True) if number is not None]
        need(len(fresh) > 20, f"{len(fresh)} fresh frames; {seen.problem}")
        need(seen.numbers[0] is None, "no card first: it was not idle")
        woke_s = fresh[0] - seen.times_s[0]
        need(woke_s < 3.0, f"awake only after {woke_s:.1f} s")
        need(waited(lambda: said.read_text().rstrip().endswith("idle"), 20), "not idle again")
        return (
            f"awake {woke_s:.1f} s after the first card, {fresh[0] - started_s:.1f} s from the reader start"
        )


@check("Chromium: getUserMedia")
def chromium_check() -> str:
    width, height, fps = SLOW
    with writer(width, height, fps):
        seen = readers.chromium(width, height, 40)
        if seen is None:
            raise Skipped("the browser did not come up in time on this emulated machine")
        need("rtfilter" in seen.described, seen.described or seen.problem)
        need(f"{width}x{height}" in seen.described, seen.described)
        steps = np.diff(seen.stamped)
        need(len(steps) >= 8 and steps.min() >= 0, f"{seen.numbers}; {seen.problem}")
        stamped = f"{len(seen.stamped)} of {len(seen.numbers)} frames stamped, never back"
        return f"{seen.described}; {stamped}, {seen.rate:.1f} fps"


@check("rtfilter cam --input demo: a filtered picture")
def demo_check() -> str:
    target = ("-e", "happy=1.2", "--compare", "--no-idle", "--quiet")
    size = ("--width", str(SLOW[0]), "--height", str(SLOW[1]), "--fps", str(SLOW[2]))
    words = [sys.executable, "-m", "rtfilter", "cam", "--input", "demo", *size, *target]
    process = subprocess.Popen(words, cwd=ROOT, env={**os.environ, "PYTHONFAULTHANDLER": "1"})
    try:
        need(waited(lambda: query_node(Path(DEVICE)).can_capture, 60), "nothing to read")
        until_s = time.monotonic() + DEMO_S
        while time.monotonic() < until_s:
            need(process.poll() is None, f"it ended with {process.returncode}")
            rgb = readers.picture()
            if rgb is None:
                time.sleep(0.5)
                continue  # while it loads the networks, an emulated machine has no time for anything else
            # Original beside result, fitted in between black bars; a card has no bars.
            inner = rgb[SMALL[1] // 4 : -SMALL[1] // 4].astype(int)
            left, right = np.split(inner, 2, axis=1)
            differs = np.abs(left - right).max(axis=2)
            barred = rgb[: SMALL[1] // 4 - 4].max() < 30
            if barred and (differs > 25).sum() > 100:
                outside = differs[:, : SMALL[0] // 16]
                need(outside.max() <= 12, f"the background differs by {outside.max()}")
                return f"{(differs > 25).sum()} pixels of the face differ from the original, none outside"
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(30)
        print(f"rtfilter cam ended with {code}")
    raise Failed("no edited picture in time")


def load(module: str) -> None:
    insmod = ["/bin/busybox", "insmod", str(RUN / "modules" / module)]
    subprocess.run([*insmod, "devices=1", "exclusive_caps=1", "card_label=rtfilter"], check=True)
    waited(Path(DEVICE).exists, 5)


def run(names: list[tuple[str, Callable[[], str]]], driver: str) -> None:
    for name, function in names:
        started_s = time.monotonic()
        try:
            verdict, detail = "PASS", function()
        except Skipped as error:
            verdict, detail = "SKIP", str(error)
        except Exception as error:  # noqa: BLE001  whatever it is belongs to this check, and the next goes on
            traceback.print_exc()
            verdict, detail = "FAIL", f"{type(error).__name__}: {error}"
        line = f"{verdict} [{driver}] {name}: {detail} ({time.monotonic() - started_s:.0f} s)"
        with (OUT / "results").open("a") as results:
            results.write(" ".join(line.split()) + "\n")
        print(line, flush=True)


def main() -> None:
    load("v4l2loopback.ko")
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    checks = [entry for entry in CHECKS if only in entry[0]]
    run(checks, "v4l2loopback 0.12.7" if not version() else f"v4l2loopback {version()}")
    if (RUN / "modules" / "newer.ko").exists():
        subprocess.run(["/bin/busybox", "rmmod", "v4l2loopback"], check=True)
        load("newer.ko")
        skipped = ("Chromium", "rtfilter cam")
        run([entry for entry in checks if not entry[0].startswith(skipped)], f"v4l2loopback {version()}")
    with (OUT / "results").open("a") as results:
        results.write("DONE\n")


def version() -> str:
    path = Path("/sys/module/v4l2loopback/version")
    return path.read_text().strip() if path.exists() else ""


if __name__ == "__main__":
    main()
