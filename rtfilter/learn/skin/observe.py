"""Takes to textures of skin: every frame tracked and unwrapped, kept in a cache.

Called by `learn.skin.build`. What is in the cache is not made again, so an interrupted run goes on.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.errors import Notify
from rtfilter.face.model import MorphableModel
from rtfilter.learn.emotions.sources import NEUTRAL, Take, find
from rtfilter.learn.emotions.watch import Seen, pictures, watch
from rtfilter.render.unwrap import Unwrapper

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

VERSION: Final = 1
SIZE: Final = 128  # texels a side; 256 px clips give about one pixel a texel
MOST_FRAMES: Final = 90  # of one take, evenly spaced
MOST_QUIET: Final = 15  # of a neutral take of somebody with many


@dataclass(frozen=True)
class Skin:
    """Frames of one take as textures.

    index: int [N], which of the take's frames in `Seen`. rgb: uint8 [N, S, S, 3], encoded values. weight:
    uint8 [N, S, S], 255 where skin is fully seen.
    """

    index: npt.NDArray[np.intp]
    rgb: U8
    weight: U8


def takes(folder: Path) -> list[Take]:
    """The takes of `learn.emotions`, and the clips at the folder's top: each one person, talking."""
    clips = [
        Take(f"clip-{p.stem}", f"clip-{p.stem}", NEUTRAL, 0.0, "", (p,)) for p in sorted(folder.glob("*.mp4"))
    ]
    return [*find(folder), *clips]


def observe(
    everything: Sequence[Take], task: Path, tracked: Path, cache: Path, notify: Notify
) -> Iterator[tuple[Take, Seen, Skin]]:
    """Track (or read) and unwrap (or read) every take. tracked, cache: folders of the two caches."""
    unwrapper = Unwrapper(SIZE, MorphableModel.builtin().triangles)
    many = {take.person for take in everything if _count(everything, take.person) > 8}
    for number, take in enumerate(everything):
        notify(f"{number + 1}/{len(everything)} {take.name}")
        seen = watch(take, task, tracked)
        few = take.emotion == NEUTRAL and take.person in many and not take.still
        index = spaced(len(seen.time_s), MOST_QUIET if few else MOST_FRAMES)
        yield take, seen, _kept_or_made(take, seen, index, unwrapper, cache)


def spaced(count: int, most: int) -> npt.NDArray[np.intp]:
    """At most so many numbers below `count`, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def _count(everything: Sequence[Take], person: str) -> int:
    return sum(take.person == person for take in everything)


def _kept_or_made(
    take: Take, seen: Seen, index: npt.NDArray[np.intp], unwrapper: Unwrapper, cache: Path
) -> Skin:
    parts = (VERSION, SIZE, index.tobytes().hex(), hashlib.sha256(seen.points_px.tobytes()).hexdigest())
    key = hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:12]
    path = cache / f"{take.name}-{key}.npz"
    try:
        with np.load(path) as arrays:
            return Skin(arrays["index"], arrays["rgb"], arrays["weight"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        pass  # nothing there, or damaged: it is made again
    made = _unwrapped(take, seen, index, unwrapper)
    cache.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part.npz")
    np.savez(partial, index=made.index, rgb=made.rgb, weight=made.weight)
    partial.replace(path)
    return made


def _unwrapped(take: Take, seen: Seen, index: npt.NDArray[np.intp], unwrapper: Unwrapper) -> Skin:
    wanted = {round(float(seen.time_s[i]) * 1e6): int(i) for i in index}
    found, textures, weights = [], [], []
    for rgb, time_s in pictures(take):
        number = wanted.get(round(time_s * 1e6))
        if number is None:
            continue
        texture, weight = unwrapper.unwrap(rgb, seen.points_px[number].astype(np.float32))
        found.append(number)
        textures.append(np.rint(texture).astype(np.uint8))
        weights.append(np.rint(255 * weight).astype(np.uint8))
    return Skin(np.array(found, np.intp), np.array(textures), np.array(weights))
