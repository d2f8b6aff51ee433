"""Whether something covers the eyes or the lower half of a face: sunglasses, a mask, somebody's shoulder.

A patch of the face is compared with its skin, as found where nothing is likely to lie on it. What is much darker than
the skin, or of another colour, is no skin. A hand is skin, and not seen as a cover; nor does a beard count as one,
which leaves the cheeks and the nose's tip free.

The bounds and weights were found on 389 faces of race photos and portraits, 76 of them with sunglasses, that a person
judged by eye: 63 of those 76 are seen, and 6 of the 313 others are taken for some. Of 620 portraits onto which masks
were drawn 98 of 100 are seen as covered, of those without 1, leaving sunglasses aside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.engine.pictures import Pixels

LEAST_LIGHT, LEAST_RED, LEAST_YELLOW = 10.0, 1.0, 1.0
"""L*, a* and b* that skin has at least. Where what should be skin has less, because of a mask, of coloured light or of
a picture without colours, nothing can be compared with it: so on 2 of 100 faces, and behind every mask."""

_DARK = 0.6  # of the skin's lightness
_OTHER_COLOUR = 0.7  # of the skin's chroma, from its colour
_LEAST_CHROMA = 6.0  # skin of a grey picture, or in blue light, has next to none

# Places in the upright face (vision.engine.embedding: eyes at 38|52 and 74|52, nose at 56|72, mouth at 42–71|92), as
# left, top, right, bottom in pixels.
_Patch = tuple[int, int, int, int]
_EYES: Sequence[_Patch] = ((25, 42, 52, 66), (60, 42, 87, 66))
_BRIDGE: _Patch = (48, 42, 65, 54)  # between the eyes, where a frame lies
# The nose's tip, the cheeks and the mouth.
_LOWER: Sequence[_Patch] = ((50, 70, 62, 78), (30, 72, 44, 84), (68, 72, 82, 84), (44, 84, 68, 100))
# Cheeks and nose; its bridge, between the brows, and the forehead.
_SKIN_BELOW: Sequence[_Patch] = ((30, 68, 46, 82), (66, 68, 82, 82), (50, 58, 62, 72))
_SKIN_ABOVE: Sequence[_Patch] = ((50, 52, 62, 60), (50, 44, 62, 52), (46, 34, 66, 42))

# Log odds of sunglasses: by the share of the eye that is less covered, by how strange the bridge's colour is, and none.
_COVERED_EYE, _STRANGE_BRIDGE, _NO_SUNGLASSES = 8.7, 9.1, -8.4


class _Face:
    """A face in CIE L*a*b*, seen against the skin of some of its patches."""

    def __init__(self, chip: Pixels, skin: Iterable[_Patch]) -> None:
        self._lab = cv2.cvtColor(chip.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        self._skin = np.median([np.median(self._cut(patch), axis=(0, 1)) for patch in skin], axis=0)
        self._chroma = math.hypot(*self._skin[1:])

    @property
    def shows_skin(self) -> bool:
        """Whether what should be skin may be some."""
        return bool(np.all(self._skin > (LEAST_LIGHT, LEAST_RED, LEAST_YELLOW)))

    def covered(self, patch: _Patch) -> float:
        """Which share of the patch is no skin."""
        dark = self._cut(patch)[..., 0] < _DARK * self._skin[0]
        other = self._away(patch) > max(_LEAST_CHROMA, _OTHER_COLOUR * self._chroma)
        return float(np.mean(dark | other))

    def strange(self, patch: _Patch) -> float:
        """How far the patch's colour is from the skin's on the average, as a part of the skin's chroma."""
        return float(np.mean(self._away(patch))) / (self._chroma + _LEAST_CHROMA)

    def _away(self, patch: _Patch) -> NDArray[Any]:
        seen = self._cut(patch)
        return np.asarray(np.hypot(seen[..., 1] - self._skin[1], seen[..., 2] - self._skin[2]))

    def _cut(self, patch: _Patch) -> NDArray[Any]:
        left, top, right, bottom = patch
        return np.asarray(self._lab[top:bottom, left:right])


def sunglasses(chip: Pixels) -> float | None:
    """How likely the upright face wears sunglasses, in percent; None where no skin is seen to compare with."""
    face = _Face(chip, _SKIN_BELOW)
    if not face.shows_skin:
        return None
    eye = min(map(face.covered, _EYES))
    odds = _COVERED_EYE * eye + _STRANGE_BRIDGE * face.strange(_BRIDGE) + _NO_SUNGLASSES
    return 100 / (1 + math.exp(-odds))


def covered_below(chip: Pixels) -> float | None:
    """How likely something covers nose, cheeks and mouth, in percent; None where no skin is seen to compare with.

    All must be covered.
    """
    face = _Face(chip, _SKIN_ABOVE)
    return 100 * min(map(face.covered, _LOWER)) if face.shows_skin else None
