"""Clips as tracks: by the product's tracker and fit, kept, replaced when changed, counted when bad."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPES
from rtfilter.errors import InputError, UsageError
from rtfilter.learn.data.cache import main
from rtfilter.learn.data.sound import read_sound
from rtfilter.learn.data.track import SOUND_HZ, Track, track_files
from rtfilter.learn.data.words import phones_of
from rtfilter.sources.demo import DemoSource
from tests.clips import clip as pattern
from tests.films import CLICKS_S, Film, Sound, write

FRAMES = 20


def film_of_a_face(path: Path, first: int, frames: int = FRAMES) -> np.ndarray:
    """The demo's portrait from a frame on; its true jawOpen [T]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    demo = DemoSource(320, 240)
    jaw = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for index in range(frames):
            picture = av.VideoFrame.from_ndarray(demo.frame(first + index).rgb, format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(picture))
            jaw.append(demo.truth(first + index).expression[BLENDSHAPES.index("jawOpen")])
        container.mux(stream.encode(None))
    demo.close()
    return np.array(jaw)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A small MEAD: two clips with a face, one without, one of a single frame, one that is no video."""
    folder = tmp_path_factory.mktemp("mead")
    jaw = film_of_a_face(folder / "M003/video/front/neutral/level_1/001.mp4", 0)
    film_of_a_face(folder / "M003/video/front/happy/level_3/001.mp4", 30)
    film_of_a_face(folder / "M003_front_sad_level3_002.mp4", 3, frames=1)
    pattern(folder / "M003_front_sad_level3_001.mp4", size=(320, 240))
    (folder / "M003_front_sad_level3_003.mp4").write_bytes(b"no video at all" * 1000)
    return folder, jaw


def config_for(tmp_path: Path, folder: Path) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(f'[run]\noutput = "{tmp_path / "out"}"\n[track]\nsets = ["mead:{folder}"]')
    return path


def test_clips_become_tracks_and_are_kept(data: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, jaw = data
    config, lines = config_for(tmp_path, folder), []
    seen: list[tuple[int, int | None]] = []
    assert main(config, progress=lambda done, total: seen.append((done, total)), notify=lines.append) == 0
    files = track_files(tmp_path / "out" / "track")
    happy, neutral = (Track.load(path) for path in files)
    assert (neutral.person, neutral.sentence, neutral.emotion, neutral.level) == (
        "M003",
        "001",
        "neutral",
        0.0,
    )
    assert (happy.emotion, happy.level, happy.frames) == ("happy", 1.0, FRAMES)
    np.testing.assert_array_equal(neutral.neutral_iod, happy.neutral_iod)
    np.testing.assert_allclose(neutral.time_s, np.arange(FRAMES) / 25, atol=1e-6)
    fitted = neutral.expression[:, BLENDSHAPES.index("jawOpen")]
    assert jaw.std() > 0.02
    assert np.corrcoef(fitted, jaw)[0, 1] > 0.9
    assert neutral.sound is None
    assert seen[-1] == (5, 5)
    said = "\n".join(lines)
    assert "a face in 0 of 12 frames" in said
    assert "1 frame only" in said
    assert "2 made, 3 could not be used" in said
    times = [path.stat().st_mtime_ns for path in files]
    main(config, notify=lines.append)
    assert "2 there already" in lines[-1]
    assert [path.stat().st_mtime_ns for path in files] == times


def test_a_clip_that_changed_replaces_its_track(data: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    copy = tmp_path / "set" / "M004_front_happy_level3_001.mp4"
    copy.parent.mkdir()
    original = data[0] / "M003/video/front/happy/level_3/001.mp4"
    copy.write_bytes(original.read_bytes())
    config = config_for(tmp_path, copy.parent)
    main(config)
    (before,) = track_files(tmp_path / "out" / "track")
    film_of_a_face(copy, 50, frames=8)
    main(config)
    (after,) = track_files(tmp_path / "out" / "track")
    assert after.name != before.name
    assert Track.load(after).frames == 8


def test_mistakes_are_named(data: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    config = config_for(tmp_path, data[0])
    with pytest.raises(UsageError, match=r"people: no 'M9' in the sets; there are 1, such as M003"):
        main(config, ['track.people=["M9"]'])
    with pytest.raises(UsageError, match="sets: expected at least one"):
        main(config, ["track.sets=[]"])
    with pytest.raises(UsageError, match="did you mean 'mead'"):
        main(config, ['track.sets=["maed:/x"]'])
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "M003_front_sad_level3_003.mp4").write_bytes(b"no video at all" * 1000)
    lines: list[str] = []
    with pytest.raises(InputError, match="none of 1 clips could be used"):
        main(config_for(tmp_path, bad), notify=lines.append)
    assert any("M003_front_sad_level3_003.mp4" in line for line in lines)


@pytest.mark.parametrize("late_s", [0.0, 0.3])
def test_sound_begins_with_the_picture(tmp_path: Path, late_s: float) -> None:
    path = write(tmp_path / "f.mkv", Film(sounds=[Sound(codec="flac", start_s=late_s)]))
    for start_s in (0.0, 0.05):
        sound = read_sound(path, start_s)
        assert sound is not None
        loud = np.flatnonzero(np.abs(sound) > 0.4) / SOUND_HZ
        first = loud[0]
        assert first == pytest.approx(CLICKS_S[0] + late_s - start_s, abs=0.01)
    assert read_sound(write(tmp_path / "g.mkv", Film())) is None
    (tmp_path / "h.wav").write_bytes(b"no sound")
    with pytest.raises(InputError, match="its sound cannot be read"):
        read_sound(tmp_path / "h.wav")


def test_words_are_split_into_phones() -> None:
    pytest.importorskip("espeakng_loader", reason='needs espeak-ng: pip install "rtfilter-live[learn]"')
    phones = phones_of([(0.0, 0.5, "sil"), (0.5, 0.9, "blue"), (0.9, 1.1, "f")])
    names = [name for *_, name in phones]
    assert names[:4] == ["_", "b", "l", "u:"]
    assert "f" in names
    starts, ends, _ = zip(*phones, strict=True)
    assert starts[1:] == pytest.approx(ends[:-1])
    assert ends[-1] == pytest.approx(1.1)
    assert phones_of(()) == ()
