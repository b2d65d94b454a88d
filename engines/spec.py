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

    def check_inputs(self, arrays: Mapping[str, Any], batch: int) -> None:
        """Raise UsageError unless `arrays` holds exactly the inputs, each of the right shape and type."""
        self._check("the inputs", self.inputs, arrays, batch)

    def check_memory(self, arrays: Mapping[str, Any], batch: int) -> None:
        """As `check_inputs`, for all inputs and outputs."""
        self._check("memory for", self.tensors(), arrays, batch)

    def _check(
        self, what: str, tensors: tuple[TensorSpec, ...], arrays: Mapping[str, Any], batch: int
    ) -> None:
        names = [tensor.name for tensor in tensors]
        if arrays.keys() != set(names):
            came = ", ".join(sorted(arrays)) or "nothing"
            raise UsageError(f"{self.name}: expected {what} {', '.join(names)}, got {came}")
        for tensor in tensors:
            array, shape = arrays[tensor.name], tensor.at(batch)
            if tuple(array.shape) != shape or array.dtype != tensor.dtype:
                raise UsageError(
                    f"{self.name}: {tensor.name} must be {tensor.dtype} {list(shape)}, "
                    f"got {array.dtype} {list(array.shape)}"
                )
