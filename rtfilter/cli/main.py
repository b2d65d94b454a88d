"""The command line: one file of verbs. What each does is in `rtfilter.commands`, loaded when called."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from types import TracebackType
from typing import TextIO

import rtfilter
from rtfilter.cli import options as cli_options
from rtfilter.cli.engine_options import engines_options
from rtfilter.cli.interrupted import (
    EXIT_INTERRUPTED,
    InterruptedJob,
    interrupt_on_hangup_and_term,
    say_interrupted,
)
from rtfilter.cli.parser import Parser
from rtfilter.cli.serve_options import serve_options
from rtfilter.errors import RtfilterError, UsageError, nearest
from rtfilter.system.native_logs import silence_native_logs

EXIT_BROKEN_PIPE = 128 + 13


def _run(arguments: argparse.Namespace) -> int:
    from rtfilter.cli.run import run

    return run(arguments)


def _demo(arguments: argparse.Namespace) -> int:
    from rtfilter.cli.demo import demo

    return demo(arguments)


def _cam(arguments: argparse.Namespace) -> int:
    from rtfilter.cli.cam import cam

    return cam(arguments)


def _serve(arguments: argparse.Namespace) -> int:
    from rtfilter.cli.serve import serve

    return serve(arguments)


def _inspect(arguments: argparse.Namespace) -> int:
    from rtfilter.cli.inspect import inspect

    return inspect(arguments)


def _evaluate(arguments: argparse.Namespace) -> int:
    from rtfilter.cli.evaluate import evaluate

    return evaluate(arguments)


def _bench(arguments: argparse.Namespace) -> int:
    # Here and not by the parser, which would miss that a mistyped option's value has landed in it.
    if arguments.what not in (None, "webrtc"):
        raise UsageError(f"unknown benchmark {arguments.what!r}:{nearest(arguments.what, ['webrtc'])}")
    if arguments.what == "webrtc":
        from rtfilter.cli.bench_webrtc import bench_webrtc

        return bench_webrtc(arguments)
    from rtfilter.cli.bench import bench

    return bench(arguments)


def _presets(arguments: argparse.Namespace) -> int:
    from rtfilter.cli.presets import presets

    return presets(arguments)


def _config(arguments: argparse.Namespace) -> int:
    from rtfilter.cli.config import config

    return config(arguments)


def _engines(arguments: argparse.Namespace) -> int:
    from rtfilter.cli.engines import engines

    return engines(arguments)


def _doctor(arguments: argparse.Namespace) -> int:
    from rtfilter.cli.doctor import doctor

    return doctor(arguments)


Verb = tuple[str, Callable[[Parser], None], Callable[[argparse.Namespace], int]]
VERBS: dict[str, Verb] = {
    "run": ("filter a file, a camera or the demo", cli_options.run_options, _run),
    "demo": ("see it work without a camera", cli_options.demo_options, _demo),
    "cam": ("camera to virtual camera", cli_options.cam_options, _cam),
    "serve": ("WebRTC server with a control panel", serve_options, _serve),
    "inspect": (
        "pose, expression and residual of every frame of a video",
        cli_options.inspect_options,
        _inspect,
    ),
    "evaluate": ("what an edit did to a video", cli_options.evaluate_options, _evaluate),
    "bench": ("latency of this machine, stage by stage", cli_options.bench_options, _bench),
    "presets": ("list, show, save, edit and remove named mixes", cli_options.presets_options, _presets),
    "config": ("show or edit your settings", cli_options.config_options, _config),
    "engines": ("networks and their plans for GPUs", engines_options, _engines),
    "doctor": ("what works here and how to mend what does not", cli_options.doctor_options, _doctor),
}


def build_parser() -> tuple[Parser, dict[str, Parser]]:
    """The parser, and those of the verbs by name."""
    parser = Parser(
        prog="rtfilter", description="Changes the expression of a face and keeps every word on the lips."
    )
    parser.add_argument("--version", action="version", version=f"rtfilter {rtfilter.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    parsers = {}
    for name, (summary, add_options, action) in VERBS.items():
        parsers[name] = verbs.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        parsers[name].add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        parsers[name].set_defaults(action=action)
        add_options(parsers[name])
    return parser, parsers


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command line. Raises UsageError with the nearest suggestion."""
    parser, parsers = build_parser()
    verb = next((argument for argument in argv if not argument.startswith("-")), None)
    if verb is not None and verb not in VERBS:
        raise UsageError(f"unknown verb {verb!r}:{nearest(verb, VERBS)}")
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        parsers.get(arguments.verb, parser).reject(unknown)
    if arguments.verb is None:
        parser.error(f"expected a verb: {', '.join(VERBS)}")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0 done, 1 failure, 2 usage, 130 interrupted.

    Without `argv` it takes the process's own, and answers an error nobody foresaw with one line.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in words
    if argv is None:
        _complete_streams()
        interrupt_on_hangup_and_term()
        if not debug:
            silence_native_logs()
            sys.excepthook = _report_bug
    if not hasattr(rtfilter, "__version__"):
        return _fail(_covered(), 1)
    try:
        arguments = parse(words)
        code: int = arguments.action(arguments)
        sys.stdout.flush()
    except RtfilterError as error:
        if debug:
            raise
        return _fail(str(error), error.exit_code)
    except InterruptedJob:
        return EXIT_INTERRUPTED
    except KeyboardInterrupt as error:
        say_interrupted(error)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _silence(sys.stdout)
        return EXIT_BROKEN_PIPE
    except OSError as error:
        if debug:
            raise
        return _fail(f"{error.filename or 'system'}: {error.strerror or error}", 1)
    except ImportError as error:
        if debug:
            raise
        return _fail(f"a part does not load ({error}); `rtfilter doctor` says how to mend it", 1)
    return code


def _covered() -> str:
    """What to do where another project's folder `rtfilter` is found before a checkout's."""
    from rtfilter.system.installation import reinstall, uninstall
    from rtfilter.system.overlap import foreign_distributions

    others = ", ".join(name for name, ours in foreign_distributions() if not ours) or "another package"
    return (
        f"{others}, another project of the same import name, covers this program: "
        f"{uninstall('rtfilter')} && {reinstall()}"
    )


def _fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    try:
        print(f"rtfilter: {line}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        _silence(sys.stderr)
    return code


def _silence(stream: TextIO) -> None:
    """Point a stream whose reader is gone at nothing, so that the interpreter's last flush is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _complete_streams() -> None:
    """Streams that take every text: none may be closed, and a path may have letters that a terminal lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _report_bug(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    where = traceback
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f" in {where.tb_frame.f_code.co_name}" if where is not None else ""
    said = " ".join(str(error).split())
    print(
        f"rtfilter: this is a bug, not your mistake ({kind.__name__}{place}: {said}); "
        "please report it with the output of the same command and --debug",
        file=sys.stderr,
    )


if __name__ == "__main__":
    sys.exit(main())
