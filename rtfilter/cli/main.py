"""The `rtfilter` command: parses, runs one verb, and turns its errors into one line and an exit code.

Called by the console script and `python -m rtfilter`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from types import TracebackType
from typing import TextIO

import rtfilter
from rtfilter.cli.parser import Parser
from rtfilter.cli.terminal import EXIT_INTERRUPTED, InterruptedJob, report_interruption
from rtfilter.cli.verbs import VERBS
from rtfilter.errors import RtfilterError, UsageError, nearest
from rtfilter.system.interrupts import came, end_on_signals, interrupt_on_signals
from rtfilter.system.native_logs import silence_native_logs
from rtfilter.system.threads import end_process

EXIT_BROKEN_PIPE = 128 + 13


def build_parser() -> tuple[Parser, dict[str, Parser]]:
    """The parser, and those of the verbs by name."""
    parser = Parser(
        prog="rtfilter", description="Changes the expression of a face and keeps every word on the lips."
    )
    parser.add_argument("--version", action="version", version=f"rtfilter {rtfilter.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    parsers = {}
    for name, (summary, add_options) in VERBS.items():
        parsers[name] = verbs.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        parsers[name].add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        add_options(parsers[name])
    return parser, parsers


def perform(arguments: argparse.Namespace) -> int:
    """Load the module of the verb and run it."""
    module = importlib.import_module(f"rtfilter.cli.{arguments.verb}")
    code: int = getattr(module, arguments.verb)(arguments)
    return code


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

    argv: default the process's own; only then are signals and streams set up, and bugs reported in one line.
    """
    if argv is not None:
        return _run(list(argv))
    try:
        interrupt_on_signals()
        _complete_streams()
        if "--debug" not in sys.argv:
            silence_native_logs()
            sys.excepthook = _report_bug
        code = _run(sys.argv[1:])
    except KeyboardInterrupt as error:
        report_interruption(error)
        code = EXIT_INTERRUPTED
    finally:
        end_on_signals()
    if code == EXIT_INTERRUPTED:
        # CPython keeps in mind that an interrupt came while a text was executed (so dataclasses are made),
        # and ends by SIGINT then, whatever the exit code; the next text makes it forget.
        exec("")
    return end_process(code)


def _run(words: list[str]) -> int:
    """`main` with arguments."""
    debug = "--debug" in words
    if not hasattr(rtfilter, "__version__"):
        return _fail(_covered(), 1)
    try:
        arguments = parse(words)
        code = perform(arguments)
        sys.stdout.flush()
    except RtfilterError as error:
        if debug:
            raise
        return _fail(str(error), error.exit_code)
    except InterruptedJob:
        return EXIT_INTERRUPTED
    except KeyboardInterrupt as error:
        report_interruption(error)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _silence(sys.stdout)
        return EXIT_BROKEN_PIPE
    except OSError as error:
        if debug:
            raise
        return _fail(f"{error.filename or 'system'}: {error.strerror or error}", 1)
    except ImportError as error:
        if came:  # modules of C say so where an interrupt ends their loading
            raise KeyboardInterrupt(came[0]) from error
        if debug:
            raise
        return _fail(f"a part does not load ({error}); `rtfilter doctor` says how to mend it", 1)
    return code


def _covered() -> str:
    """The message for an installation whose folder `rtfilter` another project has overwritten."""
    from rtfilter.system.installation import foreign_distributions, reinstall, uninstall

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
    """Redirect a stream without a reader to the null device, for the interpreter's last flush."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _complete_streams() -> None:
    """Replace closed streams, and have those of a terminal escape letters that it lacks."""
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
    message = " ".join(str(error).split())
    print(
        f"rtfilter: this is a bug, not your mistake ({kind.__name__}{place}: {message}); "
        "please report it with the output of the same command and --debug",
        file=sys.stderr,
    )
