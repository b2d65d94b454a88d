"""What `rtfilter doctor` says of what is kept: the cache folder, the networks in it, compiled kernels."""

from __future__ import annotations

from pathlib import Path

from rtfilter.cli.check import FAIL, OK, WARN, Check
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.prepare.files import PROCESSOR, recipe_for
from rtfilter.engines.prepare.models import MODELS, at_hand
from rtfilter.errors import RtfilterError
from rtfilter.system.cache import cache_folder, unusable

FOLDER_FIX = "export RTFILTER_CACHE=/a/folder/you/may/write"


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
