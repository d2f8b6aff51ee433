"""A photo as the same camera might have taken it seconds later, not sharp: what identity has to tell people by then.

The frame is made from the photo, because labelled photos of one race are seldom of one burst: nearer, turned, darker,
and smeared along a line. It keeps how somebody looks, so that what is measured is how much of a loss by blur is made
good, and not how often photos of a burst match.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from bench.labelled import share
from bench.matching import Seen, is_one_person, is_one_person_by_default
from shared.contracts.events import Taken
from vision.engine.pictures import Pixels

NEARER, TURN_DEGREES, LIGHT = 1.08, 4.0, 0.9
SMEAR = 0.2
"""Of a face's width: so long are the lines that points are smeared to."""
_NEXT_DIRECTION = math.pi * (3 - math.sqrt(5))  # the golden angle: the directions of any number of photos differ
_SECONDS_LATER = 2

FIRST, SECOND = (Taken(taken_at=f"2026-10-25T09:00:0{second}Z", camera="one") for second in (0, _SECONDS_LATER))
"""When the photo was taken, and when the later frame."""


class LaterFrame(NamedTuple):
    """The later picture, and where a point of the photo is in it: a matrix of 2 × 3 for column vectors (x, y, 1)."""

    pixels: Pixels
    moved: Any

    def place(self, point: tuple[float, float]) -> tuple[float, float]:
        """Where a point of the photo is now, in pixels."""
        x, y = self.moved @ np.array([*point, 1.0])
        return float(x), float(y)


def later_frame(pixels: Pixels, face_width: float, number: int) -> LaterFrame:
    """The `number`th photo (RGB), whose faces are `face_width` pixels wide, as it might have been seconds later."""
    height, width = pixels.shape[:2]
    moved = cv2.getRotationMatrix2D((width / 2, height / 2), TURN_DEGREES * (-1) ** number, NEARER)
    turned = cv2.warpAffine(pixels, moved, (width, height), borderMode=cv2.BORDER_REFLECT)
    side = max(3, round(SMEAR * face_width))
    line = np.zeros((side, side), dtype=np.float32)
    angle, half = number * _NEXT_DIRECTION, (side - 1) / 2
    for step in np.linspace(-half, half, 4 * side):
        line[round(half + step * math.sin(angle)), round(half + step * math.cos(angle))] += 1
    smeared = cv2.filter2D(turned, -1, line / line.sum())
    return LaterFrame((smeared * LIGHT).astype(np.uint8), moved)


def told(pairs: Sequence[tuple[Seen, Seen]]) -> dict[str, Any]:
    """How many of the people are found again: by the face alone, with what they wear, and with the time.

    SearchFaces answers the share `by_the_default_threshold`, more than which nothing can find.
    """
    ways = {
        "by_face_alone": [(one.undressed, other.undressed) for one, other in pairs],
        "with_clothes": pairs,
        "with_clothes_and_time": [(one.taken(FIRST), other.taken(SECOND)) for one, other in pairs],
    }
    recall = {way: share(sum(is_one_person(*pair) for pair in each), len(pairs)) for way, each in ways.items()}
    answered = share(sum(is_one_person_by_default(*pair) for pair in pairs), len(pairs))
    return {"faces": len(pairs), **recall, "by_the_default_threshold": answered}
