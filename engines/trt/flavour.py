"""TensorRT in either flavour: `tensorrt_rtx` (GeForce and RTX cards) or `tensorrt` (all of NVIDIA's).

Their Python modules are nearly the same. What differs is told here, so that builder and runner have one code
path. Nothing is loaded before `Flavour.module` is called: that takes a second and 200 MB.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Any

from rtfilter.errors import GpuError, MissingExtraError
from rtfilter.system.installation import install_extra, install_packages
from rtfilter.system.version import package_version

RTX, FULL = "tensorrt_rtx", "tensorrt"

# Wheels by module: for CUDA 12 and 13 they are of different names and bring the same modules.
_WHEELS = {
    RTX: {"tensorrt-rtx-cu12": 12, "tensorrt-rtx-cu13": 13},
    FULL: {"tensorrt-cu12": 12, "tensorrt-cu13": 13},
}
_KEPT_MESSAGES = 20


@dataclass(frozen=True, slots=True)
class Flavour:
    """One installed TensorRT. name: its module's. cuda_major: of the CUDA inside it; None where unknown."""

    name: str
    version: str
    cuda_major: int | None

    @property
    def ahead_of_time(self) -> bool:
        """Whether it builds for GPUs that are not there; the GPU's own code is then made at loading."""
        return self.name == RTX

    def module(self) -> Any:
        """The Python module. GpuError where it does not load."""
        try:
            return importlib.import_module(self.name)
        except (ImportError, OSError, AttributeError) as error:
            said = " ".join(str(error).split())
            raise GpuError(
                f"{self.name} {self.version} does not load ({said}); install it anew: {reinstall(self)}"
            ) from error

    def __str__(self) -> str:
        cuda = f" (CUDA {self.cuda_major})" if self.cuda_major is not None else ""
        return f"{self.name} {self.version}{cuda}"


def installed_flavours() -> list[Flavour]:
    """What is installed, not loaded; the one for GeForce first, as it also builds without a GPU."""
    return [found for name in (RTX, FULL) if (found := _installed(name)) is not None]


def find_flavour(name: str | None = None) -> Flavour:
    """The TensorRT to use, or the one of that name.

    MissingExtraError with the command that installs one when there is none.
    """
    for flavour in installed_flavours():
        if name in (None, flavour.name):
            return flavour
    raise MissingExtraError(
        f"{name or 'TensorRT'} is not installed, which makes networks into plans for a GPU: "
        f"{install_extra('gpu')}"
    )


def mixed_wheels(flavour: Flavour) -> str:
    """The wheels that overwrite each other's files, as text; "" when there is at most one."""
    found = [wheel for wheel in _WHEELS.get(flavour.name, ()) if package_version(wheel) is not None]
    return " and ".join(found) if len(found) > 1 else ""


def reinstall(flavour: Flavour) -> str:
    """The command that replaces a broken installation."""
    wheel = f"{flavour.name.replace('_', '-')}-cu{flavour.cuda_major or 12}"
    return install_packages(wheel, anew=True)


@cache
def log_of(module: Any) -> Any:
    """The logger for all that a TensorRT module makes in this process: it wants the same for everything.

    `said` gives the last errors of this thread's calls as one line, oldest first; `forget` begins anew.
    """
    levels = module.ILogger.Severity

    class Log(module.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self._messages: deque[tuple[object, str]] = deque(maxlen=_KEPT_MESSAGES)
            # Not by the threads' numbers, which those that come later are given again.
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
        def said(self) -> str:
            with self._lock:
                # A thread that calls nothing, TensorRT's own, may have spoken for this one.
                mine = [text for caller, text in self._messages if caller in (None, self._caller())]
            # One cause is often reported by every layer that it passes.
            return "; ".join(dict.fromkeys(mine)) or "it does not say why"

        def _caller(self) -> object:
            """Stands for this thread once it has called `forget`; None before."""
            return getattr(self._mine, "caller", None)

    return Log()


def _installed(name: str) -> Flavour | None:
    if importlib.util.find_spec(name) is None:
        return None
    wheels = [(version, cuda) for wheel, cuda in _WHEELS[name].items() if (version := package_version(wheel))]
    # Of two, either may have written its files last; a look at the module itself would load it.
    version, cuda_major = wheels[0] if len(wheels) == 1 else (package_version(name) or "", None)
    return Flavour(name, version or (wheels[0][0] if wheels else "unknown"), cuda_major)
