"""The benchmark runs and says what it must; how fast anything is, is no test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from rtfilter.bench import common, latency
from rtfilter.bench.common import PROCESSOR, WARM_UP_FRAMES, demo_frames, interleaved
from rtfilter.bench.contenders import FACEMESH, MLS, RTFILTER, FaceMeshMls, all_contenders
from rtfilter.bench.latency import latency_markdown, limits
from rtfilter.controls import Controls
from rtfilter.frame import Frame

TINY = {"480p": (160, 120), "720p": (160, 120), "1080p": (160, 120)}


class Recorder:
    """A contender that only notes when it is called."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def step(self, frame: Frame) -> Mapping[str, int]:
        self.log.append(self.name)
        return {"work": frame.seq}

    def close(self) -> None:
        self.log.append("closed")


def times(p50: float, p99: float) -> dict[str, float]:
    return {"p50_ms": p50, "p95_ms": p99, "p99_ms": p99, "count": 9}


def measured(ours: dict[str, float], floor: float) -> dict[str, object]:
    return {
        "contenders": {
            RTFILTER: {"track": ours, "total": ours},
            FACEMESH: {"total": times(floor, floor)},
            MLS: {"total": ours},
        }
    }


def test_everybody_sees_every_frame_and_follows_everybody_equally_often() -> None:
    log: list[str] = []
    names = ("a", "b", "c")
    pixels = np.zeros((4, 4, 3), np.uint8)
    frames = [Frame.from_rgb(pixels, seq=number) for number in range(WARM_UP_FRAMES * 6)]
    kept = interleaved({name: Recorder(name, log) for name in names}, frames)
    for name in names:
        assert log.count(name) == len(frames)
        assert [stages["work"] for stages in kept[name]] == list(range(WARM_UP_FRAMES, len(frames)))
        assert all(stages["total"] > 0 for stages in kept[name])
    # Within a frame: each comes first, second and last equally often.
    rounds = [tuple(log[start : start + 3]) for start in range(0, len(log), 3)]
    assert all(sorted(order) == list(names) for order in rounds)
    for place in range(3):
        counts = [sum(order[place] == name for order in rounds) for name in names]
        assert len(set(counts)) == 1


def test_the_promises_are_told_as_they_came_out() -> None:
    sizes = {
        "720p": measured(times(16.0, 40.0), floor=10.0),
        "1080p": measured(times(15.0, 20.0), floor=10.0),
    }
    found = limits(sizes)
    assert [(one["what"][:5], one["value"], one["limit"], one["met"]) for one in found] == [
        ("720p:", "1.60", "1.50", False),
        ("720p:", "2.50", "2.00", False),
        ("1080p", "1.50", "1.80", True),
    ]
    assert limits({"480p": sizes["720p"]}) == []


def test_a_run_writes_figures_plot_and_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(common, "SIZES", TINY)
    words = [
        "--size",
        "720p",
        "--size",
        "1080p",
        "--frames",
        "3",
        "--repeats",
        "2",
        "--output",
        str(tmp_path),
    ]
    assert latency.main(words) == 0
    document = json.loads((tmp_path / "latency.json").read_text())
    assert {"date", "machine", "versions", "load_average", "controls", "frames", "repeats", "limits"} < set(
        document
    )
    assert document["machine"]["cores"] >= 1
    assert document["versions"]["mediapipe"]
    assert document["controls"]["emotions"] == {"happy": 1.0}
    for size in ("720p", "1080p"):
        contenders = document["sizes"][size]["contenders"]
        assert set(contenders) == {RTFILTER, FACEMESH, MLS}
        assert {"track", "render", "total"} <= set(contenders[RTFILTER])
        assert set(contenders[FACEMESH]) == {"track", "total", PROCESSOR}
        assert set(contenders[MLS]) == {"track", "warp", "total", PROCESSOR}
        for stages in contenders.values():
            total = stages["total"]
            assert 0.0 < total["p50_ms"] <= total["p95_ms"] <= total["p99_ms"]
            assert total["count"] == 6
        assert all(len(each) == 2 for each in document["sizes"][size]["repeat_medians_ms"].values())
    assert len(document["limits"]) == 3
    assert (tmp_path / "latency.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "latency.png").stat().st_size < 100_000
    printed = capsys.readouterr().out
    assert latency_markdown(document) in printed
    assert "| 720p | **rtfilter** |" in printed
    assert str(tmp_path) not in json.dumps(document)


def test_all_of_them_do_the_work() -> None:
    """On a face, not on an empty picture: otherwise there would be nothing to compare."""
    frames = demo_frames(320, 240, count=4)
    contenders = all_contenders(Controls(emotions={"happy": 1.0}))
    try:
        for number, frame in enumerate(frames):
            shown = Frame.from_rgb(frame.rgb, pts=number * 33_000_000, seq=number)
            stages = {name: contender.step(shown) for name, contender in contenders.items()}
        assert {"track", "fit", "edit", "render"} <= set(stages[RTFILTER])
        smiling = contenders[MLS]
        assert isinstance(smiling, FaceMeshMls)
        assert smiling.last is not None
        assert np.any(smiling.last != frames[-1].rgb)
    finally:
        for contender in contenders.values():
            contender.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert latency.main(["--output", str(tmp_path / "file" / "x")]) == 1
    assert "Not a directory" in capsys.readouterr().err
