"""`Conformer`: every picture of a stream in the size and pixel format of the first."""

from __future__ import annotations

import av
from av.filter import Graph

from rtfilter.media.filters import chain
from rtfilter.media.pixels import copy_properties


class Conformer:
    """A converter of a stream's pictures to the size and pixel format of the first one.

    Browsers' recorders and phones change the size in the middle; files and filters have one. A
    picture of another size is scaled as large as it fits, its proportions kept, on black.

    changed: None, or what the first picture that had to be changed was, and what it became, in words.
    """

    def __init__(self) -> None:
        self.changed: str | None = None
        self._form: tuple[int, int, str] | None = None
        self._graph: Graph | None = None
        self._key: tuple[object, ...] = ()

    def conformed(self, picture: av.VideoFrame) -> av.VideoFrame:
        """`picture` itself when it is like the first, else a copy that is. Raises av.FFmpegError."""
        form = _form(picture)
        if self._form is None:
            self._form = form
        if form == self._form:
            return picture
        width, height, first = form[0], form[1], self._form
        if self.changed is None:
            at = "" if picture.time is None else f" at {picture.time:.2f} s"
            self.changed = (
                f"the size changes to {width}x{height}{at}: scaled to {first[0]}x{first[1]}"
                if form[:2] != first[:2]
                else f"the pixel format changes to {form[2]}{at}: converted to {first[2]}"
            )
        # Its tags are part of what it is: the scaler would turn its colours into those that it was made for.
        key = (form, int(picture.colorspace), int(picture.color_range))
        if self._graph is None or key != self._key:
            self._graph, self._key = _scaler(picture, first), key
        self._graph.vpush(picture)
        scaled = self._graph.vpull()
        copy_properties(picture, scaled)
        return scaled


def _form(picture: av.VideoFrame) -> tuple[int, int, str]:
    return picture.width, picture.height, picture.format.name


def _scaler(picture: av.VideoFrame, form: tuple[int, int, str]) -> Graph:
    width, height, name = form
    return chain(
        picture,
        ("scale", f"{width}:{height}:force_original_aspect_ratio=decrease:flags=bicubic"),
        ("format", name),
        ("pad", f"{width}:{height}:-1:-1"),
    )
