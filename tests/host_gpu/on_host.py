"""The CUDA lane without a GPU: its kernels run by the processor through a shim, its networks by ONNX Runtime.

For tests and for looking at it: all of the lane's own work is done for real, and slowly.
"""

from __future__ import annotations

from rtfilter.engines.expression.graph import expression_graph
from rtfilter.engines.expression.layout import EXPRESSION
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.prepare.files import network_bytes
from rtfilter.engines.runner import Runner
from rtfilter.engines.spec import NetworkSpec
from rtfilter.face.model import MorphableModel
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.gpu.seat import Seat
from rtfilter.kernels.device import Device
from rtfilter.render.mesh import RingedMesh
from tests.host_gpu.device import HostDevice


class HostRuntime:
    """The networks on one core; read from the cache once, or made. Errors as of `network_bytes`."""

    name = "ONNX Runtime on the processor"

    def __init__(self, model: MorphableModel) -> None:
        self._onnx = {spec.name: network_bytes(spec) for spec in (FACE_DETECTOR, FACE_MESH)}
        self._onnx[EXPRESSION.name] = expression_graph(model)

    def runner(self, spec: NetworkSpec, batch: int, device: Device) -> Runner:
        """See `seat.Runtime`."""
        del device
        return OnnxRunner(self._onnx[spec.name], spec, batch)


def open_on_host(
    model: MorphableModel,
    fade_s: float,
    runtime: HostRuntime | None = None,
    *,
    mapped: bool = True,
    graphs: bool = True,
) -> CudaLane:
    """The CUDA lane on the host device. Raises MissingExtraError without a C++ compiler."""
    mesh = RingedMesh(model.triangles, model.holes)
    seat = Seat(HostDevice, runtime or HostRuntime(model), mesh, mapped=mapped, graphs=graphs)
    return CudaLane(seat, model, fade_s, "the host device: slow, for tests")
