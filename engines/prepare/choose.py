"""Which runtime computes the networks on a GPU, and why; and a network ready to run by it.

Called by `gpu.choose`, `gpu.open` and `rtfilter engines`.
"""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass

from rtfilter.engines.driver import Gpu
from rtfilter.engines.prepare.files import network_bytes
from rtfilter.engines.runner import Runner
from rtfilter.engines.spec import NetworkSpec
from rtfilter.engines.trt.flavour import PORTABLE, RTX, Flavour, installed_flavours, target_for
from rtfilter.engines.trt.plans import PlanCache, PlanKey, plan_key
from rtfilter.errors import GpuError, Notify
from rtfilter.face.model import MorphableModel
from rtfilter.kernels.device import Device
from rtfilter.system.installation import install_extra
from rtfilter.system.version import package_version

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """How networks run on `gpu`.

    flavour: the TensorRT; None is ONNX Runtime on CUDA. target: of the plans. why: one sentence for people.
    second_best: TensorRT is missing or cannot be used, and `why` is to be shown.
    """

    gpu: Gpu
    flavour: Flavour | None
    target: str
    why: str
    second_best: bool = False


def choose_engine(gpu: Gpu) -> EngineChoice:
    """The best runtime that is installed for this GPU. Nothing is built, and no memory is taken.

    Raises GpuError that names the first thing that is missing, and the command that installs it.
    """
    if gpu.problem:
        raise GpuError(f"{gpu.name}: {gpu.problem}")
    if importlib.util.find_spec("cupy") is None:
        raise GpuError(
            f"{gpu.name} is there, CuPy is missing, which runs our kernels on it: {install_extra('gpu')}"
        )
    if package_version("cupy-cuda13x") and (problem := gpu.driver_problem(13)):
        raise GpuError(
            f"{gpu.name}: cupy-cuda13x cannot be used: {problem}; "
            f"or {install_extra('gpu')}, which takes CUDA 12"
        )
    reasons: list[str] = []
    found = _candidates(gpu, reasons)
    by_ort = _ort_has_cuda()
    if found and (found[0][1] != PORTABLE or not by_ort):
        flavour, target = found[0]
        guess = f"; {gpu.target} has no plans of its own, so it takes those for 'sm80 and later'"
        why = f"{flavour} runs the networks on {gpu}{guess if target == PORTABLE else ''}"
        return EngineChoice(gpu, flavour, target, why)
    if by_ort:
        reasons += [f"{flavour} is not made for {gpu.target}" for flavour, _ in found]
        missing = "; ".join(reasons) or f"TensorRT is not installed (for it: {install_extra('gpu')})"
        why = f"{missing}: ONNX Runtime runs the networks on {gpu}, slower"
        return EngineChoice(gpu, None, gpu.target, why, second_best=True)
    missing = "; ".join(reasons) or "TensorRT is not installed"
    raise GpuError(
        f"{gpu.name} is there, and nothing that runs networks on it: {missing}: {install_extra('gpu')}"
    )


def make_runner(
    choice: EngineChoice,
    spec: NetworkSpec,
    batch: int,
    device: Device,
    notify: Notify = _log.info,
    model: MorphableModel | None = None,
) -> Runner:
    """A network ready on the chosen GPU; its ONNX file and plan are made where they are missing.

    Args:
        notify: called with one line for each step that takes long.
        model: the face model of the `expression` network; default the built-in one.

    Raises:
        GpuError: the GPU or its software fails.
        InputError: a model cannot be had. (A cache that cannot be used only costs time.)
    """
    data = network_bytes(spec, notify, model=model)
    if choice.flavour is None:
        from rtfilter.engines.ort.cuda import OrtCudaRunner

        return OrtCudaRunner(_for_ort(data, spec, batch), spec, batch, device)
    from rtfilter.engines.trt.engine import PlanRejectedError
    from rtfilter.engines.trt.runner import TensorRtRunner

    flavour, cache = choice.flavour, PlanCache()
    key = plan_key(data, spec, batch, None, choice.target, flavour)

    def load() -> Runner:
        plan = built(cache, key, data, spec, flavour, notify, required=False)
        return TensorRtRunner(plan, spec, batch, flavour, device, cache.runtime(key, choice.gpu.name))

    try:
        return load()
    except PlanRejectedError as rejected:
        cache.discard(key)
        notify(f"{rejected}; it is built anew")
    try:
        return load()
    except PlanRejectedError as rejected:
        cache.discard(key)
        if choice.target != PORTABLE:
            raise
        from rtfilter.engines.ort.cuda import install

        raise PlanRejectedError(
            f"{rejected}. {flavour} is not made for {choice.gpu.target}; ONNX Runtime is: {install()}"
        ) from rejected


def built(
    cache: PlanCache,
    key: PlanKey,
    data: bytes,
    spec: NetworkSpec,
    flavour: Flavour,
    notify: Notify = _log.info,
    *,
    required: bool = True,
) -> bytes:
    """The plan of that key, from the cache or built now. Errors of `CacheFile.get` and `build_plan`."""

    def build() -> bytes:
        from rtfilter.engines.trt.builder import build_plan

        notify(f"building {key.network} ({key.precision}, batch {key.batch}) for {key.target}")
        return build_plan(data, spec, key.batch, key.precision, key.target, flavour)

    return cache.plan(key).get(build, required=required)


def _candidates(gpu: Gpu, reasons: list[str]) -> list[tuple[Flavour, str]]:
    """The flavours that serve this GPU, best first; why the others do not is added to `reasons`."""
    found = []
    for flavour in installed_flavours():
        problem = gpu.driver_problem(flavour.cuda_major) if flavour.cuda_major is not None else ""
        if problem:
            reasons.append(f"{flavour} cannot be used: {problem}")
            continue
        try:
            found.append((flavour, target_for(gpu.capability, flavour)))
        except GpuError as error:
            reasons.append(str(error))
    # A plan for this very GPU before one for many; then the flavour that starts sooner.
    return sorted(found, key=lambda pair: (pair[1] == PORTABLE, pair[0].name != RTX))


def _ort_has_cuda() -> bool:
    from rtfilter.engines.ort.cuda import has_cuda

    return has_cuda()


def _for_ort(data: bytes, spec: NetworkSpec, batch: int) -> bytes:
    """The file as ONNX Runtime runs it on a GPU: in 16 bits where the network permits it."""
    if not spec.half:
        return data
    from rtfilter.engines.onnx.graph import at_batch
    from rtfilter.engines.onnx.half import to_half

    return bytes(to_half(at_batch(data, batch)).SerializeToString())
