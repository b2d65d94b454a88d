"""The CUDA lane without a GPU: its kernels run by the processor through a shim, its networks by ONNX Runtime.

All of the lane's own work is done for real, and slowly.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np

from rtfilter.engines.expression.graph import expression_graph
from rtfilter.engines.expression.layout import EXPRESSION
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.prepare.files import network_bytes
from rtfilter.engines.spec import F32, NetworkSpec
from rtfilter.face.model import MorphableModel
from rtfilter.gpu.batcher import Batcher
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.kernels.device import Device, DeviceArray
from rtfilter.render.mesh import RingedMesh
from tests.host_gpu.device import HostDevice


class HostRunner:
    """A network of ONNX Runtime in the host device's stream and graphs."""

    capturable = True

    def __init__(self, onnx: bytes, spec: NetworkSpec, batch: int) -> None:
        self.spec, self.batch = spec, batch
        self._inner = OnnxRunner(onnx, spec, batch)
        self._bound: dict[str, F32] = {}
        self._memory: list[DeviceArray] = []

    def run(self, **inputs: F32) -> dict[str, F32]:
        return self._inner.run(**inputs)

    def bind(self, tensors: Mapping[str, DeviceArray]) -> None:
        self.spec.check_memory(tensors, self.batch)
        self._memory = list(tensors.values())
        for name, array in tensors.items():
            memory = (ctypes.c_float * (array.nbytes // 4)).from_address(array.pointer)
            self._bound[name] = np.ctypeslib.as_array(memory).reshape(array.shape)

    def enqueue(self, stream: Any) -> None:
        stream.call(self.run_bound)

    def run_bound(self) -> None:
        """Run on what is bound, now."""
        inputs = {tensor.name: self._bound[tensor.name] for tensor in self.spec.inputs}
        for name, values in self._inner.run(**inputs).items():
            np.copyto(self._bound[name], values)

    def close(self) -> None:
        self._inner.close()
        self._bound, self._memory = {}, []


class HostRuntime:
    """The networks on one core; read from the cache once, or made. Errors as of `network_bytes`."""

    one_thread = False

    def __init__(self, model: MorphableModel) -> None:
        self._onnx = {spec.name: network_bytes(spec) for spec in (FACE_DETECTOR, FACE_MESH)}
        self._onnx[EXPRESSION.name] = expression_graph(model)

    def runner(self, spec: NetworkSpec, batch: int, device: Device) -> HostRunner:
        """See `batch_device.Runtime`."""
        del device
        return HostRunner(self._onnx[spec.name], spec, batch)


def open_on_host(
    model: MorphableModel, fade_s: float, runtime: HostRuntime | None = None, faces: int = 1
) -> CudaLane:
    """The CUDA lane on the host device. Raises MissingExtraError without a C++ compiler."""
    mesh = RingedMesh(model.triangles, model.holes)
    batcher = Batcher(HostDevice, runtime or HostRuntime(model), mesh, 1 << (faces - 1).bit_length())
    return CudaLane(batcher, model, fade_s, "the host device: slow, for tests", faces)


# As a stand-in for a GPU in `bench.gpu_session`.
open_device, make_runtime = HostDevice, HostRuntime
