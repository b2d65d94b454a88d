"""The check of the WebRTC server by `rtfilter doctor`."""

from __future__ import annotations

import importlib.util

from rtfilter.cli.check import OK, WARN, Check
from rtfilter.cli.serve import PACKAGES
from rtfilter.errors import RtfilterError
from rtfilter.system.installation import install_extra
from rtfilter.system.version import package_version


def check_server() -> list[Check]:
    """The packages of the `serve` extra, and whether their versions are supported."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        return [Check("webrtc server", WARN, f"not installed: {', '.join(missing)}", install_extra("serve"))]
    from rtfilter.serve.gate.transports import check_versions

    try:
        check_versions()
    except RtfilterError as error:
        return [Check("webrtc server", WARN, str(error), install_extra("serve"))]
    return [
        Check("webrtc server", OK, f"aiortc {package_version('aiortc')}, delay tuned and sockets guarded")
    ]
