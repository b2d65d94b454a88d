"""`rtfilter enroll`: learns a person's own skin from a camera or videos; lists and deletes profiles."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rtfilter.cli.endpoints import DEMO, is_camera, open_source
from rtfilter.cli.output import refuse_existing
from rtfilter.cli.passphrase import seal_for
from rtfilter.cli.terminal import InterruptedJob, ProgressBar, StatusLine, notify, report_interruption
from rtfilter.errors import DeviceError, UsageError
from rtfilter.profiles.gather import Gathering, Progress, near_faces
from rtfilter.profiles.guide import PROMPTS
from rtfilter.profiles.profile import Profile, load_profile, made_and_kept
from rtfilter.profiles.report import Quality
from rtfilter.profiles.store import ProfileStore, check_name, check_new_name
from rtfilter.sources.base import Source, is_live

# Of a video; a camera gives its newest picture whenever there is time for one.
FRAMES_A_S = 10.0
READ_S = 5.0


def enroll(arguments: argparse.Namespace) -> int:
    """`rtfilter enroll`."""
    asked = [name for name in ("list", "show", "preview", "delete") if getattr(arguments, name)]
    if len(asked) > 1 or (asked and arguments.sources):
        wanted = " and ".join([*(f"--{name}" for name in asked), *arguments.sources[:1]])
        raise UsageError(f"expected one of a source, --list, --show, --preview, --delete; got {wanted}")
    if asked:
        return {"list": _list, "show": _show, "preview": _preview, "delete": _delete}[asked[0]](arguments)
    if not arguments.sources:
        raise UsageError("whom? expected rtfilter enroll camera:0 or a video; --list shows who is enrolled")
    return _enrol(arguments)


def _enrol(arguments: argparse.Namespace) -> int:
    from rtfilter.face.model import MorphableModel
    from rtfilter.tracking.engine import EngineTracker

    name = check_new_name(arguments.name)
    live = [source for source in arguments.sources if is_camera(source) or is_live(source)]
    if live and len(arguments.sources) > 1:
        raise UsageError(f"expected one camera, or videos; got {live[0]} beside others")
    store = ProfileStore(seal=seal_for(arguments.passphrase, new=True))
    store.require_writable()
    if store.exists(name) and not arguments.force:
        raise UsageError(f"profile {name} exists: replace it with --force, or choose another --name")
    if arguments.fresh:
        store.forget_parts(name)
    model = MorphableModel.builtin()
    # A video can be read again; of a camera, what was gathered is kept.
    gathering = Gathering(store if live else None, name, arguments.seconds, model, notify)
    tracker = EngineTracker()
    try:
        for address in arguments.sources:
            if gathering.progress.done:
                break
            source = open_source(address, {}, live=address == DEMO, duration_s=None)
            try:
                _watch(source, tracker, gathering, guided=bool(live), quiet=arguments.quiet)
            finally:
                source.close()
            tracker.reset()
    except DeviceError as error:
        gathering.write()
        raise DeviceError(f"{error}; {_kept(gathering)}") from error
    except KeyboardInterrupt as error:
        gathering.write()
        kept = _kept(gathering) if live else "nothing was changed"
        report_interruption(error, f"after {gathering.progress.seconds:.0f} s of the face; {kept}")
        raise InterruptedJob(*error.args) from error
    finally:
        tracker.close()
    gathering.write()
    gathering.require_enough()
    if not arguments.quiet:
        notify(f"learning from {len(gathering.samples)} pictures")
    profile, path = made_and_kept(gathering, store, name, model)
    if not arguments.quiet:
        use = f"rtfilter cam --profile {name}{' --passphrase' if store.encrypts else ''}"
        print("\n".join([*profile.quality.lines(), f"kept in {path}; use it: {use}"]))
    return 0


def _kept(gathering: Gathering) -> str:
    return gathering.kept + (": the same command goes on from there" if gathering.kept_s else "")


def _watch(source: Source, tracker: Any, gathering: Gathering, *, guided: bool, quiet: bool) -> None:
    """Give the frames of a source to the enrolment until it has enough, or the source ends."""
    every_s = 0.0 if guided else 1.0 / FRAMES_A_S
    last_s, origin_s = -1e9, None
    count = source.info.frame_count
    with _Guide(quiet) if guided else ProgressBar() as line:
        while (frame := source.read(READ_S)) is not None:
            time_s = frame.pts_ns * 1e-9
            origin_s = time_s if origin_s is None else origin_s
            if isinstance(line, ProgressBar) and not quiet:
                line(frame.seq + 1, count)
            if time_s - last_s < 0.999 * every_s:
                continue
            last_s = time_s
            faces = [found.points_px for found in tracker.track_all(frame, 2)]
            progress = gathering.step(frame.rgb, near_faces(faces), time_s)
            if isinstance(line, _Guide):
                line.show(progress)
            if progress.done:
                return


class _Guide(StatusLine):
    """What to do now: a line that is redrawn in a terminal, else one line for each new thing."""

    def __init__(self, quiet: bool) -> None:
        super().__init__()
        self._quiet, self._said = quiet, ""

    def show(self, progress: Progress) -> None:
        text = progress.problem.value if progress.problem is not None else progress.prompt.text
        if self._quiet or progress.done:
            return
        number = PROMPTS.index(progress.prompt) + 1
        if sys.stderr.isatty():
            left = f"{progress.left_s:3.0f} s" if progress.problem is None else "    !"
            self.draw(f"{progress.seconds / progress.wanted:4.0%} {number}/{len(PROMPTS)} {left}  {text}")
        elif text != self._said:
            self._said = text
            notify(f"{progress.seconds:.0f} of {progress.wanted:.0f} s: {text}")


def _list(arguments: argparse.Namespace) -> int:
    entries = ProfileStore().entries()
    if arguments.json:
        print(
            json.dumps(
                [
                    {
                        "name": entry.name,
                        "path": str(entry.path),
                        "created": entry.header.get("created"),
                        "encrypted": entry.encrypted,
                        "problem": entry.problem,
                    }
                    for entry in entries
                ],
                indent=2,
            )
        )
        return 0
    for entry in entries:
        state = (
            entry.problem or f"{entry.header.get('created', '')}{' (encrypted)' if entry.encrypted else ''}"
        )
        print(f"{entry.name:<20} {state}")
    if not entries:
        notify("no profile yet: rtfilter enroll camera:0")
    return 0


def _opened(arguments: argparse.Namespace, name: str) -> Profile:
    return load_profile(ProfileStore(seal=seal_for(arguments.passphrase)), check_name(name))


def _show(arguments: argparse.Namespace) -> int:
    profile = _opened(arguments, arguments.show)
    quality: Quality = profile.quality
    if arguments.json:
        print(json.dumps({"name": profile.name, "created": profile.created, **quality.as_dict()}, indent=2))
    else:
        print("\n".join([f"{profile.name}, of {profile.created}", *quality.lines()]))
    return 0


def _preview(arguments: argparse.Namespace) -> int:
    from rtfilter.profiles.preview import write_preview

    name, out = arguments.preview
    path = Path(out)
    refuse_existing(path, arguments.force)
    write_preview(_opened(arguments, name), path)
    notify(f"{path}: above the built-in maps, below those of {name}")
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    for path in ProfileStore().delete(check_name(arguments.delete)):
        print(f"deleted {path}")
    return 0
