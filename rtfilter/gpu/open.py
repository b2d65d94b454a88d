"""The CUDA lane on a real GPU: its device by CuPy, its networks by the runtime that was chosen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from rtfilter.engines.expression.key import model_key
from rtfilter.engines.prepare.choose import EngineChoice, Say, make_runner
from rtfilter.engines.runner import Runner
from rtfilter.engines.spec import NetworkSpec
from rtfilter.face.model import MorphableModel
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.gpu.seat import Seat
from rtfilter.gpu.shared_seat import SharedSeat
from rtfilter.gpu.together import Together
from rtfilter.kernels.cuda_device import CudaDevice
from rtfilter.kernels.device import Device
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

    mapped, graphs: see `FramePipeline`. Raises GpuError where the GPU or its software fails or has no room,
    InputError for an unusable cache.
    """
    runtime = EngineRuntime(choice, model, say)
    mesh = RingedMesh(model.triangles, model.holes)
    seat = Seat(lambda: CudaDevice(choice.gpu.index), runtime, mesh, mapped=mapped, graphs=graphs)
    return CudaLane(seat, model, fade_s, choice.why)


def open_together(choice: EngineChoice, model: MorphableModel, say: Say, seats: int) -> Together:
    """A device for several streams, loaded; see `Together`, errors as of `open_cuda`."""
    runtime = EngineRuntime(choice, model, say)
    mesh = RingedMesh(model.triangles, model.holes)
    return Together(lambda: CudaDevice(choice.gpu.index), runtime, mesh, seats=seats)


@dataclass
class _Shared:
    together: Together
    users: int = 0


_shared: dict[tuple[object, ...], _Shared] = {}
_sharing = threading.Lock()


def open_shared(
    choice: EngineChoice,
    model: MorphableModel,
    fade_s: float,
    say: Say,
    streams: int,
    open_device: Callable[[EngineChoice, MorphableModel, Say, int], Together] = open_together,
) -> CudaLane:
    """A lane on the device that this process's lanes for `streams` streams share; opened with the first of
    them, closed with the last. Errors as of `open_cuda`; UsageError for one stream too many."""
    made_of = (choice.target, str(choice.flavour), model_key(model))
    key = (choice.gpu.index, *made_of, streams, id(open_device))
    with _sharing:
        shared = _shared.get(key)
        if shared is None or shared.together.failed is not None:
            # What failed stays with those who use it, until they leave.
            shared = _shared[key] = _Shared(open_device(choice, model, say, streams))
        seat = _CountedSeat(shared, key)
        shared.users += 1
    return CudaLane(seat, model, fade_s, choice.why)


class _CountedSeat(SharedSeat):
    def __init__(self, shared: _Shared, key: tuple[object, ...]) -> None:
        super().__init__(shared.together)
        self._shared: _Shared | None = shared
        self._key = key

    def close(self) -> None:
        super().close()
        with _sharing:
            shared, self._shared = self._shared, None
            if shared is None:
                return
            shared.users -= 1
            if shared.users:
                return
            if _shared.get(self._key) is shared:
                del _shared[self._key]
        shared.together.close()
