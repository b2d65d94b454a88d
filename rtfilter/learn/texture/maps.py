"""The UV maps of one person: log textures as deviations from the person's own mean, with expressions.

Light is taken out of each map as a smooth change of brightness over the face, per channel; what a frame did
not show is filled from the other side of the face, else with the mean.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.errors import InputError
from rtfilter.learn.data.track import write_whole
from rtfilter.learn.texture.network import SCALE

F32 = npt.NDArray[np.float32]
F16 = npt.NDArray[np.float16]
U8 = npt.NDArray[np.uint8]

SUFFIX: Final = ".maps.npz"
VERSION: Final = 1
LEAST_MAPS: Final = 8
# Of the weight, at which a texel counts as seen.
LEAST_SEEN: Final = 0.25
# Beyond it a deviation is a hand, hair or a highlight, not skin that folds.
CLIP: Final = 6.0
_FLOOR: Final = 6.0  # of 255: the log of black is no number
_PASSES: Final = 2
_DAMAGE: Final = (ValueError, OSError, EOFError, KeyError, TypeError, BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class Maps:
    """T maps of one person, in order of time.

    base: float32 [3, S, S], mean of the natural log of encoded values 0..255. deviation: float16
    [T, 3, S, S], in units of SCALE, light taken out, holes filled. seen: uint8 [T, S, S], 0..255. mask:
    float32 [S, S], skin. expression: float32 [T, 52].
    """

    person: str
    base: F32
    deviation: F16
    seen: U8
    mask: F32
    expression: F32

    @property
    def size(self) -> int:
        """S."""
        return int(self.base.shape[-1])

    def __len__(self) -> int:
        return len(self.deviation)

    def part(self, begin: int, end: int) -> Maps:
        """The maps `begin` to `end`."""
        return Maps(
            self.person, self.base, self.deviation[begin:end], self.seen[begin:end], self.mask,
            self.expression[begin:end],
        )  # fmt: skip

    def split(self, held_out: float) -> tuple[Maps, Maps]:
        """The first part, and the last of that share."""
        at = round(len(self) * (1.0 - held_out))
        return self.part(0, at), self.part(at, len(self))

    def save(self, path: Path) -> None:
        """Write it whole or not at all, for its owner alone. Raises OutputError."""
        file = io.BytesIO()
        np.savez_compressed(
            file, version=np.array(VERSION), person=np.array(self.person), base=self.base, seen=self.seen,
            deviation=self.deviation, mask=self.mask, expression=self.expression,
        )  # fmt: skip
        write_whole(path, file.getvalue(), private=True)  # pictures of a face

    @classmethod
    def load(cls, path: Path) -> Maps:
        """Read it. Raises InputError for a missing, damaged or foreign file, or another version."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                version = int(archive["version"])
                if version == VERSION:
                    arrays = {
                        name: archive[name] for name in ("base", "deviation", "seen", "mask", "expression")
                    }
                    person = str(archive["person"])
        except _DAMAGE as error:
            raise InputError(
                f"{path}: no maps, or damaged ones ({type(error).__name__}): remove it, and make it again "
                "with `rtfilter learn unwrap`"
            ) from error
        if version != VERSION:
            raise InputError(
                f"{path}: maps of format {version}, expected {VERSION}: remove it, make it again"
            )
        count, size = len(arrays["deviation"]), arrays["base"].shape[-1]
        wanted = {
            "base": (3, size, size), "deviation": (count, 3, size, size), "seen": (count, size, size),
            "mask": (size, size), "expression": (count, BLENDSHAPE_COUNT),
        }  # fmt: skip
        for name, shape in wanted.items():
            if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
                raise InputError(
                    f"{path}: {name} is {list(arrays[name].shape)}, expected finite {list(shape)}"
                )
        return cls(person, **arrays)


def load_all(folder: Path, people: tuple[str, ...]) -> list[Maps]:
    """The maps of a folder, by person. Raises InputError where there are none, or two sizes."""
    files = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    names = [one.name.removesuffix(SUFFIX) for one in files]
    if not files:
        raise InputError(f"{folder}: no maps (*{SUFFIX}) in it: `rtfilter learn unwrap` makes them")
    for person in people:
        if person not in names:
            raise InputError(f"{folder}: no maps of {person!r}; there are {', '.join(names)}")
    found = [Maps.load(one) for one, name in zip(files, names, strict=True) if not people or name in people]
    sizes = {one.size for one in found}
    if len(sizes) > 1:
        raise InputError(f"{folder}: maps of {sorted(sizes)} px: make them again with one unwrap.size")
    return found


def normalised(person: str, textures: F32 | U8, seen: F32, mask: F32, expression: F32) -> Maps:
    """Maps of textures [T, S, S, 3], 0..255, with weights [T, S, S], both as `render.unwrap` gives them.

    Raises InputError for fewer than LEAST_MAPS.
    """
    if len(textures) < LEAST_MAPS:
        raise InputError(
            f"{person}: {len(textures)} maps, expected {LEAST_MAPS} or more: give a longer video"
        )
    logs = np.log(np.maximum(textures, _FLOOR)).astype(np.float32).transpose(0, 3, 1, 2)
    smooth = _smooth_functions(mask.shape[0])
    light = np.zeros_like(logs)
    base = np.zeros(logs.shape[1:], np.float32)
    total = np.maximum(seen.sum(0), 1e-6)
    for _ in range(_PASSES):
        base = np.einsum("ncyx,nyx->cyx", logs - light, seen) / total
        for number, (one, weight) in enumerate(zip(logs, seen, strict=True)):
            light[number] = _light(one - base, weight, smooth)
    deviation = np.clip((logs - light - base) / SCALE, -CLIP, CLIP)
    deviation = np.stack([_filled(one, weight) for one, weight in zip(deviation, seen, strict=True)])
    never = seen.max(0) < LEAST_SEEN
    base = np.where(never, base[:, :, ::-1], base)
    levels = np.rint(np.clip(seen, 0.0, 1.0) * 255.0).astype(np.uint8)
    return Maps(
        person, base.astype(np.float32), (deviation * (mask > 0)).astype(np.float16), levels,
        mask.astype(np.float32), expression.astype(np.float32),
    )  # fmt: skip


def _smooth_functions(size: int) -> F32:
    """Six smooth functions over a map, [6, S, S]: the light on a round thing changes so."""
    line = np.linspace(-1.0, 1.0, size, dtype=np.float32)
    u, v = np.meshgrid(line, line)
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v])


def _light(off: F32, weight: F32, smooth: F32) -> F32:
    """The smooth part [3, S, S] of a difference, by weighted least squares, without what is far off."""
    flat, used = smooth.reshape(len(smooth), -1), weight.ravel()
    found = np.zeros_like(off)
    for _ in range(2):
        gram = (flat * used) @ flat.T + 1e-3 * np.eye(len(flat), dtype=np.float32)
        right = (flat * used) @ off.reshape(3, -1).T
        found = (np.linalg.solve(gram, right).T @ flat).reshape(off.shape).astype(np.float32)
        far = np.abs(off - found).max(0).ravel() > 3.0 * SCALE
        used = np.where(far, 0.0, weight.ravel())
    return found


def _filled(deviation: F32, weight: F32) -> F32:
    """What is not seen, from the other side; what neither side shows is the mean."""
    share = np.clip(weight / LEAST_SEEN, 0.0, 1.0)
    other, other_share = deviation[:, :, ::-1], share[:, ::-1]
    return np.asarray(share * deviation + (1.0 - share) * other_share * other, np.float32)
