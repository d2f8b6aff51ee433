"""What somebody wears below the face, as a few shares of colours.

Taken of one person in photos that are seconds apart the shares differ by .17 at most (11 pairs of race photos, by
Hellinger's distance, from 0 to 1); of two people of one race 1 pair in 100 is as near, 5 are .26 apart and half of all
.54 or more.
"""

from __future__ import annotations

import cv2
import numpy as np

from vision.engine.pictures import Pixels

HUES = 8
"""Colours, from red by yellow and green to blue and violet, at equal steps of the angle in CIE L*a*b*."""
GREYS = 3
"""Black, grey and white. They come after the hues."""

# What is looked at, in widths and heights of the face from its upper left corner: the chest. How much of it has to be
# in the picture.
_LEFT, _RIGHT, _TOP, _BOTTOM = -0.5, 1.5, 1.3, 3.0
_LEAST_WIDTH, _LEAST_HEIGHT = 1.0, 0.9
_SIDE = 26  # pixels to which the cut is reduced
_GREY, _COLOURED = 5.0, 15.0  # chroma up to which nothing has a hue, and from which it is all hue
_BLACK, _WHITE = 20.0, 80.0  # lightness


def clothes(pixels: Pixels, left: float, top: float, width: float, height: float) -> tuple[float, ...] | None:
    """The shares of HUES and then of GREYS below a face (its box in pixels), which sum to 1.

    None where the chest is outside the picture.
    """
    rows, columns = pixels.shape[:2]
    x0, x1 = max(left + _LEFT * width, 0), min(left + _RIGHT * width, columns)
    y0, y1 = max(top + _TOP * height, 0), min(top + _BOTTOM * height, rows)
    if x1 - x0 < max(_LEAST_WIDTH * width, 1) or y1 - y0 < max(_LEAST_HEIGHT * height, 1):
        return None
    cut = pixels[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))]
    return _shares(np.asarray(cv2.resize(cut, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8))


def _shares(cut: Pixels) -> tuple[float, ...]:
    """Each pixel is divided between hue and grey by its chroma, and between the two nearest of either."""
    lightness, red, yellow = cv2.cvtColor(cut.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3).T
    coloured = np.clip((np.hypot(red, yellow) - _GREY) / (_COLOURED - _GREY), 0, 1)
    place = np.arctan2(yellow, red) / (2 * np.pi) % 1 * HUES
    nearest, beyond = np.floor(place).astype(int), place % 1
    light = np.clip((lightness - _BLACK) / (_WHITE - _BLACK), 0, 1) * (GREYS - 1)
    shares = np.zeros(HUES + GREYS)
    np.add.at(shares, nearest % HUES, coloured * (1 - beyond))
    np.add.at(shares, (nearest + 1) % HUES, coloured * beyond)
    for grey in range(GREYS):
        shares[HUES + grey] = ((1 - coloured) * np.clip(1 - np.abs(light - grey), 0, 1)).sum()
    return tuple(np.round(shares / len(lightness), 4).tolist())
