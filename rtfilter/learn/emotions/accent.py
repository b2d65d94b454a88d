"""`python -m rtfilter.learn.emotions.accent --clips A B --judge FILE --emotion NAME`: an emotion's accents.

An edit is weaker than what people do: it makes no teeth and fewer folds, so recognisers read less. This finds
what to add to the measured direction (`ACCENTS` of `face.emotion`) until they read it, and stays near it:
the mean log probability of the emotion, less what it is confused with (fear, for sad: weight 0.4; happy, for
all others: 0.3), less --strength times the squared accents. Prints the way there, the accents by shape, and
each judge's mean probabilities untouched, as measured, with the product's accents, and with these (rounded).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.errors import Notify, RtfilterError, UsageError, nearest
from rtfilter.face.emotion import ACCENTS, measured
from rtfilter.face.model import MorphableModel
from rtfilter.learn.emotions.ascent import ROUNDS, ascend, direction, objective, rivals, rounded, words
from rtfilter.learn.emotions.talkers import Audience, open_judge, views_of_clips
from rtfilter.quality.judges.emotion import emotion_name
from rtfilter.system.files import write_text_atomically

LIMITS: Final = (("mouth", 0.0, 1.0), ("strength", 0.0, np.inf), ("frames", 1, 1000), ("rounds", 1, 20))


def main(arguments: Sequence[str] | None = None) -> int:
    """Find accents, print them as they come, write them where asked; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        run(options, lambda line: print(line, flush=True))
    except RtfilterError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def run(options: argparse.Namespace, notify: Notify) -> dict[str, Any]:
    """The document that `--out` holds, of all emotions asked for."""
    emotions = [known_emotion(name) for name in options.emotion]
    _check(options)
    judges = [open_judge(path, emotions) for path in options.judge]
    if len(options.clips) == 1:
        print(
            f"{options.clips[0]} alone: the accents will fit this person, not people; give clips of six "
            "people or more",
            file=sys.stderr,
        )
    model = MorphableModel.builtin()
    clips = views_of_clips(options.clips, model, options.frames)
    views = [view for clip in clips for view in clip]
    settings = {
        "mouth": options.mouth,
        "strength": options.strength,
        "clips": len(clips),
        "frames": len(views),
    }
    document: dict[str, Any] = settings | {"judges": [judge.name for judge in judges], "emotions": {}}
    notify(", ".join(f"{name} {value}" for name, value in settings.items()))
    with closing(Audience(model, views, judges, options.mouth)) as audience:
        untouched = audience.look(np.zeros(BLENDSHAPE_COUNT))
        for emotion in emotions:
            notify(emotion)
            best = ascend(emotion, audience.look, options.strength, notify, options.rounds)
            accents = rounded(best.accents)
            added: dict[str, Mapping[str, float]] = {
                "measured": {},
                "product": ACCENTS[emotion],
                "accented": accents,
            }
            stages = {name: audience.look(direction(emotion, some)) for name, some in added.items()}
            values = {
                name: objective(emotion, some, stages[name], options.strength) for name, some in added.items()
            }
            notify(f"  accents  {words(accents) or 'none'}")
            notify(f"  objective: {', '.join(f'{name} {value:+.3f}' for name, value in values.items())}")
            stages = {"untouched": untouched, **stages}
            _report(emotion, [judge.name for judge in judges], stages, notify)
            document["emotions"][emotion] = {"accents": accents, "objective": values, **stages}
            if options.out is not None:  # after every one: an interruption loses the one in work alone
                write_text_atomically(options.out, json.dumps(document, indent=1) + "\n")
    return document


def _report(
    emotion: str, judges: Sequence[str], stages: Mapping[str, list[dict[str, float]]], notify: Notify
) -> None:
    """A line for every judge, of the emotion and of each rival that the judge knows."""
    for index, judge in enumerate(judges):
        for name in (emotion, *rivals(emotion)):
            if name in stages["measured"][index]:
                shown = ", ".join(f"{stage} {seen[index][name]:.3f}" for stage, seen in stages.items())
                notify(f"  {judge}: {name} {shown}")


def known_emotion(word: str) -> str:
    """The product's name of an emotion. Raises UsageError: unknown, or neutral, which has no direction."""
    name = emotion_name(word)
    if name not in measured():
        raise UsageError(f"--emotion {word}: expected one that was measured.{nearest(word, measured())}")
    return name


def _check(options: argparse.Namespace) -> None:
    for name, low, high in LIMITS:
        if not low <= getattr(options, name) <= high:
            raise UsageError(f"--{name} {getattr(options, name)}: expected {low:g} to {high:g}")
    if options.out is not None and options.out.is_dir():
        raise UsageError(f"--out {options.out} is a folder: name a file in it")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, nargs="+", required=True, help="people who speak, one a clip")
    parser.add_argument(
        "--judge", type=Path, action="append", required=True,
        help="recogniser, TFLite or ONNX, with FILE.json beside it (docs/evaluation.md); may be given again",
    )  # fmt: skip
    parser.add_argument("--emotion", action="append", required=True, help="name; may be given again")
    parser.add_argument("--mouth", type=float, default=0.4, help="the mouth guard's setting, 0..1")
    parser.add_argument("--strength", type=float, default=0.25, help="of the pull to what was measured")
    parser.add_argument("--frames", type=int, default=4, help="of each clip")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of the ascent")
    parser.add_argument("--out", type=Path, default=None, help="JSON of the accents and the probabilities")
    return parser


if __name__ == "__main__":
    sys.exit(main())
