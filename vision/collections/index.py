"""All faces of one collection in memory, searched fast and exactly.

A search has to look at every face, and what takes the time is reading them. So it first reads a short copy of each face
and then compares with the vectors themselves only the few faces that could still be among the answers. No face is
missed, whatever the vectors are:

Let x be a face and q the vector searched for, both of length 1. Turn both by the same rotation, which changes no
product, and call what the first components are a and b, and how long the rest is r and s. By Cauchy and Schwarz,
x·q <= a·b + r s: the product of the short vectors (a, r) and (b, s). Those are rounded to bytes; rounding moves them by
a known length, so the product of the rounded ones, in whole numbers, is less by a known amount at most. Whoever stays
below the least product that counts is left out. The others are compared in single precision, whose error is known too,
and those that may be answers then in double precision: the similarity, the threshold and the order are those of a full
search.

A block of faces is rotated towards the directions in which its own faces are long (their principal components, the
mean left in), or as the block before it where that serves as well, and keeps as many components as serve it best:
SFace's vectors are spread almost evenly over all directions, those of other networks may not be.
"""

from __future__ import annotations

import copy
import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import msgspec
import numkong
import numpy as np
from numpy.typing import NDArray

from vision.collections.similarity import DEFAULT_THRESHOLD, distance_at, similarity
from vision.engine.messages import VECTOR_LENGTH

Vectors = NDArray[np.float32]
_Keys = NDArray[np.int64]
_Distances = NDArray[np.float64]
_Places = NDArray[np.intp]

_MOST = 127  # steps that a byte holds, either way
_SLACK = 1e-5  # more than a product of two vectors of length 1 is wrong by in single precision, rotated or not
_LENGTHS = (48, 64, 80, 96, 112, 128)  # that short copies may have
_AGAIN = 500
"""Bytes of short copies that are read in the time that comparing one more face takes: some 100 ns against .2 ns a byte,
measured at a million faces on AVX2 and on AVX-512. It only decides how long copies are, not what is found."""
_REST = 4  # components of a short copy that are for the length of the rest
_DENSE = 4  # if one face in so many is to be compared again, comparing all of a block in a row is faster
_AS_GOOD = 1.05  # a known rotation may cost so much of what it did where it was learned
_SAMPLE = 2048  # faces from which a block learns its rotation
_SEARCHED = 128  # of those, by whose searches it judges the lengths


class Match(msgspec.Struct, frozen=True):
    """A face by its key in the store, and its similarity in percent."""

    key: int
    similarity: float


class FaceIndex:
    """Vectors of length 1 by key, 620 to 800 bytes a face. Not safe for use from several threads at once.

    `block` faces are stored together: the collection grows by so many, and removing a face moves at most as many. The
    first `least` faces of a block have no short copies, which would not be worth it; from then on they are made anew
    each time that the number of its faces has doubled, and what came since is searched without.
    """

    def __init__(self, block: int = 16_384, least: int = 1024) -> None:
        self._block = block
        self._least = least
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
                rotation = self._blocks[-1].rotation if self._blocks else None
                self._blocks.append(_Block(self._block, self._least, rotation))
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
        near = _Nearest(limit + (leave_out is not None), product_at(threshold))
        searched = _Searched(vector)
        for block in self._blocks:
            near.add(block, *block.near(searched, near.least))
        keys, distances = near.measured(vector)
        order = np.argsort(distances, kind="stable")  # the older come first as it is
        found: list[Match] = []
        for key, distance in zip(keys[order].tolist(), distances[order].tolist(), strict=True):
            percent = similarity(distance)
            if percent < threshold or len(found) == limit:
                break
            if key != leave_out:
                found.append(Match(key, percent))
        return found


class _Nearest:
    """The faces that may be among the `wanted` nearest so far; none whose product is below `least` can be."""

    def __init__(self, wanted: int, least: float) -> None:
        self.least = least
        self._wanted = wanted
        self._parts: list[tuple[_Block, _Places, Vectors]] = []
        self._count = 0

    def add(self, block: _Block, rows: _Places, products: Vectors) -> None:
        """Faces of a block with their products, each wrong by _SLACK at most."""
        if not len(rows):
            return
        self._parts.append((block, rows, products))
        self._count += len(rows)
        if self._count > 2 * self._wanted:
            self._prune()

    def measured(self, vector: Vectors) -> tuple[_Keys, _Distances]:
        """The keys of the faces that are left, in the order they were added, and their distances from `vector`."""
        if self._count > self._wanted:
            self._prune()
        keys = [block.keys[rows] for block, rows, _ in self._parts]
        vectors = [block.vectors[rows] for block, rows, _ in self._parts]
        if not keys:
            return np.empty(0, np.int64), np.empty(0)
        return np.concatenate(keys), np.linalg.norm(np.concatenate(vectors).astype(np.float64) - vector, axis=1)

    def _prune(self) -> None:
        """As many as are wanted truly have this product less an error, so whoever is further away is not wanted."""
        products = np.concatenate([products for _, _, products in self._parts])
        self.least = max(self.least, float(np.partition(products, -self._wanted)[-self._wanted]) - _SLACK)
        stay = [products >= self.least - _SLACK for _, _, products in self._parts]
        self._parts = [
            (block, rows[those], products[those])
            for (block, rows, products), those in zip(self._parts, stay, strict=True)
        ]
        self._count = sum(len(rows) for _, rows, _ in self._parts)


class _Block:
    """Up to `room` faces in the order of their keys; of each array the first `count` rows are in use.

    `rotation` is that of their short copies; before there are any, the one given, which served the faces before them.
    """

    def __init__(self, room: int, least: int, rotation: _Rotation | None) -> None:
        self.count = 0
        self.keys = np.empty(room, dtype=np.int64)
        self.vectors = np.empty((room, VECTOR_LENGTH), dtype=np.float32)
        self.rotation = self._given = rotation
        self._least = least
        self._copies: _Copies | None = None  # of the first faces, or all

    @property
    def first(self) -> int:
        return int(self.keys[0])

    @property
    def last(self) -> int:
        return int(self.keys[self.count - 1])

    @property
    def _copied(self) -> int:
        return self._copies.count if self._copies else 0

    def add(self, keys: Sequence[int] | _Keys, vectors: Vectors) -> None:
        new = slice(self.count, self.count + len(keys))
        self.keys[new] = keys
        self.vectors[new] = vectors
        self.count = new.stop
        if self.count >= max(self._least, 2 * self._copied) or self.count == len(self.keys):
            vectors = self.vectors[: self.count]
            self.rotation = _rotation_for(vectors, self._given)
            self._copies = _Copies(vectors, self.rotation)

    def remove(self, keys: _Keys) -> None:
        stay = np.flatnonzero(~np.isin(self.keys[: self.count], keys, assume_unique=True))
        for rows in (self.keys, self.vectors):
            rows[: len(stay)] = rows[stay]
            rows[len(stay) : self.count] = 0  # what was removed is nowhere any more
        self.count = len(stay)
        if self._copies:
            copied = stay[: np.searchsorted(stay, self._copied)]
            self._copies = self._copies.only(copied) if len(copied) else None

    def vector(self, key: int) -> Vectors:
        place = int(np.searchsorted(self.keys[: self.count], key))
        if place == self.count or self.keys[place] != key:
            raise KeyError(key)
        return np.array(self.vectors[place])

    def near(self, searched: _Searched, least: float) -> tuple[_Places, Vectors]:
        """The rows of all faces whose product with the vector may be `least` or more, and those products."""
        vector = searched.vector
        rows = self._copies.near(searched, least) if self._copies else None
        if rows is None or _DENSE * len(rows) > self._copied:
            products = self.vectors[: self.count] @ vector
            rows = np.flatnonzero(products >= least - _SLACK)
            return rows, products[rows]
        products = self.vectors.take(rows, axis=0) @ vector
        if self._copied < self.count:
            rows = np.concatenate([rows, np.arange(self._copied, self.count)])
            products = np.concatenate([products, self.vectors[self._copied : self.count] @ vector])
        stay = np.flatnonzero(products >= least - _SLACK)
        return rows[stay], products[stay]


class _Rotation(NamedTuple):
    """Directions as columns, to which vectors are turned; and what a search then costs, in bytes read for each face."""

    directions: Vectors
    cost: float

    def shortened(self, vectors: Vectors) -> Vectors:
        """Short copies of vectors of length 1: their first components, and how long the rest is."""
        return _with_rest(vectors @ self.directions)


class _Rounded(NamedTuple):
    """Vectors in whole numbers of steps. `moved` is how far the one that was moved furthest was moved."""

    steps: NDArray[np.int8]
    step: float
    moved: float

    def less(self, other: _Rounded) -> float:
        """By how much the product of two rounded vectors can be less than that of the vectors, which are 1 long."""
        # u·v - u'·v' = (u - u')·v + u'·(v - v'), where u' is at most 1 + |u - u'| long.
        return self.moved + (1 + self.moved) * other.moved + 4 * _SLACK


class _Copies:
    """Short copies of some vectors: the first components after a rotation and the length of the rest, rounded."""

    def __init__(self, vectors: Vectors, rotation: _Rotation) -> None:
        self._rotation = rotation
        self._rounded = _rounded(rotation.shortened(vectors))
        self._pack()

    def only(self, rows: _Places) -> _Copies:
        """These of the copies."""
        fewer = copy.copy(self)
        fewer._rounded = self._rounded._replace(steps=self._rounded.steps[rows])
        fewer._pack()
        return fewer

    @property
    def count(self) -> int:
        return len(self._rounded.steps)

    def near(self, searched: _Searched, least: float) -> _Places:
        """The rows of all vectors whose product with the vector may be `least` or more."""
        short = searched.copy(self._rotation)
        products = np.asarray(numkong.dots_packed(short.steps, self._packed))[0]
        least = (least - self._rounded.less(short)) / (self._rounded.step * short.step)
        return np.flatnonzero(products >= np.int32(math.floor(least)))

    def _pack(self) -> None:
        """The copies in the order in which the processor reads them fastest: one vector with many at once."""
        self._packed = numkong.dots_pack(self._rounded.steps)


class _Searched:
    """A vector that is searched for, and its short copies by rotation, most of which many blocks share."""

    def __init__(self, vector: Vectors) -> None:
        self.vector = vector
        self._copies: dict[int, _Rounded] = {}

    def copy(self, rotation: _Rotation) -> _Rounded:
        """Its short copy after the rotation."""
        known = self._copies.get(id(rotation))
        if known is None:
            known = self._copies[id(rotation)] = _rounded(rotation.shortened(self.vector[None]))
        return known


def _with_rest(first: Vectors) -> Vectors:
    """The first components of vectors of length 1, and the length of the rest, which is never too short.

    The length is spread over _REST components, or it would be far longer than the others and make steps large.
    """
    rest = np.sqrt(np.maximum(1 - np.einsum("ij,ij->i", first, first), 0) + _SLACK) / math.sqrt(_REST)
    return np.concatenate([first, np.repeat(rest[:, None], _REST, axis=1)], axis=1)


def _rounded(vectors: Vectors) -> _Rounded:
    step = float(np.abs(vectors).max()) / _MOST
    steps = np.rint(vectors / step)
    moves = vectors - steps * step
    return _Rounded(steps.astype(np.int8), step, math.sqrt(np.einsum("ij,ij->i", moves, moves).max()))


def _rotation_for(vectors: Vectors, known: _Rotation | None) -> _Rotation:
    """A rotation that serves these vectors: the one that is known if it does, or else their principal directions.

    How many components make searching fastest is judged by searching for some of the vectors among others, at the
    default threshold. Vectors that have no directions of their own leave long rests, and with few components most
    faces would have to be compared again.
    """
    every = max(2, len(vectors) // _SAMPLE)
    judged = vectors[1::every]  # not those that the directions fit best
    if known is not None and _cost(judged @ known.directions) <= _AS_GOOD * known.cost:
        return known
    sample = vectors[::every]
    directions = np.linalg.eigh(sample.T @ sample)[1][:, ::-1]
    turned = judged @ directions
    cost, length = min((_cost(turned[:, : length - _REST]), length) for length in _LENGTHS)
    return _Rotation(np.ascontiguousarray(directions[:, : length - _REST]), cost)


def _cost(first: Vectors) -> float:
    """Bytes that a search reads for each face if copies hold these components, with those that it compares again."""
    others = _with_rest(first)
    some = others[:: 1 + len(others) // _SEARCHED]
    least = product_at(DEFAULT_THRESHOLD) - _rounded(others).less(_rounded(some))
    return _bytes_of_a_copy(others.shape[1]) + _AGAIN * float(np.mean(some @ others.T >= least))


@cache
def _bytes_of_a_copy(length: int) -> float:
    """What is read for each, which differs between processors: each fills copies up to what it takes at once."""
    some = 64
    return numkong.dots_pack(np.zeros((some, length), np.int8)).nbytes / some


def product_at(threshold: float) -> float:
    """The product of two vectors of length 1 that are so similar, in percent: |x - q|² = 2 - 2 x·q."""
    return 1 - distance_at(threshold) ** 2 / 2
