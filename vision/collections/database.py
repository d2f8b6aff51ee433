"""Collections and their faces in SQLite and in memory, for the one thread that owns them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from vision.collections.index import Match
from vision.collections.memory import Memory
from vision.collections.pages import Page, Tokens
from vision.collections.sqlite import PARTS, chunks, erase_log, marks, opened, transaction, vector_of
from vision.engine.messages import Box, Face
from vision.errors import (
    InvalidParameterException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
    ServiceQuotaExceededException,
)

SAME_FACE = 0.5
"""Overlap from which two boxes in the same image are the same face."""
MAX_TAGS = 50
"""Tags of a collection: the most that AWS lets a resource have."""

_NOT_GONE = "instr(name, '/') = 0"  # no name may hold a slash; that of a deleted collection does
_FACE = (
    "SELECT face.id, face_id, image_id, external_id, box, confidence, user_id FROM face "
    "JOIN image ON image.id = face.image LEFT JOIN association ON association.face = face.id "
    "LEFT JOIN user ON user.id = association.user"
)
_ERASE_AT_ONCE = 2_000  # faces, or images


class StoredFace(msgspec.Struct, frozen=True):
    """A face in a collection. `external_id` is "" where none was given; `user_id` None where it is no user's."""

    key: int
    face_id: str
    image_id: str
    external_id: str
    box: Box
    confidence: float
    user_id: str | None = None


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection; `created` in seconds since 1970."""

    name: str
    created: float
    faces: int
    users: int


class Found(msgspec.Struct, frozen=True):
    """A face that a search found, and its similarity in percent."""

    face: StoredFace
    similarity: float


class Removal(msgspec.Struct, frozen=True):
    """What became of faces that were to be removed: those that are a user's, by face id, stay."""

    removed: set[str]
    users: dict[str, str]


class Database:
    """What the store's thread does. A method that names a collection raises ResourceNotFoundException.

    `connection`, `tokens`, `faces_in_memory` and `users_in_memory` are for `vision.collections.users`.
    """

    def __init__(self, path: Path) -> None:
        self.connection = opened(path)
        (secret,) = self._one("SELECT content FROM secret")
        self.tokens = Tokens(secret)
        self.faces_in_memory = Memory(self.connection, "face")
        self.users_in_memory = Memory(self.connection, "user_vector")
        while self.erase_some():  # what a server that was killed had left to erase
            pass

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def create(self, name: str, tags: dict[str, str]) -> None:
        """Make a collection. Raises ResourceAlreadyExistsException, ServiceQuotaExceededException."""
        _check_tags(tags)
        try:
            self.connection.execute(
                "INSERT INTO collection (name, created, tags) VALUES (?, ?, ?)", (name, time.time(), json.dumps(tags))
            )
        except sqlite3.IntegrityError as error:
            raise ResourceAlreadyExistsException(f"The collection id: {name} already exists") from error

    def retire(self, name: str) -> None:
        """Delete the collection for everyone; `erase_some` does the rest."""
        collection = self.id(name)
        self.connection.execute("UPDATE collection SET name = ? WHERE id = ?", (f"{name}/{collection}", collection))
        self.faces_in_memory.forget(collection)
        self.users_in_memory.forget(collection)

    def erase_some(self) -> bool:
        """Erase the next faces of a collection that was deleted; whether there may be more."""
        gone = self._one(f"SELECT id FROM collection WHERE NOT {_NOT_GONE}")  # noqa: S608 - ours
        if gone is None:
            return False
        with transaction(self.connection):
            for table in PARTS:
                erased = self.connection.execute(
                    f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE collection = ? LIMIT ?)",  # noqa: S608 - ours
                    (*gone, _ERASE_AT_ONCE),
                ).rowcount
                if erased:
                    break
            else:
                self.connection.execute("DELETE FROM collection WHERE id = ?", gone)
        erase_log(self.connection)
        return True

    def describe(self, name: str) -> Collection:
        """The collection with the numbers of its faces and users."""
        collection = self.id(name)
        (created,) = self._one("SELECT created FROM collection WHERE id = ?", collection)
        (users,) = self._one("SELECT count(*) FROM user WHERE collection = ?", collection)
        faces = self.faces_in_memory.count(collection)
        if faces is None:
            (faces,) = self._one("SELECT count(*) FROM face WHERE collection = ?", collection)
        return Collection(name=name, created=created, faces=faces, users=users)

    def names(self, token: str | None, limit: int) -> Page[str]:
        """The next `limit` names, in the order in which the collections were created."""
        rows = self.connection.execute(
            f"SELECT id, name FROM collection WHERE id > ? AND {_NOT_GONE} ORDER BY id LIMIT ?",  # noqa: S608 - ours
            (self.tokens.place("collections", token), limit + 1),
        ).fetchall()
        return self.tokens.page("collections", rows, limit)

    def tags(self, name: str) -> dict[str, str]:
        """The collection's tags."""
        (tags,) = self._one("SELECT tags FROM collection WHERE id = ?", self.id(name))
        return dict(json.loads(tags))

    def tag(self, name: str, added: dict[str, str], removed: Sequence[str]) -> None:
        """Change the collection's tags. Raises ServiceQuotaExceededException."""
        tags = {key: value for key, value in (self.tags(name) | added).items() if key not in removed}
        _check_tags(tags)
        self.connection.execute("UPDATE collection SET tags = ? WHERE id = ?", (json.dumps(tags), self.id(name)))

    def index(self, name: str, picture: bytes, external_id: str, faces: Sequence[Face]) -> list[StoredFace]:
        """Keep the picture's faces that are not there yet; each as it is kept, in the order of `faces`."""
        collection = self.id(name)
        digest = hashlib.sha256(picture).digest()
        with transaction(self.connection):
            image, image_id = self._image(collection, digest, external_id, create=bool(faces))
            kept = self._query(f"{_FACE} WHERE face.image = ? ORDER BY face.id", image)
            stored, added = [], []
            for face in faces:
                same = next((known for known in kept if known.box.overlap(face.box) >= SAME_FACE), None)
                if same is None:
                    same = self._insert(collection, image, image_id, external_id, face)
                    added.append((same.key, vector_of(face.vector)))
                else:
                    kept.remove(same)
                stored.append(same)
        self.faces_in_memory.add(collection, added)
        return stored

    def faces(
        self, name: str, token: str | None, limit: int, only: Sequence[str] | None = None, user_id: str | None = None
    ) -> Page[StoredFace]:
        """The next `limit` faces; of those `only`, and of that user's, if given."""
        collection = self.id(name)
        listed = f"faces of {collection} {user_id or ''}"
        after = self.tokens.place(listed, token)
        mine, user = ("", ()) if user_id is None else (" AND user.id = ?", (self.user(collection, user_id),))
        if only is None:
            found = self._query(
                f"{_FACE} WHERE face.collection = ? AND face.id > ?{mine} ORDER BY face.id LIMIT ?",
                *(collection, after, *user, limit + 1),
            )
        else:
            found = [face for face in self.by_face_id(collection, only).values() if face.key > after]
            found = sorted(found, key=lambda face: face.key)
            found = [face for face in found if user_id in (None, face.user_id)]
        return self.tokens.page(listed, [(face.key, face) for face in found], limit)

    def remove(self, name: str, face_ids: Sequence[str]) -> Removal:
        """Delete faces that are no user's."""
        collection = self.id(name)
        found = self.by_face_id(collection, face_ids).values()
        keys = [face.key for face in found if face.user_id is None]
        with transaction(self.connection):
            for some in chunks(keys):
                those = f"({marks(some)})"
                sql = f"SELECT DISTINCT image FROM face WHERE id IN {those}"  # noqa: S608 - only question marks
                images = self.connection.execute(sql, some).fetchall()
                self.connection.execute(f"DELETE FROM face WHERE id IN {those}", some)  # noqa: S608 - as above
                for (image,) in images:
                    self.connection.execute(
                        "DELETE FROM image WHERE id = ? AND NOT EXISTS (SELECT 1 FROM face WHERE image = image.id)",
                        (image,),
                    )
        self.faces_in_memory.remove(collection, keys)
        if keys:
            erase_log(self.connection)
        return Removal(
            {face.face_id for face in found if face.user_id is None},
            {face.face_id: face.user_id for face in found if face.user_id is not None},
        )

    def search(self, name: str, vector: bytes, threshold: float, limit: int) -> list[Found] | None:
        """The faces similar to the vector; None after loading some, while not all are in memory."""
        index = self.faces_in_memory.index(self.id(name))
        return None if index is None else self._found(index.search(vector_of(vector), threshold, limit))

    def search_face(self, name: str, face_id: str, threshold: float, limit: int) -> list[Found] | None:
        """The faces similar to one of them, without it; None as in `search`."""
        collection = self.id(name)
        face = self.face(collection, face_id)
        index = self.faces_in_memory.index(collection)
        if index is None:
            return None
        return self._found(index.search(index.vector(face.key), threshold, limit, leave_out=face.key))

    def id(self, name: str) -> int:
        """The collection's own number."""
        row = self._one("SELECT id FROM collection WHERE name = ?", name)
        if row is None:
            raise ResourceNotFoundException(f"The collection id: {name} does not exist")
        return int(row[0])

    def user(self, collection: int, user_id: str) -> int:
        """The user's own number. Raises ResourceNotFoundException."""
        row = self._one("SELECT id FROM user WHERE collection = ? AND user_id = ?", collection, user_id)
        if row is None:
            raise ResourceNotFoundException(f"The user id: {user_id} does not exist")
        return int(row[0])

    def face(self, collection: int, face_id: str) -> StoredFace:
        """A face. Raises InvalidParameterException."""
        face = self.by_face_id(collection, [face_id]).get(face_id)
        if face is None:
            raise InvalidParameterException(f"faceId was not found in the collection: {face_id}")
        return face

    def by_face_id(self, collection: int, face_ids: Sequence[str]) -> dict[str, StoredFace]:
        """Those of the faces that are there."""
        found: dict[str, StoredFace] = {}
        for some in chunks(list(dict.fromkeys(face_ids))):
            faces = self._query(f"{_FACE} WHERE face.collection = ? AND face_id IN ({marks(some)})", collection, *some)
            found.update((face.face_id, face) for face in faces)
        return found

    def _image(self, collection: int, digest: bytes, external_id: str, *, create: bool) -> tuple[int, str]:
        row = self._one(
            "SELECT id, image_id FROM image WHERE collection = ? AND digest = ? AND external_id = ?",
            *(collection, digest, external_id),
        )
        if row is not None:
            return int(row[0]), str(row[1])
        if not create:
            return -1, ""
        image_id = str(uuid.uuid4())
        inserted = self.connection.execute(
            "INSERT INTO image (collection, image_id, digest, external_id) VALUES (?, ?, ?, ?)",
            (collection, image_id, digest, external_id),
        )
        return int(inserted.lastrowid or 0), image_id

    def _insert(self, collection: int, image: int, image_id: str, external_id: str, face: Face) -> StoredFace:
        face_id = str(uuid.uuid4())
        inserted = self.connection.execute(
            "INSERT INTO face (collection, image, face_id, box, confidence, vector) VALUES (?, ?, ?, ?, ?, ?)",
            (collection, image, face_id, msgspec.json.encode(face.box).decode(), face.confidence, face.vector),
        )
        return StoredFace(int(inserted.lastrowid or 0), face_id, image_id, external_id, face.box, face.confidence)

    def _found(self, matches: Sequence[Match]) -> list[Found]:
        faces: dict[int, StoredFace] = {}
        for some in chunks([match.key for match in matches]):
            faces.update((face.key, face) for face in self._query(f"{_FACE} WHERE face.id IN ({marks(some)})", *some))
        return [Found(faces[match.key], match.similarity) for match in matches]

    def _query(self, sql: str, *values: Any) -> list[StoredFace]:
        return [
            StoredFace(key, face_id, image_id, external_id, msgspec.json.decode(box, type=Box), confidence, user_id)
            for key, face_id, image_id, external_id, box, confidence, user_id in self.connection.execute(sql, values)
        ]

    def _one(self, sql: str, *values: Any) -> Any:
        return self.connection.execute(sql, values).fetchone()


def _check_tags(tags: dict[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise ServiceQuotaExceededException(f"A collection has at most {MAX_TAGS} tags; these would be {len(tags)}.")
