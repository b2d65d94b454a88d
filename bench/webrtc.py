"""`python -m bench.webrtc`: glass to glass over WebRTC, idle and under load, for minutes, with a plot.

Everything is measured in one run, in turns; what is compared and how to read it: bench/README.md.
`rtfilter bench webrtc` calls `quick_look`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from rtfilter.bench import common
from rtfilter.bench.webrtc_camera import RTP_HZ, demo_pictures
from rtfilter.bench.webrtc_record import ClientSpec
from rtfilter.bench.webrtc_report import limits, webrtc_markdown, webrtc_plot
from rtfilter.bench.webrtc_turns import (
    BYPASS,
    CONTENDERS,
    FILTER_SERVER,
    FILTERED,
    STOCK,
    both_servers,
    busy,
    change_controls,
    endure,
    take_turns,
)
from rtfilter.controls import Controls
from rtfilter.filter import FaceFilter
from rtfilter.gpu.choose import AUTO, LaneChoice
from rtfilter.serve.rtc.pictures import copy_of, frame_of, picture_of
from rtfilter.system.clock import NS_PER_MS

CONTROLS = Controls(emotions={"happy": 0.8})
INSIDE_PICTURES = 600
BOUNDED_MIN = 0.25  # long enough that a queue without a bound is seconds behind
SLOW_S = 0.05
# Of the quick look: two rounds show whether the machine was quiet.
QUICK_ROUNDS, QUICK_PICTURES = 2, 200


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write webrtc-SIZE-CODEC.json and .png, and print the tables."""
    parser = common.argument_parser("webrtc", "Glass to glass over WebRTC, through the pixels.")
    parser.add_argument("--size", choices=common.SIZES, default="720p", help="default 720p")
    parser.add_argument("--fps", type=common.count, default=common.FPS, help="default 30")
    parser.add_argument("--codec", choices=("vp8", "h264"), default="vp8", help="vp8 (default) or h264")
    parser.add_argument("--seconds", type=float, default=20.0, help="a turn (default 20)")
    parser.add_argument("--rounds", type=common.count, default=4, help="turns of each (default 4)")
    parser.add_argument("--minutes", type=float, default=10.0, help="of a long run (default 10)")
    parser.add_argument(
        "--load-minutes", type=float, default=2.0, help="of the long run under load (default 2)"
    )
    parser.add_argument(
        "--load", type=common.count, default=1, help="busy processes in the second part (default 1)"
    )
    arguments = parser.parse_args(argv)
    name = f"webrtc-{arguments.size}-{arguments.codec}"
    return common.publish(arguments, name, measure, webrtc_markdown, webrtc_plot)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All parts, and the promises. Raises DeviceError."""
    width, height = common.SIZES[arguments.size]
    how = {"fps": arguments.fps, "codec": arguments.codec, "seconds": arguments.seconds}
    how |= {"controls": CONTROLS.as_dict()}
    base = ClientSpec("", width=width, height=height, **how)
    document = {
        "size": arguments.size,
        **how,
        "rounds": arguments.rounds,
        "inside": inside(width, height, CONTROLS, INSIDE_PICTURES, arguments.fps),
        "idle": part(base, arguments.rounds, 0, arguments.minutes),
        "load": part(base, arguments.rounds, arguments.load, arguments.load_minutes),
        "bounded": bounded(base),
    }
    return document | {"limits": limits(document)}


def quick_look(
    width: int, height: int, controls: Controls, seconds: float, minutes: float | None, lane: LaneChoice
) -> dict[str, Any]:
    """The usual contenders in short, and a long run where `minutes` is given. Raises DeviceError."""
    base = ClientSpec("", width=width, height=height, seconds=seconds, controls=controls.as_dict())
    with both_servers(*FILTER_SERVER, "--lane", lane.lane) as servers:
        result: dict[str, Any] = {
            "inside": inside(width, height, controls, QUICK_PICTURES, lane=lane),
            "webrtc": take_turns(servers, (STOCK, BYPASS, FILTERED), base, QUICK_ROUNDS),
            "changes": change_controls(servers, base, times=1),
        }
        if minutes is not None:
            result["long"] = endure(servers, base, minutes)
    return result


def part(base: ClientSpec, rounds: int, load: int, minutes: float) -> dict[str, Any]:
    """All contenders in turns, the changes, and a run of `minutes`, beside `load` busy processes."""
    common.notify(f"beside {load} busy processes")
    with (
        both_servers(*FILTER_SERVER, "--video-codec", base.codec) as servers,
        busy(load),
    ):
        return {
            "busy": load,
            "contenders": take_turns(servers, CONTENDERS, base, rounds),
            "changes": change_controls(servers, base, times=2),
            "long": endure(servers, base, minutes),
        }


def bounded(base: ClientSpec) -> dict[str, Any]:
    """The age where a client or the filter is slower than the input."""
    base = replace(base, warm_up_s=0.5)
    slow_reader, fast = replace(base, read_delay_s=SLOW_S), replace(base, fps=2 * base.fps)
    ours, later = CONTENDERS[FILTERED].title, f"takes {SLOW_S * 1e3:g} ms longer a picture"
    cases: dict[str, Any] = {}
    with both_servers(*FILTER_SERVER, "--video-codec", base.codec) as servers:
        for name in (STOCK, FILTERED):
            case = endure(servers, slow_reader, BOUNDED_MIN, name)
            cases[f"slow_client_{name}"] = case | {
                "title": f"a client that {later}: {CONTENDERS[name].title}"
            }
        title = f"{fast.fps} pictures a second into {ours}"
        cases["fast_input"] = endure(servers, fast, BOUNDED_MIN) | {"title": title}
    slow = ("-m", "rtfilter.bench.slow_server", "--delay-ms", f"{SLOW_S * 1e3:g}")
    with both_servers(*slow) as servers:
        case = endure(servers, base, BOUNDED_MIN)
        cases["slow_filter"] = case | {"title": f"a filter that {later}: {ours}"}
    return cases


def inside(
    width: int,
    height: int,
    controls: Controls,
    pictures: int,
    fps: int = common.FPS,
    lane: str | LaneChoice = AUTO,
) -> dict[str, Any]:
    """Percentiles within this process, without a network.

    `model`: the filter's step alone. `picture`: decoded planes in to planes for the encoder out.
    """
    drawn = demo_pictures(width, height, common.DISTINCT_FRAMES)
    period = [*drawn, *drawn[-2:0:-1]]
    model_ms, picture_ms = [], []
    with FaceFilter(lane=lane) as face_filter:
        for number in range(common.WARM_UP_FRAMES + pictures):
            # As a decoder gives it: planes that no cache holds any more.
            picture = copy_of(period[number % len(period)])
            picture.pts, picture.time_base = number * RTP_HZ // fps, Fraction(1, RTP_HZ)
            start = time.perf_counter_ns()
            frame = frame_of(picture, start, number)
            decoded = time.perf_counter_ns()
            result = face_filter.step(frame, controls).frame
            stepped = time.perf_counter_ns()
            picture_of(result)
            done = time.perf_counter_ns()
            if number >= common.WARM_UP_FRAMES:
                model_ms.append((stepped - decoded) / NS_PER_MS)
                picture_ms.append((done - start) / NS_PER_MS)
    return {"model": common.percentiles(model_ms), "picture": common.percentiles(picture_ms)}


if __name__ == "__main__":
    common.run_as_program(main)
