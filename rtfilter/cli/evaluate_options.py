"""Options of `rtfilter evaluate`. Called by `cli.verbs`."""

from __future__ import annotations

from rtfilter.cli.options import common
from rtfilter.cli.parser import Parser


def evaluate_options(parser: Parser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="the video before")
    parser.add_argument(
        "edited", metavar="EDITED", help="the video after (lossless is fairest: --codec ffv1)"
    )
    common(parser, "--json")
    judge_options(parser)


def judge_options(parser: Parser) -> None:
    """Networks of the user's that judge an edit."""
    group = parser.add_argument_group("judges: networks of yours (docs/evaluation.md)")
    group.add_argument("--emotion-judge", metavar="FILE", help="a recogniser of expressions, TFLite or ONNX")
    group.add_argument(
        "--emotion-labels", metavar="A,B,...", help="what its outputs are, in order (or in FILE.json)"
    )
    group.add_argument("--emotion-target", metavar="NAME", help="the emotion that the edit is to show")
    group.add_argument(
        "--identity-judge", metavar="FILE", help="a face descriptor: dlib's .dat, or ONNX such as ArcFace"
    )
    group.add_argument(
        "--sync-judge",
        metavar="FILE",
        action="append",
        help="a SyncNet in ONNX; give it twice where lips and sound are two files",
    )
    group.add_argument(
        "--fad-judge",
        metavar="FILE",
        help="features for the Frechet distance to --reference, as a descriptor",
    )
    group.add_argument("--reference", metavar="CLIP", help="a real clip of the emotion, for --fad-judge")
