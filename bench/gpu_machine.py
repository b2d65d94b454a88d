"""What the GPU benchmarks run on: a real GPU, or the host device, which shows that the script works."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rtfilter.engines.choose import EngineChoice, choose_engine
from rtfilter.engines.driver import find_gpus
from rtfilter.engines.nvml import driver_version
from rtfilter.engines.runner import Runner
from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import RtfilterError
from rtfilter.face.model import MorphableModel
from rtfilter.frame import Frame
from rtfilter.kernels.device import Device
from rtfilter.lane.cuda import CudaLane
from rtfilter.lane.together import Together
from rtfilter.machine import machine_facts, package_version, versions
from rtfilter.render.mesh import RingedMesh
from rtfilter.sources.demo import DemoSource

HOST, CUDA = "host", "cuda"
BEST, ORT = "best", "ort"
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "2160p": (3840, 2160)}
PACKAGES = ("cupy-cuda12x", "cupy-cuda13x", "tensorrt-rtx-cu12", "tensorrt-rtx-cu13", "tensorrt-cu12",
            "tensorrt-cu13", "onnxruntime", "onnxruntime-gpu", "onnx", "torch", "llvmlite")  # fmt: skip


@dataclass(frozen=True)
class Effort:
    """How much is measured. frames: a size, for latency. seconds: a number of streams."""

    frames: int
    compared: int
    seconds: float
    sizes: tuple[str, ...]
    streams: tuple[int, ...]


FULL = Effort(1500, 60, 4.0, ("720p", "1080p", "2160p"), (1, 2, 4, 8, 16, 32, 64, 96, 128))
# The host device takes a tenth of a second a frame: just enough to see that everything is there.
SHORT = Effort(6, 6, 1.0, ("720p",), (1, 2))


@dataclass(frozen=True)
class Machine:
    """device: `cuda` or `host`. runtime: `best`, or `ort`: ONNX Runtime on CUDA, TensorRT or not."""

    device: str
    runtime: str = BEST

    @cached_property
    def model(self) -> MorphableModel:
        return MorphableModel.builtin()

    @cached_property
    def engine(self) -> EngineChoice:
        """What runs the networks. Raises GpuError where nothing does."""
        best = choose_engine(find_gpus()[0])
        if self.runtime == BEST:
            return best
        return EngineChoice(best.gpu, None, best.gpu.target, "ONNX Runtime on CUDA, as asked for", True)

    @property
    def effort(self) -> Effort:
        return FULL if self.device == CUDA else SHORT

    def open_device(self) -> Device:
        if self.device == HOST:
            from rtfilter.kernels.host_device import HostDevice

            return HostDevice()
        from rtfilter.kernels.cuda_device import CudaDevice

        return CudaDevice(self.engine.gpu.index)

    @cached_property
    def _make_runner(self) -> Callable[[NetworkSpec, int, Device], Runner]:
        if self.device == HOST:
            from rtfilter.lane.on_host import HostRuntime

            return HostRuntime(self.model).runner
        from rtfilter.lane.open_cuda import EngineRuntime

        return EngineRuntime(self.engine, self.model, tell).runner

    def runner(self, spec: NetworkSpec, batch: int, device: Device) -> Runner:
        return self._make_runner(spec, batch, device)

    def open_lane(self, fade_s: float = 0.0, *, mapped: bool = True, graphs: bool = True) -> CudaLane:
        if self.device == HOST:
            from rtfilter.lane.on_host import open_on_host

            return open_on_host(self.model, fade_s, mapped=mapped, graphs=graphs)
        from rtfilter.lane.open_cuda import open_cuda

        return open_cuda(self.engine, self.model, fade_s, tell, mapped=mapped, graphs=graphs)

    def open_together(self, seats: int) -> Together:
        """A device for several streams."""
        if self.device == HOST:
            from rtfilter.kernels.host_device import HostDevice
            from rtfilter.lane.on_host import HostRuntime

            mesh = RingedMesh(self.model.triangles, self.model.holes)
            return Together(HostDevice, HostRuntime(self.model), mesh, seats=seats)
        from rtfilter.lane.open_cuda import open_together

        return open_together(self.engine, self.model, tell, seats)

    def free_bytes(self) -> int | None:
        """Memory of the GPU that nobody uses; None where it is not told."""
        return find_gpus()[0].free_bytes if self.device == CUDA else None


def facts(machine: Machine) -> dict[str, Any]:
    """Machine, versions, and what the networks run on."""
    found: dict[str, Any] = {
        "device": machine.device,
        "machine": machine_facts(),
        "versions": {**versions(), **{name: package_version(name) for name in PACKAGES}},
        "driver": driver_version(),
    }
    if machine.device == CUDA:
        try:
            found["gpu"] = str(find_gpus()[0])
            found["engine"] = machine.engine.why
            found["second_best"] = machine.engine.second_best
        except RtfilterError as error:
            found["missing"] = str(error)
    return found


def demo_frames(width: int, height: int, count: int) -> list[Frame]:
    """The demo's first frames, drawn now."""
    source = DemoSource(width, height)
    try:
        return [source.frame(seq) for seq in range(count)]
    finally:
        source.close()


def tell(line: str) -> None:
    """A line for who watches."""
    print(f"  {line}", file=sys.stderr, flush=True)
