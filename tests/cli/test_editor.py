"""`--editor`: a stream runs with each, a wrong name is one line, and the report says which it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtfilter.cli.main import main
from rtfilter.face.learned_weights import EditorWeights

DEMO = ["run", "-i", "demo", "-o", "null", "--duration", "0.4", "--lane", "cpu", "--quiet", "-e", "happy=1"]


@pytest.mark.parametrize("named", ["learned", "closed", "file", "setting"])
def test_the_demo_runs_with_each_editor(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, words = tmp_path / "report.json", ["--editor", named]
    if named == "file":
        path = tmp_path / "mine.npz"
        path.write_bytes(EditorWeights.builtin().to_bytes())
        words = ["--editor", str(path)]
    elif named == "setting":
        monkeypatch.setenv("RTFILTER_EDITOR", "learned")
        words = []
    assert main([*DEMO, *words, "--report", str(report)]) == 0
    told = json.loads(report.read_text(encoding="utf-8"))
    assert told["editor"] == (words[1] if words else "learned")
    assert told["frames_changed"] > 0


@pytest.mark.parametrize(
    ("name", "said"),
    [("learnt", "unknown editor 'learnt': did you mean 'learned'?"), ("none.npz", "cannot read the editor")],
)
def test_a_wrong_editor_is_one_line(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*DEMO, "--editor", name]) in (1, 2)
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
