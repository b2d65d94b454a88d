"""A person's texture network on the processor: log gains for an edit, anew only every few frames.

Called by `bench` with a file of `rtfilter learn texture-export`. Live, the filter renders the same file's
distilled maps (`face.skin.SkinMaps`) instead, at no cost of a network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.engines.expression.texture import FORMAT, VERSION, texture_spec
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.errors import InputError, UsageError
from rtfilter.face.skin import GAIN_MAX, SIDE_MAX, SkinMaps

F32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating[Any]]


class TextureDelta:
    """What an edit does to one person's skin, in the caller's thread.

    every: of the calls, how many share one run of the network; the others get the gains of the last run. An
    edit of zero is always zero. Not for several threads.
    """

    def __init__(self, onnx_bytes: bytes, name: str, every: int = 1) -> None:
        """name: for messages. Raises InputError for what is no texture network."""
        if every < 1:
            raise UsageError(f"every: expected 1 or more, got {every}")
        self.side = _side(onnx_bytes, name)
        self._runner = OnnxRunner(onnx_bytes, texture_spec(self.side))
        self._every, self._calls = every, 0
        self._gain = np.zeros((self.side, self.side), np.float32)
        self.colour: F32 = np.ones(3, np.float32)

    @classmethod
    def load(cls, path: Path, every: int = 1) -> TextureDelta:
        """Of a file. Raises InputError."""
        try:
            return cls(path.read_bytes(), str(path), every)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error

    def gain_log(self, expression: Floats, offset: Floats) -> F32:
        """Log gain of luminance, float32 [S, S], for an offset [52] on an expression [52]."""
        if not np.any(offset):
            return np.zeros((self.side, self.side), np.float32)
        if self._calls % self._every == 0:
            one = [
                np.asarray(value, np.float32).reshape(1, BLENDSHAPE_COUNT) for value in (expression, offset)
            ]
            out = self._runner.run(expression=one[0], offset=one[1])
            self._gain = np.clip(out["gain_log"][0], -GAIN_MAX, GAIN_MAX)
            self.colour = out["colour"][0].copy()
        self._calls += 1
        return self._gain

    def maps(self, expression: Floats, offset: Floats) -> SkinMaps:
        """The same as maps for a renderer: one map, to be painted with weight 1."""
        gain = self.gain_log(expression, offset)
        return SkinMaps(gain[None], np.zeros((1, BLENDSHAPE_COUNT), np.float32), self.colour)

    def reset(self) -> None:
        """The next call runs the network."""
        self._calls = 0

    def close(self) -> None:
        """Free the network. May be called twice."""
        self._runner.close()


def _side(data: bytes, name: str) -> int:
    """S of a texture network. Raises InputError for any other file."""
    wanted = "expected a file of `rtfilter learn texture-export`"
    try:
        model = onnx.load_model_from_string(data)
        shape = {one.name: one.type.tensor_type.shape.dim for one in model.graph.output}
        side = shape["gain_log"][-1].dim_value if "gain_log" in shape else 0
        comment = model.doc_string
    except Exception as error:  # protobuf's own types share no other base
        raise InputError(f"{name}: no ONNX file: {wanted}") from error
    if not comment.startswith(FORMAT) or not 2 <= side <= SIDE_MAX:
        raise InputError(f"{name}: an ONNX file, but no texture of a person: {wanted}")
    if not comment.startswith(f"{FORMAT} {VERSION},"):
        raise InputError(f"{name}: {comment.split(',')[0]}, expected {FORMAT} {VERSION}: export it again")
    return int(side)
