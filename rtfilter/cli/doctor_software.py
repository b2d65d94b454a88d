"""The checks of `rtfilter doctor` on software and files. Called by `cli.doctor`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import rtfilter
from rtfilter.cli.serve import PACKAGES
from rtfilter.config import config_path, presets_dir, settings_from_environment, settings_from_file
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.prepare.files import PROCESSOR, recipe_for
from rtfilter.engines.prepare.models import MODELS, at_hand
from rtfilter.errors import RtfilterError
from rtfilter.presets import load_presets
from rtfilter.system.cache import cache_folder, unusable
from rtfilter.system.installation import (
    DISTRIBUTION,
    foreign_distributions,
    install_extra,
    install_packages,
    mixed_opencv,
    own_version,
    reinstall,
    uninstall,
)
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
FOLDER_FIX = "export RTFILTER_CACHE=/a/folder/you/may/write"
OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. status: ok, warn (a part of rtfilter is out of reach) or fail (its main job is).

    fix: what to do next, "" when there is nothing to do.
    """

    name: str
    status: str
    detail: str
    fix: str = ""


def check_python() -> list[Check]:
    """The interpreter: the versions that rtfilter is tested on."""
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 10) <= sys.version_info[:2] <= (3, 13):
        return [Check("python", OK, version)]
    return [Check("python", FAIL, version, "use Python 3.10, 3.11, 3.12 or 3.13")]


def check_installation() -> list[Check]:
    """Our distribution, others with files of the same import name, and OpenCV's."""
    version, folder = own_version(), Path(rtfilter.__file__).resolve().parent
    origin = f"{DISTRIBUTION} {version}" if version else "not installed, imported"
    own = Check("installation", OK, f"{origin} from {folder}")
    return [own, *map(_overlap, foreign_distributions()), *_opencv()]


def _opencv() -> list[Check]:
    found = mixed_opencv()
    if not found:
        return []
    release = next(iter(found.values()))
    fix = install_packages(*(f"{name}=={release}" for name in found), anew=True, with_needs=False)
    listed = ", ".join(f"{name} {version}" for name, version in found.items())
    return [Check("opencv", WARN, f"{listed} share a folder and must be of one release", fix)]


def _overlap(found: tuple[str, bool]) -> Check:
    what, older = found
    if older and own_version() is None:
        # A checkout that was installed before the name changed: it works, and is renamed when next installed.
        return Check("other rtfilter", OK, f"{what} is this program under its former name")
    is_what = "this program under its former name" if older else "another project of the same import name"
    detail = (
        f"{what} is {is_what}; it writes into the same folder, and what was installed last hides the other"
    )
    return Check("other rtfilter", WARN, detail, f"{uninstall('rtfilter')} && {reinstall()}")


def check_packages() -> list[Check]:
    """The packages that filtering needs. They are loaded: a missing system library shows only then."""
    return [_check_package(distribution, module) for distribution, module in NEEDED.items()]


def _check_package(distribution: str, module: str) -> Check:
    version = package_version(distribution)
    try:
        loaded = importlib.import_module(module)
    except (ImportError, OSError, AttributeError) as error:
        message = " ".join(str(error).split())
        library = "cannot open shared object" in message
        return Check(distribution, FAIL, message, SYSTEM_LIBRARIES if library else reinstall())
    # OpenCV comes as one of four distributions.
    version = version or getattr(loaded, "__version__", None)
    return Check(distribution, OK, version or "loads, but was not installed as a package")


def check_cache() -> list[Check]:
    """The cache folder and the networks in it. Without a cache everything works, and starts later."""
    try:
        folder = cache_folder()
        problem = unusable(folder)
        return [_check_folder(folder, problem), _check_networks(problem)]
    except RtfilterError as error:
        return [Check("cache", FAIL, str(error), FOLDER_FIX)]


def _check_folder(folder: Path, problem: str) -> Check:
    if problem:
        return Check("cache", WARN, f"{problem}, so nothing is kept: every start takes longer", FOLDER_FIX)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Check("cache", OK, f"{folder}, {size / 1e6:.0f} MB" if size else f"{folder}, empty yet")


def _check_networks(problem: str) -> Check:
    name, when = "tracking networks", "at every start" if problem else "on first use"
    if all(recipe_for(spec, PROCESSOR).is_ready for spec in (FACE_DETECTOR, FACE_MESH)):
        return Check(name, OK, "ready")
    if all(at_hand(model) for model in MODELS):
        return Check(name, OK, f"made {when}, in a second")
    fix = FOLDER_FIX if problem else "rtfilter engines prepare"
    return Check(name, WARN, f"fetched {when}, by pip or uv (35 MB)", fix)


def check_kernel_cache() -> list[Check]:
    """Whether compiled kernels can be kept; without it every start compiles anew."""
    try:
        from rtfilter.kernels.cpu import CACHE_FOLDER
    except ImportError:
        return []  # the package that is missing has a finding of its own
    if CACHE_FOLDER is not None:
        return [Check("kernel cache", OK, CACHE_FOLDER)]
    fix = "export NUMBA_CACHE_DIR=/a/folder/you/may/write"
    return [Check("kernel cache", WARN, "nowhere to keep compiled kernels: every start takes longer", fix)]


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


def check_config() -> list[Check]:
    """The user's settings and presets: readable, and made of known keys."""
    try:
        settings_from_file(config_path())
        settings_from_environment(os.environ)
        own = sum(preset.path is not None for preset in load_presets(presets_dir()).values())
    except RtfilterError as error:
        return [Check("settings", FAIL, str(error), "mend or remove it")]
    kind = "config.toml" if config_path().exists() else "no config.toml"
    return [Check("settings", OK, f"{config_path().parent}: {kind}, {own} own presets")]
