"""`python -m rtfilter.learn.skin.build --footage DIR --task FILE`: skin maps from footage.

Tracks and unwraps every take of a folder (`learn.emotions.sources` and the clips at its top), and writes
rtfilter/face/assets/skin.npz. `--evidence FILE` adds what the maps are worth on people left out, as JSON;
`--left-out DIR` a PERSON.npz for each person, of all the others, for `rtfilter bench reenact --maps DIR`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, Notify, RtfilterError
from rtfilter.face.model import MorphableModel
from rtfilter.learn.emotions.sources import Take
from rtfilter.learn.emotions.watch import Seen
from rtfilter.learn.skin import assemble, colour
from rtfilter.learn.skin.expressions import expressions
from rtfilter.learn.skin.fit import tell
from rtfilter.learn.skin.normalise import Grid, Ratios, log_luminance, normalise
from rtfilter.learn.skin.observe import SIZE, Skin, observe, takes
from rtfilter.learn.skin.proof import Person, prove
from rtfilter.system.cache import cache_folder

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

TARGET: Final = Path(__file__).resolve().parents[2] / "face" / "assets" / "skin.npz"
QUIET_POWER: Final = 0.3  # sum of squared coefficients at which a frame's share in the neutral is 1/e
LEAST_QUIET: Final = 0.02


def main(arguments: Sequence[str] | None = None) -> int:
    """Observe, fit, write, and print what was found; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, required=True, help="folder with mead/, eamm/, ...")
    parser.add_argument("--task", type=Path, required=True, help="FaceLandmarker v2 model with blendshapes")
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--evidence", type=Path, default=None, help="JSON of people left out")
    parser.add_argument("--left-out", type=Path, default=None, help="folder for maps without each person")
    parser.add_argument("--cache", type=Path, default=None, help="default: rtfilter's cache")
    options = parser.parse_args(arguments)
    try:
        if not options.task.is_file():
            raise InputError(f"{options.task}: no such file; expected face_landmarker.task: check --task")
        cache = options.cache or cache_folder()
        asked = (options.out, options.evidence, options.left_out)
        build(options.footage, options.task, cache, *asked, _line)
    except RtfilterError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _line(text: str) -> None:
    print(text, flush=True)


@dataclass(frozen=True)
class Learner:
    """What all people share: the texels, the model, and each texel's mirror image, int [T]."""

    grid: Grid
    mirror: npt.NDArray[np.intp]

    @classmethod
    def make(cls) -> Learner:
        """For the built-in face."""
        grid = Grid(SIZE, MorphableModel.builtin())
        numbers = np.full(grid.inside.shape, -1)
        numbers[grid.inside] = np.arange(grid.inside.sum())
        return cls(grid, numbers[:, ::-1][grid.inside])

    def ratios(self, skins: Sequence[Skin], expression: F64) -> Ratios:
        """One person's frames, all takes in a row."""
        logs, weights = zip(*(log_luminance(s.rgb, s.weight, self.grid) for s in skins), strict=True)
        quiet = np.exp(-np.square(expression).sum(1) / QUIET_POWER) + LEAST_QUIET
        return normalise(np.concatenate(logs), np.concatenate(weights), quiet, self.grid)


def build(
    footage: Path,
    task: Path,
    cache: Path,
    out: Path,
    evidence_path: Path | None,
    left_out: Path | None,
    notify: Notify,
) -> None:
    """Learn the maps of a folder's people, and write them. left_out: a folder for those of all others."""
    observed = list(observe(takes(footage), task, cache / "emotions", cache / "skin", notify))
    learner = Learner.make()
    people = _people(learner, observed, notify)
    told = tell(people, learner.grid, learner.mirror)
    maps = told.agreed(list(people))
    shares = _colour(learner, observed, people, maps)
    notify("colour: " + ", ".join(f"{share:.3f}" for share in shares))
    assemble.save(assemble.low_rank(maps, learner.grid, shares), out)
    notify(f"{out}: {out.stat().st_size} bytes of {len(people)} people")
    if evidence_path is not None:
        found = prove(people, lambda name: told.agreed([n for n in people if n != name]), learner.grid)
        evidence_path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    if left_out is not None:
        left_out.mkdir(parents=True, exist_ok=True)
        for name in people:
            others = assemble.low_rank(told.agreed([n for n in people if n != name]), learner.grid, shares)
            assemble.save(others, left_out / f"{name.removeprefix('clip-')}.npz")


def _people(
    learner: Learner, observed: Sequence[tuple[Take, Seen, Skin]], notify: Notify
) -> dict[str, Person]:
    shown = expressions(MorphableModel.builtin(), [(take, seen) for take, seen, _ in observed])
    found = {}
    for name in sorted({take.person for take, _, _ in observed}):
        own = [(take, skin) for take, _, skin in observed if take.person == name]
        rows = np.concatenate([shown[take.name][skin.index] for take, skin in own])
        ratios = learner.ratios([skin for _, skin in own], rows)
        emotions, names = (
            np.concatenate([[word] * len(skin.index) for word, (_, skin) in zip(words, own, strict=True)])
            for words in ([take.emotion for take, _ in own], [take.name for take, _ in own])
        )
        found[name] = Person(name, ratios, rows, emotions, names)
        notify(f"{name}: {len(rows)} frames")
    return found


def _colour(
    learner: Learner, observed: Sequence[tuple[Take, Seen, Skin]], people: dict[str, Person], maps: F64
) -> F64:
    found = []
    for name, person in people.items():
        rgb = np.concatenate([skin.rgb for take, _, skin in observed if take.person == name])
        predicted = (person.expression @ maps).astype(np.float32)
        found.append(colour.sums(rgb, person.ratios.weight, predicted, learner.grid))
    return colour.shares(found)


if __name__ == "__main__":
    sys.exit(main())
