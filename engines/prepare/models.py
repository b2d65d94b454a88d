"""MediaPipe's TFLite models: from the installed package, else out of its wheel, which is fetched once."""

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

from rtfilter.engines.prepare.fetch import REQUIREMENT, Progress, Unpacked, fetch_wheel, open_wheel
from rtfilter.errors import InputError
from rtfilter.system.cache import cache_folder, kept, write_atomically

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file inside MediaPipe's package: `path` below the package's folder, and its SHA-256."""

    path: str
    sha256: str

    @property
    def name(self) -> str:
        return Path(self.path).name


DETECTOR = ModelFile(
    "modules/face_detection/face_detection_short_range.tflite",
    "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
)
MESH = ModelFile(
    "modules/face_landmark/face_landmark_with_attention.tflite",
    "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
)
MODELS = (DETECTOR, MESH)
# Of a wheel that was fetched, as long as the cache cannot take it.
_unkept: dict[ModelFile, bytes] = {}


def tflite_model(model: ModelFile, progress: Progress, python: str = sys.executable) -> bytes:
    """The bytes of `model`, which are always those that its hash promises.

    progress: told what takes long. python: the interpreter whose pip, or for which uv, fetches the wheel.
    InputError where the model is nowhere to be had; it says why, and what to do.
    """
    installed = _installed_folder()
    if installed is not None:
        content = _read(installed / model.path)
        if _is(content, model):
            return content
    path = _kept(model)

    def read() -> bytes | None:
        content = _read(path)
        return content if _is(content, model) else _unkept.get(model)

    def fetch() -> bytes:
        if _read(path):
            _log.warning("%s is damaged and is fetched again", path)
        _unkept.update(_fetch(progress, python))
        return _unkept[model]

    def write(content: bytes) -> None:
        del content  # a wheel has both models, and both are kept
        for each in MODELS:
            write_atomically(_kept(each), _unkept[each])
        _unkept.clear()

    return kept(path, read, fetch, write)


def at_hand(model: ModelFile) -> bool:
    """Whether the model's bytes are here, so that nothing needs fetching."""
    installed = _installed_folder()
    places = [_kept(model)] if installed is None else [installed / model.path, _kept(model)]
    return any(_is(_read(place), model) for place in places)


def _installed_folder() -> Path | None:
    spec = importlib.util.find_spec("mediapipe")
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) if places else None


def _kept(model: ModelFile) -> Path:
    return cache_folder() / "models" / f"{Path(model.path).stem}-{model.sha256[:12]}.tflite"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _is(content: bytes, model: ModelFile) -> bool:
    return hashlib.sha256(content).hexdigest() == model.sha256


def keep_models_of(wheel: Path) -> None:
    """All models out of a wheel that is here into the cache, so that nothing needs a network.

    InputError for a file that is no wheel with these models; nothing is kept of it then.
    """
    if not wheel.is_file():
        raise InputError(f"{wheel}: no such file; expected the wheel of {REQUIREMENT}, as pip downloads it")
    for model, content in _models_in(open_wheel(wheel), wheel.name, "Get it anew").items():
        write_atomically(_kept(model), content)


def _fetch(progress: Progress, python: str) -> dict[ModelFile, bytes]:
    with tempfile.TemporaryDirectory(prefix="rtfilter-") as folder:
        return _models_in(
            fetch_wheel(Path(folder), progress, python),
            REQUIREMENT,
            "Run 'pip cache purge' or 'uv cache clean', look at where it is fetched from, and try again",
        )


def _models_in(unpacked: Unpacked, name: str, advice: str) -> dict[ModelFile, bytes]:
    """All models, all known to be right."""
    return {model: _from_package(unpacked, model, name, advice) for model in MODELS}


def _from_package(unpacked: Unpacked, model: ModelFile, name: str, advice: str) -> bytes:
    try:
        content = (unpacked / "mediapipe" / model.path).read_bytes()
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError) as error:
        raise InputError(
            f"{name}: expected a wheel with {model.path}, got a damaged or another one. {advice}"
        ) from error
    if not _is(content, model):
        raise InputError(
            f"{name}: {model.path} has the SHA-256 {hashlib.sha256(content).hexdigest()}, "
            f"expected {model.sha256}. {advice}"
        )
    return content
