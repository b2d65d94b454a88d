"""`python -m bench.expression`: fit and edit of a face on the processor, by NumPy and by the graph.

Both get the landmarks of the built-in demo, frame by frame in turns, wish and report included. What the
graph is made for is a GPU, where it costs no round trip; this tells what it costs where there is none. With
several faces in one run, the time is divided by them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.bench.latency import RESULTS, make_folder, provenance_now
from rtfilter.cli.output import write_json
from rtfilter.cli.parser import Parser, count
from rtfilter.controls import Controls
from rtfilter.engines.expression.graph import expression_graph
from rtfilter.engines.expression.host import StreamTimes, WishWriter, face_state
from rtfilter.engines.expression.layout import EXPRESSION, REPORT, STATE, WISH
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.errors import RtfilterError
from rtfilter.face.edit import FaceEditor
from rtfilter.face.fit import FaceFit
from rtfilter.face.model import MorphableModel
from rtfilter.sources.demo import DemoSource

F32 = npt.NDArray[np.float32]
Step = Callable[[F32, float], None]

NUMPY = "NumPy"
BATCHES = (1, 4, 16)
FRAMES = 600
WARM_UP = 30  # the first frames of each contender do not count
WIDTH_PX, HEIGHT_PX, FPS = 1280, 720, 30.0
WISHED = Controls({"happy": 1.0})


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write expression.json, and print the table. 1 on a failure, 2 on usage."""
    parser = Parser(prog="python -m bench.expression", description="Fit and edit on the processor.")
    parser.add_argument("--frames", type=count, default=FRAMES, help=f"of each contender (default {FRAMES})")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder (default bench/results)")
    try:
        document = run(parser.parse_args(argv))
    except RtfilterError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    print(markdown(document))
    return 0


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure and write the result. Raises OutputError where it cannot be written."""
    make_folder(arguments.output)
    model, provenance = MorphableModel.builtin(), provenance_now()
    steps: dict[str, tuple[Step, int]] = {NUMPY: (numpy_step(model), 1)}
    onnx = expression_graph(model)
    for batch in BATCHES:
        steps[title(batch)] = graph_step(onnx, model, batch), batch
    names = list(steps)
    spent_us: dict[str, list[float]] = {name: [] for name in names}
    demo = DemoSource(WIDTH_PX, HEIGHT_PX)
    for seq in range(arguments.frames + WARM_UP):
        points = demo.truth(seq).points_px
        for name in names[seq % len(names) :] + names[: seq % len(names)]:
            step, faces = steps[name]
            begin = perf_counter_ns()
            step(points, seq / FPS)
            spent_us[name].append((perf_counter_ns() - begin) / 1e3 / faces)
    demo.close()
    figures = {name: _figures(spent[WARM_UP:]) for name, spent in spent_us.items()}
    document = {**provenance, "frames": arguments.frames, "per_face_us": figures}
    write_json(arguments.output / "expression.json", document)
    return document


def numpy_step(model: MorphableModel) -> Step:
    """Fit and edit as the CPU lane does them."""
    fit, editor = FaceFit(model), FaceEditor(model, 0.2)
    identity, edit = fit.first_identity(), editor.first_state()

    def step(points: F32, time_s: float) -> None:
        nonlocal identity, edit
        face, identity = fit.step(identity, points, time_s)
        offset, edit = editor.step(edit, face, WISHED, 1.0, time_s)
        editor.displace(edit, face.pose, points, offset)

    return step


def graph_step(onnx: bytes, model: MorphableModel, batch: int) -> Step:
    """The same by the graph, `batch` times the same face."""
    runner, times, writer = OnnxRunner(onnx, EXPRESSION, batch), StreamTimes(), WishWriter(0.2)
    state, wish, identities = STATE.zeros(batch), WISH.zeros(batch), len(model.identity_scale)
    present = np.ones(batch, np.float32)

    def step(points: F32, time_s: float) -> None:
        again = True
        while again:
            for row in wish:
                writer.write(row, WISHED, times, time_s, WIDTH_PX, HEIGHT_PX)
            given = np.broadcast_to(points, (batch, *points.shape))
            out = runner.run(points_px=given, present=present, wish=wish, state=state)
            np.copyto(state, out["new_state"])
            again = times.seeding
            times.ran(time_s, bool(out["report"][0, REPORT["present"].start]))
        for report in out["report"]:
            face_state(report, identities)

    return step


def title(batch: int) -> str:
    return "expression graph" if batch == 1 else f"expression graph, {batch} faces at once"


def markdown(document: dict[str, Any]) -> str:
    """The figures as a table."""
    figures = document["per_face_us"]
    lines = ["| fit and edit of one face | p50 | p95 | of NumPy |", "|---|---|---|---|"]
    for name, one in figures.items():
        ratio = one["p50"] / figures[NUMPY]["p50"]
        lines.append(f"| {name} | {one['p50']:.0f} us | {one['p95']:.0f} us | {ratio:.2f} |")
    return "\n".join(lines)


def _figures(spent_us: list[float]) -> dict[str, float]:
    return {f"p{share}": round(float(np.percentile(spent_us, share)), 1) for share in (50, 95, 99)}


if __name__ == "__main__":
    sys.exit(main())
