"""Side data of a decoded picture (orientation, mastering, EXIF), by name. Called by `media` and `sinks`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import av
from av.buffer import Buffer
from av.sidedata.sidedata import Type

_EXIF = 31  # AV_FRAME_DATA_EXIF, which PyAV has no name for
# FFmpeg's PNG decoder gives an ICC profile's name beside it. PyAV (18.1) frees such names a second time in
# `side_data`: a segmentation fault. So pictures of these decoders go through this filter first.
PROFILE_NAMED_BY = ("png", "apng")
WITHOUT_PROFILE = ("sidedata", "mode=delete:type=ICC_PROFILE")


def side_data(picture: av.VideoFrame, name: str) -> bytes | None:
    """The bytes of the picture's side data `name` (FFmpeg's AV_FRAME_DATA_ name, as PyAV's `Type` has it).

    None where the picture has none. Side data of types that PyAV has no name for do not matter.
    """
    # PyAV annotates its container of side data as a plain dict of another kind.
    found = cast("Mapping[str, Buffer]", _table(picture)).get(name)
    return None if found is None else bytes(found)


def has_exif(picture: av.VideoFrame) -> bool:
    """Whether the picture has EXIF: a camera's notes of time, place and lens."""
    table: Any = _table(picture)
    return any(table[place].type.value == _EXIF for place in range(len(table)))


def _table(picture: av.VideoFrame) -> object:
    try:
        return picture.side_data
    except ValueError:
        # PyAV reads the whole table at once and refuses it for one type that is newer than its list
        # (18.1 ends at 27; FFmpeg 8's views of a stereo film are 29, EXIF is 31).
        Type._missing_ = classmethod(_unnamed)  # type: ignore[method-assign, assignment]
        return picture.side_data


def _unnamed(cls: type[Type], value: Any) -> Type:
    member = object.__new__(cls)
    member._name_, member._value_ = f"UNNAMED_{value}", value
    return member
