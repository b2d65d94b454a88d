"""Skin maps that `bench reenact` is given in place of the built-in ones. Called by `bench.reenact`."""

from __future__ import annotations

import io
from pathlib import Path

from rtfilter.errors import InputError
from rtfilter.face.skin import SkinMaps


def maps_for(given: Path, clip: str) -> SkinMaps:
    """Those of a file; or of a folder with maps that were learned without the person of each clip.

    In a folder it is CLIP.npz, or what the clip's name begins with, up to an underscore: W009.npz for
    W009_front_happy. Raises InputError.
    """
    if not given.is_dir():
        return read_maps(given)
    names = (f"{clip}.npz", f"{clip.partition('_')[0]}.npz")
    path = next((given / name for name in names if (given / name).is_file()), None)
    if path is None:
        raise InputError(f"{given}: expected {' or '.join(dict.fromkeys(names))}, maps without that person")
    return read_maps(path)


def read_maps(path: Path) -> SkinMaps:
    """Of a file. Raises InputError."""
    try:
        return SkinMaps.from_npz(io.BytesIO(path.read_bytes()), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot read the skin maps ({error.strerror}): check the path") from error
