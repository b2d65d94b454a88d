"""The expression benchmark measures both ways of fitting and says what it must."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtfilter.bench import expression


def test_a_run_writes_figures_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert expression.main(["--frames", "20", "--output", str(tmp_path)]) == 0
    document = json.loads((tmp_path / "expression.json").read_text())
    assert {"date", "machine", "versions", "load_average", "frames", "per_face"} == set(document)
    names = [expression.NUMPY, *(expression.title(batch) for batch in expression.BATCHES)]
    assert list(document["per_face"]) == names
    for figures in document["per_face"].values():
        assert 0.001 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
    assert expression.markdown(document) in capsys.readouterr().out
    assert str(tmp_path) not in json.dumps(document)
