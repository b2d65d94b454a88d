"""`rtfilter cam`: a camera, filtered, seen by other programs as the virtual camera."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtfilter.cli.endpoints import DEMO, FPS, HEIGHT_PX, VIRTUAL_CAMERA, WIDTH_PX, is_camera, open_source
from rtfilter.cli.job import Job, job_for, load_filter, print_summary, write_report
from rtfilter.cli.serve import make_panel, open_panel
from rtfilter.cli.settings import chosen_editor, controls_for, settings_for, target_given
from rtfilter.cli.terminal import LiveLine
from rtfilter.controls import Controls
from rtfilter.errors import DeviceError, UsageError
from rtfilter.face.learned_weights import SUFFIX
from rtfilter.sources.base import Source

if TYPE_CHECKING:
    from rtfilter.cam.job import CamJob
    from rtfilter.cam.writer import SteadyWriter
    from rtfilter.serve.app.cam_panel import CamPanel
    from rtfilter.sinks.virtualcam import VirtualCameraSink

# Options that the service gets, too.
_VALUES = ("input", "device", "preset", "valence", "arousal", "intensity", "mouth", "smoothing", "skin",
           "width", "height", "fps", "lane", "editor", "profile")  # fmt: skip
_OF_PANEL = ("port", "token_file")
_FLAGS = ("compare", "no_idle", "panel", "allow_cpu")


def cam(arguments: argparse.Namespace) -> int:
    """Show a camera until Ctrl-C, or print the systemd unit that does so at every login."""
    settings = settings_for(arguments)
    chosen = arguments.input or settings.values.get("input")
    if chosen is not None and not (is_camera(chosen) or chosen == DEMO):
        if arguments.input is not None:
            raise UsageError(f"cam takes a camera, got {chosen!r}; use: rtfilter run --input {chosen} ...")
        chosen = None
    controls = controls_for(settings)
    if arguments.print_systemd_unit:
        chosen_editor(settings.values)
        print(unit_text(cam_command(sys.executable, vars(arguments))), end="")
        return 0
    values = {**settings.values, "input": chosen or _first_camera(), "output": VIRTUAL_CAMERA}
    job = job_for(arguments, values, controls)
    _show_camera(job, controls, arguments)
    return 0


def _show_camera(job: Job, controls: Controls, arguments: argparse.Namespace) -> None:
    from rtfilter.cam.camera import CameraChoice
    from rtfilter.cam.job import CamJob, card
    from rtfilter.cam.watchers import watched
    from rtfilter.cam.writer import SteadyWriter
    from rtfilter.sinks.compare import beside_original
    from rtfilter.sinks.virtualcam import VirtualCameraSink
    from rtfilter.system.threads import stop_on_signals

    faces = job.values.get("faces", 1)
    panel = make_panel(arguments, controls, job.profile, faces) if arguments.panel else None
    width, height, fps = _shape(job.values)
    # The virtual camera first: if another program holds it, the camera's light stays off.
    virtual = VirtualCameraSink(width, height, fps, job.values.get("device"))
    writer = SteadyWriter(virtual, fps, beside_original if job.compare else None)
    writer.hold(card("starting", width, height))
    try:
        source = open_source(job.input, job.values, live=True, duration_s=None)
    except BaseException:
        writer.close(complete=False)
        raise
    try:
        recorded = load_filter(writer, job)
    except BaseException:
        source.close()
        raise
    try:
        with LiveLine() as line:
            cam_job = CamJob(
                source,
                writer,
                recorded if panel is None else panel.steered(recorded),
                (lambda: controls) if panel is None else panel.next_controls,
                size=(width, height),
                camera=CameraChoice(_device(job.input), width, height, fps),
                watched=None if arguments.no_idle else watched(virtual.device),
                open_camera=lambda *wanted: _open_camera(virtual, *wanted),
                duration_s=job.duration_s,
                on_tick=None if job.quiet else lambda report: line(report, cam_job.state),
            )
            if not job.quiet:
                print(f"rtfilter: choose the camera {_name(virtual)} in your program", file=sys.stderr)
            with stop_on_signals(cam_job.stop):
                if panel is not None:
                    _open(panel, cam_job, arguments, source, writer)
                result = cam_job.run().as_dict()
    finally:
        if panel is not None:
            panel.stop()
        recorded.close()
    write_report(job, source.info, recorded, result)
    print_summary(job, recorded)


def _open(
    panel: CamPanel, cam_job: CamJob, arguments: argparse.Namespace, source: Source, writer: SteadyWriter
) -> None:
    """Open the panel; when that fails the job, which would close source and writer, never runs."""
    try:
        open_panel(panel, cam_job, arguments)
    except BaseException:
        source.close()
        writer.close(complete=False)
        raise


def _shape(values: Mapping[str, Any]) -> tuple[int, int, float]:
    """Width, height and rate, of the virtual camera and as requested from the real one."""
    width, height = values.get("width", WIDTH_PX), values.get("height", HEIGHT_PX)
    return width, height, float(values.get("fps", FPS))


def _first_camera() -> str:
    """The first real camera: where v4l2loopback was loaded early, camera:0 is the virtual one."""
    if sys.platform == "linux":
        from rtfilter.sources.capture import list_cameras

        for camera in list_cameras():
            if not camera.virtual:
                return f"camera:{camera.index}"
    return "camera:0"


def _device(name: str) -> str:
    """The camera in an input's name: "0" or "/dev/video2"; "demo" stays."""
    return name if name == DEMO else name.removeprefix("camera").removeprefix(":") or "0"


def _open_camera(virtual: VirtualCameraSink, device: str, width: int, height: int, fps: float) -> Source:
    from rtfilter.sources.capture import device_path

    if device != DEMO and device_path(int(device) if device.isdecimal() else device) == Path(virtual.device):
        raise DeviceError(f"camera:{device} is rtfilter's own virtual camera; choose another")
    values = {"width": width, "height": height, "fps": round(fps)}
    return open_source(DEMO if device == DEMO else f"camera:{device}", values, live=True, duration_s=None)


def _name(virtual: VirtualCameraSink) -> str:
    """Its name in other programs."""
    from rtfilter.system.v4l2 import node_index, query_node

    path = Path(virtual.device)
    return f"{query_node(path).name!r} ({path})" if node_index(path) >= 0 else repr(virtual.device)


def unit_text(command: Sequence[str]) -> str:
    """The unit that runs `command`, whose first word is an absolute path."""
    return f"""\
[Unit]
Description=rtfilter's virtual camera
# A camera that is plugged in later, or a module that is loaded later, is waited for without end.
StartLimitIntervalSec=0

[Service]
ExecStart={" ".join(map(_quoted, command))}
Restart=on-failure
RestartSec=5
# A usage mistake does not mend itself.
RestartPreventExitStatus=2
TimeoutStopSec=15
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def cam_command(python: str, arguments: Mapping[str, Any]) -> list[str]:
    """The command line that runs `rtfilter cam` with these parsed arguments, without progress."""
    words = [python, "-m", "rtfilter", "cam", "--quiet"]
    for name in (*_VALUES, *(_OF_PANEL if arguments.get("panel") else ())):
        if (value := arguments.get(name)) is not None:
            if name == "editor" and value.endswith(SUFFIX):
                value = Path(value).resolve()  # a unit starts in another folder
            words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    target = target_given(arguments)
    for option, key in (("--emotion", "emotions"), ("--blendshape", "blendshapes")):
        for name, amount in target.get(key, {}).items():
            words += [option, f"{name}={amount:g}"]
    if arguments.get("occlusion") is False:
        words.append("--no-occlusion")
    return words + [f"--{name.replace('_', '-')}" for name in _FLAGS if arguments.get(name)]


def _quoted(word: str) -> str:
    """A word of ExecStart. systemd expands % and $, and splits at blanks, outside and inside of quotes."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{word}"' if not word or any(letter in word for letter in " '\t;\"\\") else word
