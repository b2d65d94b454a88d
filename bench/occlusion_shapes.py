"""Drawn things that come before a face, for `bench occlusion`: hands, phone, mug, mask and others.

Each is a texture with its own alpha, drawn by code of its own: what is measured was not trained on. Placed
and moved by `bench.occlusion_scenes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from rtfilter.bench.occlusion_sheet import Colour, Sheet, Texture

TONES: Final[Mapping[str, Colour]] = {
    "light": (236.0, 196.0, 176.0),
    "mid": (176.0, 124.0, 94.0),
    "dark": (86.0, 56.0, 44.0),
}


def hand(tone: Colour) -> Texture:
    """A hand with a forearm from the right; its fingers lie across the anchor and point left."""
    sheet = Sheet(-1.0, -0.9, 4.2, 1.1, 1)
    dark = (tone[0] * 0.72, tone[1] * 0.66, tone[2] * 0.64)
    nail = (min(tone[0] * 1.12 + 8, 255.0), min(tone[1] * 1.08 + 8, 255.0), min(tone[2] * 1.1 + 10, 255.0))
    crease = (tone[0] * 0.5, tone[1] * 0.42, tone[2] * 0.4)
    palm = [(0.3, -0.43), (0.9, -0.46), (1.5, -0.33), (4.2, -0.36), (4.2, 0.44), (1.6, 0.34), (0.9, 0.46)]
    body = np.maximum(sheet.polygon([*palm, (0.25, 0.42)]), sheet.line([(1.25, -0.2), (0.75, -0.5)], 0.3))
    fingers = [(-0.56, -0.33, 0.21), (-0.72, -0.11, 0.22), (-0.62, 0.11, 0.21), (-0.36, 0.31, 0.18)]
    for x, y, width in fingers:
        body = np.maximum(body, sheet.line([(0.6, y), (x, y)], width))
    body = np.maximum(body, sheet.line([(0.8, -0.52), (0.25, -0.62)], 0.2))
    sheet.lay(body, tone, 0.3)
    for x, y, width in fingers:
        sheet.lay(sheet.line([(0.35, y), (x, y)], width), tone, width * 0.7, 0.55)
        sheet.lay(sheet.line([(0.42, y + 0.11), (x + 0.03, y + 0.11)], 0.014), crease, strength=0.6)
        sheet.lay(sheet.ellipse(x - 0.02, y, 0.065, width * 0.3), nail, strength=0.7)
        for joint in (0.3, 0.62):
            place = x + joint * (0.5 - x)
            for shift in (-0.015, 0.015):
                ends = [(place + shift, y - width * 0.25), (place + shift * 1.6, y + width * 0.25)]
                sheet.lay(sheet.line(ends, 0.012), dark, strength=0.4)
    return sheet.texture()


def phone(_tone: Colour) -> Texture:
    """A phone upright, its back with cameras towards us."""
    sheet = Sheet(-0.55, -0.95, 0.55, 0.95, 2)
    sheet.lay(sheet.box(-0.42, -0.85, 0.42, 0.85, 0.1), (52.0, 56.0, 66.0), 0.03)
    sheet.lay(sheet.box(-0.36, -0.79, 0.0, -0.43, 0.08), (30.0, 32.0, 38.0), 0.02)
    for x, y in ((-0.26, -0.69), (-0.1, -0.53)):
        sheet.lay(sheet.ellipse(x, y, 0.075, 0.075), (12.0, 12.0, 16.0), 0.03)
    sheet.lay(sheet.ellipse(0.0, 0.1, 0.07, 0.08), (120.0, 124.0, 130.0))
    return sheet.texture(0.02)


def mug(_tone: Colour) -> Texture:
    """A mug with a handle and a printed band."""
    sheet = Sheet(-0.75, -0.7, 1.0, 0.75, 3)
    sheet.lay(
        sheet.line([(0.5, -0.3), (0.8, -0.25), (0.82, 0.2), (0.5, 0.32)], 0.11), (190.0, 60.0, 48.0), 0.05
    )
    sheet.lay(sheet.box(-0.52, -0.55, 0.52, 0.6, 0.08), (204.0, 68.0, 54.0), 0.5)
    sheet.lay(sheet.box(-0.5, -0.1, 0.5, 0.22, 0.02), (238.0, 230.0, 214.0), 0.0, 0.85)
    sheet.lay(sheet.words("COFFEE", -0.42, 0.14, 0.2), (60.0, 40.0, 36.0))
    sheet.lay(sheet.ellipse(0.0, -0.54, 0.5, 0.1), (224.0, 96.0, 80.0))
    sheet.lay(sheet.ellipse(0.0, -0.53, 0.45, 0.07), (70.0, 40.0, 26.0))
    return sheet.texture(0.02)


def microphone(_tone: Colour) -> Texture:
    """A microphone with a round grille; its body goes down to the right."""
    sheet = Sheet(-0.4, -0.4, 1.3, 1.9, 4)
    sheet.lay(sheet.line([(0.2, 0.28), (1.1, 1.7)], 0.28), (34.0, 34.0, 38.0), 0.14)
    sheet.lay(sheet.ellipse(0.0, 0.0, 0.3, 0.33), (128.0, 130.0, 136.0), 0.3)
    for shift in np.arange(-0.6, 0.61, 0.06):
        for way in (1.0, -1.0):
            wire = sheet.line([(shift - 0.35 * way, -0.35), (shift + 0.35 * way, 0.35)], 0.012)
            sheet.lay(wire * sheet.ellipse(0.0, 0.0, 0.28, 0.31), (54.0, 54.0, 60.0), strength=0.8)
    return sheet.texture(0.02)


def boom(_tone: Colour) -> Texture:
    """A headset's ear cup and boom; the foam at its end is the anchor, the cup on the right."""
    sheet = Sheet(-0.3, -1.0, 1.35, 0.3, 5)
    sheet.lay(
        sheet.line([(1.0, -0.45), (0.85, 0.0), (0.4, 0.1), (0.1, 0.03)], 0.05), (38.0, 38.0, 40.0), 0.025
    )
    sheet.lay(sheet.ellipse(1.02, -0.6, 0.2, 0.3), (48.0, 48.0, 52.0), 0.15)
    sheet.lay(sheet.ellipse(0.0, 0.0, 0.15, 0.11), (26.0, 26.0, 28.0), 0.1)
    return sheet.texture(0.08)


def mask(_tone: Colour) -> Texture:
    """A surgical mask with pleats and loops over nose, mouth and chin."""
    sheet = Sheet(-0.95, -0.75, 0.95, 0.85, 6)
    for side in (-1.0, 1.0):
        loop = [(side * 0.6, -0.35), (side * 0.88, -0.55), (side * 0.9, -0.2), (side * 0.62, 0.3)]
        sheet.lay(sheet.line(loop, 0.03), (240.0, 240.0, 240.0))
    outline = [(-0.66, -0.35), (-0.2, -0.55), (0.2, -0.55), (0.66, -0.35), (0.62, 0.35), (0.3, 0.66)]
    sheet.lay(sheet.polygon([*outline, (-0.3, 0.66), (-0.62, 0.35)]), (150.0, 192.0, 214.0), 0.3)
    for y in (-0.2, 0.05, 0.3):
        sheet.lay(sheet.line([(-0.62, y - 0.06), (0.0, y), (0.62, y - 0.06)], 0.02), (112.0, 152.0, 176.0))
    sheet.lay(sheet.line([(-0.22, -0.5), (0.22, -0.5)], 0.03), (176.0, 210.0, 226.0))
    return sheet.texture(0.03)


def paper(_tone: Colour) -> Texture:
    """A sheet with lines of text."""
    sheet = Sheet(-0.85, -0.75, 0.85, 1.2, 7)
    sheet.lay(
        sheet.polygon([(-0.75, -0.62), (0.72, -0.66), (0.76, 1.1), (-0.72, 1.14)]), (236.0, 234.0, 226.0)
    )
    for number, y in enumerate(np.arange(-0.4, 1.0, 0.19)):
        line = ("the quick brown", "fox jumps over", "the lazy dog, and", "a mug of tea")[number % 4]
        sheet.lay(sheet.words(line, -0.62, float(y), 0.12), (48.0, 48.0, 56.0))
    return sheet.texture(0.02)


def label(_tone: Colour) -> Texture:
    """A name label as a program lays over a picture."""
    sheet = Sheet(-0.7, -0.2, 0.7, 0.2, 8)
    sheet.lay(sheet.box(-0.62, -0.13, 0.62, 0.13, 0.03), (24.0, 90.0, 170.0))
    sheet.lay(sheet.words("GUEST 07", -0.52, 0.08, 0.16), (250.0, 250.0, 250.0))
    return sheet.texture(0.0)


def bar(_tone: Colour) -> Texture:
    """A slanted bar with stripes."""
    sheet = Sheet(-1.6, -0.2, 1.6, 0.2, 9)
    sheet.lay(sheet.box(-1.55, -0.12, 1.55, 0.12, 0.02), (226.0, 200.0, 40.0))
    for x in np.arange(-1.5, 1.5, 0.24):
        stripe = [(x, -0.12), (x + 0.12, -0.12), (x + 0.2, 0.12), (x + 0.08, 0.12)]
        sheet.lay(sheet.polygon([(float(a), b) for a, b in stripe]), (26.0, 26.0, 26.0))
    return sheet.texture(0.02)


def fringe(_tone: Colour) -> Texture:
    """Dark strands that hang from above over the forehead to the brows."""
    sheet = Sheet(-0.95, -0.75, 0.95, 0.45, 10)
    noise = np.random.default_rng(10)
    for root in np.sort(noise.uniform(-0.75, 0.75, 170)):
        end, low = root * 0.95 + noise.normal(0.06, 0.04), 0.18 - 0.35 * root**2 + noise.normal(0.0, 0.06)
        bend = root + noise.normal(0.02, 0.02)
        strand = sheet.line([(root, -0.7), (bend, (low - 0.7) / 2), (end, low)], 0.018)
        bright = noise.uniform(0.7, 1.5)
        sheet.lay(strand, (44.0 * bright, 32.0 * bright, 26.0 * bright), strength=1.0)
    return sheet.texture(0.0)


SHAPES: Final[Mapping[str, Callable[[Colour], Texture]]] = {
    "hand": hand,
    "phone": phone,
    "mug": mug,
    "microphone": microphone,
    "boom": boom,
    "mask": mask,
    "paper": paper,
    "label": label,
    "bar": bar,
    "fringe": fringe,
}
