"""`rtfilter evaluate`: what an edit did to a video."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rtfilter import evaluate as evaluation


def evaluate(arguments: argparse.Namespace) -> int:
    """Print the measures of an edited video against its source."""
    measured = evaluation.evaluate(arguments.source, arguments.edited).as_dict()
    if arguments.json:
        print(json.dumps(measured, indent=2))
    else:
        _print_values(measured, "")
    return 0


def _print_values(values: dict[str, Any], indent: str) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            _print_values(value, indent + "  ")
        else:
            shown = f"{value:.4f}" if isinstance(value, float) else value
            print(f"{indent}{name:<{30 - len(indent)}}{shown}")
