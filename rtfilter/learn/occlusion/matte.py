"""Where the person is in a picture, by MediaPipe's selfie segmentation: a teacher, not in the product."""

from __future__ import annotations

import types
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.errors import MissingExtraError
from rtfilter.learn.face_mesh import before_mediapipe
from rtfilter.system.installation import install_extra

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

_LANDSCAPE, _SQUARE = 1, 0  # MediaPipe's two networks: 256 x 144 and 256 x 256
_RADIUS: Final = 1 / 60  # of the picture's longer side; of the guided filter
_SMOOTH: Final = 2e-4  # variance of the guide below which the matte is averaged


class Matte:
    """Both networks; a context. Raises MissingExtraError without MediaPipe."""

    def __init__(self) -> None:
        before_mediapipe()
        try:
            from mediapipe.python.solutions import selfie_segmentation
        except ImportError as error:
            raise MissingExtraError(
                f"squares need mediapipe 0.10.21 (found: {error}); install it with: "
                f"{install_extra('learn')} (Python 3.10 to 3.12)"
            ) from error
        opened = selfie_segmentation.SelfieSegmentation
        self._networks: list[Any] = [opened(model_selection=one) for one in (_LANDSCAPE, _SQUARE)]

    def __enter__(self) -> Matte:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        for one in self._networks:
            one.close()

    def of(self, rgb: U8) -> tuple[F32, F32]:
        """How surely each pixel is the person, and how far both networks agree, float32 [H, W], 0..1 each.

        The matte follows the picture's edges: a guided filter (He et al. 2010) by its brightness.
        """
        first, second = (np.asarray(one.process(rgb).segmentation_mask, np.float32) for one in self._networks)
        guide = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255.0)
        radius = max(int(max(guide.shape) * _RADIUS), 2)
        matte = np.clip(_guided(guide, (first + second) / 2, radius), 0.0, 1.0)
        sure = np.clip(1.0 - 2.0 * np.abs(first - second), 0.0, 1.0)
        return np.asarray(matte, np.float32), np.asarray(sure, np.float32)


def _guided(guide: F32, matte: F32, radius: int) -> F32:
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(of: F32) -> F32:
        return np.asarray(cv2.blur(of, size), np.float32)

    guide_mean, matte_mean = mean(guide), mean(matte)
    slope = (mean(guide * matte) - guide_mean * matte_mean) / (mean(guide * guide) - guide_mean**2 + _SMOOTH)
    offset = matte_mean - slope * guide_mean
    return np.asarray(mean(slope) * guide + mean(offset), np.float32)
