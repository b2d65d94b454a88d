"""The Numba kernels of the CPU lane, called by tracking, face, render and planes."""

from __future__ import annotations

from numba import njit


def _probe() -> None: ...


def _cache_folder() -> str | None:
    """Where Numba keeps compiled kernels: beside this file, or in the user's cache; None where it can't."""
    try:
        return str(njit(cache=True)(_probe).stats.cache_path)
    except RuntimeError:
        return None


CACHE_FOLDER = _cache_folder()
# Without a cache the kernels still work, and every start compiles them anew (about ten seconds).
CACHE = CACHE_FOLDER is not None
