"""`rtfilter evaluate`: what an edit did to a video."""

from __future__ import annotations

import argparse
import json
import sys

from rtfilter.cli.terminal import ProgressBar
from rtfilter.quality import evaluate as evaluation


def evaluate(arguments: argparse.Namespace) -> int:
    """Print the measures of an edited video against its source, as JSON or as a table."""
    with ProgressBar() as bar:
        measured = evaluation.evaluate(arguments.source, arguments.edited, bar)
    if arguments.json:
        print(json.dumps(measured.as_dict(), indent=2))
    else:
        print(measured.table())
        print("measured by rtfilter's own tracker; definitions: docs/evaluation.md", file=sys.stderr)
    return 0
