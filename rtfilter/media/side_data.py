"""What a decoder attaches to a picture (orientation, mastering, EXIF, ...), read by name, one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import av
from av.buffer import Buffer
from av.filter import Graph
from av.sidedata.sidedata import Type

_EXIF = 31  # AV_FRAME_DATA_EXIF, which PyAV has no name for


def side_data(picture: av.VideoFrame, name: str) -> bytes | None:
    """The bytes of the picture's side data `name` (FFmpeg's AV_FRAME_DATA_ name, as PyAV's `Type` has it).

    None where the picture has none. Side data of types that PyAV has no name for do not matter.
    """
    # PyAV annotates its container of side data as a plain dict of another kind.
    found = cast("Mapping[str, Buffer]", _table(picture)).get(name)
    return None if found is None else bytes(found)


def has_exif(picture: av.VideoFrame) -> bool:
    """Whether a camera's notes on the picture (time, place, lens) came with it."""
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


class WithoutProfile:
    """Takes the ICC profile off the pictures of FFmpeg's PNG decoder, without which they cannot be looked at.

    That decoder gives the profile's name beside it. PyAV (18.1) takes such names for its own in `side_data`
    and frees them a second time: the process ends with a segmentation fault.
    """

    CODECS = ("png", "apng")

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._key: tuple[object, ...] = ()

    def picture(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The same picture, with everything else that is attached to it."""
        key = (picture.format.name, picture.width, picture.height, picture.time_base)
        if self._graph is None or key != self._key:
            graph = self._graph = Graph()
            buffer = graph.add_buffer(
                width=picture.width,
                height=picture.height,
                format=picture.format,
                time_base=picture.time_base,
            )
            dropper = graph.add("sidedata", "mode=delete:type=ICC_PROFILE")
            graph.link_nodes(buffer, dropper, graph.add("buffersink")).configure()
            self._key = key
        self._graph.vpush(picture)
        return self._graph.vpull()


def _unnamed(cls: type[Type], value: Any) -> Type:
    member = object.__new__(cls)
    member._name_, member._value_ = f"UNNAMED_{value}", value
    return member
