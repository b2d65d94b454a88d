"""The options of `rtfilter engines`."""

from __future__ import annotations

from rtfilter.cli.parser import Parser, count, one_of

ACTIONS = ("prepare", "build", "list", "clear")


def engines_options(parser: Parser) -> None:
    parser.add_argument(
        "action_name",
        metavar="ACTION",
        nargs="?",
        default="list",
        type=one_of("action", ACTIONS),
        help="prepare the networks for this machine, build plans for any GPU, list (default) or clear them",
    )
    group = parser.add_argument_group("build")
    # Which targets and networks there are is known only once TensorRT is loaded, so they are checked later.
    group.add_argument(
        "--target",
        metavar="sm89",
        action="append",
        help="the GPU that it is for, by compute capability: sm75, sm86, sm89, sm120, or portable for 8.0 "
        "and later; may be repeated (default: the GPU of this machine)",
    )
    group.add_argument(
        "--network", metavar="NAME", action="append", help="only this network; may be repeated (default: all)"
    )
    group.add_argument(
        "--precision", metavar="fp16|fp32", help="default: fp16 where the network keeps its numbers with it"
    )
    group.add_argument(
        "--batch", metavar="N", type=count, action="append", help="faces at once; may be repeated (default 1)"
    )
    parser.add_argument(
        "--wheel",
        metavar="FILE",
        help="prepare: take the models out of this wheel of mediapipe 0.10.21; nothing is fetched then",
    )
    parser.add_argument("--json", action="store_true", help="list: as one JSON document")
    parser.add_argument("--quiet", action="store_true", help="no progress")
