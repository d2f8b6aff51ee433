"""All faces of one collection in memory, searched exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from vision.engine.messages import VECTOR_LENGTH
from vision.engine.similarity import distance_at, similarity

_FIRST_CAPACITY = 256
_ROUNDING = 1e-5  # more than a float32 cosine of 128 numbers can be wrong by

Vectors = NDArray[np.float32]


class Match(msgspec.Struct, frozen=True):
    """A face by its key in the store, and its similarity in percent."""

    key: int
    similarity: float


class FaceIndex:
    """Vectors of length 1 by key; searching compares with each of them, so it misses none.

    Of `n` faces it keeps at most 2 n x 520 bytes. Not safe for use from several threads at once.
    """

    def __init__(self) -> None:
        self._vectors: Vectors = np.empty((_FIRST_CAPACITY, VECTOR_LENGTH), dtype=np.float32)
        self._keys = np.empty(_FIRST_CAPACITY, dtype=np.int64)
        self._place: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._place)

    def add(self, keys: Sequence[int], vectors: Vectors) -> None:
        """Add faces whose keys are new."""
        start, end = len(self), len(self) + len(keys)
        if end > len(self._keys):
            capacity = max(2 * len(self._keys), end)
            self._vectors = np.concatenate(
                [self._vectors[:start], np.empty((capacity - start, VECTOR_LENGTH), dtype=np.float32)]
            )
            self._keys = np.concatenate([self._keys[:start], np.empty(capacity - start, dtype=np.int64)])
        self._vectors[start:end] = vectors
        self._keys[start:end] = keys
        self._place.update(zip(keys, range(start, end), strict=True))

    def remove(self, keys: Iterable[int]) -> None:
        """Remove faces; the last one moves into each gap."""
        for key in keys:
            gap = self._place.pop(key)
            last = len(self._place)
            if gap != last:
                self._vectors[gap] = self._vectors[last]
                self._keys[gap] = self._keys[last]
                self._place[int(self._keys[gap])] = gap
            self._vectors[last] = 0.0

    def vector(self, key: int) -> Vectors:
        """The face's own vector."""
        vector: Vectors = self._vectors[self._place[key]].copy()
        return vector

    def search(self, vector: Vectors, threshold: float, limit: int, leave_out: int | None = None) -> list[Match]:
        """The faces at least `threshold` percent similar, the most similar first; of equals the older first."""
        size = len(self)
        likeness = self._vectors[:size] @ vector  # the cosine: |a - b|² = 2 - 2 a·b for vectors of length 1
        least = 1.0 - distance_at(threshold) ** 2 / 2 - _ROUNDING
        near = np.flatnonzero(likeness >= least)
        if len(near) > limit + 1:  # one more, as one may be left out
            least = np.partition(likeness[near], len(near) - limit - 1)[len(near) - limit - 1] - _ROUNDING
            near = near[likeness[near] >= least]
        # Those few are compared again, in double precision: the order of two that are almost equal is right too.
        distances = np.linalg.norm(self._vectors[near].astype(np.float64) - vector, axis=1)
        order = np.lexsort((self._keys[near], distances))
        matches = (Match(int(self._keys[near[each]]), similarity(float(distances[each]))) for each in order)
        return [each for each in matches if each.similarity >= threshold and each.key != leave_out][:limit]
