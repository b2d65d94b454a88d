"""The ablation trains every row, measures it on other speakers, and keeps rows that are finished."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")
pytest.importorskip("tensorboard", reason="needs the extra `learn` (tensorboard)")

from rtfilter.learn.editor import ablation  # noqa: E402
from rtfilter.learn.editor.ablation import ROWS, Row  # noqa: E402
from rtfilter.learn.editor.settings import EditorSettings  # noqa: E402
from tests.learn.editor.clips import write_tracks  # noqa: E402
from tests.learn.editor.test_train import settings  # noqa: E402


def test_rows_are_trained_once_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (Row("mean", "average", {"steps": 0}), Row("bare", "no guard", {"guard": False, "mouth": 0.0}))
    monkeypatch.setattr(ablation, "ROWS", rows)
    path = settings(tmp_path, write_tracks(tmp_path / "tracks", 2), 4)
    others = write_tracks(tmp_path / "more", 1)
    path.write_text(path.read_text(encoding="utf-8") + f'others = "{others}"\n', encoding="utf-8")
    lines: list[str] = []
    table = ablation.main(path, notify=lines.append)
    for title, part in zip(("held-out", "more"), table.split("\n\nmore"), strict=True):
        lines_of = [line for line in part.splitlines() if line.startswith("|")]
        first = [line.split("|")[1].strip() for line in lines_of[2:]]
        assert first == [ablation.CLOSED, "average", "no guard"], title
        assert len({line.count("|") for line in lines_of}) == 1
        assert "nan" not in lines_of[2]
    assert any(line.startswith("step 4 of 4") for line in lines)
    lines.clear()
    assert ablation.main(path, notify=lines.append) == table
    assert not any(line.startswith("step") for line in lines)
    assert (tmp_path / "out/ablation/table.md").read_text(encoding="utf-8") == table


def test_every_row_changes_a_setting_that_there_is() -> None:
    known = set(EditorSettings.__dataclass_fields__)
    assert all(set(row.changes) <= known for row in ROWS)
    assert len({row.name for row in ROWS}) == len(ROWS)
