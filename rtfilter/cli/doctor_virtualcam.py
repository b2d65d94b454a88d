"""What `rtfilter doctor` finds out about the virtual camera, and how to mend it."""

from __future__ import annotations

import sys

from rtfilter.cli.check import OK, WARN, Check
from rtfilter.sinks.v4l2loopback import (
    CID_KEEP_FORMAT,
    RELOAD_COMMAND,
    LoopbackState,
    loopback_state,
)
from rtfilter.system.installation import install_extra
from rtfilter.system.v4l2 import Ioctl, VideoNode, control_value, holders, kernel_ioctl
from rtfilter.system.version import package_version

BY_SYSTEM = {
    "darwin": "OBS Studio's; install OBS 30 or later and start its virtual camera once",
    "win32": "OBS Studio's or UnityCapture; install one of them",
}


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
        fix = "sudo usermod -aG video $USER, then log in again"
        return Check(name, WARN, f"{detail}: {node.problem}", fix)
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
        # In exclusive mode it gives pictures exactly while somebody writes them.
        who = users or "a program of another user"
        return Check(
            name, OK, f"{detail}: in use by {who}: rtfilter itself, or close it before `rtfilter cam`"
        )
    settings = "exclusive_caps=1, keep_format=0"
    return Check(name, OK, f"{detail}: free, {settings}" + (f", watched by {users}" if users else ""))
