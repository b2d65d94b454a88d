"""The options of `rtfilter enroll`. Called by `cli.verbs`; imports nothing heavy, for --help."""

from __future__ import annotations

from rtfilter.cli.options import common
from rtfilter.cli.parser import Parser, number


def enroll_options(parser: Parser) -> None:
    parser.add_argument(
        "sources", metavar="camera:0|VIDEO", nargs="*", help="where the person is seen: a camera, or videos"
    )
    parser.add_argument("--name", metavar="NAME", default="me", help="of the profile (default: me)")
    parser.add_argument(
        "--seconds", type=number(10, 600), default=60.0, metavar="S", help="of the face (default 60)"
    )
    parser.add_argument(
        "--passphrase",
        action="store_true",
        help="encrypt the profile; asks for a passphrase (RTFILTER_PASSPHRASE gives it without asking)",
    )
    common(parser, "--force", help="replace a profile that exists")
    parser.add_argument("--fresh", action="store_true", help="forget what an interrupted enrolment gathered")
    group = parser.add_argument_group("profiles that there are")
    group.add_argument("--list", action="store_true", help="list them")
    group.add_argument("--show", metavar="NAME", help="the quality report of one")
    group.add_argument(
        "--preview", nargs=2, metavar=("NAME", "OUT.png"), help="a picture of what the maps of one do"
    )
    group.add_argument("--delete", metavar="NAME", help="delete one, and what was gathered for it")
    common(parser, "--json", help="--list and --show: as one JSON document")
    common(parser, "--quiet")
