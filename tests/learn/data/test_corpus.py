"""The synthetic corpus: its truth is true, closures close, and it can be interrupted and resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPES, EMOTIONS
from rtfilter.errors import InputError, UsageError
from rtfilter.face import landmarks as lm
from rtfilter.face.model import MorphableModel
from rtfilter.learn.data.corpus import MANIFEST, Corpus, main, twin_times
from rtfilter.learn.data.measured import measured
from rtfilter.learn.data.plan import CorpusSettings, Item, items
from rtfilter.learn.data.track import Track, track_files
from rtfilter.learn.data.visemes import NAMES

pytest.importorskip("scipy", reason='needs scipy: pip install "rtfilter-live[learn]"')
pytest.importorskip("espeakng_loader", reason='needs espeak-ng: pip install "rtfilter-live[learn]"')


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return MorphableModel.builtin()


@pytest.fixture(scope="module")
def tracks(model: MorphableModel) -> dict[str, Track]:
    """Two speakers, two sentences, every emotion at level 1."""
    settings = CorpusSettings(people=2, sentences=2, levels=(1.0,))
    corpus = Corpus(settings, 5, model)
    return {item.name: corpus.make(item) for item in items(settings)}


def gaps_iod(track: Track) -> np.ndarray:
    upper, lower = list(lm.LIPS_INNER_UPPER), list(lm.LIPS_INNER_LOWER)
    return np.asarray(track.shape_iod[:, lower, 1] - track.shape_iod[:, upper, 1])


def test_every_closure_closes_in_every_emotion(tracks: dict[str, Track]) -> None:
    for track in tracks.values():
        gaps, closed = gaps_iod(track), track.truth["closure"] == 1.0
        assert np.abs(gaps[closed]).max() < 0.006, track.name
        assert gaps.min() > -0.006, f"{track.name}: lips overlap"
        middle = len(lm.LIPS_INNER_UPPER) // 2
        assert gaps[:, middle].max() > 0.08, f"{track.name}: the mouth never opens"
        for start, end, phone in track.phones:
            if phone in {"p", "b", "m"}:
                near = np.abs(track.time_s - (start + end) / 2) <= (end - start) / 2 + 1 / track.fps
                assert (track.truth["closure"][near] == 1.0).any(), f"{track.name}: /{phone}/ at {start}"


def test_rounded_vowels_are_narrow_in_every_emotion(tracks: dict[str, Track]) -> None:
    for track in tracks.values():
        width = track.shape_iod[:, lm.INNER_CORNER_LEFT, 0] - track.shape_iod[:, lm.INNER_CORNER_RIGHT, 0]
        pucker = track.truth["speech"][:, BLENDSHAPES.index("mouthPucker")]
        assert width[pucker >= np.quantile(pucker, 0.9)].mean() < width[pucker <= np.median(pucker)].mean()


def test_the_offset_is_the_measured_one(tracks: dict[str, Track]) -> None:
    """What the truth names as speech and offset adds up; an emotion is most like its own measurement."""
    table = measured().by_state.mean(1)
    means = {}
    for track in tracks.values():
        whole = track.truth["speech"] + track.truth["emotion_offset"]
        np.testing.assert_allclose(whole, track.expression, atol=1e-6)
        assert track.expression.min() >= 0.0
        assert track.expression.max() <= 1.0
        if track.emotion == "neutral":
            assert np.abs(track.truth["emotion_offset"]).max() < 1e-6
            np.testing.assert_allclose(track.truth["twin_time_s"], track.time_s, atol=1e-9)
        else:
            shown = track.truth["envelope"] > 0.8
            means.setdefault(track.emotion, []).append(track.truth["emotion_offset"][shown].mean(0))
    felt = (table != 0.0).any(0)
    for emotion, found in means.items():
        mean = np.mean(found, axis=0)[felt]
        like = [
            float(mean @ row[felt] / np.linalg.norm(mean) / max(float(np.linalg.norm(row[felt])), 1e-9))
            for row in table
        ]
        own = like[EMOTIONS.index(emotion)]
        # Fear and surprise are nearly one as measured, and two people vary.
        assert own > max(0.7, max(like) - 0.06), dict(zip(EMOTIONS, like, strict=True))


def test_openings_are_near_the_measured_ones(tracks: dict[str, Track]) -> None:
    """The mean gap against the twin's while lips are open, over both speakers."""
    ratios: dict[str, list[float]] = {}
    for track in tracks.values():
        twin = tracks[str(track.truth["twin"])]
        means = [gaps_iod(one)[one.truth["closure"] < 0.5].mean() for one in (track, twin)]
        ratios.setdefault(track.emotion, []).append(float(means[0] / means[1]))
    for emotion, found in ratios.items():
        wanted = float(measured().openings[EMOTIONS.index(emotion)])
        assert np.mean(found) == pytest.approx(wanted, rel=0.3), emotion
    assert np.mean(ratios["angry"]) > 1.15 * np.mean(ratios["sad"])


def test_twins_say_the_same_at_other_times(tracks: dict[str, Track]) -> None:
    different = 0
    for track in tracks.values():
        twin = tracks[str(track.truth["twin"])]
        assert twin.emotion == "neutral"
        assert (twin.person, twin.sentence) == (track.person, track.sentence)
        time_s = track.truth["twin_time_s"]
        assert (np.diff(time_s) >= 0).all()
        frames = np.clip(np.rint(time_s * twin.fps).astype(int), 0, twin.frames - 1)
        same = track.truth["viseme"] == twin.truth["viseme"][frames]
        # Off by a frame beside a border of phones; pauses of one twin alone are silence.
        allowed = same | (track.truth["viseme"] == NAMES.index("silence"))
        assert allowed.mean() > 0.75, track.name
        different += abs(track.seconds - twin.seconds) > 0.1
    assert different > len(EMOTIONS), "the twins take equally long, and alignment has nothing to do"


def test_levels_grow_and_people_differ(model: MorphableModel) -> None:
    corpus = Corpus(CorpusSettings(people=2, sentences=1), 1, model)
    brow = BLENDSHAPES.index("browInnerUp")
    shown = [
        np.quantile(corpus.make(Item(0, "s00", "We found it.", "surprised", level)).expression[:, brow], 0.9)
        for level in (0.33, 0.67, 1.0)
    ]
    assert shown[0] < shown[1] < shown[2]
    one, two = (corpus.make(Item(k, "s00", "We found it.", "happy", 1.0)) for k in (0, 1))
    assert np.abs(one.neutral_iod - two.neutral_iod).max() > 0.02
    assert one.sound is not None
    assert two.sound is not None
    assert len(one.sound) != len(two.sound)


def test_the_same_seed_gives_the_same_track(model: MorphableModel) -> None:
    item = Item(3, "s00", "Put the book back.", "sad", 0.67)
    first, again, other = (
        Corpus(CorpusSettings(people=people), seed, model).make(item)
        for people, seed in ((1, 9), (5, 9), (1, 10))
    )
    np.testing.assert_array_equal(first.expression, again.expression)
    assert first.sound is not None
    assert again.sound is not None
    np.testing.assert_array_equal(first.sound, again.sound)
    assert first.expression.shape != other.expression.shape or (first.expression != other.expression).any()


def test_a_noisy_track_is_fitted_and_keeps_the_truth(model: MorphableModel) -> None:
    item = Item(0, "s00", "Bob moved.", "happy", 1.0)
    noisy = Corpus(CorpusSettings(noise_iod=0.004), 2, model).make(item)
    exact = noisy.truth["exact_shape_iod"]
    error = np.abs(noisy.shape_iod - exact).mean()
    assert 0.001 < error < 0.03
    jaw = BLENDSHAPES.index("jawOpen")
    truth = noisy.truth["exact_expression"][:, jaw]
    assert np.corrcoef(noisy.expression[:, jaw], truth)[0, 1] > 0.9


def test_a_corpus_is_resumed_and_other_settings_refused(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        f'[run]\noutput = "{tmp_path / "out"}"\n[corpus]\npeople = 1\nsentences = 1\nlevels = [1.0]\n'
        'emotions = ["happy", "sad"]'
    )
    lines: list[str] = []
    seen: list[tuple[int, int | None]] = []
    assert main(config, progress=lambda done, total: seen.append((done, total)), notify=lines.append) == 0
    assert seen[0] == (0, 3)
    assert seen[-1] == (3, 3)
    files = track_files(tmp_path / "out" / "corpus")
    assert len(files) == 3
    whole = files[0].read_bytes()
    files[0].unlink()
    times = {path: path.stat().st_mtime_ns for path in files[1:]}
    main(config, notify=lines.append)
    assert files[0].read_bytes() == whole
    assert times == {path: path.stat().st_mtime_ns for path in files[1:]}
    assert "1 made" in lines[-1]
    with pytest.raises(UsageError, match="another seed: remove it, or name another folder"):
        main(config, ["run.seed=3"])
    (tmp_path / "out" / "corpus" / MANIFEST).write_text("{")
    with pytest.raises(InputError, match="remove the folder"):
        main(config)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("corpus.people=0", "people, first_person: expected 1"),
        ("corpus.sentences=99", "sentences: expected 1..24"),
        ('corpus.emotions=["hapy"]', "unknown 'hapy': did you mean 'happy'"),
        ("corpus.levels=[2.0]", "levels: expected some above 0"),
        ("corpus.levels=[0.33, 0.331]", "levels: '0.33' is there twice at two decimals"),
        ('corpus.emotions=["sad", "happy", "sad"]', "emotions: 'sad' is there twice"),
        ('corpus.texts=["Hello.", "Hello."]', "texts: 'Hello.' is there twice"),
        ('corpus.texts=["Hello.", "!!!"]', "texts: expected words to speak, got '!!!'"),
        ("corpus.fps=1000", "fps, noise_iod"),
        ("corpus.emphasis=0.0", "emphasis: expected a factor above 0"),
    ],
)
def test_settings_out_of_range(tmp_path: Path, override: str, said: str) -> None:
    (tmp_path / "c.toml").write_text("")
    with pytest.raises(UsageError, match=said):
        main(tmp_path / "c.toml", [override])


def test_other_phones_are_refused() -> None:
    with pytest.raises(InputError, match="other phones"):
        twin_times([(0.0, 1.0, "p")], [(0.0, 1.0, "b")], np.arange(3.0), "Bob")
