"""`rtfilter doctor`: what works here, and how to mend what does not. It only looks and opens no camera."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict

from rtfilter.cli.doctor_devices import check_cameras, check_gpu, check_virtual_camera
from rtfilter.cli.doctor_software import (
    FAIL,
    Check,
    check_cache,
    check_codecs,
    check_config,
    check_face_model,
    check_installation,
    check_kernel_cache,
    check_packages,
    check_python,
    check_server,
)
from rtfilter.system.machine import machine_facts, versions


def doctor(arguments: argparse.Namespace) -> int:
    """Print every finding; 0 when files can be filtered here, else 1."""
    checks = [finding for check in CHECKS for finding in check()]
    works = all(finding.status != FAIL for finding in checks)
    if arguments.json:
        found = [asdict(finding) for finding in checks]
        document = {"works": works, "checks": found, "machine": machine_facts(), "versions": versions()}
        print(json.dumps(document, indent=2))
    else:
        for finding in checks:
            print(f"{finding.status:<5} {finding.name:<24} {finding.detail}")
            if finding.fix:
                print(f"{'':<30} -> {finding.fix}")
        print("rtfilter works here" if works else "rtfilter does not work here yet: mend what says fail")
    return 0 if works else 1


CHECKS: tuple[Callable[[], list[Check]], ...] = (
    check_python,
    check_installation,
    check_packages,
    check_cache,
    check_face_model,
    check_codecs,
    check_cameras,
    check_virtual_camera,
    check_server,
    check_gpu,
    check_kernel_cache,
    check_config,
)
