"""What the texture is worth on maps that it never saw: the tables of docs/texture.md.

    python -m rtfilter.learn.texture.evidence CONFIG.toml [--set TABLE.KEY=VALUE ...]

Two maps A and B of the held-out end of a person's video: A is edited to B's expression. PSNR is of the skin,
in encoded values; correlation is of the log gain's gradients with the true ones in regions that fold.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face.uv import FOLDS
from rtfilter.learn.config import read_document
from rtfilter.learn.texture.checkpoint import FILE
from rtfilter.learn.texture.directions import Eigen, codes, generated, learned, regressed
from rtfilter.learn.texture.distil import distilled, luminance, painted
from rtfilter.learn.texture.export import Trained, trained
from rtfilter.learn.texture.maps import LEAST_SEEN, Maps
from rtfilter.learn.texture.network import SCALE
from rtfilter.learn.texture.settings import TextureSettings
from rtfilter.render.unwrap import fold_mask

F32 = npt.NDArray[np.float32]

PAIRS: Final = 60
_DRAWN: Final = 600  # of which the pairs whose expressions differ most are taken
_BLUR: Final = 0.006  # of the side, before gradients: camera noise is no fold


@dataclass(frozen=True, slots=True)
class Scores:
    """psnr_db: mean over pairs. folds_r: correlation of gradients, over all pairs together. gain:
    least-squares factor that the predicted change would need."""

    psnr_db: float
    folds_r: float
    gain: float


@dataclass(frozen=True)
class Pairs:
    """Pairs of held-out maps. first, second: [N], numbers of maps."""

    maps: Maps
    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]

    @classmethod
    def of(cls, maps: Maps) -> Pairs:
        """The pairs that differ most in expression, of some drawn at random."""
        rng = np.random.default_rng(0)
        a, b = rng.integers(len(maps), size=(2, _DRAWN))
        far = np.argsort(-np.linalg.norm(maps.expression[a] - maps.expression[b], axis=1))[:PAIRS]
        return cls(maps, a[far], b[far])

    @property
    def offset(self) -> F32:
        """Coefficients of B less those of A, [N, 52]."""
        return self.maps.expression[self.second] - self.maps.expression[self.first]

    def score(self, change: F32) -> Scores:
        """Of predicted changes: [N, 3, S, S] in units of deviation, or [N, S, S], a log gain of luminance."""
        maps, folds = self.maps, np.max([fold_mask(name, self.maps.size) for name in FOLDS], axis=0)
        base, psnr, products = maps.base.astype(np.float64), [], np.zeros(4)
        for number, (a, b) in enumerate(zip(self.first, self.second, strict=True)):
            seen = np.minimum(maps.seen[a], maps.seen[b]) / 255.0
            seen = seen * (seen > LEAST_SEEN) * maps.mask
            one, other = (maps.deviation[k].astype(np.float64) for k in (a, b))
            log_gain = SCALE * change[number] if change.ndim == 4 else change[number][None]
            shown, real = np.exp(base + SCALE * one + log_gain), np.exp(base + SCALE * other)
            error = np.square(np.clip(shown, 0, 255) - np.clip(real, 0, 255)).mean(0)
            psnr.append(10.0 * np.log10(255.0**2 / max(float((error * seen).sum() / seen.sum()), 1e-6)))
            grey = luminance(change[number][None])[0] if change.ndim == 4 else change[number]
            true = luminance((other - one)[None].astype(np.float32))[0]
            x, y = (_gradients(np.asarray(value, np.float32)) for value in (grey, true))
            weight = np.where((folds > 0.5) & (seen > 0.5), 1.0, 0.0)
            inside = (np.square(x) + np.square(y)).sum(0) * weight, (x * y).sum(0) * weight
            products += [
                (np.square(x).sum(0) * weight).sum(),
                (np.square(y).sum(0) * weight).sum(),
                inside[1].sum(),
                weight.sum(),
            ]
        xx, yy, xy, _ = products
        flat = xx < 1e-12
        return Scores(
            float(np.mean(psnr)),
            0.0 if flat else float(xy / np.sqrt(xx * yy)),
            0.0 if flat else float(xy / xx),
        )


def table(one: Trained, ridge: float) -> dict[str, Scores]:
    """Each method's scores on one person."""
    pairs, texture = Pairs.of(one.held_out), one.texture
    offset, before = pairs.offset, one.held_out.expression[pairs.first]
    own = codes(texture, one.held_out)[pairs.first]
    by_training, by_ridge = learned(texture, one.maps), regressed(texture, one.maps, ridge)
    # Neither the generator nor the baseline is asked for what the person never showed: see `Person.low`.
    known = np.clip(before + offset, by_training.low, by_training.high)
    known = known - np.clip(before, by_training.low, by_training.high)
    methods: dict[str, Callable[[], F32]] = {
        "zero": lambda: np.zeros((len(offset), 3, one.maps.size, one.maps.size), np.float32),
        "eigen": lambda: Eigen.of(one.maps, ridge).change(known),
        "stylegan": lambda: by_training.change(texture, before, offset),
        "stylegan, A inverted": lambda: by_training.change(texture, before, offset, own),
        "stylegan, regressed": lambda: by_ridge.change(texture, before, offset),
        "stylegan, distilled": lambda: painted(distilled(texture, by_training, one.maps), offset),
    }
    return {name: pairs.score(make()) for name, make in methods.items()}


def reconstruction(one: Trained) -> tuple[float, float]:
    """PSNR in dB of held-out maps: as the person's mean, and through encoder and generator."""
    step = max(len(one.held_out) // PAIRS, 1)
    kept = Maps(
        one.held_out.person, one.held_out.base, one.held_out.deviation[::step], one.held_out.seen[::step],
        one.held_out.mask, one.held_out.expression[::step],
    )  # fmt: skip
    made = generated(one.texture, codes(one.texture, kept))
    found = []
    for shown in (np.zeros_like(made), made):
        weight = np.where(kept.seen > 255 * LEAST_SEEN, kept.seen / 255.0, 0.0) * kept.mask
        real = kept.deviation.astype(np.float32)
        error = np.square(np.exp(kept.base + SCALE * shown) - np.exp(kept.base + SCALE * real)).mean(1)
        each = (error * weight).sum((1, 2)) / weight.sum((1, 2))
        found.append(float(np.mean(10.0 * np.log10(255.0**2 / each))))
    return found[0], found[1]


def _gradients(picture: F32) -> F32:
    """Across and down, [2, S, S]."""
    soft = cv2.GaussianBlur(picture, (0, 0), max(_BLUR * len(picture), 0.5))
    return np.stack([np.gradient(soft, axis=1), np.gradient(soft, axis=0)])


def main() -> int:
    """The tables, as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--set", action="append", default=[])
    arguments = parser.parse_args()
    document = read_document(arguments.config, arguments.set)
    settings = document.table("texture", TextureSettings)
    for one in trained(settings, document.run.folder("texture") / FILE):
        mean_db, made_db = reconstruction(one)
        scores = {name: asdict(value) for name, value in table(one, settings.ridge).items()}
        told = {"person": one.maps.person, "learned_from": len(one.maps), "held_out": len(one.held_out)}
        print(
            json.dumps({**told, "mean_db": mean_db, "reconstructed_db": made_db, "scores": scores}),
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
