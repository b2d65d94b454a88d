"""No file that a verb reads is ever written over, however it is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rtfilter.cli.main import main
from tests.clips import clip


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    clip(path, frames=3)
    return path


def other_name(video: Path, kind: str) -> Path:
    """Another name of the same file."""
    alias = video.with_name(f"{kind}.mp4")
    if kind == "link":
        alias.symlink_to(video)
    elif kind == "hard":
        os.link(video, alias)
    else:
        alias = video.parent / "." / ".." / video.parent.name / video.name
    return alias


@pytest.mark.parametrize("kind", ["detour", "link", "hard"])
@pytest.mark.parametrize(
    "words",
    [
        ["run", "-i", "{video}", "-o", "{other}", "--force"],
        ["run", "-i", "{video}", "-o", "null", "--report", "{other}", "--force"],
        ["inspect", "{video}", "-o", "{other}", "--force"],
    ],
)
def test_the_input_is_never_written_over(
    video: Path, kind: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = video.read_bytes()
    other = other_name(video, kind)
    assert main([word.format(video=video, other=other) for word in words]) == 2
    assert video.read_bytes() == before
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "both" in said


def test_the_report_does_not_replace_the_result(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    assert main(["run", "-i", str(video), "-o", str(out), "--report", str(out)]) == 2
    assert "both report and output" in capsys.readouterr().err
    assert not out.exists()
