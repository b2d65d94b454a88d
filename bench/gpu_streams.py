"""Many streams on one device: frames a second, latency at 30 a second, memory. For `bench.gpu_session`."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from time import perf_counter_ns
from typing import Any

from rtfilter.bench.common import FPS, percentiles
from rtfilter.bench.gpu_machine import I420, SIZES, Machine, demo_frames, so_far
from rtfilter.controls import Controls
from rtfilter.errors import RtfilterError
from rtfilter.frame import NANOSECONDS, Frame
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.gpu.lane import Lane

HAPPY = Controls({"happy": 1.0})
DISTINCT = 8
OWN_MOST = 16
MIB = 1 << 20


def streams(machine: Machine) -> dict[str, Any]:
    """By number of streams, each with a thread: flat out, and paced at 30 frames a second.

    `together`: with one batcher. `own`: each with its own networks, memory and graphs.
    """
    frames = demo_frames(*SIZES["720p"], DISTINCT if machine.effort.seconds > 2 else 2, I420)
    found: dict[str, Any] = {"together": {}, "own": {}}
    for way, results in found.items():
        for count in machine.effort.streams:
            if way == "own" and count > OWN_MOST:
                break
            results[str(count)] = _with_streams(machine, frames, count, together=way == "together")
            so_far(found)
            if "failed" in results[str(count)]:
                break
    return found


def _with_streams(machine: Machine, frames: list[Frame], count: int, *, together: bool) -> dict[str, Any]:
    free = machine.free_bytes()
    lanes: list[Lane] = []
    try:
        shared = machine.open_batcher(count) if together else None
        for _ in range(count):
            lane = machine.open_lane() if shared is None else CudaLane(shared, machine.model, 0.0)
            lanes.append(lane)
            lane.step(frames[0], HAPPY)
        flat = _run(lanes, frames, machine.effort.seconds, paced=False)
        paced = _run(lanes, frames, machine.effort.seconds, paced=True)
        now_free = machine.free_bytes()
    except RtfilterError as error:
        return {"failed": str(error)}
    finally:
        _close(lanes)
    used = _less(free, now_free)
    return {"flat_out": flat, "paced_at_30": paced, "memory_mib": used}


def memory(machine: Machine) -> dict[str, Any]:
    """Device memory by streams opened, and what is left of it after they are closed."""
    frame = demo_frames(*SIZES["1080p"], 1, I420)[0]
    free = machine.free_bytes()
    used: dict[str, Any] = {}
    lanes: list[Lane] = []
    for count in range(1, 9):
        lanes.append(machine.open_lane())
        lanes[-1].step(frame, HAPPY)
        used[str(count)] = _less(free, machine.free_bytes())
        if count == max(machine.effort.streams):
            break
    _close(lanes)
    closed = _less(free, machine.free_bytes())
    for _ in range(20 if free is not None else 2):
        lane = machine.open_lane()
        lane.step(frame, HAPPY)
        lane.close()
    return {
        "mib_by_streams": used,
        "mib_after_closing": closed,
        "mib_after_opening_and_closing_again": _less(free, machine.free_bytes()),
    }


def _less(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else (before - after) // MIB


def _close(lanes: list[Lane]) -> None:
    for lane in lanes:
        lane.close()


def _run(lanes: list[Lane], frames: list[Frame], seconds: float, *, paced: bool) -> dict[str, Any]:
    """Every lane in a thread of its own, for so long. A paced frame that is over a period late is dropped."""
    spent_ms: list[list[float]] = [[] for _ in lanes]
    dropped = [0] * len(lanes)
    failed: list[str] = []
    begin = time.perf_counter() + 0.2

    def stream(number: int) -> None:
        try:
            step_all(number)
        except RtfilterError as error:
            failed.append(str(error))

    def step_all(number: int) -> None:
        lane, due, seq = lanes[number], begin + number / len(lanes) / FPS, 1
        while True:
            now = time.perf_counter()
            if now >= begin + seconds or failed:
                return
            if now < due:
                time.sleep(due - now)
                continue
            if paced and now > due + 1 / FPS:
                dropped[number] += 1
            else:
                frame = replace(
                    frames[seq % len(frames)], pts=seq * 33_333_333, time_base=NANOSECONDS, seq=seq
                )
                start = perf_counter_ns() if not paced else int(due * 1e9)
                lane.step(frame, HAPPY)
                spent_ms[number].append((perf_counter_ns() - start) / 1e6)
            seq += 1
            if paced:
                due += 1 / FPS

    threads = [threading.Thread(target=stream, args=(number,)) for number in range(len(lanes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [ms for one in spent_ms for ms in one]
    result: dict[str, Any] = {
        "frames_per_s": round(len(done) / seconds, 1),
        "latency_ms": percentiles(done),
        "dropped": sum(dropped),
        "frames": len(done),
    }
    return {**result, "failed": failed[:3]} if failed else result
