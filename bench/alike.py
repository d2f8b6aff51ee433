"""When two faces are one person's: by their distance alone, and as the identity function of the pipeline has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np

from services.faces.domain.similarity import MATCHES_FROM, Quality, worth
from shared.contracts.events import FaceQuality
from vision.collections.index import Vectors
from vision.collections.similarity import similarity
from vision.engine.messages import Face


class Looks(NamedTuple):
    """What is known of a face: its vector, and how well it is seen."""

    vector: Vectors
    quality: Quality = msgspec.UNSET


Alike = Callable[[Looks, Looks], bool]
"""Whether two faces are one person's."""


def within(most_apart: float) -> Alike:
    """Faces whose vectors are at most so far apart, however they are seen."""
    return lambda one, other: _distance(one, other) <= most_apart


def as_identity(one: Looks, other: Looks) -> bool:
    """Faces that the pipeline takes for one person's."""
    return worth(round(similarity(_distance(one, other)), 2), one.quality, other.quality) >= MATCHES_FROM


def looks_of(face: Face) -> Looks | None:
    """None for a face without a vector."""
    if face.vector is None:
        return None
    quality = FaceQuality(
        sharpness=face.sharpness,
        brightness=face.brightness,
        yaw=face.yaw,
        pitch=face.pitch,
        occluded=face.occluded,
        sunglasses=face.sunglasses,
    )
    return Looks(np.frombuffer(face.vector, dtype="<f4"), quality)


def _distance(one: Looks, other: Looks) -> float:
    return float(np.linalg.norm(one.vector.astype(np.float64) - other.vector))
