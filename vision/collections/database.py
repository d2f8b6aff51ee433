"""Collections and their faces in SQLite and in memory, for the one thread that owns them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vision.collections.index import FaceIndex, Match, Vectors
from vision.engine.messages import EMBEDDING, Box, Face
from vision.errors import InvalidParameterException, ResourceAlreadyExistsException, ResourceNotFoundException

SAME_FACE = 0.5
"""Overlap from which two boxes in the same image are the same face."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS collection (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    created REAL NOT NULL,
    tags TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS image (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection(id) ON DELETE CASCADE,
    image_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    external_id TEXT NOT NULL,
    UNIQUE (collection, digest, external_id)
);
CREATE TABLE IF NOT EXISTS face (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection(id) ON DELETE CASCADE,
    image INTEGER NOT NULL REFERENCES image(id) ON DELETE CASCADE,
    face_id TEXT NOT NULL,
    box TEXT NOT NULL,
    confidence REAL NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (collection, face_id)
);
CREATE INDEX IF NOT EXISTS face_of_image ON face(image);
CREATE INDEX IF NOT EXISTS face_of_collection ON face(collection);
"""
_NOT_GONE = "instr(name, '/') = 0"  # no name may hold a slash; that of a deleted collection does
_FACE = "SELECT face.id, face_id, image_id, external_id, box, confidence FROM face JOIN image ON image.id = face.image"
_LOAD_AT_ONCE = 5_000  # faces: some 15 ms, as long as a search in a million
_ERASE_AT_ONCE = 2_000  # faces, or images
_MAX_VARIABLES = 500  # in one SQL statement; SQLite's own limit is higher


class CannotOpen(Exception):
    """Why the collections in a folder cannot be used, as a sentence."""


class StoredFace(msgspec.Struct, frozen=True):
    """A face in a collection. `external_id` is "" where none was given."""

    key: int
    face_id: str
    image_id: str
    external_id: str
    box: Box
    confidence: float


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection; `created` in seconds since 1970."""

    name: str
    created: float
    faces: int


class Found(msgspec.Struct, frozen=True):
    """A face that a search found, and its similarity in percent."""

    face: StoredFace
    similarity: float


class Database:
    """What the store's thread does. A method that names a collection raises ResourceNotFoundException."""

    def __init__(self, path: Path) -> None:
        self._indexes: dict[int, FaceIndex] = {}
        self._whole: set[int] = set()  # collections of which all faces are in memory
        self._database = sqlite3.connect(path, isolation_level=None)
        try:
            self._database.executescript(
                # FULL: a commit that has returned survives a power cut. secure_delete: a deleted face leaves no bytes.
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                "PRAGMA secure_delete = ON;" + _SCHEMA
            )
            self._check_embedding(path)
        except sqlite3.Error as error:
            self.close()
            raise CannotOpen(
                f"Cannot use the collections in {path} ({error}); put back a copy of it, or give another --data."
            ) from error
        while self.erase_some():  # what a server that was killed had left to erase
            pass

    def _check_embedding(self, path: Path) -> None:
        """Vectors of different networks cannot be compared: the file says which one its faces are of."""
        (kept,) = self._one("PRAGMA user_version")
        if kept != EMBEDDING and self._one("SELECT 1 FROM face LIMIT 1"):
            self.close()
            raise CannotOpen(
                f"The faces in {path} were indexed by another version of this server, whose vectors mean something "
                "else; give another --data, and index the pictures there."
            )
        self._database.execute(f"PRAGMA user_version = {EMBEDDING}")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def create(self, name: str, tags: dict[str, str]) -> None:
        """Make a collection. Raises ResourceAlreadyExistsException."""
        try:
            self._database.execute(
                "INSERT INTO collection (name, created, tags) VALUES (?, ?, ?)", (name, time.time(), json.dumps(tags))
            )
        except sqlite3.IntegrityError as error:
            raise ResourceAlreadyExistsException(f"The collection id: {name} already exists") from error

    def retire(self, name: str) -> None:
        """Delete the collection for everyone; `erase_some` does the rest."""
        collection = self._id(name)
        self._database.execute("UPDATE collection SET name = ? WHERE id = ?", (f"{name}/{collection}", collection))
        self._indexes.pop(collection, None)
        self._whole.discard(collection)

    def erase_some(self) -> bool:
        """Erase the next faces of a collection that was deleted; whether there may be more."""
        gone = self._one(f"SELECT id FROM collection WHERE NOT {_NOT_GONE}")  # noqa: S608 - ours
        if gone is None:
            return False
        with _transaction(self._database):
            # Faces before their images: cheaper than the cascade, which looks up each row.
            for table in ("face", "image"):
                erased = self._database.execute(
                    f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE collection = ? LIMIT ?)",  # noqa: S608 - ours
                    (*gone, _ERASE_AT_ONCE),
                ).rowcount
                if erased:
                    break
            else:
                self._database.execute("DELETE FROM collection WHERE id = ?", gone)
        self._erase_log()
        return True

    def describe(self, name: str) -> Collection:
        """The collection with the number of its faces."""
        collection = self._id(name)
        (created,) = self._one("SELECT created FROM collection WHERE id = ?", collection)
        if collection in self._whole:
            faces = len(self._indexes[collection])
        else:
            (faces,) = self._one("SELECT count(*) FROM face WHERE collection = ?", collection)
        return Collection(name=name, created=created, faces=faces)

    def names(self, after: str, limit: int) -> list[str]:
        """The first `limit` names after `after`, in order."""
        rows = self._database.execute(
            f"SELECT name FROM collection WHERE name > ? AND {_NOT_GONE} ORDER BY name LIMIT ?",  # noqa: S608 - ours
            (after, limit),
        )
        return [name for (name,) in rows]

    def index(self, name: str, picture: bytes, external_id: str, faces: Sequence[Face]) -> list[StoredFace]:
        """Keep the picture's faces that are not there yet; each as it is kept, in the order of `faces`."""
        collection = self._id(name)
        digest = hashlib.sha256(picture).digest()
        with _transaction(self._database):
            image, image_id = self._image(collection, digest, external_id, create=bool(faces))
            kept = self._query(f"{_FACE} WHERE face.image = ? ORDER BY face.id", image)
            stored, added = [], []
            for face in faces:
                same = next((known for known in kept if known.box.overlap(face.box) >= SAME_FACE), None)
                if same is None:
                    same = self._insert(collection, image, image_id, external_id, face)
                    added.append((same.key, _vector(face.vector)))
                else:
                    kept.remove(same)
                stored.append(same)
        if added and collection in self._whole:  # otherwise they are read with the rest
            self._indexes[collection].add([key for key, _ in added], np.stack([vector for _, vector in added]))
        return stored

    def faces(self, name: str, after: int, limit: int, only: Sequence[str] | None) -> list[StoredFace]:
        """The first `limit` faces whose key is above `after`, of those `only` if given."""
        collection = self._id(name)
        if only is None:
            return self._query(
                f"{_FACE} WHERE face.collection = ? AND face.id > ? ORDER BY face.id LIMIT ?", collection, after, limit
            )
        found = [face for face in self._by_face_id(collection, only).values() if face.key > after]
        return sorted(found, key=lambda face: face.key)[:limit]

    def remove(self, name: str, face_ids: Sequence[str]) -> list[str]:
        """Delete faces; the ids that were there."""
        collection = self._id(name)
        found = self._by_face_id(collection, face_ids)
        keys = [face.key for face in found.values()]
        with _transaction(self._database):
            for some in _chunks(keys):
                marks = _marks(some)
                sql = f"SELECT DISTINCT image FROM face WHERE id IN ({marks})"  # noqa: S608 - only question marks
                images = self._database.execute(sql, some).fetchall()
                self._database.execute(f"DELETE FROM face WHERE id IN ({marks})", some)  # noqa: S608 - as above
                for (image,) in images:
                    self._database.execute(
                        "DELETE FROM image WHERE id = ? AND NOT EXISTS (SELECT 1 FROM face WHERE image = image.id)",
                        (image,),
                    )
        if collection in self._indexes:
            self._indexes[collection].remove(keys)
        if keys:
            self._erase_log()
        return list(found)

    def search(self, name: str, vector: bytes, threshold: float, limit: int) -> list[Found] | None:
        """The faces similar to the vector; None after loading some, while not all are in memory."""
        index = self._index(self._id(name))
        return None if index is None else self._found(index.search(_vector(vector), threshold, limit))

    def search_face(self, name: str, face_id: str, threshold: float, limit: int) -> list[Found] | None:
        """The faces similar to one of them, without it; None as in `search`."""
        collection = self._id(name)
        face = self._by_face_id(collection, [face_id]).get(face_id)
        if face is None:
            raise InvalidParameterException(f"faceId was not found in the collection: {face_id}")
        index = self._index(collection)
        if index is None:
            return None
        return self._found(index.search(index.vector(face.key), threshold, limit, leave_out=face.key))

    def _id(self, name: str) -> int:
        row = self._database.execute("SELECT id FROM collection WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise ResourceNotFoundException(f"The collection id: {name} does not exist")
        return int(row[0])

    def _index(self, collection: int) -> FaceIndex | None:
        """The collection's faces in memory; None when some may be missing yet, after reading the next of them."""
        index = self._indexes.setdefault(collection, FaceIndex())
        if collection in self._whole:
            return index
        rows = self._database.execute(
            "SELECT id, vector FROM face WHERE collection = ? AND id > ? ORDER BY id LIMIT ?",
            (collection, index.newest, _LOAD_AT_ONCE),
        ).fetchall()
        if rows:
            vectors = _vector(b"".join(vector for _, vector in rows)).reshape(len(rows), -1)
            index.add([key for key, _ in rows], vectors)
        if len(rows) < _LOAD_AT_ONCE:
            self._whole.add(collection)
        return None

    def _image(self, collection: int, digest: bytes, external_id: str, *, create: bool) -> tuple[int, str]:
        row = self._database.execute(
            "SELECT id, image_id FROM image WHERE collection = ? AND digest = ? AND external_id = ?",
            (collection, digest, external_id),
        ).fetchone()
        if row is not None:
            return int(row[0]), str(row[1])
        if not create:
            return -1, ""
        image_id = str(uuid.uuid4())
        inserted = self._database.execute(
            "INSERT INTO image (collection, image_id, digest, external_id) VALUES (?, ?, ?, ?)",
            (collection, image_id, digest, external_id),
        )
        return int(inserted.lastrowid or 0), image_id

    def _insert(self, collection: int, image: int, image_id: str, external_id: str, face: Face) -> StoredFace:
        face_id = str(uuid.uuid4())
        inserted = self._database.execute(
            "INSERT INTO face (collection, image, face_id, box, confidence, vector) VALUES (?, ?, ?, ?, ?, ?)",
            (collection, image, face_id, msgspec.json.encode(face.box).decode(), face.confidence, face.vector),
        )
        return StoredFace(int(inserted.lastrowid or 0), face_id, image_id, external_id, face.box, face.confidence)

    def _by_face_id(self, collection: int, face_ids: Sequence[str]) -> dict[str, StoredFace]:
        found: dict[str, StoredFace] = {}
        for some in _chunks(list(dict.fromkeys(face_ids))):
            faces = self._query(f"{_FACE} WHERE face.collection = ? AND face_id IN ({_marks(some)})", collection, *some)
            found.update((face.face_id, face) for face in faces)
        return found

    def _found(self, matches: Sequence[Match]) -> list[Found]:
        faces: dict[int, StoredFace] = {}
        for some in _chunks([match.key for match in matches]):
            faces.update((face.key, face) for face in self._query(f"{_FACE} WHERE face.id IN ({_marks(some)})", *some))
        return [Found(faces[match.key], match.similarity) for match in matches]

    def _query(self, sql: str, *values: Any) -> list[StoredFace]:
        return [
            StoredFace(key, face_id, image_id, external_id, msgspec.json.decode(box, type=Box), confidence)
            for key, face_id, image_id, external_id, box, confidence in self._database.execute(sql, values)
        ]

    def _one(self, sql: str, *values: Any) -> Any:
        return self._database.execute(sql, values).fetchone()

    def _erase_log(self) -> None:
        """Empty the write-ahead log, which would keep deleted faces until its pages are reused."""
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of it on the disk, or none."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _vector(content: bytes | None) -> Vectors:
    return np.frombuffer(content or b"", dtype="<f4").astype(np.float32, copy=False)


def _chunks(values: list[Any]) -> list[list[Any]]:
    return [values[start : start + _MAX_VARIABLES] for start in range(0, len(values), _MAX_VARIABLES)]


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))
