"""Groups of options, most for several verbs. Called by `cli.verbs`; imports nothing heavy, for --help."""

from __future__ import annotations

import argparse
from typing import Any

from rtfilter.cli.parser import Parser, bitrate, checked, count, one_of, seconds, share, size, whole
from rtfilter.config import parse_blendshapes, parse_target
from rtfilter.controls import ALL_FACES, EMOTIONS, FACES_MAX, INTENSITY_MAX, SKIN_MAX, face_count
from rtfilter.gpu.choose import LANE_SYNONYMS, LANES

CODECS = ("h264", "hevc", "ffv1", "vp9", "gif")
PIPE_FORMATS = ("y4m", "mkv", "raw")

_COMMON: dict[str, dict[str, Any]] = {
    "--compare": {"action": "store_true", "help": "original beside result"},
    "--force": {"action": "store_true", "help": "replace an output that exists"},
    "--report": {"metavar": "R.json", "help": "write timings, drops and versions here"},
    "--quiet": {"action": "store_true", "help": "no progress"},
    "--json": {"action": "store_true", "help": "as one JSON document"},
    "--duration": {"metavar": "S", "type": seconds(0.01), "help": "stop after so many seconds, or MM:SS"},
}


def common(parser: Parser, *options: str, **changed: Any) -> None:
    """Add options that several verbs have; `changed` replaces keywords of theirs."""
    for option in options:
        names = (option, "--overwrite") if option == "--force" else (option,)
        parser.add_argument(*names, **{**_COMMON[option], **changed})


def output_options(parser: Parser) -> None:
    """How a file is written."""
    parser.add_argument(
        "--codec",
        type=one_of("codec", CODECS),
        help="h264, hevc, ffv1 (lossless), vp9 or gif (default: h264, but vp9 in .webm and gif in .gif)",
    )
    parser.add_argument(
        "--crf",
        type=whole,
        metavar="N",
        help="quality; smaller is better (default: h264 18, hevc and vp9 20)",
    )
    parser.add_argument(
        "--bitrate", type=bitrate, metavar="4M", help="in place of --crf: average bits a second, as 800k, 4M"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse to write a file that cannot keep the tracks, tags and picture formats of the input",
    )
    common(parser, "--compare", "--force", "--report", "--quiet")


def pipe_options(parser: Parser) -> None:
    """The format of stdin and stdout."""
    group = parser.add_argument_group("pipes (-i -, -o -)")
    group.add_argument(
        "--size",
        type=size,
        metavar="WxH",
        help="stdin is raw RGB of this size; of a camera or demo: its size",
    )
    group.add_argument(
        "--format",
        type=one_of("format", PIPE_FORMATS),
        help="of stdout: y4m (default), raw (RGB), or mkv, which keeps times",
    )


def filter_options(parser: Parser) -> None:
    """The edit, what a camera is set to, the virtual camera, and the lane."""
    edit_options(parser)
    group = parser.add_argument_group("camera and demo")
    group.add_argument("--width", metavar="PX", type=count, help="width to ask for (default 1280)")
    group.add_argument("--height", metavar="PX", type=count, help="height to ask for (default 720)")
    group.add_argument("--fps", metavar="N", type=count, help="frames a second to ask for (default 30)")
    parser.add_argument(
        "--device", metavar="/dev/videoN", help="the virtual camera (default: the first free one)"
    )
    common(parser, "--duration")
    lane_options(parser)


def control_options(parser: argparse.ArgumentParser) -> None:
    """The fields of `Controls`."""
    group = parser.add_argument_group("expression")
    names = ", ".join(EMOTIONS)
    group.add_argument(
        "-e",
        "--emotion",
        dest="emotions",
        metavar="NAME=AMOUNT",
        action="append",
        type=checked(parse_target),
        help=f"how much of an emotion, 0..{INTENSITY_MAX} or in percent; may be repeated and mixes; one of "
        f"{names}, or a preset",
    )
    group.add_argument("--preset", metavar="NAME", help="a named mix; `rtfilter presets` lists them")
    group.add_argument(
        "--blendshape",
        dest="blendshapes",
        metavar="NAME=AMOUNT",
        action="append",
        type=checked(parse_blendshapes),
        help=f"offset of one of ARKit's blendshapes, -{INTENSITY_MAX}..{INTENSITY_MAX}, such as "
        "mouthSmileLeft=0.3; may be repeated",
    )
    for option, metavar, low, high, explained in (
        ("--valence", "V", -1, 1, "-1 unpleasant .. 1 pleasant"),
        ("--arousal", "A", -1, 1, "-1 drowsy .. 1 excited"),
        ("--intensity", "I", 0, INTENSITY_MAX, "factor on the whole mix (default 1)"),
        (
            "--mouth",
            "M",
            0,
            1,
            "1 keeps opening and width of the lips, 0 lets emotion change both (default 0.4)",
        ),
        ("--smoothing", "S", 0, 1, "0 follows at once .. 1 calmest (default 0.5)"),
        ("--skin", "K", 0, SKIN_MAX, "how strongly folds and light of the skin follow (default 1)"),
    ):
        group.add_argument(option, metavar=metavar, type=share(low, high), help=explained)
    group.add_argument(
        "--no-occlusion",
        dest="occlusion",
        action="store_false",
        default=None,
        help="edit over hands, glasses and what is behind the person, too",
    )


def edit_options(parser: argparse.ArgumentParser) -> None:
    """The fields of `Controls`, and what turns emotions into expressions."""
    control_options(parser)
    parser.add_argument(
        "--editor",
        metavar="NAME",
        help="what turns emotions into expressions: closed (default, a formula), learned (a network), or a "
        "file of `rtfilter learn export`",
    )
    faces_option(parser)
    profile_options(parser)


def faces_option(parser: argparse.ArgumentParser, what: str = "edited") -> None:
    """How many people are edited, or what else is done to them."""
    parser.add_argument(
        "--faces",
        metavar="N|all",
        type=checked(face_count),
        help=f"how many people are {what}: 1 (default) to {FACES_MAX}, or {ALL_FACES}",
    )


def profile_options(parser: argparse.ArgumentParser) -> None:
    """Whose skin is painted, and how an encrypted profile is opened."""
    parser.add_argument(
        "--profile", metavar="NAME", help="the person's own skin, of `rtfilter enroll` (default: anybody's)"
    )
    parser.add_argument(
        "--passphrase",
        action="store_true",
        help="ask for the passphrase of the profile (RTFILTER_PASSPHRASE gives it without asking)",
    )


def lane_options(parser: argparse.ArgumentParser) -> None:
    """The processor that does the work."""
    group = parser.add_argument_group("lane")
    group.add_argument(
        "--lane",
        metavar="LANE",
        type=one_of("lane", LANES, LANE_SYNONYMS),
        help="cpu, cuda (an NVIDIA GPU), or auto (default): a GPU where one can be used; says which and why",
    )
    group.add_argument(
        "--allow-cpu",
        action="store_true",
        help="with --lane cuda: where the GPU cannot be had, or fails, go on on the CPU and say so",
    )


def security_options(parser: Parser) -> None:
    """Who may connect to a server."""
    group = parser.add_argument_group("who may connect")
    group.add_argument(
        "--token-file",
        metavar="FILE",
        help="keep the token there, so that the link stays the same; made when there is none",
    )
    group.add_argument(
        "--token", metavar="TEXT", help="the token itself; others can see it in the list of processes"
    )
    group.add_argument("--tls", action="store_true", help="HTTPS, with a certificate made at the start")
    group.add_argument("--certificate", metavar="FILE.pem", help="HTTPS with your own certificate")
    group.add_argument("--key", metavar="FILE.pem", help="the certificate's key")
    group.add_argument(
        "--allow-host", action="append", metavar="NAME[:PORT]", help="a further name of this server"
    )
    group.add_argument(
        "--allow-origin",
        action="append",
        metavar="https://NAME",
        help="a further page that may use this server",
    )
    group.add_argument(
        "--ice-network",
        action="append",
        metavar="192.0.2.0/24",
        help="a network that media may be exchanged with; `any` for all",
    )
    group.add_argument(
        "--profiles",
        action=argparse.BooleanOptionalAction,
        help="let whoever has the link use the profiles of `rtfilter enroll`, and enrol (default: only on "
        "this machine, without the three options above)",
    )
