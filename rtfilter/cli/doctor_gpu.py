"""What `rtfilter doctor` says of the GPU: driver, packages, plans, and which lane it all comes to."""

from __future__ import annotations

from collections.abc import Callable

from rtfilter.cli.check import OK, WARN, Check
from rtfilter.engines.driver import Gpu, NoGpuError, dotted, find_gpus
from rtfilter.engines.nvml import driver_version
from rtfilter.engines.trt.flavour import Flavour, installed_flavours, mixed_wheels, reinstall
from rtfilter.engines.trt.plans import PlanCache
from rtfilter.errors import GpuError, RtfilterError
from rtfilter.gpu.choose import AUTO, choose_lane
from rtfilter.system.installation import install_extra
from rtfilter.system.version import package_version

FindGpus = Callable[[], list[Gpu]]

CUPY_WHEELS = ("cupy-cuda12x", "cupy-cuda13x", "cupy")
NVRTC_WHEELS = ("nvidia-cuda-nvrtc-cu12", "nvidia-cuda-nvrtc")
UNTIL_THEN = "until then the CPU is used"
RUNTIME_WHEELS = ("nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime")


def check_gpu(find: FindGpus = find_gpus) -> list[Check]:
    """GPU and driver, the packages that use them, the plans that were built, and what `auto` takes.

    Without a GPU nothing of it is missed; what is installed is told all the same.
    """
    gpus, found = _check_driver(find)
    needed = bool(gpus)
    return [
        *found,
        _check_wheels("cupy", CUPY_WHEELS, needed),
        _check_wheels("cuda compiler", NVRTC_WHEELS, needed),
        _check_wheels("cuda runtime", RUNTIME_WHEELS, needed),
        _check_tensorrt(needed),
        _check_plans(),
        _check_lane(find),
    ]


def _check_driver(find: FindGpus) -> tuple[list[Gpu], list[Check]]:
    try:
        gpus = find()
    except NoGpuError as error:
        return [], [Check("gpu", OK, f"none, so the CPU is used ({str(error).partition(': ')[0]})")]
    except GpuError as error:
        return [], [Check("gpu", WARN, str(error), UNTIL_THEN)]
    detail = f"{driver_version() or 'of unknown version'}, serves CUDA up to {dotted(gpus[0].cuda)}"
    return gpus, [*map(_check_one, gpus), Check("gpu driver", OK, detail)]


def _check_one(gpu: Gpu) -> Check:
    name = "gpu" if gpu.index == 0 else f"gpu {gpu.index}"
    if gpu.problem:
        return Check(name, WARN, f"{gpu}; {gpu.problem}", UNTIL_THEN)
    free = f", {gpu.free_bytes / 2**30:.1f} GiB free" if gpu.free_bytes is not None else ""
    return Check(name, OK, f"{gpu}{free}")


def _check_wheels(name: str, wheels: tuple[str, ...], needed: bool) -> Check:
    found = [f"{wheel} {version}" for wheel in wheels if (version := package_version(wheel)) is not None]
    if found:
        return Check(name, OK, ", ".join(found))
    if name != "cupy":
        # A CUDA toolkit of the system serves as well, and CuPy finds it.
        return Check(name, OK, "no package; a CUDA toolkit is looked for when it is needed")
    return (
        Check(name, WARN, "not installed", install_extra("gpu"))
        if needed
        else Check(name, OK, "not installed, not needed")
    )


def _check_tensorrt(needed: bool) -> Check:
    flavours = installed_flavours()
    if not flavours:
        if needed:
            return Check(
                "tensorrt",
                WARN,
                "not installed: networks would run slower, or not at all",
                install_extra("gpu"),
            )
        return Check("tensorrt", OK, "not installed, not needed")
    problems = [problem for flavour in flavours if (problem := _tensorrt_problem(flavour)) is not None]
    return problems[0] if problems else Check("tensorrt", OK, ", ".join(map(str, flavours)))


def _tensorrt_problem(flavour: Flavour) -> Check | None:
    if mixed := mixed_wheels(flavour):
        fix = f"pip uninstall -y {mixed.replace(' and ', ' ')}, then {reinstall(flavour)}"
        return Check("tensorrt", WARN, f"{mixed} overwrite each other's files", fix)
    try:
        flavour.module()
    except GpuError as error:
        return Check("tensorrt", WARN, str(error), reinstall(flavour))
    return None


def _check_plans() -> Check:
    try:
        cache = PlanCache()
        entries = cache.entries()
    except RtfilterError as error:
        return Check("plans", WARN, str(error), "export RTFILTER_CACHE=/a/folder/you/may/write")
    kinds = sorted({f"{entry.key.target} by {entry.key.flavour}" for entry in entries if entry.key})
    bad = [entry.path.name for entry in entries if entry.problem]
    if bad:
        return Check("plans", WARN, f"not usable: {', '.join(bad)}", "rtfilter engines clear")
    size = sum(entry.nbytes for entry in entries) / 1e6
    detail = f"{len(entries)} for {', '.join(kinds)}, {size:.0f} MB, in" if entries else "none yet in"
    return Check("plans", OK, f"{detail} {cache.folder}")


def _check_lane(find: FindGpus) -> Check:
    choice = choose_lane(AUTO, gpus=find)
    return Check("lane", OK, f"`auto` takes {choice.lane} ({choice.why})")
