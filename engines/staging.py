"""Host arrays in and out of a network on a device: for checks and rare calls, not for every frame.

Called by `engines.trt.runner` and `engines.ort.cuda`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from rtfilter.engines.spec import F32, NetworkSpec
from rtfilter.kernels.device import Device, DeviceArray, HostArray, Stream


class Staging:
    """Memory of both sides for one network and batch. tensors: the device's, by name."""

    def __init__(self, spec: NetworkSpec, batch: int, device: Device) -> None:
        self._spec = spec
        self._host: dict[str, HostArray] = {}
        self.tensors: dict[str, DeviceArray] = {}
        for tensor in spec.tensors():
            self._host[tensor.name] = device.pinned(tensor.at(batch), tensor.dtype)
            self.tensors[tensor.name] = device.empty(tensor.at(batch), tensor.dtype)

    def run(self, stream: Stream, inputs: Mapping[str, F32], enqueue: Callable[[], None]) -> dict[str, F32]:
        """Copy in, `enqueue` on `stream`, copy out, wait. The outputs are overwritten by the next run."""
        for name, array in inputs.items():
            np.copyto(self._host[name], array)
            stream.upload(self.tensors[name], self._host[name])
        enqueue()
        for tensor in self._spec.outputs:
            stream.download(self._host[tensor.name], self.tensors[tensor.name])
        stream.wait()
        return {tensor.name: self._host[tensor.name] for tensor in self._spec.outputs}
