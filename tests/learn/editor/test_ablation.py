"""The ablation trains every row, measures it on other speakers, and keeps rows that are finished."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")
pytest.importorskip("tensorboard", reason="needs the extra `learn` (tensorboard)")

from rtfilter.controls import EMOTIONS  # noqa: E402
from rtfilter.learn.editor import ablation, measures  # noqa: E402
from rtfilter.learn.editor.ablation import ROWS, Row  # noqa: E402
from rtfilter.learn.editor.checkpoint import FILE, Checkpoint  # noqa: E402
from rtfilter.learn.editor.measures import EditorMeasure  # noqa: E402
from rtfilter.learn.editor.pairs import spread  # noqa: E402
from rtfilter.learn.editor.settings import EditorSettings  # noqa: E402
from tests.faces import builtin  # noqa: E402
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


def test_a_row_of_other_settings_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablation, "ROWS", (Row("all", "all losses"),))
    monkeypatch.setattr(ablation, "measure", lambda *_, **__: EditorMeasure(*[0.0] * 11))
    path = settings(tmp_path, write_tracks(tmp_path / "tracks", 2), 2)
    file = tmp_path / "out/ablation/all" / FILE
    ablation.main(path)
    for override in ("editor.noise=0.02", "run.seed=9"):
        lines: list[str] = []
        ablation.main(path, [override], lines.append)
        assert any("made anew" in line for line in lines), override
        assert any("step 2 of 2" in line for line in lines), override
    assert (Checkpoint.load(file).settings["noise"], Checkpoint.load(file).settings["seed"]) == ("0.03", "9")
    replace(Checkpoint.load(file), face_model="another").save(file)
    ablation.main(path, ["run.seed=9"], lines.append)
    assert Checkpoint.load(file).face_model != "another"
    # More steps are the rest of the same row only where the rate's course is the same: it is another run.
    ablation.main(path, ["run.seed=9", "editor.steps=3"])
    assert Checkpoint.load(file).step == 3


@dataclass(frozen=True)
class Kind:
    emotion: str
    level: float


def test_what_is_measured_is_of_every_emotion_and_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third or fourteenth pair of a regular list would be of one level, or of one emotion."""
    kinds = [Kind(emotion, level) for emotion in EMOTIONS[1:] for level in (0.5, 1.0)]
    pairs = [Kind(one.emotion, one.level) for _ in range(18) for one in kinds]
    chosen = spread(pairs, ablation.MEASURED)
    assert len(chosen) == ablation.MEASURED
    counts = [chosen.count(one) for one in kinds]
    assert max(counts) - min(counts) <= 1
    assert spread(pairs, ablation.MEASURED) == chosen
    assert len({id(one) for one in chosen}) == len(chosen)
    assert spread(kinds, 60) == kinds
    seen: list[Kind] = []

    def of_pair(_edit: object, _model: object, pair: Kind, metric: object) -> dict[str, float | None]:
        if metric is not None:
            seen.append(pair)
        return {**{one.name: 1.0 for one in fields(EditorMeasure)}, "closures": 1.0}

    monkeypatch.setattr(measures, "_of_pair", of_pair)
    measures.measure(builtin(), chosen, metric=object())
    assert set(seen) == set(kinds)
    assert len(seen) == 20


def test_the_command_says_what_it_expects(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        ablation.command([])
    assert "required: config" in capsys.readouterr().err
    assert ablation.command(["nowhere.toml"]) == 2
    assert capsys.readouterr().err.startswith("ablation: nowhere.toml: no such file")


def test_every_row_changes_a_setting_that_there_is() -> None:
    known = set(EditorSettings.__dataclass_fields__)
    assert all(set(row.changes) <= known for row in ROWS)
    assert len({row.name for row in ROWS}) == len(ROWS)
