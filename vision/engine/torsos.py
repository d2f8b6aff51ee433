"""Where somebody in a picture wears a bib: below each face that is seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vision.engine.face_models import load_detector
from vision.engine.pictures import Pixels, resized

SEARCH_SIDE = 1280
"""Longest side, in pixels, at which faces are looked for: some 10 pixels high is the least that the detector knows.
Whoever's face it misses for being too large has her bib below the picture's edge."""
MAX_ENLARGEMENT = 2.0
BESIDE = 2.0
"""Face widths to each side of a face that a torso reaches: a bib hangs askew, and a runner leans forward."""
BELOW = 5.0
"""Face heights from the chin down. All 138 labelled bibs of 105 race photos have their middle in these bounds."""
TORSO_SHAPE = 1.25
"""A torso's height, at most, when its width is 1: faces are higher than wide by some 1.2 to 1.4."""
OWN_BIB = 1.0
"""Face widths to each side of a face: a number in these bounds is not a neighbour's."""


class Torso(NamedTuple):
    """Upright bounds in pixels, of the torso below one face."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def face_width(self) -> float:
        """Of the face above it, in pixels."""
        return (self.right - self.left) / (1 + 2 * BESIDE)

    @property
    def face_height(self) -> float:
        """Of the face above it, in pixels."""
        return (self.bottom - self.top) / BELOW

    def has(self, place: NDArray[np.float64]) -> bool:
        """Whether the place, x and y, lies in it."""
        x, y = place
        return bool(self.left <= x <= self.right and self.top <= y <= self.bottom)

    def wears(self, place: NDArray[np.float64]) -> bool:
        """Whether a bib in the place, x and y, is more likely worn here than beside."""
        beside = (BESIDE - OWN_BIB) * self.face_width
        return self._replace(left=self.left + beside, right=self.right - beside).has(place)


class TorsoFinder:
    """Finds torsos, with one thread."""

    def __init__(self) -> None:
        self._detector = load_detector()

    def find(self, picture: Pixels) -> list[Torso]:
        """Where people in a BGR picture have their torsos, in its pixels; they may reach beyond it."""
        scale = min(SEARCH_SIDE / max(picture.shape[:2]), MAX_ENLARGEMENT)
        seen = picture if scale == 1 else resized(picture, scale)
        self._detector.setInputSize((seen.shape[1], seen.shape[0]))
        _, rows = self._detector.detect(np.ascontiguousarray(seen))
        return [] if rows is None else [_below(*(row[:4] / scale).tolist()) for row in rows]


def _below(left: float, top: float, width: float, height: float) -> Torso:
    """The torso below a face."""
    chin = top + height
    return Torso(left - BESIDE * width, chin, left + width + BESIDE * width, chin + BELOW * height)
