"""The control panel beside `rtfilter cam`: opened, announced, and closed with it."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from typing import TYPE_CHECKING

from rtfilter.cli.serve import (
    SWITCH_INTERVAL_S,
    leave_out_of_collection,
    require_serve_extra,
    token_of,
)
from rtfilter.config import presets_dir
from rtfilter.controls import Controls
from rtfilter.presets import load_presets

if TYPE_CHECKING:
    from rtfilter.serve.app.cam_panel import CamPanel, Job


def make_panel(arguments: argparse.Namespace, controls: Controls) -> CamPanel:
    """The panel that parsed arguments ask for, on this machine alone; it does not serve yet.

    Raises MissingExtraError without the `serve` extra, UsageError for a token that is none.
    """
    require_serve_extra()
    from rtfilter.serve.app.cam_panel import CamPanel
    from rtfilter.serve.app.messages import LiveControls
    from rtfilter.serve.gate.options import ServeOptions

    options = ServeOptions(port=arguments.port, token=token_of(arguments), controls=controls)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    folder = presets_dir()
    return CamPanel(options, load_presets(folder), LiveControls(controls), folder)


def open_panel(panel: CamPanel, job: Job, arguments: argparse.Namespace) -> None:
    """Serve the panel of `job`, and say where. Raises DeviceError when its port is taken."""
    leave_out_of_collection()
    link = panel.start(job)
    if not arguments.quiet:
        print(f"rtfilter: the control panel, for you alone: {link}", file=sys.stderr, flush=True)
    if arguments.open:
        webbrowser.open(link)
