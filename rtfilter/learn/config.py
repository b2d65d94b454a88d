"""The TOML settings of `rtfilter learn`: one file, one table a step, each read into a frozen dataclass.

Fields are bool, int, float, str, Path, Optional of these, and tuples of them: `tuple[int, ...]`. A step
declares its dataclass and reads it with `Document.table`; `[run]` is common to all. A path that begins with
`{output}` lies in the folder of `[run]`, as a default too.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from rtfilter.errors import UsageError, nearest
from rtfilter.system.tomlfile import place_of, read_toml, toml_value

T = TypeVar("T")

# The tables that a file may have, whichever step reads it.
TABLES: Final = (
    "run", "corpus", "track", "align", "stccl", "editor", "export", "unwrap", "texture", "squares",
    "occlusion", "rims",
)  # fmt: skip
# A path that begins with it lies in the folder that `[run]` names: "{output}/corpus".
OUTPUT: Final = "{output}"
DEVICES: Final = ("auto", "cpu", "cuda")
_NAMES: Final = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}


@dataclass(frozen=True, slots=True)
class Run:
    """`[run]`: common to all steps.

    output: the folder that everything is written below, each step in its own (`folder`). seed: of all that
    is drawn. device: auto, cpu or cuda. threads: of PyTorch on the processor; 0 leaves the choice to it.
    """

    output: Path = Path("learned")
    seed: int = 0
    device: str = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise UsageError(f"device: unknown {self.device!r}:{nearest(self.device, DEVICES)}")
        if self.seed < 0 or self.threads < 0:
            raise UsageError(f"seed, threads: expected 0 or more, got {self.seed}, {self.threads}")

    def folder(self, step: str) -> Path:
        """Where a step writes: `output/step`. It need not exist."""
        return self.output / step


@dataclass(frozen=True, slots=True)
class Document:
    """A settings file that was read: its path, its tables as TOML has them with what `--set` put over them,
    and these overrides as they were given, by table and key."""

    path: Path
    tables: dict[str, dict[str, Any]]
    overrides: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def run(self) -> Run:
        """`[run]`."""
        return self.table("run", Run)

    def table(self, name: str, kind: type[T]) -> T:
        """`[name]` as the dataclass `kind`; what is left out has its default.

        Raises UsageError with file and line, or the `--set` that it came by, for an unknown key, a wrong
        type, a missing key without default, or what the dataclass itself refuses.
        """
        if name not in TABLES:
            raise ValueError(f"{name}: not one of TABLES")
        values = self.tables.get(name, {})
        hints = typing.get_type_hints(kind)
        assert dataclasses.is_dataclass(kind)
        known = [one.name for one in dataclasses.fields(kind)]
        for key in values:
            if key not in known:
                raise UsageError(f"{self._place(name, key)}: unknown key {key!r}:{nearest(key, known)}")
        for one in dataclasses.fields(kind):
            bare = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
            if bare and one.name not in values:
                raise UsageError(f"{self.path}: [{name}] lacks {one.name} = {_wanted(hints[one.name])}")
        converted = {
            one.name: self._placed(one.default)
            for one in dataclasses.fields(kind)
            if isinstance(one.default, Path)
        }
        for key, value in values.items():
            try:
                converted[key] = self._placed(_convert(value, hints[key]))
            except ValueError as error:
                wanted = _wanted(hints[key])
                raise UsageError(
                    f"{self._place(name, key)}: {key}: expected {wanted}, got {value!r}"
                ) from error
        try:
            return typing.cast(T, kind(**converted))
        except UsageError as error:
            given = [text for (table, _), text in self.overrides.items() if table == name]
            also = f" with {' '.join(given)}" if given else ""
            raise UsageError(f"{self.path}{also}: [{name}] {error}") from error

    def _placed(self, value: Any) -> Any:
        """A path with OUTPUT in it, below the folder of `[run]`."""
        if isinstance(value, Path) and value.parts[:1] == (OUTPUT,):
            return self.run.output.joinpath(*value.parts[1:])
        return value

    def _place(self, table: str, key: str) -> str:
        """The `--set` that gave a key, else its file and line; an earlier table may have the same key."""
        if (table, key) in self.overrides:
            return self.overrides[table, key]
        inside = False
        for number, line in enumerate(_lines(self.path), start=1):
            words = line.strip()
            if words.startswith("["):
                inside = words.split("]")[0].strip("[ ") == table
            elif inside and words.partition("=")[0].strip().strip("\"'") == key:
                return f"{self.path}:{number}"
        return str(self.path)


def read_document(path: Path | str, overrides: Sequence[str] = ()) -> Document:
    """Read a settings file, or one of `built_in`.

    overrides: `table.key=value`, over the file's; the value as TOML, or bare text.

    Raises UsageError with file and line for bad TOML or an unknown table, and for an override of bad form.
    """
    path = Path(path)
    if not path.exists() and str(path) in built_in():
        path = built_in()[str(path)]
    if not path.is_file():
        names, what = ", ".join(built_in()), "a folder" if path.is_dir() else "no such file"
        raise UsageError(
            f"{path}: {what}; expected settings of `rtfilter learn` (docs/learn.md), or one of: {names}"
        )
    tables = read_toml(path)
    for name, values in tables.items():
        if name not in TABLES:
            raise UsageError(f"{place_of(path, name)}: unknown table {name!r}:{nearest(name, TABLES)}")
        if not isinstance(values, dict):
            raise UsageError(f"{place_of(path, name)}: {name}: expected a table [{name}], got {values!r}")
    given: dict[tuple[str, str], str] = {}
    for text in overrides:
        place, equals, value = text.partition("=")
        table, dot, key = place.strip().partition(".")
        if not (equals and dot and key):
            raise UsageError(f"--set {text}: expected TABLE.KEY=VALUE, such as run.seed=3")
        if table not in TABLES:
            raise UsageError(f"--set {text}: unknown table {table!r}:{nearest(table, TABLES)}")
        tables.setdefault(table, {})[key] = toml_value(value.strip())
        given[table, key] = f"--set {text}"
    return Document(path, tables, given)


def built_in() -> dict[str, Path]:
    """The settings that come with the program, by name: `small`, `editor`, `metric` and `texture`."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "configs").glob("*.toml"))}


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _convert(value: Any, hint: Any) -> Any:
    """`value` of TOML as the type `hint`. Raises ValueError."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        (inner,) = [part for part in parts if part is not type(None)]
        return _convert(value, inner)
    if origin is tuple and len(parts) == 2 and parts[1] is Ellipsis:
        if not isinstance(value, list):
            raise ValueError("not a list")
        return tuple(_convert(one, parts[0]) for one in value)
    if hint is Path:
        if not isinstance(value, str) or not value:
            raise ValueError("not a path")
        return Path(value).expanduser()
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint or (hint is float and not math.isfinite(value)):
        raise ValueError("another type")
    return value


def _wanted(hint: Any) -> str:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _wanted(next(part for part in parts if part is not type(None)))
    if origin is tuple:
        return f"a list, each {_wanted(parts[0])}"
    return "a path in quotes" if hint is Path else _NAMES.get(hint, str(hint))
