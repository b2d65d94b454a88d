"""The checks of `rtfilter doctor` on devices: GPU, cameras, virtual camera. Called by `cli.doctor`."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rtfilter.cli.doctor_software import FOLDER_FIX, OK, WARN, Check
from rtfilter.engines.driver import Gpu, NoGpuError, dotted, find_gpus
from rtfilter.engines.nvml import driver_version
from rtfilter.engines.trt.flavour import Flavour, installed_flavours, mixed_wheels, reinstall
from rtfilter.engines.trt.plans import PlanCache
from rtfilter.errors import GpuError, RtfilterError
from rtfilter.gpu.choose import AUTO, choose_lane
from rtfilter.sinks.v4l2loopback import CID_KEEP_FORMAT, RELOAD_COMMAND, LoopbackState, loopback_state
from rtfilter.system.installation import install_extra
from rtfilter.system.v4l2 import Ioctl, VideoNode, control_value, holders, kernel_ioctl, video_nodes
from rtfilter.system.version import package_version

FindGpus = Callable[[], list[Gpu]]

CUPY_WHEELS = ("cupy-cuda12x", "cupy-cuda13x", "cupy")
NVRTC_WHEELS = ("nvidia-cuda-nvrtc-cu12", "nvidia-cuda-nvrtc")
UNTIL_THEN = "until then the CPU is used"
RUNTIME_WHEELS = ("nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime")
PERMISSION_FIX = "sudo usermod -aG video $USER, then log in again"
BY_SYSTEM = {
    "darwin": "OBS Studio's; install OBS 30 or later and start its virtual camera once",
    "win32": "OBS Studio's or UnityCapture; install one of them",
}


def check_gpu(find: FindGpus = find_gpus) -> list[Check]:
    """GPU and driver, their packages, the plans, and the lane that `auto` takes.

    Without a GPU, packages that are not installed are no fault.
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
    return _missing(name, "not installed", needed)


def _missing(name: str, detail: str, needed: bool) -> Check:
    if needed:
        return Check(name, WARN, detail, install_extra("gpu"))
    return Check(name, OK, "not installed, not needed")


def _check_tensorrt(needed: bool) -> Check:
    flavours = installed_flavours()
    if not flavours:
        return _missing("tensorrt", "not installed: networks would run slower, or not at all", needed)
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
        return Check("plans", WARN, str(error), FOLDER_FIX)
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


def check_cameras() -> list[Check]:
    """Cameras that the system lists. None is opened, so that no light goes on."""
    if sys.platform != "linux":
        advice = "not listed on this system; try: rtfilter run --input camera:0 --output null"
        return [Check("cameras", OK, advice)]
    found = []
    for node in video_nodes():
        if node.is_loopback or not (node.can_capture or node.problem):
            continue
        name, users = f"camera:{node.index}", ", ".join(holders(node.path))
        if node.problem == "permission denied":
            found.append(Check(name, WARN, f"{node.name}: {node.problem}", PERMISSION_FIX))
        elif users:
            found.append(Check(name, WARN, f"{node.name}: in use by {users}", "close it"))
        else:
            found.append(Check(name, WARN if node.problem else OK, node.problem or node.name))
    advice = "plug one in, or use a file or the demo: rtfilter run --input demo"
    return found or [Check("cameras", WARN, "none", advice)]


def check_virtual_camera() -> list[Check]:
    """The extra, and on Linux the kernel module and its devices."""
    version = package_version("pyvirtualcam")
    fix = "" if version else install_extra("virtualcam")
    detail = f"pyvirtualcam {version}" if version else "pyvirtualcam is missing"
    extra = Check("virtual camera extra", OK if version else WARN, detail, fix)
    if sys.platform != "linux":
        return [extra, Check("virtual camera", OK, BY_SYSTEM.get(sys.platform, "none is known here"))]
    return [extra, *check_loopback(loopback_state())]


def check_loopback(state: LoopbackState, ioctl: Ioctl = kernel_ioctl) -> list[Check]:
    """Module, version and, for each device, permission, exclusive_caps, keep_format and users."""
    if not state.loaded:
        detail = "installed, not loaded" if state.installed else "not installed"
        return [Check("v4l2loopback", WARN, detail, state.advice)]
    detail = f"version {state.version or 'unknown'}, {len(state.nodes)} device(s)"
    if state.can_reattach is False:
        detail += "; before 0.14 a closed device stays closed, which rtfilter mends when it opens one"
    if not state.nodes:
        return [Check("v4l2loopback", WARN, detail, state.advice)]
    # The parameter has one value a device, in their order.
    exclusive = dict(zip(state.nodes, state.exclusive_caps, strict=False))
    devices = [_check_device(node, exclusive.get(node, False), ioctl) for node in state.nodes]
    return [Check("v4l2loopback", OK, detail), *devices]


def _check_device(node: VideoNode, exclusive: bool, ioctl: Ioctl) -> Check:
    name, detail = str(node.path), f"{node.name!r}"
    if node.problem == "permission denied":
        return Check(name, WARN, f"{detail}: {node.problem}", PERMISSION_FIX)
    if node.problem:
        return Check(name, WARN, f"{detail}: {node.problem}", RELOAD_COMMAND)
    if not exclusive:
        what = f"{detail}: exclusive_caps=0, so browsers will not list it"
        return Check(name, WARN, what, f"close what uses it, then: {RELOAD_COMMAND}")
    if control_value(node.path, CID_KEEP_FORMAT, ioctl):
        what = f"{detail}: keep_format=1, so it takes no other size or format than the last one"
        return Check(name, WARN, what, f"v4l2-ctl -d {node.path} -c keep_format=0 (Debian package v4l-utils)")
    users = ", ".join(holders(node.path))
    if node.can_capture and not node.can_output:
        # In exclusive mode it gives pictures exactly while a program writes them.
        who = users or "a program of another user"
        return Check(
            name, OK, f"{detail}: in use by {who}: rtfilter itself, or close it before `rtfilter cam`"
        )
    settings = "exclusive_caps=1, keep_format=0"
    return Check(name, OK, f"{detail}: free, {settings}" + (f", watched by {users}" if users else ""))
