"""`python -m bench.expression`: fit and edit of a face on the processor, by NumPy and by the ONNX graph.

Both get the landmarks of the built-in demo, frame by frame in turns, target and report included. The graph is
made for a GPU, where it saves round trips; this measures its cost where there is none. With several faces in
one run, the time is divided by them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.bench.common import (
    FPS,
    argument_parser,
    count,
    make_folder,
    percentiles,
    provenance,
    report,
    run_as_program,
    table,
    write_json,
)
from rtfilter.controls import Controls
from rtfilter.engines.expression.graph import expression_graph
from rtfilter.engines.expression.host import StreamTimes, WishWriter, face_state
from rtfilter.engines.expression.layout import EXPRESSION, REPORT, STATE, WISH
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.face.edit import FaceEditor
from rtfilter.face.fit import FaceFit
from rtfilter.face.model import MorphableModel
from rtfilter.sources.demo import DemoSource

F32 = npt.NDArray[np.float32]
# Landmarks and time in seconds; one frame's work.
Step = Callable[[F32, float], None]

NUMPY = "NumPy"
BATCHES = (1, 4, 16)
WARM_UP = 30  # the first frames of each contender do not count
WIDTH_PX, HEIGHT_PX = 1280, 720
CONTROLS = Controls({"happy": 1.0})


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write expression.json, and print the table."""
    parser = argument_parser("expression", "Fit and edit on the processor.")
    parser.add_argument("--frames", type=count, default=600, help="of each contender (default 600)")
    arguments = parser.parse_args(argv)
    return report(lambda: markdown(run(arguments)))


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure and write the result. Raises OutputError where it cannot be written."""
    make_folder(arguments.output)
    model, head = MorphableModel.builtin(), provenance()
    steps: dict[str, tuple[Step, int]] = {NUMPY: (numpy_step(model), 1)}
    onnx = expression_graph(model)
    for batch in BATCHES:
        steps[title(batch)] = graph_step(onnx, model, batch), batch
    names = list(steps)
    spent_ms: dict[str, list[float]] = {name: [] for name in names}
    demo = DemoSource(WIDTH_PX, HEIGHT_PX)
    for seq in range(arguments.frames + WARM_UP):
        points = demo.truth(seq).points_px
        for name in names[seq % len(names) :] + names[: seq % len(names)]:
            step, faces = steps[name]
            begin = perf_counter_ns()
            step(points, seq / FPS)
            spent_ms[name].append((perf_counter_ns() - begin) / 1e6 / faces)
    demo.close()
    per_face = {name: percentiles(spent[WARM_UP:]) for name, spent in spent_ms.items()}
    document = {**head, "frames": arguments.frames, "per_face": per_face}
    write_json(arguments.output / "expression.json", document)
    return document


def numpy_step(model: MorphableModel) -> Step:
    """Fit and edit as the CPU lane does them."""
    fit, editor = FaceFit(model), FaceEditor(model, 0.2)
    identity, edit = fit.first_identity(), editor.first_state()

    def step(points: F32, time_s: float) -> None:
        nonlocal identity, edit
        face, identity = fit.step(identity, points, time_s)
        offset, edit = editor.step(edit, face, CONTROLS, 1.0, time_s)
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
                writer.write(row, CONTROLS, times, time_s, WIDTH_PX, HEIGHT_PX)
            given = np.broadcast_to(points, (batch, *points.shape))
            out = runner.run(points_px=given, present=present, wish=wish, state=state)
            np.copyto(state, out["new_state"])
            again = times.seeding
            times.ran(time_s, bool(out["report"][0, REPORT["present"].start]))
        for report_row in out["report"]:
            face_state(report_row, identities)

    return step


def title(batch: int) -> str:
    """The name of the graph's contender."""
    return "expression graph" if batch == 1 else f"expression graph, {batch} faces at once"


def markdown(document: dict[str, Any]) -> str:
    """The figures as a table."""
    figures = document["per_face"]
    rows = [
        (
            name,
            f"{1e3 * one['p50_ms']:.0f} us",
            f"{1e3 * one['p95_ms']:.0f} us",
            f"{one['p50_ms'] / figures[NUMPY]['p50_ms']:.2f}",
        )
        for name, one in figures.items()
    ]
    return "\n".join(table(("fit and edit of one face", "p50", "p95", "of NumPy"), *rows))


if __name__ == "__main__":
    run_as_program(main)
