"""Plans that were built once, kept in the cache: found by what they depend on, rebuilt when not whole."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import InputError
from rtfilter.system.cache import CacheError, cache_folder, kept
from rtfilter.system.sealed import SealError, read_header, read_sealed, write_sealed

_log = logging.getLogger(__name__)

# Counts changes to how this version makes a plan of the same ONNX file (builder.py, half.py, targets.py).
RECIPE = 1

PLAN, RUNTIME, TIMING = ".plan", ".runtime", ".timing"


@dataclass(frozen=True, slots=True)
class PlanKey:
    """Everything that a plan depends on. Two plans with the same key are worth the same.

    target: as of `targets.py`. precision: `fp16` or `fp32`. batch: faces at once; a plan has fixed shapes.
    """

    network: str
    network_version: int
    onnx_sha256: str
    flavour: str
    flavour_version: str
    cuda_major: int
    target: str
    precision: str
    batch: int
    recipe: int = RECIPE

    @property
    def stem(self) -> str:
        """The file's name without its ending: readable, and different for different keys."""
        digest = hashlib.sha256(repr(sorted(asdict(self).items())).encode()).hexdigest()
        return (
            f"{self.network}-{self.precision}-b{self.batch}-{self.target}-"
            f"{self.flavour}-{self.flavour_version}-{digest[:12]}"
        )


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """One plan in the cache. key: None where the header is not readable; then `problem` says why."""

    path: Path
    nbytes: int
    key: PlanKey | None
    problem: str = ""


class PlanCache:
    """The plans below `folder` (default: `plans` in the user's cache), for many processes at once."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = cache_folder() / "plans" if folder is None else folder

    def path(self, key: PlanKey) -> Path:
        """Where the plan lies, or would."""
        return self.folder / f"{key.stem}{PLAN}"

    def runtime_path(self, key: PlanKey, gpu_name: str) -> Path:
        """Where a GPU's own code of the plan is kept. Of two models with the same plans each has its own."""
        slug = re.sub(r"[^a-z0-9]+", "-", gpu_name.lower()).strip("-") or "gpu"
        return self.folder / f"{key.stem}-{slug}{RUNTIME}"

    def timing_path(self, key: PlanKey) -> Path:
        """Where `tensorrt` keeps what it measured on GPUs of that target."""
        return self.folder / f"{key.flavour}-{key.flavour_version}-{key.target}{TIMING}"

    def load(self, key: PlanKey) -> bytes | None:
        """The plan, None when there is no good one; a bad one is told in the log.

        CacheError where the folder cannot be read.
        """
        path = self.path(key)
        try:
            found = read_sealed(path)
            if found is None:
                return None
            header, plan = found
            if _key_of(header) != key:
                raise SealError("belongs to something else")
        except SealError as problem:
            _log.warning("the plan %s %s; it is built anew", path, problem)
            return None
        return plan

    def get(self, key: PlanKey, build: Callable[[], bytes], *, required: bool = True) -> bytes:
        """The plan, by `build` when there is no good one. Of several processes one builds, the others wait.

        required: CacheError where the folder cannot be read or written; else the plan is built without being
        kept. Whatever `build` raises.
        """
        path = self.path(key)
        return kept(
            path,
            lambda: self.load(key),
            build,
            lambda plan: write_sealed(path, asdict(key), plan),
            required=required,
        )

    def discard(self, key: PlanKey) -> None:
        """Forget a plan that turned out not to run, and what was kept for it."""
        for path in [self.path(key), *self.folder.glob(f"{key.stem}-*{RUNTIME}")]:
            path.unlink(missing_ok=True)

    def entries(self) -> list[PlanEntry]:
        """All plans, by name; also those of other versions. CacheError where the folder cannot be read."""
        return [self._entry(path) for path in self._files() if path.suffix == PLAN]

    def clear(self) -> tuple[int, int]:
        """Remove all plans and what is kept beside them: how many files, and how many bytes."""
        count = nbytes = 0
        for path in self._files():
            try:
                size = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise InputError(f"{path}: cannot be removed: {error.strerror or error}") from error
            # Locks and what a killed process left half-written go too, and are nothing to boast of.
            kept = path.suffix in (PLAN, RUNTIME, TIMING) and not path.name.startswith(".")
            count, nbytes = count + kept, nbytes + size
        return count, nbytes

    def _entry(self, path: Path) -> PlanEntry:
        nbytes = path.stat().st_size if path.exists() else 0
        try:
            key = _key_of(read_header(path))
        except SealError as problem:
            return PlanEntry(path, nbytes, None, f"it {problem}")
        return PlanEntry(path, nbytes, key, "" if key is not None else "it is of another version of rtfilter")

    def _files(self) -> Iterator[Path]:
        try:
            found = sorted(self.folder.iterdir())
        except FileNotFoundError:
            found = []
        except OSError as error:
            raise CacheError(
                f"{self.folder}: cannot be read: {error.strerror or error}. Let your user read it, or set "
                "RTFILTER_CACHE to another folder"
            ) from error
        return (path for path in found if path.is_file())


def plan_key(
    spec: NetworkSpec,
    onnx: bytes,
    batch: int,
    precision: str,
    target: str,
    flavour: tuple[str, str, int | None],
) -> PlanKey:
    """The key of a plan. flavour: its name, version and CUDA's major version."""
    name, version, cuda_major = flavour
    digest = hashlib.sha256(onnx).hexdigest()
    return PlanKey(spec.name, spec.version, digest, name, version, cuda_major or 0, target, precision, batch)


def _key_of(header: dict[str, str | int]) -> PlanKey | None:
    wanted = {name: header[name] for name in PlanKey.__slots__ if name in header}
    return PlanKey(**wanted) if len(wanted) == len(PlanKey.__slots__) else None  # type: ignore[arg-type]
