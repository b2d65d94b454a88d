"""Skin maps: how an edit of the expression changes the brightness of skin, in UV. Arrays only.

Folds and the light in them: a map holds, at weight 1, the natural log of the ratio of encoded pixel values
after and before. Weights come from the edit's offset; the renderers add up the maps, and multiply the skin.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPES
from rtfilter.errors import InputError

F32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating[Any]]

SKIN_ASSET: Final = "skin.npz"
MAPS_MAX: Final = 16
SIDE_MAX: Final = 256
# The largest log gain that is painted, up or down: 2.7 times. More is no skin, but a fault.
GAIN_MAX: Final = 1.0
# No number of maps is larger: sums of a renderer stay finite.
NUMBER_MAX: Final = 1e3
_DAMAGE = (
    ValueError, OSError, EOFError, KeyError, AttributeError, TypeError, BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SkinMaps:
    """K maps of S x S texels in the UV of `face.uv`.

    A channel c of a pixel of skin is multiplied by `1 + colour[c] * (exp(L) - 1)`, with the log gain
    `L = sum_k weights[k] * maps[k]` (and the light of `Displacement.gain_log`), within GAIN_MAX.

    maps: float32 [K, S, S], K <= MAPS_MAX, S <= SIDE_MAX; 0 beyond the skin. mixing: float32 [K, 52], weights
    of an offset. colour: float32 [3], each channel's share of the change. Raises InputError for other shapes,
    and for what is not within NUMBER_MAX.
    """

    maps: F32
    mixing: F32
    colour: F32

    def __post_init__(self) -> None:
        # Here: on a device that several streams share, one stream's faulty maps would end them all.
        shape = self.maps.shape
        if len(shape) != 3 or shape[0] > MAPS_MAX or not 1 <= shape[1] <= SIDE_MAX:
            expected = f"at most {MAPS_MAX} of at most {SIDE_MAX} x {SIDE_MAX}"
            raise InputError(f"'maps' is {list(shape)}, expected {expected}")
        wanted = {
            "maps": (shape[0], shape[1], shape[1]),
            "mixing": (shape[0], BLENDSHAPE_COUNT),
            "colour": (3,),
        }
        for key, size in wanted.items():
            got: F32 = getattr(self, key)
            if got.shape != size or not (np.abs(got) <= NUMBER_MAX).all():
                expected = f"{list(size)}, numbers of at most {NUMBER_MAX:g}"
                raise InputError(f"'{key}' of skin maps is {list(got.shape)}, expected {expected}")

    @property
    def count(self) -> int:
        """K."""
        return len(self.maps)

    @property
    def side(self) -> int:
        """S."""
        return int(self.maps.shape[1])

    @cached_property
    def peaks(self) -> F32:
        """The largest |log gain| of each map, float32 [K]."""
        return np.asarray(np.abs(self.maps).max((1, 2), initial=0.0), np.float32)

    def weights(self, expression: Floats, offset: Floats) -> F32:
        """Weights [K] of the maps for an offset [52] on top of an expression [52]; zero for no offset.

        Linear today: `expression` has no part in them.
        """
        return np.asarray(self.mixing @ offset.astype(np.float32), np.float32)

    @classmethod
    def none(cls) -> SkinMaps:
        """No maps: skin is moved, and lit by `Displacement.gain_log` alone."""
        one = np.ones(3, np.float32)
        return cls(np.zeros((0, 1, 1), np.float32), np.zeros((0, BLENDSHAPE_COUNT), np.float32), one)

    @classmethod
    def builtin(cls) -> SkinMaps:
        """The committed maps, read once."""
        return _builtin()

    @classmethod
    def from_npz(cls, file: io.BytesIO, name: str) -> SkinMaps:
        """Parse and check. Raises InputError with the array at fault, what came and what was expected.

        `maps` may be whole numbers (int8) with `scale`, float [K], the log gain of one step of each.
        """
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays: dict[str, npt.NDArray[Any]] = {key: archive[key] for key in cls.__dataclass_fields__}
                scale = archive["scale"] if arrays["maps"].dtype.kind == "i" else None
        except _DAMAGE as error:
            raise InputError(f"{name}: not skin maps (.npz as in docs/face-model.md): {error}") from error
        if scale is not None:
            arrays["scale"] = scale
        shape = arrays["maps"].shape
        count = shape[0] if shape else 0
        side = shape[1] if len(shape) > 1 else 0
        if not (1 <= count <= MAPS_MAX and 2 <= side <= SIDE_MAX):
            expected = f"[1..{MAPS_MAX}, S, S] with S 2..{SIDE_MAX}"
            raise InputError(f"{name}: 'maps' is {arrays['maps'].dtype} {list(shape)}, expected {expected}")
        expected_shapes = {
            "maps": (count, side, side),
            "mixing": (count, BLENDSHAPE_COUNT),
            "colour": (3,),
            "scale": (count,),
        }
        for key, got in arrays.items():
            wanted = expected_shapes[key]
            if got.shape != wanted or got.dtype.kind not in "if" or not np.isfinite(got).all():
                came = f"{got.dtype} {list(got.shape)}"
                raise InputError(f"{name}: {key!r} is {came}, expected finite numbers {list(wanted)}")
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large is refused below
            maps = np.ascontiguousarray(arrays["maps"], np.float32)
            if scale is not None:
                maps *= scale.astype(np.float32)[:, None, None]
            mixing, colour = (np.ascontiguousarray(arrays[key], np.float32) for key in ("mixing", "colour"))
        try:
            return cls(maps, mixing, colour)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None

    def to_npz(self) -> bytes:
        """What `from_npz` reads: eight bits a texel, and a scale for each map."""
        scale = np.maximum(np.abs(self.maps).max((1, 2)), 1e-9) / 127.0
        steps = np.rint(self.maps / scale[:, None, None]).astype(np.int8)
        file = io.BytesIO()
        np.savez_compressed(
            file, maps=steps, scale=scale.astype(np.float32), mixing=self.mixing, colour=self.colour,
            blendshapes=np.array(BLENDSHAPES),
        )  # fmt: skip
        return file.getvalue()


@lru_cache(maxsize=1)
def _builtin() -> SkinMaps:
    data = resources.files("rtfilter.face").joinpath("assets", SKIN_ASSET).read_bytes()
    return SkinMaps.from_npz(io.BytesIO(data), "the built-in skin maps")
