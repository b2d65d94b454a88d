"""Linux's v4l2loopback module: its state, and devices that offer no output. For `virtualcam` and `doctor`."""

from __future__ import annotations

import logging
import platform
from dataclasses import dataclass
from pathlib import Path

from rtfilter.system.v4l2 import (
    DEVICES,
    SYSFS,
    Ioctl,
    VideoNode,
    attach_and_detach_output,
    kernel_ioctl,
    query_node,
    video_nodes,
)

MODULE = Path("/sys/module/v4l2loopback")
MODULES = Path("/lib/modules")
DKMS = Path("/var/lib/dkms/v4l2loopback")
LOAD_COMMAND = 'sudo modprobe v4l2loopback devices=1 exclusive_caps=1 card_label="rtfilter"'
RELOAD_COMMAND = f"sudo modprobe -r v4l2loopback && {LOAD_COMMAND}"
INSTALL_COMMAND = "sudo apt install v4l2loopback-dkms"

# Before this version, a device in exclusive mode offers neither direction after one clean close.
REATTACHES_SINCE = (0, 14)

# V4L2_CID_USER_BASE + 0xf000. While it is 1, the device takes no other format than the first one.
CID_KEEP_FORMAT = 0x0098F900

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoopbackState:
    """The module and its devices, `nodes`; `exclusive_caps` has one value for each.

    version: as the module gives it, else the one that DKMS built; "" where unknown.
    """

    installed: bool
    loaded: bool
    version: str
    exclusive_caps: tuple[bool, ...]
    nodes: tuple[VideoNode, ...]

    @property
    def can_reattach(self) -> bool | None:
        """Whether a closed device opens again without help; None when the version is not known."""
        parts = self.version.split(".")[:2]
        if len(parts) < 2 or not all(part.isdigit() for part in parts):
            return None
        return tuple(map(int, parts)) >= REATTACHES_SINCE

    @property
    def advice(self) -> str:
        """What to do next, as one line; "" when a virtual camera should open."""
        if not self.loaded:
            install = "" if self.installed else f"{INSTALL_COMMAND} && "
            return f"load the virtual camera module: {install}{LOAD_COMMAND}"
        if not self.nodes:
            return f"the v4l2loopback module is loaded without devices; reload it: {RELOAD_COMMAND}"
        denied = [str(node.path) for node in self.nodes if node.problem == "permission denied"]
        if len(denied) == len(self.nodes):
            return f"no permission for {denied[0]}: sudo usermod -aG video $USER, then log in again"
        if not any(self.exclusive_caps):
            return f"browsers will not list the camera without exclusive_caps=1; reload: {RELOAD_COMMAND}"
        return ""


def loopback_state(
    module: Path = MODULE,
    modules: Path = MODULES,
    devices: Path = DEVICES,
    sysfs: Path = SYSFS,
    ioctl: Ioctl = kernel_ioctl,
    dkms: Path = DKMS,
) -> LoopbackState:
    """Look at the module and its devices; changes nothing and never raises for their absence."""
    loaded = module.is_dir()
    exclusive = _read(module / "parameters" / "exclusive_caps")
    index = _read(modules / platform.release() / "modules.dep")
    nodes = tuple(node for node in video_nodes(devices, sysfs, ioctl) if _is_ours(node, sysfs))
    return LoopbackState(
        installed=loaded or "v4l2loopback.ko" in index,
        loaded=loaded,
        version=_read(module / "version") or (_built_version(dkms) if loaded else ""),
        # One letter a possible device; only the first ones exist.
        exclusive_caps=tuple(letter == "Y" for letter in exclusive.split(",") if letter)[
            : len(nodes) or None
        ],
        nodes=nodes,
    )


def revive(
    device: str | None = None,
    devices: Path = DEVICES,
    sysfs: Path = SYSFS,
    ioctl: Ioctl = kernel_ioctl,
) -> list[Path]:
    """Bring back loopback devices that offer neither output nor capture, and return them.

    With `device`, that one alone. Devices that cannot be opened are left to the camera's own error.
    """
    nodes = [query_node(Path(device), sysfs, ioctl)] if device else video_nodes(devices, sysfs, ioctl)
    stuck = [node for node in nodes if node.is_loopback and not (node.can_output or node.can_capture)]
    return [node.path for node in stuck if offer_output(node.path, sysfs, ioctl)]


def offer_output(path: Path, sysfs: Path = SYSFS, ioctl: Ioctl = kernel_ioctl) -> bool:
    """Make a loopback device that has no writer offer output again; whether it does now.

    With exclusive_caps=1, v4l2loopback before 0.14 stops offering output at the first write(), and offers
    it again only when a writer closes that has called VIDIOC_STREAMON, which pyvirtualcam does not. So such a
    writer is opened and closed here. Where output is offered nothing is done. Must not be called on a device
    that another program writes to: it would seem free.
    """
    if query_node(path, sysfs, ioctl).can_output:
        return True
    problem = "it still offers no output"
    try:
        attach_and_detach_output(path, ioctl)
    except OSError as error:
        problem = str(error)
    if query_node(path, sysfs, ioctl).can_output:
        _log.info("%s offers output again", path)
        return True
    _log.warning("%s could not be revived (%s); reload it: %s", path, problem, RELOAD_COMMAND)
    return False


def _built_version(dkms: Path) -> str:
    """The only version below DKMS's folder: Debian's 0.12.7 does not state its own."""
    found = [path.name for path in dkms.glob("[0-9]*")]
    return found[0] if len(found) == 1 else ""


def _is_ours(node: VideoNode, sysfs: Path) -> bool:
    # The driver of a node that may not be opened is unknown; loopback nodes are virtual devices.
    if node.problem:
        return "/devices/virtual/" in str((sysfs / node.path.name).resolve())
    return node.is_loopback


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
