"""The GPUs that a plan can be for: one compute capability, or every one from 8.0 on.

Called by `engines.prepare.choose`, `engines.trt.builder` and `rtfilter engines`.
"""

from __future__ import annotations

import re
from typing import Any

from rtfilter.engines.driver import OLDEST_GPU, Version
from rtfilter.engines.trt.flavour import RTX, Flavour
from rtfilter.errors import GpuError, UsageError, nearest
from rtfilter.system.installation import install_packages

# Made by TensorRT-RTX when no compute capability is named: for 8.0 and later, in one plan.
PORTABLE = "portable"
_OLDEST_PORTABLE: Version = (8, 0)


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
