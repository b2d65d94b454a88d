"""A picture of what a profile's maps do, beside the built-in ones. Called by `cli.enroll` and `serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import Controls
from rtfilter.errors import OutputError, UsageError
from rtfilter.face import emotion
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import GAIN_MAX, SkinMaps
from rtfilter.profiles.fit import resized
from rtfilter.profiles.profile import Profile
from rtfilter.render.unwrap import paint
from rtfilter.system.files import write_atomically

U8 = npt.NDArray[np.uint8]

SHOWN: Final = ("happy", "sad", "angry", "surprised", "disgusted")
SUFFIXES: Final = (".png", ".jpg", ".jpeg")
TILE_PX: Final = 256
IOD_PX: Final = 150.0  # of 256: the face fills the tile


def preview(profile: Profile) -> U8:
    """RGB uint8 [2 * 256, 6 * 256, 3]: the mean face and emotions, with the built-in maps, then its own."""
    model = MorphableModel.builtin()
    side = len(profile.texture)
    rows = []
    for maps in (SkinMaps.builtin(), profile.skin):  # those of a generator have fewer texels
        skin = resized(maps, side)
        tiles = [_face(profile, model, skin, np.zeros(52))]
        for name in SHOWN:
            offset = emotion.Target.of_controls(Controls({name: 1.0})).offset(np.zeros(52))
            tiles.append(_face(profile, model, skin, offset))
        rows.append(np.hstack(tiles))
    return np.asarray(np.vstack(rows), np.uint8)


def write_preview(profile: Profile, path: Path) -> None:
    """`preview` as a picture for its owner alone. Raises UsageError for another kind of file, OutputError."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}")
    data = encoded_preview(profile, suffix)
    try:
        write_atomically(path, data, private=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def encoded_preview(profile: Profile, suffix: str) -> bytes:
    """`preview` as the bytes of a file with this suffix."""
    done, data = cv2.imencode(suffix, cv2.cvtColor(preview(profile), cv2.COLOR_RGB2BGR))
    assert done, suffix
    return data.tobytes()


def _face(profile: Profile, model: MorphableModel, skin: SkinMaps, offset: npt.NDArray[np.float64]) -> U8:
    """The mean texture with an edit of a neutral face, on its shape as seen from the front."""
    gain = np.einsum("k,kij->ij", skin.weights(np.zeros(52), offset), skin.maps)
    factor = 1.0 + skin.colour * (np.exp(np.clip(gain, -GAIN_MAX, GAIN_MAX)) - 1.0)[..., None]
    texture = np.clip(profile.texture * factor, 0.0, 255.0).astype(np.float32)
    moved = np.einsum("e,enc->nc", offset, model.edit_basis.astype(np.float64))
    points = IOD_PX * (profile.neutral_iod + moved)
    points += TILE_PX / 2 - np.append(points[:, :2].mean(0), 0.0) * (1, 1, 0)
    picture, _ = paint(texture, points.astype(np.float32), model.triangles, TILE_PX, TILE_PX)
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)
