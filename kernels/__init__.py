"""Numba kernels of the CPU lane; readable twins of the GPU kernels to come."""

from __future__ import annotations

from numba import njit


def _probe() -> None: ...


def _can_cache() -> bool:
    """Whether Numba finds a folder to keep compiled kernels in: beside this file, or in the user's cache."""
    try:
        njit(cache=True)(_probe)
    except RuntimeError:
        return False
    return True


# Without a cache the kernels still work, and every start compiles them anew (about ten seconds).
CACHE = _can_cache()
