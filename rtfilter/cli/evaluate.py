"""`rtfilter evaluate`: what an edit did to a video."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rtfilter.cli.terminal import ProgressBar
from rtfilter.errors import UsageError
from rtfilter.quality import evaluate as evaluation
from rtfilter.quality.judges.panel import JudgeFiles, check_files


def evaluate(arguments: argparse.Namespace) -> int:
    """Print the measures of an edited video against its source, as JSON or as a table."""
    judges = judge_files(arguments)
    with ProgressBar() as bar:
        measured = evaluation.evaluate(arguments.source, arguments.edited, bar, judges)
    if arguments.json:
        print(json.dumps(measured.as_dict(), indent=2))
    else:
        print(measured.table())
        print("measured by rtfilter's own tracker; definitions: docs/evaluation.md", file=sys.stderr)
    return 0


def judge_files(arguments: argparse.Namespace) -> JudgeFiles:
    """The judges that were named. Raises UsageError for those that lack what they need."""
    labels: str | None = arguments.emotion_labels
    names = () if labels is None else tuple(name.strip() for name in labels.split(","))
    if labels is not None and not all(names):
        raise UsageError(f"--emotion-labels {labels}: expected names between commas, such as angry,happy,sad")
    files = JudgeFiles(
        emotion=_path(arguments.emotion_judge),
        emotion_labels=names,
        emotion_target=arguments.emotion_target,
        identity=_path(arguments.identity_judge),
        sync=tuple(Path(name) for name in arguments.sync_judge or ()),
        fad=_path(arguments.fad_judge),
        reference=_path(arguments.reference),
    )
    check_files(files)
    return files


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)
