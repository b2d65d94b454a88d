"""The sound of a clip: 16 kHz, one channel, from the time of the clip's first picture. For `data.cache`."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError
from rtfilter.learn.data.track import SOUND_HZ

F32 = npt.NDArray[np.float32]

LONGEST_S = 600.0


def read_sound(path: Path, start_s: float = 0.0) -> F32 | None:
    """float32 [S] of a file's first sound track; None when it has none.

    start_s: the time, on the file's own clock, of sample 0: what lies before is cut off, and silence fills
    what is missing. Raises InputError for a file that cannot be read.
    """
    pieces: list[F32] = []
    begins_s: float | None = None
    try:
        with av.open(str(path)) as container:
            stream = next(iter(container.streams.audio), None)
            if stream is None:
                return None
            resampler = av.AudioResampler(format="flt", layout="mono", rate=SOUND_HZ)
            for frame in container.decode(stream):
                if begins_s is None:
                    begins_s = float(frame.time or 0.0)
                pieces += [_samples(one) for one in resampler.resample(frame)]
                if sum(map(len, pieces)) > LONGEST_S * SOUND_HZ:
                    break
            pieces += [_samples(one) for one in resampler.resample(None)]
    except (av.FFmpegError, OSError) as error:
        if not pieces:
            raise InputError(f"{path}: its sound cannot be read ({error}); download it again") from error
    if not pieces or begins_s is None:
        return None
    sound = np.concatenate(pieces)
    late = round((begins_s - start_s) * SOUND_HZ)
    if late > 0:
        return np.concatenate([np.zeros(late, np.float32), sound])
    return sound[-late:]


def _samples(frame: av.AudioFrame) -> F32:
    return np.asarray(frame.to_ndarray().ravel(), np.float32)
