"""carry.cu in plain NumPy, for tests and to read beside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]


def carry(parameters: npt.NDArray[np.void], table: F32, state: F32) -> F32:
    """The states that carry_out reads from `table`; carry_back then writes the new ones, `state`, into it."""
    read = np.where(parameters["from"][:, None] < 0, 0.0, table[np.maximum(parameters["from"], 0)])
    table[parameters["to"]] = state
    return np.asarray(read, np.float32)
