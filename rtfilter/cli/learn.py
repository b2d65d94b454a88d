"""`rtfilter learn`: what the learned parts are made of and by; needs the `learn` extra."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rtfilter.cli.terminal import InterruptedJob, ProgressBar, notify, report_interruption
from rtfilter.cli.verbs import LEARN_STEPS
from rtfilter.errors import MissingExtraError, UsageError, nearest
from rtfilter.system.installation import install_extra

# The module whose `main` does a step, and what the step counts while it works: "" has no bar of ours.
MODULES = {
    "corpus": ("rtfilter.learn.data.corpus", "tracks"),
    "track": ("rtfilter.learn.data.cache", "clips"),
    "align": ("rtfilter.learn.data.align", "pairs"),
    "stccl": ("rtfilter.learn.stccl.train", "steps"),
    "editor": ("rtfilter.learn.editor.train", ""),
    "export": ("rtfilter.learn.editor.export", ""),
    "unwrap": ("rtfilter.learn.texture.unwrap", "people"),
    "texture": ("rtfilter.learn.texture.train", ""),
    "texture-export": ("rtfilter.learn.texture.export", ""),
    "squares": ("rtfilter.learn.occlusion.squares", "people"),
    "occlusion": ("rtfilter.learn.occlusion.train", ""),
    "occlusion-export": ("rtfilter.learn.occlusion.export", ""),
    "rims": ("rtfilter.learn.rims.train", "steps"),
}
RESUMED = ("stccl", "editor", "texture", "occlusion")
# They tell how far they are in lines of their own.
TELLING = ("editor", "texture", "occlusion")
# Of the extra: the others come with these.
PACKAGES = ("torch", "librosa", "scipy", "soundfile", "tensorboard")


def learn(arguments: argparse.Namespace) -> int:
    """Do one step with its settings."""
    step, config = arguments.step, arguments.config
    if step not in MODULES:
        raise UsageError(
            "expected a step: " + ", ".join(LEARN_STEPS)
            if step is None
            else f"unknown step {step!r}:{nearest(step, LEARN_STEPS)}"
        )
    if config is None:
        raise UsageError(f"expected settings: rtfilter learn {step} CONFIG.toml, or `small` (docs/learn.md)")
    if arguments.resume and step not in RESUMED:
        raise UsageError(f"{step} takes no --resume: what is finished is always kept")
    module, unit = MODULES[step]
    run = _main_of(module)
    keywords: dict[str, Any] = {"overrides": arguments.set}
    if step in RESUMED:
        keywords["resume"] = arguments.resume
    if step in TELLING:
        keywords["quiet"] = arguments.quiet
    with ProgressBar(unit=unit) if unit and not arguments.quiet else nullcontext() as bar:
        if unit:
            keywords["progress"] = bar

        def notify_below(line: str) -> None:
            """Write a line that does not run into the bar."""
            if bar is not None:
                bar.close()
            notify(line)

        try:
            run(Path(config), notify=notify_below, **keywords)
        except ImportError as error:
            raise _missing(error) from error
        except KeyboardInterrupt as error:
            again = "the same command, with --resume," if step in RESUMED else "the same command"
            report_interruption(error, f"at work; what is finished is kept, and {again} goes on")
            raise InterruptedJob from error
    return 0


def _main_of(module: str) -> Callable[..., object]:
    try:
        main: Callable[..., object] = importlib.import_module(module).main
    except ImportError as error:
        raise _missing(error) from error
    return main


def _missing(error: ImportError) -> Exception:
    """What to install for a package that does not load; the error itself for any other."""
    if (error.name or "").partition(".")[0] in PACKAGES:
        return MissingExtraError(f"rtfilter learn needs {error.name}: {install_extra('learn')}")
    return error
