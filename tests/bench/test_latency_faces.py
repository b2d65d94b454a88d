"""The benchmark by faces: its pictures show what they should, and its tables say what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rtfilter.bench import latency_faces
from rtfilter.bench.common import PROCESSOR
from rtfilter.bench.contenders import FACEMESH, RTFILTER
from rtfilter.bench.latency_faces import faces_markdown, faces_of, faces_plot
from rtfilter.tracking.engine import EngineTracker

EYES = (33, 263)  # outer corners
WIDE_IODS = 1.68  # a face's width in distances of the outer eye corners, of the demo's portrait


@pytest.mark.parametrize(("share", "faces"), [(0.15, 1), (0.3, 1), (0.6, 1), (0.15, 2), (0.15, 4)])
def test_so_many_faces_of_that_width_are_shown(share: float, faces: int) -> None:
    frames = faces_of(640, 360, share, faces)
    tracker = EngineTracker()
    found = []
    for number in range(8):  # a crowd is found one after another
        found = tracker.track_all(frames[number], 6)
    tracker.close()
    assert len(found) == faces
    for face in found:
        right, left = face.points_px[list(EYES), :2]
        assert WIDE_IODS * np.hypot(*(right - left)) / 640 == pytest.approx(share, rel=0.15)


def times(p50: float) -> dict[str, float]:
    return {"p50_ms": p50, "p95_ms": 2 * p50, "p99_ms": 3 * p50}


def test_tables_and_plot_show_time_and_processor_time_of_both() -> None:
    both = {
        RTFILTER: {"total": times(4.0), PROCESSOR: times(5.5)},
        FACEMESH: {"total": times(3.0), PROCESSOR: times(3.1)},
    }
    rows = [
        {"size": "720p", "share": share, "faces": faces, "contenders": both}
        for share, faces in ((0.15, 1), (0.6, 1), (0.15, 2))
    ]
    document = {
        "rows": rows,
        "machine": {"cpu": "x", "cores": 2, "memory_gib": 1},
        "versions": {"python": "3", "mediapipe": "0", "commit": None},
        "load_average": None,
        "date": "2026-01-01T00:00:00",
    }
    text = faces_markdown(document)
    assert "| 720p | 60 % | 4.0 | 8.0 | 12.0 | 3.0 | 1.33 | 5.5 | 3.1 |" in text
    assert "| 720p | 2 of 15 % |" in text
    left, right = faces_plot(document).axes
    assert [list(line.get_xdata()) for line in left.lines] == [[15.0, 60.0]] * 2
    assert [list(line.get_xdata()) for line in right.lines] == [[1, 2]] * 2


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("mediapipe")
    monkeypatch.setattr(latency_faces, "SHARES", (0.3,))
    monkeypatch.setattr(latency_faces, "CROWD", (1, 2))
    monkeypatch.setattr(latency_faces, "SIZES", {"720p": (320, 180)})
    how = ["--output", str(tmp_path), "--size", "720p", "--frames", "3", "--repeats", "1"]
    assert latency_faces.main(how) == 0
    rows = json.loads((tmp_path / "latency-faces.json").read_text())["rows"]
    assert [(row["share"], row["faces"]) for row in rows] == [(0.3, 1), (0.15, 2)]
    assert all(row["contenders"][RTFILTER][PROCESSOR]["p50_ms"] > 0 for row in rows)
    assert (tmp_path / "latency-faces.png").stat().st_size > 1000
    assert "2 of 15 %" in capsys.readouterr().out
