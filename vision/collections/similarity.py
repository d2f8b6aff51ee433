"""From the distance of two faces to Rekognition's similarity in percent, and back."""

from __future__ import annotations

import math

BEST_DISTANCE = 1.02
"""Where telling people apart works best in this embedding. On portraits of 150 people F1 is .98 or more from 1.02 to
1.07 and falls on both sides; the strict end is taken, because a race has many more strangers to be mistaken for."""
DEFAULT_THRESHOLD = 80.0
"""Rekognition's default FaceMatchThreshold, in percent; it stands at BEST_DISTANCE."""

# How fast similarity falls around BEST_DISTANCE. Of pairs of those portraits that show one person 95 of 100 are at most
# 1.00 apart (86 percent), of pairs that show two people 99 of 100 at least 1.18 (13 percent).
_WIDTH = 0.05
_MIDDLE = BEST_DISTANCE + _WIDTH * math.log(DEFAULT_THRESHOLD / (100 - DEFAULT_THRESHOLD))
_LEAST = 1e-9


def similarity(distance: float) -> float:
    """Percent for a Euclidean distance of two embeddings (0 to 2).

    It falls steadily from 100 for the same vector, which is all that a threshold of 100 asks for, and is 80 at
    BEST_DISTANCE.
    """
    if distance == 0:
        return 100.0
    return 100.0 / (1.0 + math.exp((distance - _MIDDLE) / _WIDTH))


def distance_at(percent: float) -> float:
    """The largest distance whose similarity is at least `percent`; the inverse of `similarity`."""
    if percent <= _LEAST:  # below what any two vectors have
        return 2.0
    share = min(percent, 100 - _LEAST) / 100
    return min(max(_MIDDLE + _WIDTH * math.log(1 / share - 1), 0.0), 2.0)
