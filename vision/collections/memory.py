"""A table's vectors in memory, to be searched: read when a collection is first searched, then kept the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from vision.collections.index import FaceIndex, Vectors
from vision.collections.sqlite import vector_of

_LOAD_AT_ONCE = 5_000  # vectors: some 20 ms, as long as a search in a million


class Memory:
    """The vectors of a table by collection. Tell it of every change that was committed."""

    def __init__(self, database: sqlite3.Connection, table: Literal["face", "user_vector"]) -> None:
        self._database = database
        self._rows = f"SELECT id, vector FROM {table} WHERE collection = ? AND id > ? ORDER BY id LIMIT ?"  # noqa: S608 - ours
        self._indexes: dict[int, FaceIndex] = {}
        self._whole: set[int] = set()  # collections of which all vectors are in memory

    def index(self, collection: int) -> FaceIndex | None:
        """The collection's vectors; None when some may be missing yet, after reading the next of them."""
        index = self._indexes.setdefault(collection, FaceIndex())
        if collection in self._whole:
            return index
        rows = self._database.execute(self._rows, (collection, index.newest, _LOAD_AT_ONCE)).fetchall()
        if rows:
            vectors = vector_of(b"".join(vector for _, vector in rows)).reshape(len(rows), -1)
            index.add([key for key, _ in rows], vectors)
        if len(rows) < _LOAD_AT_ONCE:
            self._whole.add(collection)
        return None

    def count(self, collection: int) -> int | None:
        """How many there are; None while not all are in memory."""
        return len(self._indexes[collection]) if collection in self._whole else None

    def add(self, collection: int, added: Sequence[tuple[int, Vectors]]) -> None:
        """New vectors with their keys, which ascend."""
        if added and collection in self._whole:  # otherwise they are read with the rest
            self._indexes[collection].add([key for key, _ in added], np.stack([vector for _, vector in added]))

    def remove(self, collection: int, keys: Iterable[int]) -> None:
        """Vectors that are there no more."""
        if collection in self._indexes:
            self._indexes[collection].remove(keys)

    def forget(self, collection: int) -> None:
        """All of a collection's."""
        self._indexes.pop(collection, None)
        self._whole.discard(collection)
