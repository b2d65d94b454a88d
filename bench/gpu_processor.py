"""The networks on the processor, all else on the GPU: for one that nothing runs networks on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.prepare.files import prepared
from rtfilter.engines.runner import Runner, check_bound
from rtfilter.engines.spec import F32, NetworkSpec
from rtfilter.kernels.device import Device, DeviceArray, HostArray, Stream


class ProcessorRuntime:
    """See `seat.Runtime`."""

    name = "ONNX Runtime on the processor"

    def runner(self, spec: NetworkSpec, batch: int, device: Device) -> Runner:
        return ProcessorRunner(spec, batch, device)


class ProcessorRunner:
    """Waits for the device, computes, and copies back: right, slow, and no part of a graph."""

    capturable = False

    def __init__(self, spec: NetworkSpec, batch: int, device: Device) -> None:
        self.spec, self.batch = spec, batch
        self._inner = OnnxRunner(prepared(spec), spec, batch)
        self._host: dict[str, HostArray] = {
            tensor.name: device.pinned(tensor.at(batch), tensor.dtype) for tensor in spec.tensors()
        }
        self._there: dict[str, DeviceArray] = {}

    def run(self, **inputs: F32) -> dict[str, F32]:
        """See `Runner.run`."""
        return self._inner.run(**inputs)

    def bind(self, tensors: Mapping[str, DeviceArray]) -> None:
        """See `Runner.bind`."""
        check_bound(self.spec, self.batch, tensors)
        self._there = dict(tensors)

    def enqueue(self, stream: Stream) -> None:
        """See `Runner.enqueue`."""
        given = [tensor.name for tensor in self.spec.inputs]
        for name in given:
            stream.download(self._host[name], self._there[name])
        stream.wait()
        for name, values in self._inner.run(**{name: self._host[name] for name in given}).items():
            np.copyto(self._host[name], values)
            stream.upload(self._there[name], self._host[name])

    def close(self) -> None:
        """See `Runner.close`. The memory is the device's."""
        self._inner.close()
        self._there = {}
