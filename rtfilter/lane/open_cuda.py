"""The CUDA lane on a real GPU: its device by CuPy, its networks by the runtime that was chosen."""

from __future__ import annotations

from rtfilter.engines.choose import EngineChoice, Say, make_runner
from rtfilter.engines.runner import Runner
from rtfilter.engines.spec import NetworkSpec
from rtfilter.face.model import MorphableModel
from rtfilter.kernels.cuda_device import CudaDevice
from rtfilter.kernels.device import Device
from rtfilter.lane.cuda import CudaLane
from rtfilter.lane.seat import Seat
from rtfilter.render.mesh import RingedMesh


class EngineRuntime:
    """See `seat.Runtime`. say: told what takes a while, such as building a plan for the first time."""

    def __init__(self, choice: EngineChoice, model: MorphableModel, say: Say) -> None:
        self._choice, self._model, self._say = choice, model, say

    @property
    def name(self) -> str:
        return str(self._choice.flavour or "ONNX Runtime on CUDA")

    def runner(self, spec: NetworkSpec, batch: int, device: Device) -> Runner:
        return make_runner(self._choice, spec, batch, device, self._say, self._model)


def open_cuda(
    choice: EngineChoice,
    model: MorphableModel,
    fade_s: float,
    say: Say,
    *,
    mapped: bool = True,
    graphs: bool = True,
) -> CudaLane:
    """The lane, loaded: networks are prepared and plans built where they are missing, which `say` is told.

    mapped, graphs: see `FramePipeline`.
    Raises GpuError where the GPU or its software fails or has no room, InputError for an unusable cache.
    """
    runtime = EngineRuntime(choice, model, say)
    mesh = RingedMesh(model.triangles, model.holes)
    seat = Seat(lambda: CudaDevice(choice.gpu.index), runtime, mesh, mapped=mapped, graphs=graphs)
    return CudaLane(seat, model, fade_s, choice.why)
