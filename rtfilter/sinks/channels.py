"""The channels of a sound track under a plain, named layout, which PyAV can handle."""

from __future__ import annotations

import ctypes
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout

# FFmpeg's layouts of more than two channels that sound comes in, the commonest of each set first.
_NAMED = (
    "2.1", "3.0", "3.0(back)", "4.0", "quad", "quad(side)", "3.1", "5.0", "5.0(side)", "4.1", "5.1",
    "5.1(side)", "6.0", "hexagonal", "6.1", "6.1(back)", "7.0", "7.1", "7.1(wide)",
)  # fmt: skip


class PlainChannels:
    """The sound that `context` decodes, its channels in the order of a layout that has a name.

    PyAV 18 shares the list of channels of any other layout with whoever asks for it, and each frees it: the
    process aborts. So the context is asked for it once, and gets a plain one in its place.

    layout: the named one of the same channels; where there is none, FFmpeg's usual one for so many.

    Raises ValueError where there is none.
    """

    def __init__(self, context: AudioCodecContext) -> None:
        found = context.layout
        names = [channel.name for channel in found.channels]
        self.layout, self._order = _plain(names)
        if not context.is_open:
            context.layout = self.layout  # from here on `found` alone has the list, and frees it
        else:
            _keep(found)

    def plain(self, frame: AudioFrame) -> AudioFrame:
        """`frame` with its channels in order. Raises ValueError where its layout has no name."""
        if " channels" in frame.layout.name:
            _keep(frame.layout)
            raise ValueError(f"sound of {frame.layout.name}")
        if self._order is None or frame.layout != self.layout:
            return frame
        samples: npt.NDArray[Any] = frame.to_ndarray()
        if frame.format.is_planar:
            samples = samples[self._order]
        else:
            samples = samples.reshape(-1, len(self._order))[:, self._order].reshape(1, -1)
        ordered = AudioFrame.from_ndarray(np.ascontiguousarray(samples), frame.format.name, self.layout.name)
        ordered.sample_rate, ordered.pts = frame.sample_rate, frame.pts
        if frame.time_base is not None:
            ordered.time_base = frame.time_base
        return ordered


def _plain(names: list[str]) -> tuple[AudioLayout, list[int] | None]:
    """The layout for channels of these names, and where each of its channels is among them."""
    for name in _NAMED:
        layout = av.AudioLayout(name)
        wanted = [channel.name for channel in layout.channels]
        if sorted(wanted) == sorted(names):
            order = [names.index(channel) for channel in wanted]
            return layout, None if wanted == names else order
    # "9c" would be taken for nine channels of unknown place, which no encoder takes.
    return av.AudioLayout(f"{len(names)}c"), None


def _keep(layout: AudioLayout) -> None:
    """Never free `layout`: another one frees what it points at."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
