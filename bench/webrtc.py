"""`python -m bench.webrtc`: glass to glass over WebRTC, idle and under load, for minutes, with a plot.

Everything is measured in one run, in turns; see bench/README.md for what is compared and how to read it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtfilter.bench.latency import RESULTS, make_folder, provenance_now
from rtfilter.bench.webrtc_contenders import CONTENDERS, FILTER, FILTERED, STOCK, Ring
from rtfilter.bench.webrtc_inside import inside
from rtfilter.bench.webrtc_measure import compare, endure, wish
from rtfilter.bench.webrtc_processes import ServerProcess, busy, echo_server, filter_server
from rtfilter.bench.webrtc_record import ClientSpec
from rtfilter.bench.webrtc_report import limits, plot_webrtc, webrtc_markdown
from rtfilter.cli.bench import SIZES
from rtfilter.cli.bench_webrtc import tell
from rtfilter.cli.output import write_json
from rtfilter.cli.parser import Parser, count, number, one_of
from rtfilter.cli.terminal import EXIT_INTERRUPTED, interrupt_on_hangup_and_term, report_interruption
from rtfilter.controls import Controls
from rtfilter.errors import RtfilterError
from rtfilter.system.native_logs import silence_native_logs

CONTROLS = Controls(emotions={"happy": 0.8})
CODECS = ("vp8", "h264")
INSIDE_PICTURES = 600
# Long enough that a queue without a bound is seconds behind.
BOUNDED_S = 15.0
SLOW_S = 0.05


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write webrtc-SIZE-CODEC.json and .png, and print the tables. 1 on a failure, 2 on usage."""
    parser = Parser(
        prog="python -m bench.webrtc", description="Glass to glass over WebRTC, through the pixels."
    )
    parser.add_argument("--size", type=one_of("size", tuple(SIZES)), default="720p", help="default 720p")
    parser.add_argument("--fps", type=count, default=30, help="default 30")
    parser.add_argument("--codec", type=one_of("codec", CODECS), default="vp8", help="vp8 (default) or h264")
    parser.add_argument("--seconds", type=number(1, 600), default=20.0, help="a turn (default 20)")
    parser.add_argument("--rounds", type=count, default=4, help="turns of each (default 4)")
    parser.add_argument("--minutes", type=number(0.1, 600), default=10.0, help="of a long run (default 10)")
    parser.add_argument(
        "--load-minutes", type=number(0.1, 600), default=2.0, help="of the long run under load (default 2)"
    )
    parser.add_argument("--load", type=count, default=1, help="busy processes in the second part (default 1)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder (default bench/results)")
    try:
        arguments = parser.parse_args(argv)
        document = run(arguments)
    except RtfilterError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as error:
        report_interruption(error, "nothing was written", "bench")
        return EXIT_INTERRUPTED
    print(webrtc_markdown(document))
    return 0


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure what the arguments say and write the results. Raises OutputError and DeviceError."""
    make_folder(arguments.output)
    width, height = SIZES[arguments.size]
    base = ClientSpec(
        "",
        width=width,
        height=height,
        fps=arguments.fps,
        seconds=arguments.seconds,
        codec=arguments.codec,
        controls=CONTROLS.as_dict(),
    )
    document = {
        **provenance_now(),
        "size": arguments.size,
        "fps": arguments.fps,
        "codec": arguments.codec,
        "controls": CONTROLS.as_dict(),
        "seconds": arguments.seconds,
        "rounds": arguments.rounds,
        "inside": inside(width, height, CONTROLS, INSIDE_PICTURES, arguments.fps),
        "idle": part(base, arguments, 0, arguments.minutes),
        "load": part(base, arguments, arguments.load, arguments.load_minutes),
        "bounded": bounded(base, arguments.codec),
    }
    document["limits"] = limits(document)
    stem = f"webrtc-{arguments.size}-{arguments.codec}"
    write_json(arguments.output / f"{stem}.json", document)
    plot_webrtc(document, arguments.output / f"{stem}.png")
    return document


def part(base: ClientSpec, arguments: argparse.Namespace, load: int, minutes: float) -> dict[str, Any]:
    """All contenders in turns, the wishes, and a run of `minutes`, beside `load` busy processes."""
    tell(f"beside {load} busy processes")
    with ring_of(arguments.codec) as ring, busy(load) if load else nullcontext():
        return {
            "busy": load,
            "contenders": compare(ring, CONTENDERS, base, arguments.rounds, tell),
            "wishes": wish(ring, base, tell),
            "long": endure(ring, base, minutes, tell),
        }


def bounded(base: ClientSpec, codec: str) -> dict[str, Any]:
    """Who is slower than the input, at either end, and what that does to the age."""
    minutes = BOUNDED_S / 60.0
    slow_reader = replace(base, read_delay_s=SLOW_S, warm_up_s=0.5)
    fast = replace(base, fps=2 * base.fps, warm_up_s=0.5)
    cases: dict[str, Any] = {}
    with ring_of(codec) as ring:
        for name in (STOCK, FILTERED):
            title = f"a client that takes {SLOW_S * 1e3:g} ms longer a picture: {CONTENDERS[name].title}"
            cases[f"slow_client_{name}"] = endure(ring, slow_reader, minutes, tell, name) | {"title": title}
        title = f"{fast.fps} pictures a second into {CONTENDERS[FILTERED].title}"
        cases["fast_input"] = endure(ring, fast, minutes, tell) | {"title": title}
    slow_server = ServerProcess("-m", "bench.slow_server", "--delay-ms", f"{SLOW_S * 1e3:g}")
    with Ring({FILTER: slow_server}) as ring:
        title = f"a filter that takes {SLOW_S * 1e3:g} ms longer a picture: {CONTENDERS[FILTERED].title}"
        slow_filter = replace(base, warm_up_s=0.5)
        cases["slow_filter"] = endure(ring, slow_filter, minutes, tell) | {"title": title}
    return cases


def ring_of(codec: str) -> Ring:
    """Both servers; ours prefers the same codec."""
    return Ring({"echo": echo_server(), "filter": filter_server("--video-codec", codec)})


if __name__ == "__main__":
    silence_native_logs()
    interrupt_on_hangup_and_term()
    sys.exit(main())
