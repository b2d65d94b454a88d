"""A text in the user's editor: taken when it is right, kept for mending when it is not."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from rtfilter.errors import UsageError

# Tried in this order where neither VISUAL nor EDITOR is set.
_USUAL = ("editor", "nano", "vim", "vi", "notepad")


def edited(text: str, name: str, check: Callable[[Path], object]) -> str | None:
    """`text` after the user's editor; None when it is as before.

    name: of the file that the editor is given. check: raises UsageError for a file that will not do; then the
    text is kept where the message says. Raises UsageError without an editor, or when it ends with an error.
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
    for name in _USUAL:
        found = shutil.which(name)
        if found:
            return [found]
    raise UsageError("no editor was found: set EDITOR, such as EDITOR=nano")
