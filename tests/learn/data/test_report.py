"""The report on a corpus: ratios of twins, and the kinds of sound in order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtfilter.errors import InputError
from rtfilter.learn.data.corpus import Corpus
from rtfilter.learn.data.plan import CorpusSettings, items
from rtfilter.learn.data.report import against_twins, main, speech
from rtfilter.learn.data.track import SUFFIX, Track

pytest.importorskip("scipy", reason='needs scipy: pip install "rtfilter-live[learn]"')
pytest.importorskip("espeakng_loader", reason='needs espeak-ng: pip install "rtfilter-live[learn]"')


@pytest.fixture(scope="module")
def tracks() -> list[Track]:
    settings = CorpusSettings(
        people=1, sentences=2, emotions=("neutral", "angry", "surprised"), levels=(1.0,)
    )
    corpus = Corpus(settings, 3)
    return [corpus.make(item) for item in items(settings)]


def test_a_clip_that_is_its_own_twin_is_1(tracks: list[Track]) -> None:
    same = []
    for track in tracks:
        if track.emotion == "neutral":
            truth = {**track.truth, "twin": np.array(track.name), "twin_time_s": track.time_s}
            same += [track, replace(track, name=track.name + "b", emotion="happy", level=1.0, truth=truth)]
    (row,) = against_twins(same).values()
    assert list(row.values()) == pytest.approx([1.0] * 4)


def test_anger_opens_and_lips_are_closed_where_they_should_be(tracks: list[Track]) -> None:
    rows = against_twins(tracks)
    assert set(rows) == {"angry", "surprised"}
    assert rows["angry"]["gap"] > 1.1
    spoken = speech(tracks)
    assert spoken["gap at PBM"] < spoken["gap at FV"] < spoken["gap at A"]
    assert spoken["clips"] == 2
    with pytest.raises(InputError, match="no neutral track with phones"):
        speech([track for track in tracks if track.emotion != "neutral"])


def test_the_command_prints_both_tables(
    tracks: list[Track], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for track in tracks:
        track.save(tmp_path / f"{track.name}{SUFFIX}")
    assert main([str(tmp_path), str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "angry" in printed
    assert "gap at PBM" in printed
