"""MediaPipe's TFLite models: from the installed package, else out of its wheel, which is fetched once.

Called by `engines.prepare.files`, `rtfilter engines prepare --wheel` and `rtfilter doctor`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from rtfilter.engines.prepare.fetch import REQUIREMENT, Unpacked, fetch_wheel, open_wheel
from rtfilter.errors import InputError, Notify
from rtfilter.system.cache import cache_folder, made_once, write_cached

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file inside MediaPipe's package: `path` below the package's folder, and its SHA-256."""

    path: str
    sha256: str

    @property
    def name(self) -> str:
        return Path(self.path).name

    @property
    def kept(self) -> Path:
        """Where it lies in the cache, as it is: its checksum is known."""
        return cache_folder() / "models" / f"{Path(self.path).stem}-{self.sha256[:12]}.tflite"

    def is_in(self, content: bytes) -> bool:
        """Whether these bytes are this file."""
        return hashlib.sha256(content).hexdigest() == self.sha256


DETECTOR = ModelFile(
    "modules/face_detection/face_detection_short_range.tflite",
    "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
)
MESH = ModelFile(
    "modules/face_landmark/face_landmark_with_attention.tflite",
    "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
)
MODELS = (DETECTOR, MESH)
# Out of a wheel that was fetched, until the cache takes them.
_unkept: dict[ModelFile, bytes] = {}


def tflite_model(model: ModelFile, progress: Notify, python: str = sys.executable) -> bytes:
    """The bytes of a model; their checksum is verified.

    Args:
        progress: called with one line for each step that takes long.
        python: the interpreter whose pip, or for which uv, fetches the wheel.

    Raises:
        InputError: the model cannot be had; the message says why, and what to do.
    """
    if (content := _installed(model)) is not None:
        return content

    def read() -> bytes | None:
        content = _read(model.kept)
        return content if model.is_in(content) else _unkept.get(model)

    def fetch() -> bytes:
        if _read(model.kept):
            _log.warning("%s is damaged and is fetched again", model.kept)
        _unkept.update(_fetch(progress, python))
        return _unkept[model]

    def write(content: bytes) -> None:
        del content  # a wheel has both models, and both are kept
        for each in MODELS:
            write_cached(each.kept, _unkept[each])
        _unkept.clear()

    return made_once(model.kept, read, fetch, write)


def at_hand(model: ModelFile) -> bool:
    """Whether the model's bytes are on this machine, so that nothing needs fetching."""
    return _installed(model) is not None or model.is_in(_read(model.kept))


def keep_models_of(wheel: Path) -> None:
    """Put all models out of a wheel into the cache, so that no network is needed.

    Raises InputError for a file that is no wheel with these models; nothing is kept then.
    """
    if not wheel.is_file():
        raise InputError(f"{wheel}: no such file; expected the wheel of {REQUIREMENT}, as pip downloads it")
    for model, content in _models_in(open_wheel(wheel), wheel.name, "Get it anew").items():
        write_cached(model.kept, content)


def _installed(model: ModelFile) -> bytes | None:
    """The model out of the installed package; None where it is not there, or another."""
    spec = importlib.util.find_spec("mediapipe")
    places = list(spec.submodule_search_locations or []) if spec else []
    content = _read(Path(places[0]) / model.path) if places else b""
    return content if model.is_in(content) else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _fetch(progress: Notify, python: str) -> dict[ModelFile, bytes]:
    with tempfile.TemporaryDirectory(prefix="rtfilter-") as folder:
        return _models_in(
            fetch_wheel(Path(folder), progress, python),
            REQUIREMENT,
            "Run 'pip cache purge' or 'uv cache clean', look at where it is fetched from, and try again",
        )


def _models_in(unpacked: Unpacked, name: str, advice: str) -> dict[ModelFile, bytes]:
    """All models, all verified. name, advice: for the message of InputError."""
    return {model: _from_package(unpacked, model, name, advice) for model in MODELS}


def _from_package(unpacked: Unpacked, model: ModelFile, name: str, advice: str) -> bytes:
    try:
        content = (unpacked / "mediapipe" / model.path).read_bytes()
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError) as error:
        raise InputError(
            f"{name}: expected a wheel with {model.path}, got a damaged or another one. {advice}"
        ) from error
    if not model.is_in(content):
        raise InputError(
            f"{name}: {model.path} has the SHA-256 {hashlib.sha256(content).hexdigest()}, "
            f"expected {model.sha256}. {advice}"
        )
    return content
