"""Data sets as people download them: names read, twins recognised, and everything odd counted in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtfilter.errors import InputError, UsageError
from rtfilter.learn.data.sets import crema_d, grid, mead, ravdess
from rtfilter.learn.data.sets.clip import Clip, Skipped
from rtfilter.learn.data.sets.read import parse_set, read_sets

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


def put(folder: Path, *names: str, content: bytes = b"x" * 4000) -> None:
    """Files that are large enough to be clips; nothing opens them here."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def labels(clips: list[Clip]) -> list[tuple[str, str, str, float]]:
    return [(clip.person, clip.sentence, clip.emotion, clip.level) for clip in clips]


def reasons(skipped: Skipped) -> str:
    return "\n".join(skipped.lines())


def test_mead_as_downloaded_and_as_published_beside_papers(tmp_path: Path) -> None:
    put(
        tmp_path,
        "M003/video/front/angry/level_3/001.mp4",
        "M003/video/front/neutral/level_1/001.mp4",
        "M003/video/left_30/angry/level_3/001.mp4",
        "M003/audio/angry/level_3/001.m4a",
        "W009_front_sad_level2_017.mp4",
        "W036_level_3_happy_007.mp4",
        "M003/video/front/bored/level_3/001.mp4",
        "holiday.mp4",
        "W011/video.tar",
        "W012_front_sad_level3_001.mp4.part",
    )
    put(tmp_path, "W013_front_sad_level3_001.mp4", content=b"")
    skipped = Skipped()
    clips = mead.clips(tmp_path, skipped)
    assert labels(clips) == [
        ("M003", "001", "angry", 1.0),
        ("M003", "001", "neutral", 0.0),
        ("W009", "sad017", "sad", 0.67),
        ("W036", "happy007", "happy", 1.0),
    ]
    assert clips[0].sound == tmp_path / "M003/audio/angry/level_3/001.m4a"
    assert clips[1].sound is None
    for said in (
        "seen from the side",
        "emotion or level",
        "name that MEAD",
        "not unpacked",
        "in part",
        "cut off",
    ):
        assert said in reasons(skipped)
    assert all(line.startswith("1 file left out") for line in skipped.lines())


def test_sentences_of_mead_are_twins_only_where_they_are_the_same(tmp_path: Path) -> None:
    """Its numbers above 3 stand for other words in every emotion."""
    put(tmp_path, *(f"M003_front_{e}_level1_{n}.mp4" for e in ("happy", "neutral") for n in ("003", "004")))
    sentences = {(clip.emotion, clip.sentence) for clip in mead.clips(tmp_path, Skipped())}
    assert sentences == {
        ("happy", "003"),
        ("neutral", "003"),
        ("happy", "happy004"),
        ("neutral", "neutral004"),
    }


def test_ravdess_prefers_clips_with_sound_and_leaves_songs_and_calm(tmp_path: Path) -> None:
    put(
        tmp_path,
        "Actor_12/01-01-06-02-02-01-12.mp4",
        "Actor_12/02-01-06-02-02-01-12.mp4",
        "Actor_12/02-01-01-01-01-02-12.mp4",
        "Actor_12/03-01-01-01-01-02-12.wav",
        "Actor_12/01-02-03-01-01-01-12.mp4",
        "Actor_12/01-01-02-01-01-01-12.mp4",
        "Actor_12/01-01-09-01-01-01-12.mp4",
        "Actor_12/clip.mp4",
    )
    skipped = Skipped()
    clips = ravdess.clips(tmp_path, skipped)
    assert labels(clips) == [("R12", "01", "neutral", 0.0), ("R12", "02", "fearful", 1.0)]
    assert clips[0].path.name.startswith("02-")
    assert clips[0].sound == tmp_path / "Actor_12/03-01-01-01-01-02-12.wav"
    assert clips[1].path.name.startswith("01-")
    assert clips[1].sound is None
    for said in ("song", "calm", "2 files left out: a name that RAVDESS"):
        assert said in reasons(skipped)


def test_crema_d_with_its_odd_name_and_pointers(tmp_path: Path) -> None:
    put(
        tmp_path,
        "VideoFlash/1001_IEO_ANG_HI.flv",
        "VideoFlash/1001_IEO_NEU_XX.flv",
        "VideoFlash/1040_ITH_SAD_X.flv",
        "VideoFlash/1001_IEO_BOR_HI.flv",
        "AudioWAV/1001_IEO_ANG_HI.wav",
    )
    put(tmp_path, "VideoFlash/1002_IEO_ANG_HI.flv", "AudioWAV/1001_IEO_NEU_XX.wav", content=POINTER)
    skipped = Skipped()
    clips = crema_d.clips(tmp_path, skipped)
    assert labels(clips) == [
        ("C1001", "IEO", "angry", 1.0),
        ("C1001", "IEO", "neutral", 0.0),
        ("C1040", "ITH", "sad", 0.67),
    ]
    assert clips[0].sound == tmp_path / "AudioWAV/1001_IEO_ANG_HI.wav"
    assert clips[1].sound is None
    assert "Git LFS" in reasons(skipped)
    assert "name that CREMA-D" in reasons(skipped)


def test_grid_in_its_layouts(tmp_path: Path) -> None:
    put(tmp_path, "s1/bbaf2n.mpg", "s2/video/mpg_6000/bbaf2n.mpg", "s3/lbbc2a.mpg", "others/pwij3p.mpg")
    put(tmp_path, "s1/trailer.mpg", "audio_25k/s2/bbaf2n.wav", "s4/bbaf3s/bbaf3s-001.jpg")
    put(tmp_path, "align/bbaf2n.align", content=b"0 23750 sil\n23750 29500 bin\n")
    put(tmp_path, "alignments/s2/bbaf2n.align", content=b"0 25000 sil\n25000 50000 bin\n")
    put(tmp_path, "alignments/s3/lbbc2a.align", content=b"0 25000\n")
    skipped = Skipped()
    clips = {clip.name: clip for clip in grid.clips(tmp_path, skipped)}
    assert set(clips) == {"Gs1_bbaf2n", "Gs2_bbaf2n", "Gs3_lbbc2a", "Gpwij3p_pwij3p"}
    assert clips["Gs1_bbaf2n"].words == ((0.0, 0.95, "sil"), (0.95, 1.18, "bin"))
    assert clips["Gs2_bbaf2n"].words[1] == (1.0, 2.0, "bin")
    assert clips["Gs2_bbaf2n"].sound == tmp_path / "audio_25k/s2/bbaf2n.wav"
    assert clips["Gs3_lbbc2a"].words == ()
    assert {clip.sentence for clip in clips.values()} == {"bbaf2n", "lbbc2a", "pwij3p"}
    for said in ("single pictures", "name that GRID", "alignment that cannot be read"):
        assert said in reasons(skipped)


def test_sets_are_read_together_and_summed_up(tmp_path: Path) -> None:
    put(tmp_path / "a", "W009_front_sad_level3_001.mp4", "copy/W009_front_sad_level3_001.mp4")
    put(tmp_path / "b", "s1/bbaf2n.mpg")
    lines: list[str] = []
    clips = read_sets([("mead", tmp_path / "a"), ("grid", tmp_path / "b")], lines.append)
    assert len(clips) == 2
    text = "\n".join(lines)
    assert "mead in" in text
    assert "of 1 people" in text
    assert "one emotion only" in text
    assert "there twice" in text


def test_folders_may_be_links_and_links_may_lead_in_a_circle(tmp_path: Path) -> None:
    put(tmp_path / "disk" / "M003", "video/front/angry/level_3/001.mp4")
    data = tmp_path / "mead"
    data.mkdir()
    (data / "M003").symlink_to(tmp_path / "disk" / "M003")
    (tmp_path / "disk" / "M003" / "again").symlink_to(data)
    clips = mead.clips(data, Skipped())
    assert labels(clips) == [("M003", "001", "angry", 1.0)]


def test_missing_and_empty_sets(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder; expected MEAD's folders of actors"):
        read_sets([("mead", tmp_path / "none")], print)
    with pytest.raises(InputError, match="no clip that can be used"):
        read_sets([("ravdess", tmp_path)], print)
    for text, said in (
        ("mede:/x", "did you mean 'mead'"),
        ("mead", "expected SET:FOLDER"),
        ("", "unknown ''"),
    ):
        with pytest.raises(UsageError, match=said):
            parse_set(text)


def test_the_footage_of_development(shared: Path) -> None:
    lines: list[str] = []
    sets = [("mead", shared / "footage/mead"), ("grid", shared / "footage/grid")]
    clips = read_sets(sets, lines.append)
    emotions = {clip.emotion for clip in clips if clip.person == "W009"}
    assert len(emotions) == 8
    assert any(clip.words for clip in clips if clip.person == "Gs1")
    assert not [line for line in lines if "left out" in line]
