"""`rtfilter config`: every setting, its value and where that comes from; and their file in an editor."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from rtfilter.config import config_path, settings_from_environment, settings_from_file
from rtfilter.controls import ALL_FACES, EMOTIONS, FACES_MAX, INTENSITY_MAX, SKIN_MAX, TABLES
from rtfilter.errors import UsageError
from rtfilter.system.files import write_text_atomically

# By key: an example as TOML, and the meaning with range and default. Tables stand last, as TOML requires.
KEYS_EXPLAINED: Final[Mapping[str, tuple[str, str]]] = {
    "preset": ('"friendly"', "a named mix; `rtfilter presets` lists them"),
    "intensity": ("1.0", f"factor on the emotions, 0..{INTENSITY_MAX} (default 1)"),
    "mouth": ("0.4", "1: opening and width of the lips stay; 0: emotion changes both (default 0.4)"),
    "valence": ("0.3", "-1 unpleasant .. 1 pleasant (default 0)"),
    "arousal": ("0.1", "-1 drowsy .. 1 excited (default 0)"),
    "smoothing": ("0.5", "0 follows at once .. 1 calmest (default 0.5)"),
    "skin": ("1.0", f"how strongly folds and light of the skin follow, 0..{SKIN_MAX} (default 1)"),
    "bypass": ("false", "true passes every frame through untouched (default false)"),
    "occlusion": ("true", "false edits over hands, glasses and what is behind the person (default true)"),
    "input": ('"camera:0"', "what to filter: a file, camera:N or demo"),
    "output": ('"virtualcam"', "where it goes: a file, virtualcam or null"),
    "codec": ('"h264"', "of video files that can have it, as --codec (default h264)"),
    "device": ('"/dev/video9"', "the virtual camera (default: the first free one)"),
    "lane": ('"auto"', "cpu, cuda, or auto (default): a GPU where one can be used"),
    "faces": ("1", f'how many people are edited: 1..{FACES_MAX}, or "{ALL_FACES}" (default 1)'),
    "profile": ('"me"', "whose skin is painted: a profile of `rtfilter enroll`"),
    "editor": ('"closed"', "closed (default): a formula; learned: a network; or a file of one"),
    "width": ("1280", "pixels to ask a camera or the demo for (default 1280)"),
    "height": ("720", "pixels to ask a camera or the demo for (default 720)"),
    "fps": ("30", "frames a second to ask a camera or the demo for (default 30)"),
    "emotions": ("happy = 0.4", f"how much of each, 0..{INTENSITY_MAX}: {', '.join(EMOTIONS)}"),
    "blendshapes": (
        "mouthSmileLeft = 0.2",
        f"offsets by ARKit's names, -{INTENSITY_MAX}..{INTENSITY_MAX}; a name without a side means both",
    ),
}
# Tried in this order where neither VISUAL nor EDITOR is set.
_EDITORS = ("editor", "nano", "vim", "vi", "notepad")


def config(arguments: argparse.Namespace) -> int:
    """Show the settings, or edit their file."""
    return _edit() if arguments.action_name == "edit" else _show(arguments.json)


def _show(as_json: bool) -> int:
    path = config_path()
    environment, file = settings_from_environment(os.environ), settings_from_file(path)
    # The highest last, so that it wins.
    layers = {"file": {**file.controls, **file.values}}
    layers["environment"] = {**environment.controls, **environment.values}
    found = {key: (value, name) for name, layer in layers.items() for key, value in layer.items()}
    known = []
    for key, (_, meaning) in KEYS_EXPLAINED.items():
        value, origin = found.get(key, (None, None))
        known.append({"key": key, "value": value, "from": origin, "meaning": meaning})
    if as_json:
        print(json.dumps({"path": str(path), "exists": path.exists(), "settings": known}, indent=2))
        return 0
    print(f"{path}{'' if path.exists() else ' (not there yet; `rtfilter config edit` makes it)'}")
    for one in known:
        shown = "-" if one["value"] is None else f"{_shown(one['value'])} ({one['from']})"
        print(f"{one['key']:<12} {shown:<23} {one['meaning']}")
    print("The command line wins over the environment (RTFILTER_MOUTH=0.5), which wins over the file.")
    return 0


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={amount:g}" for name, amount in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _edit() -> int:
    path = config_path()
    before = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else template()
    return edit_file(path, before, settings_from_file)


def template() -> str:
    """A settings file in which every key is explained and none is set."""
    head = "# rtfilter's settings: remove the # of a line to use it; options and RTFILTER_... win.\n\n"
    return head + explained(KEYS_EXPLAINED)


def explained(keys: Iterable[str]) -> str:
    """The lines of TOML that explain these keys and set none; tables have to come last."""
    lines = []
    for key in keys:
        example, meaning = KEYS_EXPLAINED[key]
        if key in TABLES:
            lines += ["", f"# [{key}]  # {meaning}", f"# {example}"]
        else:
            lines.append(f"# {key} = {example}  # {meaning}")
    return "\n".join(lines) + "\n"


def edit_file(path: Path, text: str, check: Callable[[Path], object], advice: str = "") -> int:
    """Let the user edit `text`, write it to `path`, and print that and the `advice`. As `_edited` raises."""
    after = _edited(text, path.name, check)
    if after is None:
        print("nothing was changed")
        return 0
    write_text_atomically(path, after)
    print(f"saved {path}{advice}")
    return 0


def _edited(text: str, name: str, check: Callable[[Path], object]) -> str | None:
    """`text` after the user's editor; None when it is unchanged.

    Args:
        name: of the file that the editor gets.
        check: raises UsageError for a wrong file. Its text is then kept where the message says.

    Raises:
        UsageError: without an editor, or when it ends with an error.
    """
    command = _editor()
    folder = Path(tempfile.mkdtemp(prefix="rtfilter-edit-"))
    path = folder / name
    path.write_text(text, encoding="utf-8")
    keep = False
    try:
        try:
            code = subprocess.run([*command, str(path)], check=False).returncode
        except OSError as error:
            raise UsageError(f"editor {command[0]!r}: {error.strerror}; set EDITOR to another") from error
        if code != 0:
            raise UsageError(f"editor {command[0]!r} ended with {code}: nothing was changed")
        after = path.read_text(encoding="utf-8", errors="replace")
        if after == text:
            return None
        try:
            check(path)
        except UsageError as error:
            keep = True
            raise UsageError(f"{error} Nothing was changed; your text is kept in {path}") from error
        return after
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _editor() -> list[str]:
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    try:
        words = shlex.split(chosen or "", posix=os.name == "posix")
    except ValueError as error:
        raise UsageError(f"the editor {chosen!r} (VISUAL or EDITOR) is no command: {error}") from error
    if words:
        return words
    for name in _EDITORS:
        found = shutil.which(name)
        if found:
            return [found]
    raise UsageError("no editor was found: set EDITOR, such as EDITOR=nano")
