"""TOML files: read with errors that name file and line, written whole or not at all.

Called by `config`, `presets` and `learn.config`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtfilter.errors import UsageError
from rtfilter.system.files import write_text_atomically

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises UsageError with file and line when it is not TOML or not UTF-8, or cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}; mend that line or move the file away") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def toml_value(text: str) -> Any:
    """The value that `text` stands for in TOML, such as `0.5` or `[1, 2]`; text that is none, as it is."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def place_of(path: Path, key: str) -> str:
    """`file:line` of the first assignment to `key` or table called `key`; the file alone without one."""
    name = re.escape(key)
    written = re.compile(rf"""\s*(?:\[\s*)?["']?{name}["']?\s*(?:=|\]|\.)""")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if written.match(line):
            return f"{path}:{number}"
    return str(path)


def write_toml(path: Path, values: Mapping[str, Any]) -> None:
    """Write `values` (strings, numbers, booleans, and one level of tables of these), atomically.

    Raises OutputError when the file or its folder cannot be written.
    """
    write_text_atomically(path, toml_text(values))


def toml_text(values: Mapping[str, Any]) -> str:
    """`values` as `write_toml` writes them."""
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines = [f"{key} = {_literal(value)}" for key, value in plain.items()]
    for table, entries in tables.items():
        lines += ["", f"[{table}]"] + [f"{key} = {_literal(value)}" for key, value in entries.items()]
    return "\n".join(lines).lstrip("\n") + "\n"


def _literal(value: str | bool | int | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # Lone surrogates (bytes of a command line that are no UTF-8) have no place in TOML.
        text = value.encode("utf-8", "replace").decode()
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
    return repr(value)
