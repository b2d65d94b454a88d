"""`rtfilter doctor`: what works here, and how to mend what does not. It only looks and opens no camera."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import rtfilter
from rtfilter.cli.check import FAIL, OK, WARN, Check
from rtfilter.cli.doctor_cache import check_cache, check_kernel_cache
from rtfilter.cli.doctor_gpu import check_gpu
from rtfilter.cli.doctor_install import check_installation
from rtfilter.cli.doctor_serve import check_server
from rtfilter.cli.doctor_virtualcam import check_virtual_camera
from rtfilter.config import (
    config_dir,
    config_path,
    presets_dir,
    settings_from_environment,
    settings_from_file,
)
from rtfilter.errors import RtfilterError
from rtfilter.presets import load_presets
from rtfilter.system.installation import install_packages, reinstall
from rtfilter.system.machine import machine_facts, versions
from rtfilter.system.v4l2 import holders, video_nodes
from rtfilter.system.version import package_version

NEEDED = {
    "numpy": "numpy",
    "onnx": "onnx",
    "onnxruntime": "rtfilter.engines.ort.load",
    "opencv-python-headless": "cv2",
    "av": "av",
    "numba": "numba",
    "tflite": "tflite",
    "flatbuffers": "flatbuffers",
}
SYSTEM_LIBRARIES = "sudo apt-get install libgl1 libglib2.0-0 libegl1 libgles2"


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


def check_python() -> list[Check]:
    """The interpreter: the versions that rtfilter is tested on."""
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 10) <= sys.version_info[:2] <= (3, 13):
        return [Check("python", OK, version)]
    return [Check("python", FAIL, version, "use Python 3.10, 3.11, 3.12 or 3.13")]


def check_packages() -> list[Check]:
    """Every package that filtering needs, loaded for real: a missing system library shows only then."""
    return [_check_package(distribution, module) for distribution, module in NEEDED.items()]


def _check_package(distribution: str, module: str) -> Check:
    version = package_version(distribution)
    try:
        loaded = importlib.import_module(module)
    except (ImportError, OSError, AttributeError) as error:
        said = " ".join(str(error).split())
        library = "cannot open shared object" in said
        return Check(distribution, FAIL, said, SYSTEM_LIBRARIES if library else reinstall())
    # OpenCV comes as one of four distributions.
    version = version or getattr(loaded, "__version__", None)
    return Check(distribution, OK, version or "loads, but was not installed as a package")


def check_face_model() -> list[Check]:
    """rtfilter's own face model, which the package brings."""
    assets = sorted((Path(rtfilter.__file__).parent / "face" / "assets").glob("*.npz"))
    if not assets:
        return [Check("face model", FAIL, "no rtfilter/face/assets/*.npz", reinstall())]
    return [Check("face model", OK, ", ".join(path.name for path in assets))]


def check_codecs() -> list[Check]:
    """The encoders that `--codec` and sound need, as this PyAV was built."""
    try:
        from av.codec.codec import Codec, UnknownCodecError
    except ImportError as error:
        return [Check("codecs", FAIL, str(error), reinstall())]

    def can_encode(name: str) -> bool:
        try:
            return Codec(name, "w").is_encoder
        except UnknownCodecError:
            return False

    wanted = {"h264": ("libx264", "h264"), "ffv1": ("ffv1",), "aac": ("aac",)}
    missing = [name for name, encoders in wanted.items() if not any(map(can_encode, encoders))]
    if missing:
        fix = install_packages("av", anew=True)
        return [Check("codecs", FAIL if "h264" in missing else WARN, f"missing: {', '.join(missing)}", fix)]
    return [Check("codecs", OK, ", ".join(wanted))]


def check_cameras() -> list[Check]:
    """Cameras that the system lists; none is opened, so no light goes on."""
    if sys.platform != "linux":
        return [
            Check(
                "cameras", OK, "not listed on this system; try: rtfilter run --input camera:0 --output null"
            )
        ]
    found = []
    for node in video_nodes():
        if node.is_loopback or not (node.can_capture or node.problem):
            continue
        users = holders(node.path)
        if node.problem == "permission denied":
            fix = "sudo usermod -aG video $USER, then log in again"
            found.append(Check(f"camera:{node.index}", WARN, f"{node.name}: {node.problem}", fix))
        elif users:
            found.append(
                Check(f"camera:{node.index}", WARN, f"{node.name}: in use by {', '.join(users)}", "close it")
            )
        else:
            found.append(
                Check(f"camera:{node.index}", WARN if node.problem else OK, node.problem or node.name)
            )
    nothing = Check(
        "cameras", WARN, "none", "plug one in, or use a file or the demo: rtfilter run --input demo"
    )
    return found or [nothing]


def check_config() -> list[Check]:
    """The user's settings and presets: readable, and made of known keys."""
    try:
        settings_from_file(config_path())
        settings_from_environment(os.environ)
        own = sum(preset.path is not None for preset in load_presets(presets_dir()).values())
    except RtfilterError as error:
        return [Check("settings", FAIL, str(error), "mend or remove it")]
    kind = "config.toml" if config_path().exists() else "no config.toml"
    return [Check("settings", OK, f"{config_dir()}: {kind}, {own} own presets")]


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
