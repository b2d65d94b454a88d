"""`--start` and `--duration` of a file: which pictures, when, and with which sound and chapters."""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rtfilter.cli.main import main
from rtfilter.cli.parser import seconds
from tests.clips import clip
from tests.films import Film, Sound, onsets_s, write

FPS = 30


def pictures(path: Path) -> list[tuple[Fraction, np.ndarray]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [(frame.pts * frame.time_base, frame.to_ndarray(format="rgb24")) for frame in frames]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
@pytest.mark.parametrize(("start", "length", "first", "count"), [(1.0, 0.5, 30, 15), (2.5, None, 75, 15)])
def test_the_pictures_of_a_part_are_those_of_the_whole(
    tmp_path: Path, suffix: str, start: float, length: float | None, first: int, count: int
) -> None:
    source, out = tmp_path / f"in{suffix}", tmp_path / "out.mkv"
    clip(source, frames=90, steps=(3000,), options={"g": "12", "bf": "2"})
    words = ["run", "-i", str(source), "-o", str(out), "--codec", "ffv1", "--quiet", "--start", str(start)]
    assert main([*words, *([] if length is None else ["--duration", str(length)])]) == 0
    whole, part = pictures(source), pictures(out)
    assert len(part) == count
    assert part[0][0] == 0
    for index, (time, rgb) in enumerate(part):
        wanted_time, wanted = whole[first + index]
        assert abs(time - (wanted_time - whole[first][0])) <= Fraction(1, 500)
        assert np.abs(rgb.astype(int) - wanted).max() <= 2


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_the_sound_of_a_part_is_in_step_and_as_long(tmp_path: Path, suffix: str) -> None:
    source, out = (
        write(tmp_path / f"in{suffix}", Film(sounds=(Sound(),), chapters=True)),
        tmp_path / f"out{suffix}",
    )
    clicks = onsets_s(source)
    assert (
        main(["run", "-i", str(source), "-o", str(out), "--quiet", "--start", "0.5", "--duration", "1"]) == 0
    )
    wanted = [click - 0.5 for click in clicks if 0.53 <= click < 1.47]
    assert wanted
    assert onsets_s(out) == pytest.approx(wanted, abs=0.03)
    with av.open(str(out)) as container:
        assert container.duration / 1e6 == pytest.approx(1.0, abs=0.1)
        for chapter in container.chapters():
            assert chapter["start"] >= 0
            assert chapter["end"] * chapter["time_base"] <= 1.001


def test_a_duration_alone_begins_at_the_beginning(tmp_path: Path) -> None:
    source, out = tmp_path / "in.mkv", tmp_path / "out.mkv"
    clip(source, frames=30, steps=(3000,))
    assert main(["run", "-i", str(source), "-o", str(out), "--quiet", "--duration", "0.2"]) == 0
    assert len(pictures(out)) == 6


@pytest.mark.parametrize(
    ("text", "value"),
    [("90", 90.0), ("1:30", 90.0), ("0:01:30.5", 90.5), ("0", 0.0), ("12.25", 12.25), (".5", 0.5)],
)
def test_times_as_people_type_them(text: str, value: float) -> None:
    assert seconds(0.0)(text) == value


@pytest.mark.parametrize("text", ["", "1:75", "-1", "1h", "1:2:3:4", "nan", "99:99", "999999", "."])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        seconds(0.0)(text)
