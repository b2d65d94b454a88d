"""`rtfilter presets`: what is replaced is replaced on purpose, and an editor's text is never lost."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from rtfilter.cli.main import main
from rtfilter.presets import BUILT_IN, find_preset

Said = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "rtfilter" / "presets"


@pytest.fixture
def types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Makes EDITOR a program that replaces a pattern in the file."""

    def make(pattern: str, by: str, code: int = 0) -> None:
        script = tmp_path / "editor.py"
        script.write_text(
            "import re, sys, pathlib\n"
            "path = pathlib.Path(sys.argv[1])\n"
            f"path.write_text(re.sub({pattern!r}, {by!r}, path.read_text(), flags=re.S))\n"
            f"sys.exit({code})\n"
        )
        monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")

    return make


def presets(*words: str) -> int:
    return main(["presets", *words])


def test_a_built_in_preset_is_replaced_only_on_purpose(folder: Path, capsys: Said) -> None:
    assert presets("save", "Friendly", "-e", "happy=0.2") == 1
    assert "friendly is a built-in preset" in capsys.readouterr().err
    assert not folder.exists()
    assert presets("save", "Friendly", "-e", "happy=0.2", "--force") == 0
    assert find_preset("friendly", folder).controls.emotions == {"happy": 0.2}
    assert presets("remove", "friendly") == 0
    assert "the built-in one is back" in capsys.readouterr().out


def test_force_keeps_the_description(folder: Path) -> None:
    presets("save", "Mine", "-e", "happy=0.2", "--description", "for Mondays")
    assert presets("save", "mine", "-e", "happy=30%", "--force") == 0
    mine = find_preset("mine", folder)
    assert (mine.description, mine.controls.emotions) == ("for Mondays", {"happy": 0.3})
    presets("save", "mine", "-e", "happy=0.4", "--force", "--description", "for Fridays")
    assert find_preset("mine", folder).description == "for Fridays"
    presets("save", "mine", "-e", "happy=0.4", "--force", "--description", "")
    assert find_preset("mine", folder).description == ""
    presets("save", "calm", "-e", "happy=0.4", "--force")
    assert find_preset("calm", folder).description == "", "the built-in one's describes another mix"


def test_a_preset_is_edited_in_the_users_editor(folder: Path, types: object, capsys: Said) -> None:
    presets("save", "mine", "-e", "happy=0.2", "--blendshape", "jawOpen=0.1")
    types("happy = 0.2", "HAPPY = 0.7")  # type: ignore[operator]
    assert presets("edit", "Mine") == 0
    controls = find_preset("mine", folder).controls
    assert (controls.emotions, controls.blendshapes) == ({"happy": 0.7}, {"jawOpen": 0.1})
    capsys.readouterr()
    types("nothing like it", "")  # type: ignore[operator]
    assert presets("edit", "mine") == 0
    assert capsys.readouterr().out == "nothing was changed\n"


def test_a_text_that_will_not_do_is_kept_and_changes_nothing(
    folder: Path, types: object, capsys: Said
) -> None:
    presets("save", "mine", "-e", "happy=0.2")
    before = (folder / "mine.toml").read_bytes()
    types("happy = 0.2", "hapy = 0.7")  # type: ignore[operator]
    assert presets("edit", "mine") == 2
    said = capsys.readouterr().err
    assert "did you mean 'happy'" in said
    kept = re.search(r"kept in (\S+)", said)
    assert kept is not None
    assert "hapy = 0.7" in Path(kept[1]).read_text()
    assert (folder / "mine.toml").read_bytes() == before
    types("happy = 0.2", "happy = 0.7", code=3)  # type: ignore[operator]
    assert presets("edit", "mine") == 2
    assert "ended with 3: nothing was changed" in capsys.readouterr().err
    assert (folder / "mine.toml").read_bytes() == before


def test_a_new_preset_starts_with_what_it_may_hold(folder: Path, types: object) -> None:
    types(r"# \[blendshapes\][^\n]*\n# mouth", "[blendshapes]\nmouth")  # type: ignore[operator]
    assert presets("edit", "grin") == 0
    assert find_preset("grin", folder).controls.blendshapes == {"mouthSmileLeft": 0.2}


def test_a_built_in_preset_is_edited_as_a_copy(folder: Path, types: object, capsys: Said) -> None:
    types("happy = 0.4", "happy = 0.5")  # type: ignore[operator]
    assert presets("edit", "friendly") == 2
    assert "edit a copy, rtfilter presets edit my-friendly --preset friendly" in capsys.readouterr().err
    assert presets("edit", "my-friendly", "--preset", "friendly") == 0
    assert find_preset("my-friendly", folder).controls.emotions == {"happy": 0.5}
    assert find_preset("friendly", folder) is BUILT_IN["friendly"]
    assert presets("edit", "friendly", "--force") == 0
    assert find_preset("friendly", folder).controls.emotions == {"happy": 0.5}


@pytest.mark.parametrize("editor", ["/nonexistent/editor", "false", "'"])
def test_an_editor_that_does_not_work_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said, editor: str
) -> None:
    monkeypatch.setenv("VISUAL", editor)
    assert presets("edit", "mine") == 2
    assert f"editor {editor!r}" in capsys.readouterr().err
    assert not folder.exists()
