"""`rtfilter learn corpus`: speakers, sentences and emotions with exact ground truth, as tracks.

Sentences come from espeak-ng with their phones; phones become lips and jaw (`visemes`), closures are exact
(`lips`), emotion is the measured one, varied by person and acted over time (`acting`). Every track
depends on the seed and its own labels only, so a corpus can be interrupted, resumed and made larger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import EMOTIONS
from rtfilter.errors import InputError, Notify, UsageError
from rtfilter.face.model import ASSET, MorphableModel
from rtfilter.learn.config import read_document
from rtfilter.learn.data.acting import delivery_of, envelope, offsets, recite
from rtfilter.learn.data.lips import LipCloser
from rtfilter.learn.data.measured import measured, table_bytes
from rtfilter.learn.data.motion import blinks, glances, head
from rtfilter.learn.data.people import Speaker
from rtfilter.learn.data.plan import CorpusSettings, Item, items
from rtfilter.learn.data.refit import observed
from rtfilter.learn.data.speech import PAUSE, Utterance
from rtfilter.learn.data.track import Phone, Track, write_whole
from rtfilter.learn.data.visemes import GROUPS, articulate, both_sides

F64 = npt.NDArray[np.float64]
Progress = Callable[[int, int | None], None]

# Raised when the same settings give other tracks.
VERSION: Final = 4
JAW_RANGE: Final = (0.6, 1.8)
MANIFEST: Final = "corpus.json"
_ROUND = [index for name in GROUPS["round"] for index in both_sides(name)]
_JAW = [index for name in GROUPS["jaw"] for index in both_sides(name)]
_SPREAD = [*both_sides("mouthStretch"), *both_sides("mouthSmile")]


class Corpus:
    """Makes tracks. model: default the built-in one."""

    def __init__(self, settings: CorpusSettings, seed: int, model: MorphableModel | None = None) -> None:
        self.settings, self.seed = settings, seed
        self.model = model or MorphableModel.builtin()
        self._closer = LipCloser(self.model)
        self._speaker = lru_cache(maxsize=4)(lambda number: Speaker.draw(self.model, seed, number))

    def make(self, item: Item) -> Track:
        """One track, with its truth (docs/learn.md)."""
        speaker = self._speaker(item.person)
        random, delivery = item.random(self.seed), delivery_of(item.emotion, item.level)
        spoken = recite(item.text, speaker, delivery, random)
        plain = self._plain(item, speaker)
        time_s = np.arange(int(spoken.phones[-1][1] * self.settings.fps)) / self.settings.fps
        lips = articulate(spoken.phones, time_s)
        speech = self._own(speaker, lips.speech)
        still = blinks(time_s, speaker.blinks_per_minute, random) + glances(time_s, random)
        calm = self._closer.close(speaker.neutral_iod, np.clip(speech + still, 0.0, 1.0), lips.closure)
        base = np.clip(speech + still, 0.0, 1.0)
        shown = envelope(time_s, spoken.phones, delivery, random)
        felt, closing = base, lips.closure
        if item.emotion != "neutral":
            amount = item.level * self.settings.emphasis
            change = offsets(base, lips.closure, item.emotion, amount * shown, speaker)
            ratio = float(measured().openings[EMOTIONS.index(item.emotion)]) ** amount
            felt, closing = self._opened(speaker, base, change, lips.closure, ratio)
        expression = self._closer.close(speaker.neutral_iod, felt, closing).astype(np.float32)
        rotation, scale = head(time_s, speaker.head_deg, random)
        moved = np.einsum("te,enc->tnc", expression, self.model.expression_basis)
        truth: dict[str, npt.NDArray[Any]] = {
            "viseme": lips.viseme.astype(np.int16),
            "closure": lips.closure.astype(np.float32),
            "speech": calm.astype(np.float32),
            "emotion_offset": (expression - calm).astype(np.float32),
            "envelope": shown.astype(np.float32),
            "twin": np.array(item.twin.name),
            "twin_time_s": twin_times(spoken.phones, plain.phones, time_s, item.text),
        }
        track = Track(
            item.name, speaker.name, item.label, item.emotion, item.level, self.settings.fps, time_s,
            expression, (speaker.neutral_iod + moved).astype(np.float32), speaker.neutral_iod, rotation,
            scale, spoken.sound, spoken.phones, truth,
        )  # fmt: skip
        noise = self.settings.noise_iod
        return observed(track, self.model, noise, random) if noise else track

    def _plain(self, item: Item, speaker: Speaker) -> Utterance:
        """The neutral twin's sound."""
        return recite(item.text, speaker, delivery_of("neutral", 0.0), item.twin.random(self.seed))

    def _opened(
        self, speaker: Speaker, base: F64, change: F64, closure: F64, ratio: float
    ) -> tuple[F64, F64]:
        """`base + change` with lips on average `ratio` times as far apart as in `base`; and how far to close.

        An emotion's own lifting of lips opens them already. The jaw does the rest, as far as jaws go; what is
        then too wide is closed by the lips, in all frames alike.
        """
        frames = closure < 0.5

        def gap(expression: F64) -> float:
            shown = np.clip(expression, 0.0, 1.0)[frames]
            return float(self._closer.gaps_iod(speaker.neutral_iod, shown).mean())

        if not frames.any():
            return np.clip(base + change, 0.0, 1.0), closure
        wanted = ratio * gap(base)
        by_jaw = float((base[frames][:, _JAW] @ self._closer.rows.mean(0)[_JAW]).mean())
        factor = float(np.clip(1.0 + (wanted - gap(base + change)) / max(by_jaw, 1e-6), *JAW_RANGE))
        louder = base.copy()
        louder[:, _JAW] *= factor
        left = min(wanted / max(gap(louder + change), 1e-6), 1.0)
        return np.clip(louder + change, 0.0, 1.0), 1.0 - (1.0 - closure) * left

    def _own(self, speaker: Speaker, speech: F64) -> F64:
        """Speech by the speaker's habits and asymmetry, 0..1."""
        own = speech * speaker.sides
        own[:, _JAW] *= speaker.opening
        own[:, _ROUND] *= speaker.rounding
        own[:, _SPREAD] *= speaker.spreading
        return np.clip(own, 0.0, 1.0)


def twin_times(phones: Sequence[Phone], plain: Sequence[Phone], time_s: F64, text: str) -> F64:
    """For each time, when the neutral twin says the same: float64 [T], linear within phones, and standing
    still in a pause that the twin does not make. Raises InputError where the phones are not the same."""
    anchors: list[tuple[float, float]] = []
    at = 0
    for start, end, phone in phones:
        if at < len(plain) and phone == plain[at][2]:
            anchors += [(start, plain[at][0]), (end, plain[at][1])]
            at += 1
        elif at < len(plain) and plain[at][2] == PAUSE and at + 1 < len(plain) and phone == plain[at + 1][2]:
            # A pause that only the twin makes.
            anchors += [(start, plain[at + 1][0]), (end, plain[at + 1][1])]
            at += 2
        elif phone != PAUSE:
            break
    if at != len(plain):
        raise InputError(
            f"{text[:40]!r}: espeak-ng speaks it with other phones at another tempo; leave it out"
        )
    own, other = np.array(anchors).T
    return np.asarray(np.interp(time_s, own, other))


def main(
    config_path: Path,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    notify: Notify = lambda line: None,
) -> int:
    """Make what is missing of the corpus of a settings file, in `output/corpus`.

    Raises UsageError when the folder holds a corpus of other settings; OutputError for a full disk.
    """
    document = read_document(config_path, overrides)
    run, settings = document.run, document.table("corpus", CorpusSettings)
    folder = run.folder("corpus")
    corpus = Corpus(settings, run.seed)
    kept = {key: getattr(settings, key) for key in ("fps", "noise_iod", "emphasis")}
    _check_manifest(folder, {"seed": run.seed, **kept})
    planned = items(settings)
    frames = there = 0
    for done, item in enumerate(planned):
        if progress is not None:
            progress(done, len(planned))
        path = folder / item.path
        if path.exists():
            there += 1
            continue
        track = corpus.make(item)
        frames += track.frames
        track.save(path)
    if progress is not None:
        progress(len(planned), len(planned))
    made = len(planned) - there
    notify(f"{len(planned)} tracks in {folder}: {made} made ({frames} frames), {there} were there")
    return 0


def _check_manifest(folder: Path, values: dict[str, float]) -> None:
    """Compare with what the folder's tracks were made by; written first where there is none."""
    face = resources.files("rtfilter.face").joinpath("assets", ASSET).read_bytes()
    digest = hashlib.sha256(face + table_bytes()).hexdigest()[:16]
    wanted = {"version": VERSION, **values, "face_model_and_emotions": digest}
    path = folder / MANIFEST
    if not path.exists():
        write_whole(path, json.dumps(wanted, indent=2).encode())
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}): remove the folder and start again") from error
    other = [key for key in wanted if not isinstance(found, dict) or found.get(key) != wanted[key]]
    if other:
        raise UsageError(
            f"{folder} holds a corpus with another {', '.join(other)}: remove it, or name another folder "
            "with --set run.output=FOLDER"
        )
