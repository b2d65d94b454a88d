"""The interface of a network: names, shapes, types and meanings of its tensors; not how it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.errors import UsageError

F32 = npt.NDArray[np.float32]

BATCH_NAME = "batch"  # the name of the first axis inside the ONNX files


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output.

    shape: None stands for the batch, and is always the first axis.
    meaning: space, unit and range of the numbers, for people.
    """

    name: str
    shape: tuple[int | None, ...]
    meaning: str
    dtype: str = "float32"

    def at(self, batch: int) -> tuple[int, ...]:
        """The shape for `batch` faces."""
        return tuple(batch if size is None else size for size in self.shape)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """One network: one ONNX file with these inputs and outputs, in this order.

    version: counts what changes the numbers or the interface; part of the names in the cache.
    half: whether a GPU may compute it in 16 bits; its inputs and outputs stay 32 bits wide.
    """

    name: str
    version: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    half: bool

    def tensors(self) -> tuple[TensorSpec, ...]:
        """All inputs, then all outputs."""
        return self.inputs + self.outputs

    def check_inputs(self, arrays: Mapping[str, npt.NDArray[Any]], batch: int) -> None:
        """UsageError unless `arrays` holds exactly the inputs, each of the right shape and type."""
        wanted = {tensor.name: tensor for tensor in self.inputs}
        if arrays.keys() != wanted.keys():
            came, names = ", ".join(sorted(arrays)) or "nothing", ", ".join(wanted)
            raise UsageError(f"{self.name}: expected the inputs {names}, got {came}")
        for name, tensor in wanted.items():
            array = arrays[name]
            if array.shape != tensor.at(batch) or array.dtype != tensor.dtype:
                raise UsageError(
                    f"{self.name}: {name} must be {tensor.dtype} {list(tensor.at(batch))}, "
                    f"got {array.dtype} {list(array.shape)}"
                )
