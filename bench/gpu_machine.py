"""What the GPU benchmarks run on: the first GPU, or a module in its place. Used by `bench.gpu_*`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np

from rtfilter.bench import common
from rtfilter.colour import YuvSpec, rgb_to_yuv
from rtfilter.engines.driver import Gpu, dotted, find_gpus
from rtfilter.engines.nvml import driver_version
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.prepare.choose import EngineChoice, choose_engine
from rtfilter.engines.prepare.files import network_bytes
from rtfilter.engines.runner import Runner
from rtfilter.engines.spec import F32, NetworkSpec
from rtfilter.errors import RtfilterError
from rtfilter.face.model import MorphableModel
from rtfilter.frame import Frame
from rtfilter.gpu.batch_device import Runtime
from rtfilter.gpu.batcher import Batcher
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.gpu.open import EngineRuntime
from rtfilter.kernels import nvrtc
from rtfilter.kernels.cuda_device import CudaDevice
from rtfilter.kernels.device import Device, DeviceArray, HostArray, Stream
from rtfilter.planes import Planes
from rtfilter.render.mesh import RingedMesh
from rtfilter.system.version import package_version

CUDA = "cuda"
# What runs the networks: what the lane chooses, ONNX Runtime on CUDA, or ONNX Runtime on the processor.
BEST, ORT, PROCESSOR = RUNTIMES = ("best", "ort", "processor")
RGB, I420 = FORMATS = ("RGB", "4:2:0")
SO_FAR = "so_far"
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "2160p": (3840, 2160)}
PACKAGES = ("cupy-cuda12x", "cupy-cuda13x", "tensorrt-rtx-cu12", "tensorrt-rtx-cu13", "tensorrt-cu12",
            "tensorrt-cu13", "onnxruntime", "onnxruntime-gpu", "onnx", "torch", "llvmlite")  # fmt: skip


@dataclass(frozen=True)
class Effort:
    """How much is measured: frames for latency and comparison a size, seconds a number of streams."""

    frames: int
    compared: int
    seconds: float
    sizes: tuple[str, ...]
    streams: tuple[int, ...]


FULL = Effort(1000, 60, 4.0, ("720p", "1080p", "2160p"), (1, 2, 4, 8, 16, 32, 64, 96, 128))
# A stand-in takes a tenth of a second a frame: enough to see that everything is there.
SHORT = Effort(6, 6, 1.0, ("720p",), (1, 2))


@dataclass(frozen=True)
class Machine:
    """Where the lane runs.

    Attributes:
        device: `cuda`, or a module with `open_device()`, a `Device`, and `make_runtime(model)`, a `Runtime`.
        runtime: what runs the networks, one of RUNTIMES.
    """

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
        """What runs the networks on the GPU. Raises GpuError where nothing does."""
        if self.runtime == ORT:
            return EngineChoice(self.gpu, None, self.gpu.target, "ONNX Runtime on CUDA, as requested", True)
        return choose_engine(self.gpu)

    @property
    def effort(self) -> Effort:
        return FULL if self.device == CUDA else SHORT

    def open_device(self) -> Device:
        """The device without networks."""
        if self.device == CUDA:
            return CudaDevice(self.gpu.index)
        device: Device = import_module(self.device).open_device()
        return device

    @cached_property
    def _runs(self) -> Runtime:
        if self.runtime == PROCESSOR:
            return ProcessorRuntime()
        if self.device == CUDA:
            return EngineRuntime(self.engine, self.model, common.notify)
        runtime: Runtime = import_module(self.device).make_runtime(self.model)
        return runtime

    def runner(self, spec: NetworkSpec, batch: int, device: Device) -> Runner:
        return self._runs.runner(spec, batch, device)

    def open_batcher(self, streams: int = 1) -> Batcher:
        """A device for so many streams."""
        mesh = RingedMesh(self.model.triangles, self.model.holes)
        return Batcher(self.open_device, self._runs, mesh, streams)

    def open_lane(self, fade_s: float = 0.0) -> CudaLane:
        """A stream with a device to itself."""
        return CudaLane(self.open_batcher(), self.model, fade_s)

    def free_bytes(self) -> int | None:
        """Free memory of the GPU; None where it is unknown."""
        return find_gpus()[0].free_bytes if self.device == CUDA else None


class ProcessorRuntime:
    """Networks on the processor, all else on the GPU: for a GPU that nothing runs networks on."""

    one_thread = False

    def runner(self, spec: NetworkSpec, batch: int, device: Device) -> Runner:
        return ProcessorRunner(spec, batch, device)


class ProcessorRunner:
    """Waits for the device, computes, and copies back; no part of a graph."""

    capturable = False

    def __init__(self, spec: NetworkSpec, batch: int, device: Device) -> None:
        self.spec, self.batch = spec, batch
        inner = OnnxRunner(network_bytes(spec), spec, batch)
        self.run, self.close = inner.run, inner.close
        self._host: dict[str, HostArray] = {
            tensor.name: device.pinned(tensor.at(batch), tensor.dtype) for tensor in spec.tensors()
        }
        self._there: Mapping[str, DeviceArray] = {}

    def bind(self, tensors: Mapping[str, DeviceArray]) -> None:
        self.spec.check_memory(tensors, self.batch)
        self._there = tensors

    def enqueue(self, stream: Stream) -> None:
        given: dict[str, F32] = {tensor.name: self._host[tensor.name] for tensor in self.spec.inputs}
        for name, values in given.items():
            stream.download(values, self._there[name])
        stream.wait()
        for name, values in self.run(**given).items():
            np.copyto(self._host[name], values)
            stream.upload(self._there[name], self._host[name])


def facts(machine: Machine) -> dict[str, Any]:
    """Machine, versions, and what the networks run on."""
    found: dict[str, Any] = {
        "device": machine.device,
        **common.provenance(),
        "packages": {name: package_version(name) for name in PACKAGES},
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
    frames = common.demo_frames(width, height, count)
    return frames if pixels == RGB else [in_planes(frame) for frame in frames]


def in_planes(frame: Frame) -> Frame:
    """The frame as 4:2:0 planes of BT.709."""
    spec = YuvSpec("bt709", full_range=False)
    luma, cb, cr = rgb_to_yuv(frame.rgb, spec, 1, 1)
    return replace(frame, pixels=Planes(luma, cb, cr, (1, 1), spec), native=None)


def so_far(found: dict[str, Any]) -> None:
    """Print what a step has found until now, which counts if it does not end."""
    print(json.dumps({SO_FAR: found}), flush=True)
