"""The verbs and their options. Called by `cli.main`; the module of a verb is loaded when it is called."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from rtfilter.cli.bench_options import bench_options
from rtfilter.cli.enroll_options import enroll_options
from rtfilter.cli.evaluate_options import evaluate_options
from rtfilter.cli.options import (
    common,
    control_options,
    edit_options,
    faces_option,
    filter_options,
    lane_options,
    output_options,
    pipe_options,
    security_options,
)
from rtfilter.cli.parser import Parser, count, number, one_of, port, seconds

VIDEO_CODECS = ("vp8", "h264")
LOG_FORMATS = ("text", "json")
LEARN_STEPS = (
    "corpus", "track", "align", "stccl", "editor", "export", "unwrap", "texture", "texture-export", "squares",
    "occlusion", "occlusion-export", "rims",
)  # fmt: skip


def run_options(parser: Parser) -> None:
    parser.add_argument("-i", "--input", metavar="FILE|camera:0|demo|-", help="what to filter; - is stdin")
    parser.add_argument("-o", "--output", metavar="FILE|virtualcam|null|-", help="where it goes; - is stdout")
    output_options(parser)
    pipe_options(parser)
    parser.add_argument(
        "--start", metavar="S", type=seconds(0.0), help="of a file: begin there, in seconds or as MM:SS"
    )
    filter_options(parser)


def demo_options(parser: Parser) -> None:
    parser.add_argument(
        "-o", "--output", default="demo.mp4", metavar="FILE|virtualcam|null", help="default demo.mp4"
    )
    output_options(parser)
    filter_options(parser)


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
    common(parser, "--compare", "--report", "--quiet")
    group = parser.add_argument_group("control panel")
    group.add_argument("--panel", action="store_true", help="serve a control panel for your browser")
    group.add_argument("--open", action="store_true", help="open it in the browser")
    group.add_argument("--port", type=port, default=8080, metavar="N", help="default 8080; 0: a free one")
    group.add_argument(
        "--token-file", metavar="FILE", help="keep the panel's token there, so that its link stays the same"
    )
    group.add_argument("--token", help=argparse.SUPPRESS)
    filter_options(parser)


def serve_options(parser: Parser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="default 127.0.0.1: this machine"
    )
    parser.add_argument("--port", default=8080, type=port, metavar="N", help="default 8080; 0: a free one")
    parser.add_argument("--open", action="store_true", help="open the link in the browser")
    common(parser, "--quiet", help="no link, and only warnings")
    common(parser, "--duration")
    security_options(parser)
    group = parser.add_argument_group("media")
    group.add_argument(
        "--video-codec",
        default="vp8",
        type=one_of("video codec", VIDEO_CODECS),
        help="which one is preferred: vp8 (default) or h264",
    )
    group.add_argument(
        "--bitrate",
        default=2500.0,
        type=number(100, 50_000),
        metavar="KBIT",
        help="of the sent picture at most, in kbit/s (default 2500)",
    )
    group.add_argument("--sessions", default=16, type=count, metavar="N", help="at most (default 16)")
    group.add_argument(
        "--sessions-per-address", default=8, type=count, metavar="N", help="at most (default 8)"
    )
    edit_options(parser)
    lane_options(parser)
    more = parser.add_argument_group("more")
    more.add_argument(
        "--log-format",
        default="text",
        type=one_of("log format", LOG_FORMATS),
        help="text (default) or json, one object a line",
    )


def inspect_options(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="the video")
    common(parser, "--json", help="every frame, as one JSON document")
    parser.add_argument("-o", "--output", metavar="OUT.json", help="write there instead of to the terminal")
    common(parser, "--force")
    faces_option(parser, "reported")
    lane_options(parser)


def presets_options(parser: Parser) -> None:
    _action(parser, ("list", "show", "save", "edit", "remove"), "list (default), show, save, edit or remove")
    parser.add_argument("name", nargs="?", metavar="NAME", help="the preset to show, save, edit or remove")
    common(parser, "--json")
    parser.add_argument("--description", metavar="TEXT", help="about the saved preset; --force keeps it")
    common(parser, "--force", help="replace a preset that exists")
    control_options(parser)


def config_options(parser: Parser) -> None:
    explained = "show (default): every setting and where it comes from; edit: the file, in your editor"
    _action(parser, ("show", "edit"), explained)
    common(parser, "--json")


def engines_options(parser: Parser) -> None:
    _action(
        parser,
        ("prepare", "build", "list", "clear"),
        "prepare the networks for this machine, build plans for any GPU, list (default) or clear them",
        default="list",
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
    common(parser, "--json", help="list: as one JSON document")
    common(parser, "--quiet")


def doctor_options(parser: Parser) -> None:
    common(parser, "--json")


def learn_options(parser: Parser) -> None:
    parser.add_argument("step", metavar="STEP", nargs="?", help=f"one of: {', '.join(LEARN_STEPS)}")
    parser.add_argument(
        "config",
        metavar="CONFIG.toml",
        nargs="?",
        help="settings (docs/learn.md), or: small, editor, metric, texture, occlusion",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="TABLE.KEY=VALUE",
        help="over the file's setting; may be repeated",
    )
    parser.add_argument(
        "--resume", action="store_true", help="stccl, editor, texture, occlusion: go on from the checkpoint"
    )
    common(parser, "--quiet")


def _action(parser: Parser, actions: tuple[str, ...], explained: str, default: str | None = None) -> None:
    """The positional argument that names what a verb does; default: the first of `actions`."""
    parser.add_argument(
        "action_name",
        metavar="ACTION",
        nargs="?",
        default=default or actions[0],
        type=one_of("action", actions),
        help=explained,
    )


# Summary and options by verb; `rtfilter.cli.VERB.VERB` does it.
VERBS: dict[str, tuple[str, Callable[[Parser], None]]] = {
    "run": ("filter a file, a camera or the demo", run_options),
    "demo": ("see it work without a camera", demo_options),
    "cam": ("camera to virtual camera", cam_options),
    "enroll": ("learn a person's own skin, for --profile", enroll_options),
    "serve": ("WebRTC server with a control panel", serve_options),
    "inspect": ("pose, expression and residual of every frame of a video", inspect_options),
    "evaluate": ("what an edit did to a video", evaluate_options),
    "bench": ("latency of this machine, stage by stage", bench_options),
    "presets": ("list, show, save, edit and remove named mixes", presets_options),
    "config": ("show or edit your settings", config_options),
    "learn": ("corpus, tracks, alignment and training of the learned parts", learn_options),
    "engines": ("networks and their plans for GPUs", engines_options),
    "doctor": ("what works here and how to mend what does not", doctor_options),
}
