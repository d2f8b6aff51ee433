"""What the similarity of two faces is worth, by how well both are seen.

Whoever wears sunglasses looks like others who do, and a blurred face like other blurred ones. So the same similarity is
wrong more often there, and is lowered until it is wrong as seldom as between two faces that are seen well.
"""

from __future__ import annotations

import math

import msgspec

from shared.contracts.events import FaceQuality

MATCHES_FROM = 85.0
"""Percent, of a similarity that `worth` has lowered, from which two faces count as one person's.

On race photos one pair of strangers in 105,302 reaches it (of different races, who cannot meet; 25 reach 80 percent as
it is answered), on portraits one of 190,899 and 95 of 100 pairs that show one person (97).
"""

# In log odds, by which strangers are more alike. Of race photos, the nearest 1 in 100 to 1 in 10,000 pairs are .08 to
# .12 nearer where both wear sunglasses than where none does, .015 where one does; .04 to .09 where both have a
# sharpness below 30, and no nearer where one has. In the vision server's similarity .05 of distance is 1.
COVERED = (0.0, 0.5, 2.0)  # by how many of the two faces are covered
BOTH_BLURRED = 1.8
# Sharpness in percent that counts as fully blurred, and as not at all. Portraits of a newspaper have 40 and more.
BLURRED, CRISP = 20.0, 40.0

_SUREST = 99.99  # odds of 100 percent would be infinite

Quality = FaceQuality | msgspec.UnsetType


def worth(similarity: float, one: Quality, other: Quality) -> float:
    """The similarity, in percent, of two well-seen faces that says as much. Unknown quality counts as good."""
    lowered = COVERED[_covered(one) + _covered(other)] + BOTH_BLURRED * min(_blurred(one), _blurred(other))
    if lowered == 0 or similarity <= 0:
        return similarity
    share = min(similarity, _SUREST) / 100.0
    return round(100.0 / (1.0 + (1.0 - share) / share * math.exp(lowered)), 2)


def _covered(quality: Quality) -> bool:
    """Whether something rather covers the face's eyes or mouth than not."""
    return max(quality.sunglasses or 0.0, quality.occluded or 0.0) >= 50.0 if quality else False


def _blurred(quality: Quality) -> float:
    """0 to 1."""
    return min(1.0, max(0.0, (CRISP - quality.sharpness) / (CRISP - BLURRED))) if quality else 0.0
