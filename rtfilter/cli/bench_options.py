"""Options of `rtfilter bench`. Called by `cli.verbs`."""

from __future__ import annotations

from rtfilter.cli.options import common, control_options, lane_options
from rtfilter.cli.parser import Parser, count, number, one_of

SIZES = ("480p", "720p", "1080p")


def bench_options(parser: Parser) -> None:
    """Those of every benchmark."""
    parser.add_argument(
        "what",
        nargs="?",
        metavar="webrtc|reenact|occlusion",
        help="webrtc: there and back; reenact: edits against real frames; occlusion: what edits leave alone; "
        "left out: frame in, frame out",
    )
    parser.add_argument("clips", nargs="*", metavar="CLIP", help="reenact, occlusion: videos, or demo")
    parser.add_argument("--sheets", metavar="DIR", help="reenact, occlusion: write pictures there")
    _reenact_options(parser)
    _occlusion_options(parser)
    parser.add_argument(
        "--size", action="append", type=one_of("size", SIZES), help="480p, 720p, 1080p; may be repeated"
    )
    parser.add_argument(
        "--seconds", type=number(0.1, 600), default=5.0, metavar="S", help="per size or turn (default 5)"
    )
    parser.add_argument(
        "--minutes", type=number(0.1, 600), metavar="M", help="webrtc: then one run so long without a break"
    )
    common(parser, "--json")
    control_options(parser)
    lane_options(parser)


def _reenact_options(parser: Parser) -> None:
    group = parser.add_argument_group("reenact")
    group.add_argument(
        "--pairs",
        nargs=2,
        action="append",
        metavar=("NEUTRAL", "FEELING"),
        help="two takes of one sentence by one person; may be repeated",
    )
    group.add_argument("--maps", metavar="FILE|DIR", help="other skin maps; of a folder CLIP.npz")
    group.add_argument(
        "--texture",
        metavar="FILE|DIR",
        help="the person's generator, or CLIP.texture.onnx of each (docs/texture.md)",
    )
    group.add_argument("--count", type=count, metavar="N", help="pairs of frames a clip (default 24)")


def _occlusion_options(parser: Parser) -> None:
    group = parser.add_argument_group("occlusion")
    group.add_argument(
        "--glasses", action="append", metavar="CLIP", help="of somebody who wears glasses; may be repeated"
    )
    group.add_argument(
        "--test",
        action="append",
        metavar="NAME",
        help="occluders, masks, false, lines, rims, crowds (default all)",
    )
    group.add_argument(
        "--feeling", action="append", metavar="NAME", help="only this emotion; may be repeated (default all)"
    )
    group.add_argument(
        "--occluder", action="append", metavar="NAME", help='only this one, such as "mug"; may be repeated'
    )
