"""`rtfilter config`: every key is explained, here, in its template and in the documentation."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from rtfilter.cli.config import KEYS_EXPLAINED, template
from rtfilter.cli.main import main
from rtfilter.config import KEYS, settings_from_file

Said = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "rtfilter" / "config.toml"


def test_every_key_is_explained() -> None:
    assert sorted(KEYS_EXPLAINED) == sorted(KEYS)
    table = (ROOT / "docs" / "settings.md").read_text()
    for key in KEYS:
        assert f"`{key}`" in table


def test_the_template_sets_nothing_and_each_of_its_lines_works(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(template())
    settings = settings_from_file(path)
    assert not settings.controls
    assert not settings.values
    path.write_text(re.sub(r"^# (?!rtfilter)", "", template(), flags=re.M))
    settings = settings_from_file(path)
    assert sorted({**settings.controls, **settings.values}) == sorted(KEYS)


def test_it_shows_each_value_and_its_origin(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    assert main(["config"]) == 0
    assert "not there yet; `rtfilter config edit`" in capsys.readouterr().out
    path.parent.mkdir(parents=True)
    path.write_text("mouth = 0.7\nsmoothing = 0.2\n[emotions]\nhappy = 0.5\n")
    monkeypatch.setenv("RTFILTER_MOUTH", "0.9")
    assert main(["config"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^mouth +0\.9 \(environment\)", shown, re.M)
    assert re.search(r"^smoothing +0\.2 \(file\)", shown, re.M)
    assert re.search(r"^emotions +happy=0\.5 \(file\)", shown, re.M)
    assert re.search(r"^fps +- ", shown, re.M)
    assert main(["config", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["path"] == str(path)
    assert {one["key"]: one["value"] for one in told["settings"]}["emotions"] == {"happy": 0.5}


def test_the_file_is_edited_and_kept_when_it_is_wrong(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    script = tmp_path / "editor.py"
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
    replacing = (
        "import sys, pathlib as l; p = l.Path(sys.argv[1]); p.write_text(p.read_text().replace({}, {}))"
    )
    script.write_text(replacing.format(repr("# mouth = 0.4"), repr("mouth = 0.6")))
    assert main(["config", "edit"]) == 0
    assert settings_from_file(path).controls == {"mouth": 0.6}
    before = path.read_bytes()
    script.write_text(replacing.format(repr("mouth = 0.6"), repr("moth = 0.6")))
    assert main(["config", "edit"]) == 2
    said = capsys.readouterr().err
    assert "did you mean 'mouth'" in said
    assert "your text is kept in" in said
    assert path.read_bytes() == before


def test_a_long_value_is_apart_from_its_meaning(monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.setenv("RTFILTER_EMOTIONS", "happy=0.5,sad=0.25,angry=0.1")
    assert main(["config"]) == 0
    assert "happy=0.5 sad=0.25 angry=0.1 (environment) how much" in capsys.readouterr().out
