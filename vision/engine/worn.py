"""How large a word is on the body where it stands: a bib's number is made to be read from afar, small print is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vision.engine.quads import Quad, height, middle
from vision.engine.torsos import Torso

BODY_BESIDE = 1.0
"""Face widths to each side of a face's middle in which its owner's body hides whatever is behind."""


def size_on_body(box: Quad, torsos: Sequence[Torso]) -> float | None:
    """The height of a word in heights of the face above it, where it stands on a body; None elsewhere.

    Where several bodies can be meant it is the smallest one, on which the word is largest.
    """
    place = middle(box)
    faces = [torso.face_height for torso in torsos if torso.has(place) and _is_on_body(place, torso)]
    return height(box) / max(min(faces), 1.0) if faces else None


def _is_on_body(place: NDArray[np.float64], torso: Torso) -> bool:
    return bool(abs(place[0] - (torso.left + torso.right) / 2) < BODY_BESIDE * torso.face_width)
