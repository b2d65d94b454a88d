"""A still card: what a virtual camera shows while it has no picture of a person to show."""

from __future__ import annotations

import cv2
import numpy as np

from rtfilter.system.arrays import U8

NAME = "rtfilter"
# RGB. The ground is dark enough not to glare in a gallery of faces, and not black: that looks broken.
_GROUND_TOP, _GROUND_BOTTOM = (30, 34, 44), (16, 18, 24)
_ACCENT = (236, 176, 92)
_BRIGHT, _DIM = (236, 238, 242), (158, 166, 180)
_FONT = cv2.FONT_HERSHEY_DUPLEX
# Strokes are drawn this many times larger and shrunk: thin ones would be lumps on a small card.
_FINER = 2
# Of the card's height; nothing is drawn within the margin, of its width.
_NAME_SCALE, _HEADLINE_SCALE, _LINE_SCALE = 0.034, 0.08, 0.036
_MARGIN = 0.06


def still_card(width: int, height: int, headline: str, line: str = "") -> U8:
    """A dark card with the product's name, a headline and one line below: uint8 [height, width, 3] RGB.

    Texts are drawn smaller until they fit. OpenCV's font has ASCII alone; another letter becomes "?".
    """
    wide, high = _FINER * width, _FINER * height
    card = np.empty((high, wide, 3), np.uint8)
    fall = np.linspace(0.0, 1.0, high, dtype=np.float32)[:, None]
    top, bottom = np.array(_GROUND_TOP, np.float32), np.array(_GROUND_BOTTOM, np.float32)
    card[:] = np.rint(top + (bottom - top) * fall).astype(np.uint8)[:, None, :]
    _centred(card, NAME, 0.30, _NAME_SCALE, _ACCENT)
    bar = (round(wide * 0.05), max(1, round(high * 0.006)))
    left, above = (wide - bar[0]) // 2, round(high * 0.355)
    cv2.rectangle(card, (left, above), (left + bar[0], above + bar[1]), _ACCENT, cv2.FILLED)
    _centred(card, headline, 0.52, _HEADLINE_SCALE, _BRIGHT)
    _centred(card, line, 0.65, _LINE_SCALE, _DIM)
    return np.asarray(cv2.resize(card, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _centred(card: U8, text: str, at: float, scale: float, colour: tuple[int, int, int]) -> None:
    """Draw `text` with its baseline at `at`, letters `scale` high, both in heights of the card."""
    height, width = card.shape[:2]
    text = text.encode("ascii", "replace").decode()
    size = cv2.getFontScaleFromHeight(_FONT, max(3, round(scale * height)))
    room_px = width * (1.0 - 2 * _MARGIN)
    drawn_px = cv2.getTextSize(text, _FONT, size, 1)[0][0]
    if drawn_px > room_px:
        size *= room_px / drawn_px
    thickness = max(1, round(size))
    drawn_px = cv2.getTextSize(text, _FONT, size, thickness)[0][0]
    origin = ((width - drawn_px) // 2, round(at * height))
    cv2.putText(card, text, origin, _FONT, size, colour, thickness, cv2.LINE_AA)
