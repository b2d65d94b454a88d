"""What each part of the editor is worth: trainings without it, measured on speakers none of them saw.

    python -m rtfilter.learn.editor.ablation CONFIG.toml [--set TABLE.KEY=VALUE]

Trains in `output/ablation/ROW`, with the settings of `[editor]`; a row that is finished is kept, if it was
made with the same settings and face model. Writes `output/ablation/table.md` and prints it; docs/editor.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from rtfilter.errors import Notify, RtfilterError
from rtfilter.face.learned_weights import face_model_key
from rtfilter.face.model import MorphableModel
from rtfilter.learn.config import read_document
from rtfilter.learn.data.track import write_whole
from rtfilter.learn.editor.checkpoint import FILE, Checkpoint
from rtfilter.learn.editor.measures import EditorMeasure, measure
from rtfilter.learn.editor.pairs import Pair, load_pairs, split_speakers, spread
from rtfilter.learn.editor.settings import EditorSettings
from rtfilter.learn.editor.train import Training
from rtfilter.learn.parallel import process_group
from rtfilter.learn.stccl.metric import Metric
from rtfilter.learn.training.checkpoints import described

STEP: Final = "ablation"
# Held-out pairs that are measured at most, of every emotion and level.
MEASURED: Final = 60
CLOSED: Final = "closed form (the product's default)"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. changes: to the settings of `[editor]`."""

    name: str
    title: str
    changes: Mapping[str, Any] = field(default_factory=dict)


ROWS: Final = (
    Row("mean", "the average change alone, as before the first step", {"steps": 0}),
    Row("all", "all losses"),
    Row("no-mouth", "without the mouth loss", {"mouth": 0.0}),
    Row("no-spatial", "without spatial STCCL", {"spatial": 0.0}),
    Row("no-temporal", "without temporal STCCL", {"temporal": 0.0}),
    Row("no-stccl", "without STCCL", {"spatial": 0.0, "temporal": 0.0}),
    Row("uniform", "STCCL without adaptive weight", {"adaptive": False}),
    Row("bare", "no guard behind it", {"guard": False}),
    Row("bare-no-mouth", "no guard behind it, without the mouth loss", {"guard": False, "mouth": 0.0}),
    Row("cm", "STCCL by correlation matrices (CM)", {"metric": "builtin-cm"}),
)


def main(config_path: Path, overrides: Sequence[str] = (), notify: Notify = lambda line: None) -> str:
    """The tables, as Markdown: held-out speakers, and `editor.others`. Raises RtfilterError."""
    document = read_document(config_path, overrides)
    run, settings = document.run, document.table("editor", EditorSettings)
    model, folder = MorphableModel.builtin(), run.folder(STEP)
    train, held_out = split_speakers(
        load_pairs(settings.tracks, settings.alignments, model, notify), settings.held_out
    )
    apart = {"held-out speakers of the corpus": spread(held_out, MEASURED)}
    if settings.others is not None:
        apart[settings.others.name] = load_pairs(settings.others, settings.alignments, model, notify)
    notify(f"{len(train)} pairs to learn from")
    judge = Metric.load()
    tables = {
        name: [*_head(name, pairs), _line(CLOSED, measure(model, pairs, metric=judge))]
        for name, pairs in apart.items()
    }
    whole = ""
    with process_group(run.device, run.threads) as group:
        for row in ROWS:
            own = replace(settings, **row.changes)
            path = folder / row.name / FILE
            found = Checkpoint.load(path) if path.exists() else None
            same = found is not None and not found.differs(
                described(own, run.seed, group.size), face_model_key(model.expression_basis)
            )
            if found is not None and not same:
                notify(f"{path}: made with other settings or on another face model: made anew")
            if found is None or not same or found.step < own.steps:
                made_by = f"{__name__} {row.name}"
                training = Training(folder / row.name, run.seed, own, train, model, group, made_by, notify)
                training.run(resume=same, replace=True)
            for name, pairs in apart.items():
                tables[name].append(_line(row.title, _measured(path, model, pairs, own.guard, judge)))
                notify(tables[name][-1])
            whole = "\n\n".join("\n".join(lines) for lines in tables.values()) + "\n"
            write_whole(folder / "table.md", whole.encode())
    return whole


def _measured(
    path: Path, model: MorphableModel, pairs: Sequence[Pair], guard: bool, judge: Metric
) -> EditorMeasure:
    checkpoint = Checkpoint.load(path)
    weights = checkpoint.restored(path).weights(checkpoint.face_model, checkpoint.made_by)
    return measure(model.with_editor(weights), pairs, guard, judge)


def _head(title: str, pairs: Sequence[Pair]) -> list[str]:
    names = [one.name.replace("_", " ") for one in fields(EditorMeasure)]
    people = len({one.clip.person for one in pairs})
    return [
        f"{title}: {len(pairs)} clips of {people} people",
        "",
        "| | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]


def _line(title: str, found: EditorMeasure) -> str:
    return f"| {title} | " + " | ".join(found.cells()) + " |"


def command(words: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m rtfilter.learn.editor.ablation", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE")
    arguments = parser.parse_args(words)
    try:
        print(main(arguments.config, arguments.set, lambda line: print(line, file=sys.stderr)), end="")
    except RtfilterError as error:
        print(f"ablation: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(command())
