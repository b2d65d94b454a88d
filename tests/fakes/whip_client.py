"""Meetecho's `whip-client` (GStreamer's webrtcbin): it publishes as OBS does and shares no code with us."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ENCODERS = {
    "vp8": "vp8enc deadline=1 keyframe-max-dist=30 target-bitrate=1500000 ! rtpvp8pay pt=96 ssrc=2",
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 bitrate=1500"
    " ! video/x-h264,profile=constrained-baseline ! rtph264pay pt=96 ssrc=2 config-interval=-1",
}
SOUND = (
    "audiotestsrc is-live=true wave=sine freq=440 ! audioconvert ! audioresample ! queue ! opusenc"
    " ! rtpopuspay pt=100 ssrc=1 ! queue ! application/x-rtp,media=audio,encoding-name=OPUS,payload=100"
)
# Debian's whip-client has libsoup 2 and its libnice, through UPnP, libsoup 3, which refuse to be in one
# program. Nothing here asks a router for a port, so that an empty library takes UPnP's place.
_STUB = """
void *gupnp_simple_igd_thread_new(void) { return 0; }
unsigned long gupnp_simple_igd_get_type(void) { return 80; } /* G_TYPE_OBJECT */
void gupnp_simple_igd_add_port(void) {}
void gupnp_simple_igd_remove_port_local(void) {}
"""


@contextmanager
def whip_client(folder: Path, url: str, token: str, clip: Path, codec: str) -> Iterator[Path]:
    """Publish `clip` at its own pace, and a tone; the path of the log. Ends as Ctrl-C does.

    Skips where the program or what it needs is missing.
    """
    for program in ("whip-client", "gst-inspect-1.0", "cc"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program} (packages simple-whip-client, gstreamer1.0-tools, gcc), missing")
    for element in ("webrtcbin", "nicesink", "decodebin", "opusenc", *ENCODERS[codec].split()[:1]):
        if subprocess.run(["gst-inspect-1.0", element], check=False, capture_output=True).returncode:
            pytest.skip(f"needs GStreamer's {element} (its plugins base to ugly, and nice), missing")
    video = (
        f"filesrc location={clip} ! decodebin ! identity sync=true ! videoconvert ! queue"
        f" ! {ENCODERS[codec]} ! queue"
        f" ! application/x-rtp,media=video,encoding-name={codec.upper()},payload=96"
    )
    command = ["whip-client", "-u", url, "-t", token, "-o", "-V", video, "-A", SOUND]
    log = folder / "whip-client.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=os.environ | _without_upnp(folder)
        )
        try:
            yield log
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _without_upnp(folder: Path) -> dict[str, str]:
    """The environment in which the two versions of libsoup do not meet."""
    for libnice in Path("/usr/lib").glob("*/libnice.so.10"):
        needed = subprocess.run(["ldd", libnice], capture_output=True, text=True, check=True).stdout
        found = re.search(r"(libgupnp-igd-\S+) =>", needed)
        if found and "libsoup-3" in needed:
            source = folder / "stub.c"
            source.write_text(_STUB)
            subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / found[1], source], check=True)
            return {"LD_LIBRARY_PATH": str(folder)}
    return {}
