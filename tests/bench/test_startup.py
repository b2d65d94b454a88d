"""The start-up benchmark runs fresh processes and says what it must."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rtfilter.bench import common, startup
from rtfilter.bench.contenders import FACEMESH
from rtfilter.errors import RtfilterError


def test_a_run_writes_figures_and_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(common, "SIZES", {"720p": (320, 240)})
    assert startup.main(["--runs", "1", "--output", str(tmp_path)]) == 0
    document = json.loads((tmp_path / "startup.json").read_text())
    assert {"date", "machine", "versions", "load_average", "size", "starts", "limits"} == set(document)
    for name in ("warm", "cold"):
        start = document["starts"][name]
        order = [start[key]["median"] for key in ("first_frame_s", "first_changed_s")]
        assert order[0] > 0.0
        assert order == sorted(order)
        assert start["rss_mib"]["median"] > 30.0
    assert document["starts"]["other"]["first_changed_s"] is None
    (promise,) = document["limits"]
    assert promise["met"] == (document["starts"]["warm"]["first_frame_s"]["median"] <= 3.0)
    assert startup.startup_markdown(document) in capsys.readouterr().out
    assert str(tmp_path) not in json.dumps(document)


def test_a_process_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "wrong.npy", np.zeros((4, 4), np.float32))
    with pytest.raises(RtfilterError, match="facemesh failed to start") as caught:
        startup.first_frame(tmp_path / "wrong.npy", FACEMESH, {})
    assert "\n" not in str(caught.value)
