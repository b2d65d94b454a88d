"""Plans in the cache: found by everything that they depend on, listed, and removed.

Called by `engines.prepare.choose` and `rtfilter engines`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rtfilter.engines.spec import NetworkSpec
from rtfilter.engines.trt.flavour import Flavour
from rtfilter.errors import InputError, UsageError, nearest
from rtfilter.system.cache import CacheError, CacheFile, DamagedError, cache_folder, read_header

FP16, FP32 = "fp16", "fp32"
PRECISIONS = (FP16, FP32)

# Counts changes to how the same ONNX file becomes a plan: trt/builder.py, trt/flavour.py, onnx/half.py.
RECIPE = 1

PLAN, RUNTIME = ".plan", ".runtime"


@dataclass(frozen=True, slots=True)
class PlanKey:
    """Everything that a plan depends on.

    target: see `flavour`. precision: `fp16` or `fp32`. batch: faces at once; the shapes of a plan are fixed.
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
        """The file's name without its suffix: readable, and different for different keys."""
        digest = hashlib.sha256(repr(sorted(asdict(self).items())).encode()).hexdigest()
        return (
            f"{self.network}-{self.precision}-b{self.batch}-{self.target}-"
            f"{self.flavour}-{self.flavour_version}-{digest[:12]}"
        )


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """One plan in the cache. key: None where the header is not readable; `problem` then says why."""

    path: Path
    nbytes: int
    key: PlanKey | None
    problem: str = ""


class PlanCache:
    """The plans in the user's cache, for many processes at once."""

    def __init__(self) -> None:
        self.folder = cache_folder() / "plans"

    def plan(self, key: PlanKey) -> CacheFile:
        """The file of a plan."""
        return CacheFile(self.folder / f"{key.stem}{PLAN}", asdict(key))

    def runtime(self, key: PlanKey, gpu_name: str) -> CacheFile:
        """The file of the code that TensorRT-RTX makes of a plan for one model of GPU."""
        slug = re.sub(r"[^a-z0-9]+", "-", gpu_name.lower()).strip("-") or "gpu"
        made_of = {"flavour": key.flavour, "version": key.flavour_version}
        return CacheFile(self.folder / f"{key.stem}-{slug}{RUNTIME}", made_of)

    def discard(self, key: PlanKey) -> None:
        """Remove a plan that does not run, and the code made of it."""
        for path in [self.plan(key).path, *self.folder.glob(f"{key.stem}-*{RUNTIME}")]:
            path.unlink(missing_ok=True)

    def entries(self) -> list[PlanEntry]:
        """All plans, by name, those of other versions too. Raises CacheError."""
        return [_entry(path) for path in self._files() if path.suffix == PLAN]

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
            # Locks, and what a killed process left half-written, are removed and not counted.
            kept = path.suffix in (PLAN, RUNTIME) and not path.name.startswith(".")
            count, nbytes = count + kept, nbytes + size
        return count, nbytes

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
    data: bytes, spec: NetworkSpec, batch: int, precision: str | None, target: str, flavour: Flavour
) -> PlanKey:
    """The key of the plan of `data`, an ONNX file. precision: see `precision_for`."""
    digest = hashlib.sha256(data).hexdigest()
    made_by = (flavour.name, flavour.version, flavour.cuda_major or 0)
    chosen = precision_for(spec, precision)
    return PlanKey(spec.name, spec.version, digest, *made_by, target, chosen, batch)


def precision_for(spec: NetworkSpec, precision: str | None) -> str:
    """The precision to build with; None takes the quickest that keeps the network's numbers.

    Raises UsageError for another name, or for one that this network must not have.
    """
    if precision is None:
        return FP16 if spec.half else FP32
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}:{nearest(precision, PRECISIONS)}")
    if precision == FP16 and not spec.half:
        raise UsageError(f"{spec.name} is computed in 32 bits only: take --precision fp32 for it")
    return precision


def _entry(path: Path) -> PlanEntry:
    nbytes = path.stat().st_size if path.exists() else 0
    try:
        header = read_header(path)
    except DamagedError as problem:
        return PlanEntry(path, nbytes, None, f"it {problem}")
    wanted = {name: header[name] for name in PlanKey.__slots__ if name in header}
    if len(wanted) < len(PlanKey.__slots__):
        return PlanEntry(path, nbytes, None, "it is of another version of rtfilter")
    return PlanEntry(path, nbytes, PlanKey(**wanted))  # type: ignore[arg-type]
