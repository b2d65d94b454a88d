"""Files that a verb writes: whole or not at all, and never over another unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtfilter.cli.output import refuse_existing, text_output, write_json
from rtfilter.errors import OutputError


def test_an_existing_file_needs_force(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    refuse_existing(path, force=False)
    path.write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        refuse_existing(path, force=False)
    refuse_existing(path, force=True)
    with pytest.raises(OutputError, match="is a folder"):
        refuse_existing(tmp_path, force=True)
    with pytest.raises(OutputError, match="does not exist"):
        refuse_existing(tmp_path / "no" / "r.json", force=False)


def test_text_that_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("old")

    def broken() -> None:
        with text_output(str(path)) as out:
            out.write("half")
            raise RuntimeError("broken off")

    with pytest.raises(RuntimeError):
        broken()
    assert path.read_text() == "old"
    with text_output(str(path)) as out:
        out.write("whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_json_file_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_json(tmp_path / "file" / "r.json", {})


def test_a_folder_that_may_not_be_written_to_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asked of the system, which also knows read-only disks; root may write anywhere else.
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OutputError, match="may not be written to"):
        refuse_existing(tmp_path / "r.json", force=False)


@pytest.mark.parametrize("length", [240, 246, 251, 255])
@pytest.mark.parametrize("letter", ["o", "\u00f6", "\U0001f642"])
def test_a_name_as_long_as_the_system_allows(tmp_path: Path, letter: str, length: int) -> None:
    """The temporary name beside it must not be longer."""
    size = len(letter.encode())
    stem = letter * ((length - 5) // size)
    path = tmp_path / (stem + "x" * (length - 5 - len(stem.encode())) + ".json")
    assert len(path.name.encode()) == length
    write_json(path, {"a": 1})
    with text_output(str(path)) as out:
        out.write("text")
    assert path.read_text() == "text"
    assert list(tmp_path.iterdir()) == [path]
