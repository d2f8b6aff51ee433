"""All faces of one collection in memory, searched fast and exactly.

A search has to look at every face, and what takes the time is reading them. So it first reads a rounded copy, a
quarter of the size, and then compares with the vectors themselves only the few faces that could still be among the
answers. No face is missed, whatever the vectors are:

Let x be a face and q the vector searched for, x' and q' what they are rounded to. By the triangle inequality
| |x - q| - |x' - q'| | <= |x - x'| + |q - q'|. The right side is known (the first part is kept with the face), and
|x' - q'| is computed in whole numbers, so each face has a least and a greatest distance between which it truly is.
If `limit` faces have greatest distances of at most d, the `limit` nearest faces are truly within d; so none of them has
a least distance above d, and all others can be left out. The faces that stay are compared in double precision: the
similarity, the threshold and the order are those of a full search.

Rounding to 1/256 moves an embedding by .013, which leaves few faces to compare again. Components beyond 127/256 are
cut off: such a vector is moved further, and only compared again more often.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec
import numkong
import numpy as np
from numpy.typing import NDArray

from vision.collections.similarity import distance_at, similarity
from vision.engine.messages import VECTOR_LENGTH

_STEPS = 256  # to 1; a power of two, so that a rounded component is a float without an error
_MOST = 127
_SLACK = 1e-5  # more than single precision can be wrong by, in a distance up to 2

Vectors = NDArray[np.float32]
_Keys = NDArray[np.int64]
_Distances = NDArray[np.float64]
_Places = NDArray[np.intp]


class Match(msgspec.Struct, frozen=True):
    """A face by its key in the store, and its similarity in percent."""

    key: int
    similarity: float


class FaceIndex:
    """Vectors of length 1 by key, 656 bytes a face. Not safe for use from several threads at once.

    `block` faces are stored together: the collection grows by so many, and removing a face moves at most as many.
    """

    def __init__(self, block: int = 16_384) -> None:
        self._block = block
        self._blocks: list[_Block] = []  # none is empty, and the keys ascend from each to the next

    def __len__(self) -> int:
        return sum(block.count for block in self._blocks)

    @property
    def newest(self) -> int:
        """The highest key, 0 when there is none."""
        return self._blocks[-1].last if self._blocks else 0

    @property
    def blocks(self) -> int:
        """How many blocks of memory it has taken."""
        return len(self._blocks)

    def add(self, keys: Sequence[int] | _Keys, vectors: Vectors) -> None:
        """Add faces, whose keys ascend and are above all that were ever added."""
        start = 0
        while start < len(keys):
            if not self._blocks or self._blocks[-1].count == self._block:
                self._blocks.append(_Block(self._block))
            end = start + self._block - self._blocks[-1].count
            self._blocks[-1].add(keys[start:end], vectors[start:end])
            start = end

    def remove(self, keys: Iterable[int]) -> None:
        """Remove faces; keys that are not there are passed over."""
        gone = np.unique(np.fromiter(keys, dtype=np.int64))
        for block in self._blocks:
            first, last = np.searchsorted(gone, (block.first, block.last + 1))
            if first < last:
                block.remove(gone[first:last])
        self._blocks = [block for block in self._blocks if block.count]
        if len(self._blocks) > 2 * (1 + len(self) // self._block):  # more than half of the room is empty
            sparse, self._blocks = self._blocks[::-1], []
            while sparse:  # one after the other, so that there are never two copies
                block = sparse.pop()
                self.add(block.keys[: block.count], block.vectors[: block.count])

    def vector(self, key: int) -> Vectors:
        """The face's own vector. Raises KeyError."""
        place = bisect_right(self._blocks, key, key=lambda block: block.first) - 1
        if place < 0:
            raise KeyError(key)
        return self._blocks[place].vector(key)

    def search(self, vector: Vectors, threshold: float, limit: int, leave_out: int | None = None) -> list[Match]:
        """The faces at least `threshold` percent similar, the most similar first; of equals the older first."""
        if not self._blocks:
            return []
        least, error = self._least_distances(vector)
        near = np.flatnonzero(least <= distance_at(threshold))
        wanted = limit + (leave_out is not None)
        if len(near) > wanted:
            greatest = least[near] + 2 * error[near]
            near = near[least[near] <= np.partition(greatest, wanted - 1)[wanted - 1]]
        keys, distances = self._true_distances(near, vector)
        found: list[Match] = []
        for each in np.argsort(distances, kind="stable"):  # the older come first as it is
            percent = similarity(float(distances[each]))
            if percent < threshold or len(found) == limit:
                break
            if keys[each] != leave_out:
                found.append(Match(int(keys[each]), percent))
        return found

    def _least_distances(self, vector: Vectors) -> tuple[Vectors, Vectors]:
        """For each face how near it can be, and the error: it is at most twice that further away."""
        rounded, square, moved = _rounded(vector[None])
        query = numkong.dots_pack(rounded)
        distances = np.concatenate([block.rounded_distances(query, square) for block in self._blocks])
        error = np.concatenate([block.moved[: block.count] for block in self._blocks])
        error += moved + np.float32(_SLACK)
        distances -= error
        return distances, error

    def _true_distances(self, places: _Places, vector: Vectors) -> tuple[_Keys, _Distances]:
        """The keys of the faces at `places`, which ascend, and their distances from `vector`."""
        ends = np.cumsum([block.count for block in self._blocks])
        parts = np.split(places, np.searchsorted(places, ends[:-1]))
        rows = [part - end + block.count for block, part, end in zip(self._blocks, parts, ends, strict=True)]
        keys = [block.keys[some] for block, some in zip(self._blocks, rows, strict=True)]
        distances = [block.distances(some, vector) for block, some in zip(self._blocks, rows, strict=True)]
        return np.concatenate(keys), np.concatenate(distances)


class _Block:
    """Up to `room` faces in the order of their keys; of each array the first `count` rows are in use.

    `rounded` are the components in steps of 1/256, `squares` the squared length of those, and `moved` how far from its
    face a rounded vector is.
    """

    def __init__(self, room: int) -> None:
        self.count = 0
        self.keys = np.empty(room, dtype=np.int64)
        self.vectors = np.empty((room, VECTOR_LENGTH), dtype=np.float32)
        self.rounded = np.empty((room, VECTOR_LENGTH), dtype=np.int8)
        self.squares = np.empty(room, dtype=np.int32)
        self.moved = np.empty(room, dtype=np.float32)

    @property
    def first(self) -> int:
        return int(self.keys[0])

    @property
    def last(self) -> int:
        return int(self.keys[self.count - 1])

    def add(self, keys: Sequence[int] | _Keys, vectors: Vectors) -> None:
        new = slice(self.count, self.count + len(keys))
        self.keys[new] = keys
        self.vectors[new] = vectors
        self.rounded[new], self.squares[new], self.moved[new] = _rounded(vectors)
        self.count = new.stop

    def remove(self, keys: _Keys) -> None:
        stay = np.flatnonzero(~np.isin(self.keys[: self.count], keys, assume_unique=True))
        for rows in (self.keys, self.vectors, self.rounded, self.squares, self.moved):
            rows[: len(stay)] = rows[stay]
            rows[len(stay) : self.count] = 0  # what was removed is nowhere any more
        self.count = len(stay)

    def vector(self, key: int) -> Vectors:
        place = int(np.searchsorted(self.keys[: self.count], key))
        if place == self.count or self.keys[place] != key:
            raise KeyError(key)
        return np.array(self.vectors[place])

    def distances(self, rows: _Places, vector: Vectors) -> _Distances:
        distances: _Distances = np.linalg.norm(self.vectors[rows].astype(np.float64) - vector, axis=1)
        return distances

    def rounded_distances(self, query: numkong.PackedMatrix, square: NDArray[np.int32]) -> Vectors:
        """Between the rounded faces and a rounded vector: |a - b|² = |a|² + |b|² - 2 a·b, all in whole numbers."""
        steps = np.asarray(numkong.dots_packed(self.rounded[: self.count], query))[:, 0]
        steps *= -2
        steps += self.squares[: self.count]
        steps += square
        distances: Vectors = np.sqrt(steps, dtype=np.float32)
        distances /= _STEPS
        return distances


def _rounded(vectors: Vectors) -> tuple[NDArray[np.int8], NDArray[np.int32], Vectors]:
    """Vectors in steps, the squared lengths of those, and how far each vector was moved."""
    steps = np.clip(np.rint(vectors * _STEPS), -_MOST, _MOST)
    squares = np.einsum("ij,ij->i", steps, steps).astype(np.int32)
    moved = np.linalg.norm(vectors - steps / _STEPS, axis=1)
    return steps.astype(np.int8), squares, moved
