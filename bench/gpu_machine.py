"""What the GPU benchmarks run on: a real GPU, or the host device, which shows that the script works."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from rtfilter.bench.gpu_processor import ProcessorRuntime
from rtfilter.colour import YuvSpec, rgb_to_yuv
from rtfilter.engines.driver import Gpu, dotted, find_gpus
from rtfilter.engines.nvml import driver_version
from rtfilter.engines.prepare.choose import EngineChoice, choose_engine
from rtfilter.engines.runner import Runner
from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import RtfilterError
from rtfilter.face.model import MorphableModel
from rtfilter.frame import Frame
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.gpu.seat import Runtime, Seat
from rtfilter.gpu.together import Together
from rtfilter.kernels import nvrtc
from rtfilter.kernels.device import Device
from rtfilter.planes import Planes
from rtfilter.render.mesh import RingedMesh
from rtfilter.sources.demo import DemoSource
from rtfilter.system.machine import machine_facts, package_version, versions

HOST, CUDA = "host", "cuda"
# What runs the networks. TENSORRT: also where it is not made for the GPU. ORT: on CUDA.
BEST, TENSORRT, ORT, PROCESSOR = RUNTIMES = ("best", "tensorrt", "ort", "processor")
RGB, I420 = FORMATS = ("RGB", "4:2:0")
SO_FAR = "so_far"
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


FULL = Effort(1000, 60, 4.0, ("720p", "1080p", "2160p"), (1, 2, 4, 8, 16, 32, 64, 96, 128))
# The host device takes a tenth of a second a frame: just enough to see that everything is there.
SHORT = Effort(6, 6, 1.0, ("720p",), (1, 2))


@dataclass(frozen=True)
class Machine:
    """device: `cuda` or `host`. runtime: what runs the networks, one of RUNTIMES."""

    device: str
    runtime: str = BEST

    @cached_property
    def model(self) -> MorphableModel:
        return MorphableModel.builtin()

    @cached_property
    def gpu(self) -> Gpu:
        """The first. Raises GpuError without one."""
        return find_gpus()[0]

    @cached_property
    def engine(self) -> EngineChoice:
        """What runs the networks. Raises GpuError where nothing does."""
        if self.runtime == ORT:
            return EngineChoice(self.gpu, None, self.gpu.target, "ONNX Runtime on CUDA, as asked for", True)
        return choose_engine(self.gpu, unproven=self.runtime == TENSORRT)

    @property
    def effort(self) -> Effort:
        return FULL if self.device == CUDA else SHORT

    def open_device(self) -> Device:
        """Needs nothing that runs networks."""
        if self.device == HOST:
            from tests.host_gpu.device import HostDevice

            return HostDevice()
        from rtfilter.kernels.cuda_device import CudaDevice

        return CudaDevice(self.gpu.index)

    @cached_property
    def _runs(self) -> Runtime:
        if self.runtime == PROCESSOR:
            return ProcessorRuntime()
        if self.device == HOST:
            from tests.host_gpu.on_host import HostRuntime

            return HostRuntime(self.model)
        from rtfilter.gpu.open import EngineRuntime

        return EngineRuntime(self.engine, self.model, tell)

    def runner(self, spec: NetworkSpec, batch: int, device: Device) -> Runner:
        return self._runs.runner(spec, batch, device)

    def open_lane(self, fade_s: float = 0.0, *, mapped: bool = True, graphs: bool = True) -> CudaLane:
        """A stream with a device to itself."""
        seat = Seat(self.open_device, self._runs, self._mesh, mapped=mapped, graphs=graphs)
        return CudaLane(seat, self.model, fade_s)

    def open_together(self, seats: int) -> Together:
        """A device for several streams."""
        return Together(self.open_device, self._runs, self._mesh, seats=seats)

    @property
    def _mesh(self) -> RingedMesh:
        return RingedMesh(self.model.triangles, self.model.holes)

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
            found["gpu"] = str(machine.gpu)
            found["cuda_of_driver"] = dotted(machine.gpu.cuda)
            found["nvrtc"] = [dotted(each.version) for each in nvrtc.installed()]
            found["engine"] = machine.engine.why
            found["second_best"] = machine.engine.second_best
        except RtfilterError as error:
            found["missing"] = str(error)
    return found


def demo_frames(width: int, height: int, count: int, pixels: str = RGB) -> list[Frame]:
    """The demo's first frames, drawn now. pixels: RGB, or I420 as decoders give them."""
    source = DemoSource(width, height)
    try:
        frames = [source.frame(seq) for seq in range(count)]
    finally:
        source.close()
    return frames if pixels == RGB else [in_planes(frame) for frame in frames]


def in_planes(frame: Frame) -> Frame:
    """The frame as 4:2:0 planes of BT.709."""
    spec = YuvSpec("bt709", full_range=False)
    luma, cb, cr = rgb_to_yuv(frame.rgb, spec, 1, 1)
    return replace(frame, pixels=Planes(luma, cb, cr, (1, 1), spec), native=None)


def so_far(found: dict[str, Any]) -> None:
    """What a step has found until now: counts if it does not come to its end."""
    print(json.dumps({SO_FAR: found}), flush=True)


def tell(line: str) -> None:
    """A line for who watches."""
    print(f"  {line}", file=sys.stderr, flush=True)
