"""The Numba kernels of the CPU lane, called by tracking, face, render and planes."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from numba import njit


def _probe() -> None: ...


def _cache_folder() -> str | None:
    """Where Numba keeps compiled kernels: beside this file, or in the user's cache; None where it can't."""
    try:
        return str(njit(cache=True)(_probe).stats.cache_path)
    except RuntimeError:
        return None


def drop_stale_kernels(sources: Path, cache: Path) -> bool:
    """Remove what was compiled from other sources, and note these; whether there was something to remove.

    Numba compares a kernel with its own file alone. One whose callee in another file was changed would run on
    with the old one inlined, and paint noise.
    """
    content = b"".join(path.read_bytes() for path in sorted(sources.glob("*.py")))
    stamp, note = hashlib.sha256(content).hexdigest(), cache / "kernels.sha256"
    if note.is_file() and note.read_text() == stamp:
        return False
    stale = list(cache.glob("*.nb[ic]"))
    for path in stale:
        path.unlink(missing_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    note.write_text(stamp)
    return bool(stale)


CACHE_FOLDER = _cache_folder()
# Without a cache the kernels still work, and every start compiles them anew (about ten seconds).
CACHE = CACHE_FOLDER is not None
if CACHE_FOLDER is not None:
    with contextlib.suppress(OSError):  # a folder that is only read
        drop_stale_kernels(Path(__file__).parent, Path(CACHE_FOLDER))
