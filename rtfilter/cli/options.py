"""The options of every verb, and how they join the settings of environment and file."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any

from rtfilter.cli.file_options import part_options, pipe_options, quality_options, seconds
from rtfilter.cli.parser import Parser, checked, count, number, one_of, port, share
from rtfilter.config import (
    COUNT_KEYS,
    TEXT_KEYS,
    Settings,
    Target,
    added_up,
    config_path,
    merge,
    parse_blendshapes,
    parse_target,
    presets_dir,
    settings_from_environment,
    settings_from_file,
)
from rtfilter.controls import CONTROL_KEYS, EMOTIONS, INTENSITY_MAX, Controls
from rtfilter.gpu.choose import LANE_SYNONYMS, LANES


def run_options(parser: Parser) -> None:
    parser.add_argument("-i", "--input", metavar="FILE|camera:0|demo|-", help="what to filter; - is stdin")
    parser.add_argument("-o", "--output", metavar="FILE|virtualcam|null|-", help="where it goes; - is stdout")
    _output_options(parser)
    pipe_options(parser)
    part_options(parser)
    control_options(parser)
    _picture_options(parser)
    _live_options(parser)
    lane_options(parser)


def cam_options(parser: Parser) -> None:
    parser.add_argument(
        "-i", "--input", metavar="camera:N|demo", help="the camera (default: the first that is not virtual)"
    )
    parser.add_argument(
        "--no-idle", action="store_true", help="filter on while no program seems to watch the virtual camera"
    )
    parser.add_argument(
        "--print-systemd-unit",
        action="store_true",
        help="print the unit of a user service that runs this command, and end",
    )
    parser.add_argument("--compare", action="store_true", help="original beside result")
    parser.add_argument("--report", metavar="R.json", help="write timings, drops and versions here")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    group = parser.add_argument_group("control panel")
    group.add_argument("--panel", action="store_true", help="serve a control panel for your browser")
    group.add_argument("--open", action="store_true", help="open it in the browser")
    group.add_argument("--port", type=port, default=8080, metavar="N", help="default 8080; 0: a free one")
    group.add_argument(
        "--token-file", metavar="FILE", help="keep the panel's token there, so that its link stays the same"
    )
    group.add_argument("--token", help=argparse.SUPPRESS)
    control_options(parser)
    _picture_options(parser)
    _live_options(parser)
    lane_options(parser)


def demo_options(parser: Parser) -> None:
    parser.add_argument(
        "-o", "--output", default="demo.mp4", metavar="FILE|virtualcam|null", help="default demo.mp4"
    )
    _output_options(parser)
    control_options(parser)
    _picture_options(parser)
    _live_options(parser)
    lane_options(parser)


def _output_options(parser: Parser) -> None:
    quality_options(parser)
    parser.add_argument("--compare", action="store_true", help="original beside result")
    parser.add_argument("--force", "--overwrite", action="store_true", help="replace an output that exists")
    parser.add_argument("--report", metavar="R.json", help="write timings, drops and versions here")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def _live_options(parser: Parser) -> None:
    parser.add_argument(
        "--device", metavar="/dev/videoN", help="the virtual camera (default: the first free one)"
    )
    parser.add_argument(
        "--duration", metavar="S", type=seconds(0.01), help="stop after so many seconds, or MM:SS"
    )


def inspect_options(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="the video")
    parser.add_argument("--json", action="store_true", help="every frame, as one JSON document")
    parser.add_argument("-o", "--output", metavar="OUT.json", help="write there instead of to the terminal")
    parser.add_argument("--force", "--overwrite", action="store_true", help="replace an output that exists")
    lane_options(parser)


def evaluate_options(parser: Parser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="the video before")
    parser.add_argument(
        "edited", metavar="EDITED", help="the video after (lossless is fairest: --codec ffv1)"
    )
    parser.add_argument("--json", action="store_true", help="as one JSON document")


def bench_options(parser: Parser) -> None:
    sizes = ("480p", "720p", "1080p")
    parser.add_argument(
        "what",
        nargs="?",
        metavar="webrtc",
        help="webrtc: glass to glass, there and back, against stock aiortc; left out: frame in, frame out",
    )
    parser.add_argument(
        "--size", action="append", type=one_of("size", sizes), help="480p, 720p, 1080p; may be repeated"
    )
    parser.add_argument(
        "--seconds", type=number(0.1, 600), default=5.0, metavar="S", help="per size or turn (default 5)"
    )
    parser.add_argument(
        "--minutes", type=number(0.1, 600), metavar="M", help="webrtc: then one run so long without a break"
    )
    parser.add_argument("--json", action="store_true", help="as one JSON document")
    control_options(parser)
    lane_options(parser)


def presets_options(parser: Parser) -> None:
    actions = ("list", "show", "save", "edit", "remove")
    parser.add_argument(
        "action_name",
        metavar="ACTION",
        nargs="?",
        default="list",
        type=one_of("action", actions),
        help="list (default), show, save, edit or remove",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the preset to show, save, edit or remove")
    parser.add_argument("--json", action="store_true", help="as one JSON document")
    parser.add_argument(
        "--description",
        metavar="TEXT",
        help="about the saved preset; --force keeps it",
    )
    parser.add_argument(
        "--force",
        "--overwrite",
        action="store_true",
        help="replace a preset that exists",
    )
    control_options(parser)


def config_options(parser: Parser) -> None:
    parser.add_argument(
        "action_name",
        metavar="ACTION",
        nargs="?",
        default="show",
        type=one_of("action", ("show", "edit")),
        help="show (default): every setting and where it comes from; edit: the file, in your editor",
    )
    parser.add_argument("--json", action="store_true", help="as one JSON document")


def doctor_options(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="as one JSON document")


def control_options(parser: argparse.ArgumentParser) -> None:
    """The options that make a `Controls`."""
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
    group.add_argument("--valence", metavar="V", type=share(-1, 1), help="-1 unpleasant .. 1 pleasant")
    group.add_argument("--arousal", metavar="A", type=share(-1, 1), help="-1 drowsy .. 1 excited")
    group.add_argument(
        "--intensity", metavar="I", type=share(0, INTENSITY_MAX), help="factor on the whole mix (default 1)"
    )
    group.add_argument(
        "--mouth",
        metavar="M",
        type=share(0, 1),
        help="1 keeps speech on the lips everywhere, 0 lets emotion win",
    )
    group.add_argument(
        "--smoothing", metavar="S", type=share(0, 1), help="0 follows at once .. 1 calmest (default 0.5)"
    )


def lane_options(parser: argparse.ArgumentParser) -> None:
    """Which processor does the work."""
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


def _picture_options(parser: argparse.ArgumentParser) -> None:
    """Size and rate that a camera or the demo is asked for."""
    group = parser.add_argument_group("camera and demo")
    group.add_argument("--width", metavar="PX", type=count, help="width to ask for (default 1280)")
    group.add_argument("--height", metavar="PX", type=count, help="height to ask for (default 720)")
    group.add_argument("--fps", metavar="N", type=count, help="frames a second to ask for (default 30)")


def settings_for(arguments: argparse.Namespace) -> Settings:
    """The merged settings: command line over environment over file.

    Raises UsageError for a wrong value in any of them or an unknown preset.
    """
    given = {key: value for key, value in vars(arguments).items() if value is not None}
    given.update(target_given(given))
    line = Settings(
        {key: given[key] for key in CONTROL_KEYS if key in given},
        {key: given[key] for key in (*TEXT_KEYS, *COUNT_KEYS) if key in given},
    )
    environment = settings_from_environment(os.environ)
    return merge([line, environment, settings_from_file(config_path())], presets_dir())


def target_given(arguments: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """What parsed `--emotion` and `--blendshape` come to together; of what was given twice, the last."""
    targets: list[dict[str, Target]] = arguments.get("emotions") or []
    offsets: list[dict[str, float]] = arguments.get("blendshapes") or []
    by_name = {name: target for one in targets for name, target in one.items()}
    direct = {name: value for one in offsets for name, value in one.items()}
    return added_up([*by_name.values(), {"blendshapes": direct}])


def controls_for(settings: Settings) -> Controls:
    """The wish of merged settings."""
    return Controls(**settings.controls)
