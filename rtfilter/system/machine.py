"""Facts about this machine and its software, for reports and `rtfilter doctor`. Loads nothing heavy."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from rtfilter.system.version import __version__, package_version

PACKAGES = (
    "numpy",
    "onnxruntime",
    "mediapipe",
    "opencv-python-headless",
    "av",
    "numba",
    "pyvirtualcam",
)
PROBE_TIMEOUT_S = 5.0


def machine_facts() -> dict[str, Any]:
    """Processor, core count, memory in GiB, graphics card (None without one) and system."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count() or 1,
        "memory_gib": _memory_gib(),
        "gpu": next(iter(gpus()), None),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def versions() -> dict[str, str | None]:
    """Versions of rtfilter, its commit (None outside a checkout), Python and the packages (None: missing)."""
    found = {"rtfilter": __version__, "commit": commit(), "python": platform.python_version()}
    return {**found, **{name: package_version(name) for name in PACKAGES}}


def cpu_name() -> str:
    """The processor as it names itself."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return named.group(1).strip() if named else platform.processor() or platform.machine()


def gpus() -> list[str]:
    """NVIDIA cards as `name, driver version, memory`; empty without a card or without its driver."""
    listed = output_of("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
    return [line.strip() for line in (listed or "").splitlines() if line.strip()]


def commit() -> str | None:
    """The commit of the checkout that this package runs from, with `+` when it has changes."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    head = output_of("git", "-C", str(root), "rev-parse", "--short=12", "HEAD")
    changes = output_of("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no")
    return head.strip() + ("+" if changes else "") if head else None


def output_of(program: str, *arguments: str) -> str | None:
    """Standard output of a quick program; None when it is missing, fails or hangs."""
    path = shutil.which(program)
    if path is None:
        return None
    try:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _memory_gib() -> float | None:
    if sys.platform == "win32" or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
