"""`Network` and `Runner`: interfaces of a loaded network, on host arrays and on a device's memory.

`Network` is `engines.ort.cpu`; `Runner` is `engines.trt.runner` or `engines.ort.cuda`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from rtfilter.engines.spec import F32, NetworkSpec

if TYPE_CHECKING:
    from rtfilter.kernels.device import DeviceArray, Stream


class Network(Protocol):
    """A network on host arrays, for a fixed batch. For one thread at a time."""

    def run(self, **inputs: F32) -> dict[str, F32]:
        """The outputs by name.

        They belong to the network and are overwritten by its next run. Raises UsageError for a missing
        input, or a wrong shape or type.
        """
        ...

    def close(self) -> None:
        """Free everything. May be called twice."""
        ...


class Runner(Protocol):
    """A network on a device's memory, for a fixed batch. For one thread at a time."""

    @property
    def spec(self) -> NetworkSpec: ...

    @property
    def batch(self) -> int: ...

    @property
    def capturable(self) -> bool:
        """Whether `enqueue` may be captured into a graph; else it is called anew for every run.

        Known once memory is bound.
        """
        ...

    def bind(self, tensors: Mapping[str, DeviceArray]) -> None:
        """Give every input and output, by name, its fixed place in the device's memory. Nothing is copied."""
        ...

    def enqueue(self, stream: Stream) -> None:
        """Run on what is bound, in the stream's order."""
        ...

    def close(self) -> None:
        """Free everything. May be called twice."""
        ...
