"""Opens the CUDA lane: the device by CuPy, the networks by the chosen runtime. Called by `gpu.fallback`."""

from __future__ import annotations

import contextlib
import threading
from weakref import WeakValueDictionary

from rtfilter.engines.expression.layout import model_key
from rtfilter.engines.prepare.choose import EngineChoice, make_runner
from rtfilter.engines.runner import Runner
from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import GpuError, Notify
from rtfilter.face.model import MorphableModel
from rtfilter.gpu.batcher import Batcher
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.kernels.cuda_device import CudaDevice
from rtfilter.kernels.device import Device
from rtfilter.render.mesh import RingedMesh

# Batchers of several streams, by what they are made of. Each lives as long as a lane on it.
_shared: WeakValueDictionary[tuple[object, ...], Batcher] = WeakValueDictionary()
_opening = threading.Lock()


class EngineRuntime:
    """See `batch_device.Runtime`. notify: one line for what takes a while, such as building a plan."""

    def __init__(self, choice: EngineChoice, model: MorphableModel, notify: Notify) -> None:
        self._choice, self._model, self._notify = choice, model, notify
        self.one_thread = choice.flavour is None

    def runner(self, spec: NetworkSpec, batch: int, device: Device) -> Runner:
        return make_runner(self._choice, spec, batch, device, self._notify, self._model)


def _open_batcher(choice: EngineChoice, model: MorphableModel, notify: Notify, streams: int) -> Batcher:
    """A GPU for so many streams, loaded; networks and plans are made where they are missing."""
    mesh = RingedMesh(model.triangles, model.holes)
    runtime = EngineRuntime(choice, model, notify)
    return Batcher(lambda: CudaDevice(choice.gpu.index), runtime, mesh, streams)


def open_cuda(
    choice: EngineChoice,
    model: MorphableModel,
    fade_s: float,
    notify: Notify,
    streams: int = 1,
    faces: int = 1,
) -> CudaLane:
    """The CUDA lane, loaded.

    Args:
        choice: the GPU, and what runs the networks.
        model: the face model that the expression network holds.
        fade_s: how long the edit takes to come and go with the face.
        notify: see `EngineRuntime`.
        streams: lanes of this process that share one batcher, opened with the first and closed with the last;
            1: the lane has its own.
        faces: that the lane follows, a launch's frames each.

    Raises:
        GpuError: GPU or software fails, or has no room.
        InputError: the cache cannot be used.
        UsageError: one stream too many.
    """
    # Launches are of 1, 2, 4 .. frames.
    places = streams << (faces - 1).bit_length()
    if streams == 1:
        own = _open_batcher(choice, model, notify, places)
        return CudaLane(own, model, fade_s, choice.why, faces)
    key = (choice.gpu.index, choice.target, str(choice.flavour), model_key(model), places)
    with _opening:
        if (batcher := _shared.get(key)) is not None:
            # One that failed, or is being closed, stays with its own lanes.
            with contextlib.suppress(GpuError):
                return CudaLane(batcher, model, fade_s, choice.why, faces)
        batcher = _shared[key] = _open_batcher(choice, model, notify, places)
        return CudaLane(batcher, model, fade_s, choice.why, faces)
