"""Alignment: monotone paths near the exact ones, resumable; bad clips are named, not fatal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtfilter.controls import EMOTIONS
from rtfilter.errors import InputError, UsageError
from rtfilter.learn.data.align import errors_s, main
from rtfilter.learn.data.alignment import Alignment, file_name, matched_times
from rtfilter.learn.data.corpus import Corpus
from rtfilter.learn.data.dtw import align, warp
from rtfilter.learn.data.plan import CorpusSettings, items
from rtfilter.learn.data.track import SUFFIX, Track

pytest.importorskip("librosa", reason='needs librosa: pip install "rtfilter-live[learn]"')
pytest.importorskip("espeakng_loader", reason='needs espeak-ng: pip install "rtfilter-live[learn]"')

STEP_S, BAND = 1 / 30, 0.3


@pytest.fixture(scope="module")
def tracks() -> dict[str, Track]:
    """Three speakers, one sentence, every emotion at level 1, with a tracker's noise for one of them."""
    found = {}
    for people, first, noise in ((2, 0, 0.0), (1, 2, 0.004)):
        settings = CorpusSettings(people, first, sentences=1, levels=(1.0,), noise_iod=noise)
        corpus = Corpus(settings, 4)
        found |= {item.name: corpus.make(item) for item in items(settings)}
    return found


@pytest.mark.parametrize(("by", "median_ms", "p95_ms"), [("sound", 14, 40), ("lips", 20, 75)])
def test_paths_are_near_the_exact_ones(
    tracks: dict[str, Track], by: str, median_ms: float, p95_ms: float
) -> None:
    errors, straight = [], []
    for track in tracks.values():
        if track.emotion == "neutral":
            continue
        twin = tracks[str(track.truth["twin"])]
        if by == "lips":  # without sound, or with silence
            track, twin = replace(track, sound=None), replace(twin, sound=np.zeros(9, np.float32))
        found = align(track, twin, STEP_S, BAND)
        if by == "sound":
            assert align(track, twin, STEP_S, BAND, "lips").by == "lips"
        else:
            with pytest.raises(InputError, match="no sound to align by"):
                align(track, twin, STEP_S, BAND, "sound")
        assert found.by == by
        steps = np.diff(found.path, axis=0)
        assert set(np.unique(steps)) <= {0, 1}
        assert (np.diff(found.twin_times(track.time_s)) >= 0).all()
        errors.append(1000.0 * errors_s(track, found))
        even = np.stack([np.arange(100), np.arange(100)], 1).astype(np.int32)
        straight.append(1000.0 * errors_s(track, replace(found, path=even, step_s=track.seconds / 99)))
    error = np.concatenate(errors)
    assert np.median(error) < median_ms
    assert np.quantile(error, 0.95) < p95_ms
    assert np.median(np.concatenate(straight)) > 4 * np.median(error), "nothing had to be aligned"


@pytest.mark.parametrize("late", ["clip", "twin"])
def test_a_clip_whose_first_frames_show_no_face_is_not_shifted(tracks: dict[str, Track], late: str) -> None:
    errors = []
    for track in tracks.values():
        if track.emotion == "neutral":
            continue
        twin = tracks[str(track.truth["twin"])]
        if late == "clip":
            track = without_first(track, 10)
        else:
            twin = without_first(twin, 10)
        errors.append(1000.0 * errors_s(track, align(track, twin, STEP_S, BAND, "lips")))
    assert np.median(np.concatenate(errors)) < 40, "ten frames are 400 ms"


def without_first(track: Track, count: int) -> Track:
    """As the tracker leaves it where the face appears later."""
    keys = ("time_s", "expression", "shape_iod", "rotation", "scale_px")
    cut = {key: getattr(track, key)[count:] for key in keys}
    truth = {key: value[count:] if value.shape[:1] == (track.frames,) else value
             for key, value in track.truth.items()}  # fmt: skip
    return replace(track, **cut, truth=truth)


def test_a_clip_with_itself_is_the_diagonal(tracks: dict[str, Track]) -> None:
    track = next(iter(tracks.values()))
    found = align(track, track, STEP_S, BAND)
    assert (found.path[:, 0] == found.path[:, 1]).all()
    assert found.cost == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("own", "other"), [(5, 60), (60, 5), (3, 3), (40, 41)])
def test_a_path_exists_whatever_the_lengths(own: int, other: int) -> None:
    random = np.random.default_rng(0)
    path, _ = warp(random.random((own, 4)), random.random((other, 4)), 0.05)
    assert tuple(path[0]) == (0, 0)
    assert tuple(path[-1]) == (own - 1, other - 1)
    assert np.isin(np.diff(path, axis=0), (0, 1)).all()


def test_truth_goes_before_files(tracks: dict[str, Track], tmp_path: Path) -> None:
    track = next(track for track in tracks.values() if track.emotion == "sad")
    twin = tracks[str(track.truth["twin"])]
    np.testing.assert_array_equal(matched_times(track, twin), track.truth["twin_time_s"])
    found, bare = align(track, twin, STEP_S, BAND), replace(track, truth={})
    with pytest.raises(InputError, match="no folder of alignments was named"):
        matched_times(bare, twin)
    with pytest.raises(InputError, match=r"is missing.*run `rtfilter learn align` first"):
        matched_times(bare, twin, tmp_path)
    path = tmp_path / file_name(track.name, twin.name)
    found.save(path)
    np.testing.assert_allclose(matched_times(bare, twin, tmp_path), found.twin_times(track.time_s))
    other = replace(bare, time_s=bare.time_s + 0.5)
    with pytest.raises(InputError, match=r"from other tracks than these of .*`rtfilter learn align` again"):
        matched_times(other, twin, tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="remove it and run `rtfilter learn align`"):
        Alignment.load(path)


@pytest.mark.parametrize(
    "path", [[[0, 1], [1, 2]], [[0, 0], [2, 1]], [[0, 0], [0, 0]], [[0, 0], [1, 0], [0, 1]]]
)
def test_what_is_no_path_is_refused(path: list[list[int]]) -> None:
    with pytest.raises(UsageError, match="expected steps of 0 or 1"):
        Alignment("a", "b", "sound", STEP_S, np.array(path, np.int32), 0.0)


def test_a_folder_is_aligned_resumed_and_its_bad_clips_are_counted(
    tracks: dict[str, Track], tmp_path: Path
) -> None:
    folder = tmp_path / "tracks"
    kept = [track for track in tracks.values() if track.emotion in ("neutral", "happy", "sad")][:3]
    for track in kept:
        track.save(folder / f"{track.name}{SUFFIX}")
    short = replace(
        kept[1],
        name="short",
        **{
            key: getattr(kept[1], key)[:1]
            for key in ("time_s", "expression", "shape_iod", "rotation", "scale_px")
        },
        sound=None,
    )
    short.save(folder / f"short{SUFFIX}")
    (folder / f"broken{SUFFIX}").write_bytes(b"no track")
    config = tmp_path / "c.toml"
    config.write_text(f'[run]\noutput = "{tmp_path}"\n[align]\ntracks = "{folder}"')
    lines: list[str] = []
    assert main(config, notify=lines.append) == 0
    files = sorted((tmp_path / "align").iterdir())
    assert len(files) == 2
    assert any("short" in line and "too short" in line for line in lines)
    assert any("broken" in line for line in lines)
    assert "2 could not be used" in lines[-2]
    assert "2 by sound" in lines[-2]
    assert "against the exact paths of 2 pairs, in words: median" in lines[-1]
    times = [path.stat().st_mtime_ns for path in files]
    files[0].unlink()
    main(config, notify=lines.append)
    assert "1 there already" in lines[-2]
    assert files[1].stat().st_mtime_ns == times[1]
    assert files[0].exists()
    main(config, ["align.by=lips"], notify=lines.append)
    assert "2 by lips" in lines[-2], "a path made with other settings is made again"
    assert {Alignment.load(path).by for path in files} == {"lips"}
    name = Alignment.load(files[0]).name
    later = next(track for track in kept if track.name == name)
    replace(later, time_s=later.time_s + 0.04).save(folder / f"{name}{SUFFIX}")
    files[1].write_bytes(b"no path")
    main(config, ["align.by=lips"], notify=lines.append)
    assert "2 by lips" in lines[-2], "nor is one of another track, or a damaged one, kept"
    main(config, ["align.by=lips"], notify=lines.append)
    assert "2 there already" in lines[-1]


def test_one_emotion_only_has_nothing_to_align(tracks: dict[str, Track], tmp_path: Path) -> None:
    for track in list(tracks.values())[: len(EMOTIONS)]:
        if track.emotion == "happy":
            track.save(tmp_path / "tracks" / f"{track.name}{SUFFIX}")
    config = tmp_path / "c.toml"
    config.write_text(f'[align]\ntracks = "{tmp_path / "tracks"}"')
    with pytest.raises(InputError, match=r"nothing to align: .*tracks: 1 happy"):
        main(config)
    with pytest.raises(UsageError, match="by: unknown 'lip': did you mean 'lips'"):
        main(config, ["align.by=lip"])
    with pytest.raises(InputError, match="no tracks"):
        main(config, [f"align.tracks={tmp_path / 'none'}"])
