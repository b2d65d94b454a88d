"""The two flavours of TensorRT, and the targets that they build for.

`tensorrt_rtx` is for GeForce and RTX cards, `tensorrt` for all of NVIDIA's. A target is one compute
capability, such as `sm89`, or PORTABLE.

Their Python modules are nearly the same; the differences are handled here, so builder and runner have one
code path. Only `Flavour.module` loads one (a second, 200 MB). Called by `engines.prepare.choose`.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import threading
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Any

from rtfilter.engines.driver import OLDEST_GPU, Version
from rtfilter.errors import GpuError, MissingExtraError, UsageError, nearest
from rtfilter.system.installation import install_extra, install_packages
from rtfilter.system.version import package_version

RTX, FULL = "tensorrt_rtx", "tensorrt"

# Wheels by module: for CUDA 12 and 13 they are of different names and bring the same modules.
_WHEELS = {
    RTX: {"tensorrt-rtx-cu12": 12, "tensorrt-rtx-cu13": 13},
    FULL: {"tensorrt-cu12": 12, "tensorrt-cu13": 13},
}
_KEPT_MESSAGES = 20

# Made by TensorRT-RTX when no compute capability is named: for 8.0 and later, in one plan.
PORTABLE = "portable"
_OLDEST_PORTABLE: Version = (8, 0)


@dataclass(frozen=True, slots=True)
class Flavour:
    """One installed TensorRT. name: of its module. cuda_major: of the CUDA inside it; None where unknown."""

    name: str
    version: str
    cuda_major: int | None

    @property
    def ahead_of_time(self) -> bool:
        """Whether it builds for GPUs that are not there; GPU code is made when a plan first runs."""
        return self.name == RTX

    def module(self) -> Any:
        """The Python module. GpuError where it does not load."""
        try:
            return importlib.import_module(self.name)
        except (ImportError, OSError, AttributeError) as error:
            message = " ".join(str(error).split())
            raise GpuError(
                f"{self.name} {self.version} does not load ({message}); install it anew: {reinstall(self)}"
            ) from error

    def __str__(self) -> str:
        cuda = f" (CUDA {self.cuda_major})" if self.cuda_major is not None else ""
        return f"{self.name} {self.version}{cuda}"


def installed_flavours() -> list[Flavour]:
    """The installed flavours, not loaded; first the one for GeForce, which builds without a GPU."""
    return [found for name in (RTX, FULL) if (found := _installed(name)) is not None]


def find_flavour() -> Flavour:
    """The TensorRT that builds plans. Raises MissingExtraError, with the command that installs one."""
    for flavour in installed_flavours():
        return flavour
    raise MissingExtraError(
        f"TensorRT is not installed, which makes networks into plans for a GPU: {install_extra('gpu')}"
    )


def mixed_wheels(flavour: Flavour) -> str:
    """The wheels that overwrite each other's files, as text; "" when there is at most one."""
    found = [wheel for wheel in _WHEELS.get(flavour.name, ()) if package_version(wheel) is not None]
    return " and ".join(found) if len(found) > 1 else ""


def reinstall(flavour: Flavour) -> str:
    """The command that replaces a broken installation."""
    wheel = f"{flavour.name.replace('_', '-')}-cu{flavour.cuda_major or 12}"
    return install_packages(wheel, anew=True)


def known_targets(flavour: Flavour) -> tuple[str, ...]:
    """The targets that need no GPU to build for, such as `sm75`; empty for a flavour that needs one."""
    if not flavour.ahead_of_time:
        return ()
    members = flavour.module().ComputeCapability.__members__
    numbers = sorted(int(name[2:]) for name in members if re.fullmatch(r"SM\d+", name))
    return (*(f"sm{number}" for number in numbers), PORTABLE)


def check_target(target: str, flavour: Flavour, present: str | None) -> str:
    """`target`, where a plan for it can be built here; else UsageError, which lists the others.

    present: the target of this machine's GPU; None without one.
    """
    known = set(known_targets(flavour)) | ({present} if present is not None else set())
    if target in known:
        return target
    if not known:
        raise UsageError(
            f"{flavour} builds plans only for a GPU that is there, and there is none; "
            f"tensorrt_rtx builds without one: {install_packages('tensorrt-rtx-cu12')}"
        )
    raise UsageError(f"unknown target {target!r}:{nearest(target, known)}")


def target_for(capability: Version, flavour: Flavour) -> str:
    """The target of the plans for a GPU of that compute capability. Raises GpuError where there is none."""
    own = "sm{}{}".format(*capability)
    if flavour.name != RTX:
        return own
    if capability >= OLDEST_GPU and own in known_targets(flavour):
        return own
    if capability >= _OLDEST_PORTABLE:
        # A data-centre GPU, or one that is newer than this release: documented as "8.0 and later".
        return PORTABLE
    raise GpuError(
        f"{flavour} does not serve compute capability {capability[0]}.{capability[1]}: "
        "use a newer GPU, or --lane cpu"
    )


def set_target(config: Any, target: str, module: Any, flavour: Flavour) -> None:
    """Set the target of a builder's configuration."""
    if flavour.ahead_of_time and target != PORTABLE:
        config.num_compute_capabilities = 1
        config.set_compute_capability(getattr(module.ComputeCapability, target.upper()), 0)


@cache
def log_of(module: Any) -> Any:
    """The logger of a TensorRT module, which requires one logger for a whole process.

    `message` is the last errors of this thread's calls as one line, oldest first; `forget` clears them.
    """
    levels = module.ILogger.Severity

    class Log(module.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self._messages: deque[tuple[object, str]] = deque(maxlen=_KEPT_MESSAGES)
            # An object for each thread, since Python reuses the numbers of threads.
            self._mine = threading.local()
            self._lock = threading.Lock()

        def log(self, severity: Any, message: str) -> None:
            if severity in (levels.INTERNAL_ERROR, levels.ERROR):
                with self._lock:
                    self._messages.append((self._caller(), " ".join(message.split())))

        def forget(self) -> None:
            if self._caller() is None:
                self._mine.caller = object()
            if self._messages:
                with self._lock:
                    others = [kept for kept in self._messages if kept[0] not in (None, self._caller())]
                    self._messages.clear()
                    self._messages.extend(others)

        @property
        def message(self) -> str:
            with self._lock:
                # With those of threads that never call `forget`: TensorRT's own, which may work for this one.
                mine = [text for caller, text in self._messages if caller in (None, self._caller())]
            # One cause is often logged by several layers.
            return "; ".join(dict.fromkeys(mine)) or "it does not say why"

        def _caller(self) -> object:
            """A mark of this thread; None before its first `forget`."""
            return getattr(self._mine, "caller", None)

    return Log()


def _installed(name: str) -> Flavour | None:
    if importlib.util.find_spec(name) is None:
        return None
    wheels = [(version, cuda) for wheel, cuda in _WHEELS[name].items() if (version := package_version(wheel))]
    # Of two wheels, either may have written its files last; the module itself is not loaded here.
    version, cuda_major = wheels[0] if len(wheels) == 1 else (package_version(name) or "", None)
    return Flavour(name, version or (wheels[0][0] if wheels else "unknown"), cuda_major)
