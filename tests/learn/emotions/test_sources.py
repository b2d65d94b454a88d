"""Footage folders: which names are understood, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtfilter.errors import InputError
from rtfilter.learn.emotions.sources import CDRL, find


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


PAIR = ("mead/W001_front_neutral_level1_001.mp4", "mead/W001_front_fear_level3_001.mp4")


def test_names_say_who_feels_what_and_how_strongly(tmp_path: Path) -> None:
    touch(tmp_path, *PAIR, "spectre/M002_level_2_surprised_010.mp4", "eamm/contempt.mp4", "grid/others/a.mpg")
    takes = {take.name: take for take in find(tmp_path)}
    fear = takes["mead-W001_front_fear_level3_001"]
    assert (fear.person, fear.emotion, fear.level, fear.sentence) == ("W001", "fearful", 1.0, "001")
    assert takes["mead-W001_front_neutral_level1_001"].level == 0.0
    assert takes["spectre-M002_level_2_surprised_010"].level == pytest.approx(2 / 3)
    assert takes["eamm-contempt"].person != takes["others-a"].person


def test_one_speakers_clip_in_two_folders_is_one_person(tmp_path: Path) -> None:
    touch(tmp_path, *PAIR, "grid/s1/a.mpg", "grid/others/a.mpg", "grid/others/b.mpg")
    assert {t.person for t in find(tmp_path) if t.person.startswith("grid")} == {"grid-s1", "grid-b"}


def test_stills_are_one_take_a_person_and_label(tmp_path: Path) -> None:
    touch(tmp_path, *PAIR, *(f"cdrl/happy/{n:06d}.jpg" for n in (0, 1, 60, 47)))
    stills = {take.person: len(take.files) for take in find(tmp_path) if take.still}
    assert stills == {"cdrl-b": 2, "cdrl-d": 1, "cdrl-c": 1}


def test_no_still_has_two_people_and_the_rest_comes_last() -> None:
    for label, people in CDRL.items():
        numbers = [n for frames in people.values() if frames is not None for n in frames.split()]
        assert len(numbers) == len(set(numbers)), label
        assert list(people.values()).index(None) == len(people) - 1, label


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "no person with a neutral and an emotional take"),
        (PAIR[:1], "no person with a neutral and an emotional take"),
        ((*PAIR, "mead/clip.mp4"), "clip.mp4: expected a name such as"),
        ((*PAIR, "mead/W001_front_bored_level3_001.mp4"), "emotion 'bored'; expected one of happy"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_line(
    tmp_path: Path, names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        find(touch(tmp_path, *names))
    assert "\n" not in str(caught.value)
