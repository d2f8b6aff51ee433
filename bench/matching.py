"""Which two faces are one person's: by the rule of the faces stage, and by the plain library's."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from services.faces.domain.similarity import MATCHES_FROM, Sight, worth
from services.faces.edges import quality_of
from shared.contracts.events import Taken
from vision.collections.index import Vectors
from vision.collections.similarity import DEFAULT_THRESHOLD, similarity
from vision.engine.messages import Face
from vision.front.faces import detail

PLAIN_DISTANCE = 1.128
"""Of two embeddings of length 1, up to which the library calls them one person:
https://docs.opencv.org/4.x/d0/dd4/tutorial_dnn_face.html.
"""


class Seen(NamedTuple):
    """A face's embedding, and what else is known of it."""

    vector: Vectors
    sight: Sight = Sight()

    @property
    def undressed(self) -> Seen:
        """The face alone: what is worn below it is not known, as where two photos are not of one race."""
        return self._replace(sight=self.sight._replace(clothes=msgspec.UNSET))

    def wearing(self, clothes: tuple[float, ...]) -> Seen:
        """The same face above these clothes."""
        return self._replace(sight=self.sight._replace(clothes=clothes))

    def taken(self, taken: Taken) -> Seen:
        """The face in a photo that was taken then."""
        return self._replace(sight=self.sight._replace(taken=taken))


def seen(face: Face) -> Seen | None:
    """The face as the faces stage gets it from IndexFaces; None where it would not be indexed."""
    if face.vector is None:
        return None
    clothes = msgspec.UNSET if face.clothes is None else face.clothes
    return Seen(np.frombuffer(face.vector, dtype="<f4"), Sight(quality_of(detail(face, ["ALL"])), clothes))


def distance(one: Seen, other: Seen) -> float:
    """Between the embeddings, 0 to 2."""
    return float(np.linalg.norm(one.vector - other.vector))


def is_one_person(one: Seen, other: Seen) -> bool:
    """Whether the faces stage counts on a match of the two alone."""
    alike = similarity(distance(one, other))
    return alike >= DEFAULT_THRESHOLD and worth(alike, one.sight, other.sight).percent >= MATCHES_FROM


def is_one_person_by_default(one: Seen, other: Seen) -> bool:
    """Whether SearchFaces would find one by the other at its default threshold."""
    return similarity(distance(one, other)) >= DEFAULT_THRESHOLD


def is_one_person_plainly(one: Seen, other: Seen) -> bool:
    """Whether the plain library would, by its own threshold."""
    return distance(one, other) <= PLAIN_DISTANCE
