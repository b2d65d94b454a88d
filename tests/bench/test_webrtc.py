"""What the published WebRTC run says of its figures; how fast anything is, is no test."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from rtfilter.bench.common import save_plot
from rtfilter.bench.webrtc_report import limits, webrtc_markdown, webrtc_plot
from rtfilter.bench.webrtc_turns import CONTENDERS
from rtfilter.controls import Controls
from rtfilter.frame import Frame


def age(p50: float) -> dict[str, float]:
    return {"p50_ms": p50, "p95_ms": p50 + 5, "p99_ms": p50 + 9, "max_ms": p50 + 20, "count": 100}


def figures(p50: float, growth_ms: float = 0.0) -> dict[str, Any]:
    course = [[float(second), p50 + growth_ms * second / 29, p50 + 9] for second in range(30)]
    slope = {"ms_per_min": 0.01, "standard_error": 0.02, "drift_ms": 0.1, "minutes": 10.0, "stretches": 60}
    lost = {"dropped": 2, "repeated": 0, "given": 600}
    return {"title": "a contender", "age": age(p50), "course": course, "slope": slope, **lost}


def part(busy: int) -> dict[str, Any]:
    ages = dict(zip(CONTENDERS, (90.0, 58.0, 27.0, 36.0, 70.0), strict=True))
    seen = {"min": 0, "median": 1, "max": 2}
    return {
        "busy": busy,
        "contenders": {name: figures(ages[name]) | {"title": CONTENDERS[name].title} for name in CONTENDERS},
        "changes": {"pictures_seen": seen, "unanswered": 0},
        "long": figures(36.0),
    }


def document() -> dict[str, Any]:
    made: dict[str, Any] = {
        "date": "2026-01-02T03:04:05+00:00",
        "machine": {"cpu": "A", "cores": 2, "memory_gib": 8.0},
        "versions": {"python": "3.11", "mediapipe": "0.10.21", "commit": "abc"},
        "load_average": [0.1, 0.1, 0.1],
        "fps": 30,
        "inside": {"model": age(4.0), "picture": age(8.0)},
        "idle": part(0),
        "load": part(1),
        "bounded": {"slow_client_stock": figures(900.0, 3000.0), "slow_filter": figures(90.0, 2.0)},
    }
    return made


def verdicts(made: dict[str, Any]) -> dict[str, bool]:
    return {limit["what"]: limit["met"] for limit in limits(made)}


def test_what_was_promised_is_judged_and_stock_is_promised_nothing() -> None:
    found = limits(document())
    assert len(found) == 7
    assert all(limit["met"] for limit in found)
    assert found[0]["value"] == "0.40"


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda d: d["idle"]["contenders"]["filtered"].update(age=age(54.1)), "idle: filtered / stock"),
        (lambda d: d["load"]["long"]["slope"].update(ms_per_min=0.5, drift_ms=5.0), "load: the age does not"),
        (lambda d: d["idle"]["changes"]["pictures_seen"].update(max=3), "idle: pictures until"),
        (lambda d: d["idle"]["changes"].update(unanswered=1), "idle: pictures until"),
        (lambda d: d["bounded"].update(slow_filter=figures(90.0, 200.0)), "bounded:"),
    ],
)
def test_a_broken_promise_is_told(spoil: Any, what: str) -> None:
    made = document()
    spoil(made)
    missed = [name for name, met in verdicts(made).items() if not met]
    assert len(missed) == 1
    assert missed[0].startswith(what)


def test_a_slope_that_is_sure_but_tiny_counts_as_none() -> None:
    made = document()
    made["idle"]["long"]["slope"].update(ms_per_min=0.05, standard_error=0.001, drift_ms=0.5)
    assert all(verdicts(made).values())


def test_the_tables_hold_contenders_losses_and_promises() -> None:
    made = document()
    made["limits"] = limits(made)
    text = webrtc_markdown(made)
    assert "| rtfilter with the filter, tuned client | 36.0 | 41.0 | 45.0 | 2 of 600 | 0 | 0.40 |" in text
    assert "under load" in text
    assert "| a contender | 900 ms | 909 ms | +2069 ms |" in text
    assert "commit abc" in text


def test_a_run_without_a_picture_is_told_and_plotted(tmp_path: Path) -> None:
    made = copy.deepcopy(document())
    made["load"]["contenders"]["stock"]["age"] = None
    made["load"]["long"].update(age=None, slope=None, course=[])
    made["bounded"]["slow_filter"].update(age=None, course=[])
    made["limits"] = limits(made)
    assert not verdicts(made)["bounded: a contender"]
    assert "- | - | -" in webrtc_markdown(made)
    save_plot(webrtc_plot(made), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_slow_server_s_filter_is_slow() -> None:
    from time import perf_counter

    import numpy as np

    from rtfilter.bench.slow_server import SlowFilter

    slow = SlowFilter()
    try:
        start = perf_counter()
        slow.step(Frame.from_rgb(np.zeros((64, 64, 3), np.uint8)), Controls(bypass=True))
        assert perf_counter() - start >= SlowFilter.delay_s
    finally:
        slow.close()
